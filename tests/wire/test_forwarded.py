from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import any_size, cpu_bound
from tests.strategies import few, fragments

from audit_mw.wire.forwarded import (
    parse_address,
    parse_forwarded,
    parse_node,
    parse_nodes,
)

LINES = fragments(
    b"for=", b"For =", b"by=", b'"', b"\\", b";", b",", b" ", b"1.2.3.4", b"[::1]",
    b":80", b"unknown", b"_x", most=16,
)  # fmt: skip
ADDRESSES = st.ip_addresses().map(str)


def shown(address: object) -> str | None:
    """Return an address as text."""
    return None if address is None else str(address)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param(b"1.2.3.4", "1.2.3.4", id="IPv4"),
        pytest.param(b"1.2.3.4:80", "1.2.3.4", id="IPv4, port"),
        pytest.param(b"1.2.3.4:_http", "1.2.3.4", id="IPv4, obfuscated port"),
        pytest.param(b"::1", "::1", id="IPv6 bare"),
        pytest.param(b"[::1]", "::1", id="IPv6 in brackets"),
        pytest.param(b"[2001:DB8::1]:443", "2001:db8::1", id="IPv6, port"),
        pytest.param(b"::ffff:10.0.0.1", "10.0.0.1", id="IPv4-mapped"),
        pytest.param(b"[::ffff:a00:1]:8", "10.0.0.1", id="IPv4-mapped, brackets, port"),
        pytest.param(b"fe80::1%eth0", "fe80::1%eth0", id="zone"),
        pytest.param(b"::", "::", id="the shortest"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b":", None, id="colon"),
        pytest.param(b"unknown", None, id="unknown"),
        pytest.param(b"_hidden", None, id="obfuscated"),
        pytest.param(b"_hidden:80", None, id="obfuscated, port"),
        pytest.param(b"1.2.3", None, id="three octets"),
        pytest.param(b"01.2.3.4", None, id="leading zero"),
        pytest.param(b"1.2.3.256", None, id="octet too large"),
        pytest.param(b"1.2.3.4:", None, id="colon without port"),
        pytest.param(b"1.2.3.4:x", None, id="no port"),
        pytest.param(b"1.2.3.4:123456", None, id="port too long"),
        pytest.param(b":80", None, id="port alone"),
        pytest.param(b"[1.2.3.4]", None, id="IPv4 in brackets"),
        pytest.param(b"[::1", None, id="bracket not closed"),
        pytest.param(b"[::1]80", None, id="port without colon"),
        pytest.param(b"[::1]]", None, id="two brackets"),
        pytest.param(b"[::1]:", None, id="brackets, colon without port"),
        pytest.param(b"1.2.3.4 ", None, id="space"),
        pytest.param(b"1.2.3.4\n", None, id="line feed"),
        pytest.param(b"1.2.3.4\x1b[2J", None, id="escape sequence"),
        pytest.param("\uff11.2.3.4".encode(), None, id="digit of another script"),
        pytest.param(b"\xb2.2.3.4", None, id="superscript in Latin-1"),
        pytest.param(b'"1.2.3.4"', None, id="quotes"),
        pytest.param(b"example.com", None, id="host name"),
        pytest.param(b"1" * 100_000, None, id="long"),
    ],
)
def test_node(node: bytes, expected: str | None) -> None:
    """
    A node is an address, without port and brackets, or nothing.
    """
    assert expected == shown(parse_node(node))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="no line"),
        pytest.param([b""], [], id="empty line"),
        pytest.param([b"1.1.1.1"], ["1.1.1.1"], id="one"),
        pytest.param([b"1.1.1.1, 2.2.2.2:8"], ["1.1.1.1", "2.2.2.2"], id="two"),
        pytest.param([b"1.1.1.1", b"::2"], ["1.1.1.1", "::2"], id="two lines"),
        pytest.param([b"1.1.1.1,"], ["1.1.1.1"], id="trailing comma"),
        pytest.param([b",1.1.1.1"], ["1.1.1.1"], id="leading comma"),
        pytest.param([b"x,\t1.1.1.1"], [None, "1.1.1.1"], id="no address"),
        pytest.param([b'"1.1.1.1,2.2.2.2'], [None, "2.2.2.2"], id="no quoting here"),
    ],
)
def test_nodes(lines: list[bytes], expected: list[str | None]) -> None:
    """
    Each piece between two commas is a hop, whether or not it names an address,
    unless it is empty.
    """
    assert expected == list(map(shown, parse_nodes(lines)))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="no line"),
        pytest.param([b"for=1.1.1.1"], ["1.1.1.1"], id="one"),
        pytest.param([b"FOR=1.1.1.1;Proto=http"], ["1.1.1.1"], id="case"),
        pytest.param([b'for="[::1]:80"'], ["::1"], id="quoted"),
        pytest.param([b'for="1.1\\.1.1"'], ["1.1.1.1"], id="quoted pair"),
        pytest.param([b" for = 1.1.1.1 ; by=_x"], ["1.1.1.1"], id="white space"),
        pytest.param([b"proto=http;for=1.1.1.1;;"], ["1.1.1.1"], id="empty pairs"),
        pytest.param([b"for=1.1.1.1, for=::2"], ["1.1.1.1", "::2"], id="two elements"),
        pytest.param([b"for=1.1.1.1", b"for=::2"], ["1.1.1.1", "::2"], id="two lines"),
        pytest.param([b"for=unknown"], [None], id="unknown"),
        pytest.param([b'for="_gazonk"'], [None], id="obfuscated"),
        pytest.param([b"by=1.1.1.1;proto=http"], [None], id="no for"),
        pytest.param([b"xfor=1.1.1.1"], [None], id="another name"),
        pytest.param([b"for=1.1.1.1;for=2.2.2.2"], [None], id="twice in one element"),
        pytest.param([b'for=""'], [None], id="empty"),
        pytest.param([b"for=1.1.1.1 2.2.2.2"], [None], id="two tokens"),
        pytest.param([b'for="1.1.1.1"x'], [None], id="something behind a quote"),
        pytest.param([b"for=1.1.1.1;junk"], [None], id="a pair without equals sign"),
        pytest.param([b'by="a;for=1.1.1.1;b"'], [None], id="for inside of quotes"),
        pytest.param(
            [b'by="a;for=1.1.1.1;b";for=2.2.2.2'], ["2.2.2.2"], id="quoted and real"
        ),
    ],
)
def test_forwarded(lines: list[bytes], expected: list[str | None]) -> None:
    """
    Each element is a hop, named by its one `for` if it is well-formed throughout.
    """
    assert expected == list(map(shown, parse_forwarded(lines)))


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(b'for=6.6.6.6;by="', id="a later value"),
        pytest.param(b'by="x;for=6.6.6.6;y', id="inside of the value"),
        pytest.param(b'"', id="a quote alone"),
        pytest.param(b'for="6.6.6.6', id="its own value"),
        pytest.param(b'for=6.6.6.6;by="x\\', id="backslash"),
    ],
)
@pytest.mark.parametrize(
    "appended",
    [
        pytest.param(b"for=10.9.9.9", id="token"),
        pytest.param(b'for="[2001:db8::9]:1";proto=http', id="quoted"),
        pytest.param(b'for=10.9.9.9;by="10.0.0.1"', id="quoted later"),
    ],
)
def test_open_quote(claim: bytes, appended: bytes) -> None:
    """
    A quote that a client leaves open cannot swallow what its proxy appends.
    """
    nodes = list(map(shown, parse_forwarded([claim + b", " + appended])))

    assert nodes[-1] in (None, "10.9.9.9", "2001:db8::9")


@few
@given(st.lists(LINES, max_size=3))
def test_never_raises(lines: list[bytes]) -> None:
    """
    No line is an error, and there are never more hops than commas and lines.
    """
    most = sum(line.count(b",") + 1 for line in lines)

    assert len(parse_nodes(lines)) <= most
    assert len(parse_forwarded(lines)) <= most


@few
@given(st.lists(ADDRESSES, min_size=1, max_size=4))
def test_well_formed_lines(addresses: list[str]) -> None:
    """
    Every address that a proxy spells as the grammar says is read again.
    """
    expected = [shown(parse_address(address)) for address in addresses]
    nodes = ", ".join(addresses).encode()
    quoted = [f'for="[{a}]:1"' if ":" in a else f"for={a}" for a in addresses]

    assert expected == list(map(shown, parse_nodes([nodes])))
    assert expected == list(map(shown, parse_forwarded([", ".join(quoted).encode()])))


@few
@given(ADDRESSES)
def test_address(text: str) -> None:
    """
    An address is the one that the standard library reads, or the IPv4 within it.
    """
    address = ip_address(text)

    assert (getattr(address, "ipv4_mapped", None) or address) == parse_address(text)


@any_size
@pytest.mark.parametrize(
    "piece",
    [b'"', b"\\", b'\\"', b";", b",", b"=", b";for=", b'for="', b";for= ", b" ", b"1"],
)
@pytest.mark.parametrize("end", [b"", b"\\", b'"'])
def test_hostile_bytes(*, piece: bytes, end: bytes, size: int) -> None:
    """
    Any amount of what the grammar is made of cost what they weigh.
    """
    line = piece * (size // 5 // len(piece))

    with cpu_bound(120):
        for start in (b"", b"for=", b'"', b'for="'):
            parse_forwarded([start + line + end])
            parse_nodes([start + line + end])
