# Whose address: each line of section 6 of the design, and what peers get wrong.
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few, fragments

from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.policy.client import (
    FORWARDING_FIELDS,
    Client,
    compile_client,
    named_by,
    peer_text,
)

Peer = tuple[str, int | None] | None
PROXY = ("10.0.0.1", 80)
STRANGER = ("192.0.2.1", 80)
UNIX = ("unix", None)
INSIDE = "10.0.0.0/8,2001:db8::/32,unix"


def resolve(
    peer: Peer,
    *lines: bytes,
    header: str = "x-forwarded-for",
    trusted: str | None = INSIDE,
) -> Client:
    """Return the client of a peer that sends `lines` of one header."""
    config = Config.load({"trusted_proxies": trusted, "forwarded_by": header}, {})

    return compile_client(config)(peer, [(header.encode(), line) for line in lines])


@pytest.mark.parametrize(
    ("peer", "lines", "address", "via"),
    [
        # The peer decides whether a claim counts.
        pytest.param(STRANGER, [], "192.0.2.1", "direct", id="nothing claimed"),
        pytest.param(
            STRANGER, [b"1.1.1.1"], "192.0.2.1", "untrusted-claim", id="untrusted peer"
        ),
        pytest.param(PROXY, [], "10.0.0.1", "direct", id="proxy for itself"),
        pytest.param(PROXY, [b"1.1.1.1"], "1.1.1.1", "proxied", id="one hop"),
        pytest.param(None, [b"1.1.1.1"], None, "untrusted-claim", id="unknown peer"),
        pytest.param(None, [], None, "direct", id="unknown peer, no claim"),
        # The walk, from the right.
        pytest.param(
            PROXY, [b"6.6.6.6, 1.1.1.1"], "1.1.1.1", "proxied", id="forged on the left"
        ),
        pytest.param(
            PROXY, [b"6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1", "proxied", id="two hops"
        ),
        pytest.param(
            PROXY, [b"10.0.0.3, 10.0.0.2"], "10.0.0.3", "proxied", id="all trusted"
        ),
        pytest.param(
            PROXY, [b"1.1.1.1", b"10.0.0.2"], "1.1.1.1", "proxied", id="two lines"
        ),
        pytest.param(
            PROXY, [b"6.6.6.6", b"1.1.1.1"], "1.1.1.1", "proxied", id="a forged line"
        ),
        # How addresses are spelt.
        pytest.param(PROXY, [b"1.1.1.1:4711"], "1.1.1.1", "proxied", id="port"),
        pytest.param(PROXY, [b"[2a00::1]:80"], "2a00::1", "proxied", id="brackets"),
        pytest.param(PROXY, [b"[2a00::1]"], "2a00::1", "proxied", id="no port"),
        pytest.param(PROXY, [b"2A00:0::1"], "2a00::1", "proxied", id="bare IPv6"),
        pytest.param(
            PROXY, [b"::ffff:1.1.1.1"], "1.1.1.1", "proxied", id="mapped client"
        ),
        pytest.param(
            PROXY, [b"1.1.1.1, ::ffff:10.9.9.9"], "1.1.1.1", "proxied", id="mapped hop"
        ),
        pytest.param(
            ("::ffff:10.0.0.1", 80),
            [b"1.1.1.1"],
            "1.1.1.1",
            "proxied",
            id="mapped proxy",
        ),
        pytest.param(
            ("::ffff:192.0.2.1", 80), [], "192.0.2.1", "direct", id="mapped stranger"
        ),
        pytest.param(
            ("2001:db8::1", 80), [b"1.1.1.1"], "1.1.1.1", "proxied", id="IPv6 proxy"
        ),
        # What names no address stops the walk at the last good hop.
        pytest.param(PROXY, [b"unknown"], "10.0.0.1", "malformed", id="unknown"),
        pytest.param(PROXY, [b"_hidden"], "10.0.0.1", "malformed", id="obfuscated"),
        pytest.param(PROXY, [b"\x1b[31m"], "10.0.0.1", "malformed", id="escape"),
        pytest.param(PROXY, [b'"<b>'], "10.0.0.1", "malformed", id="markup"),
        pytest.param(PROXY, [b"010.1.1.1"], "10.0.0.1", "malformed", id="octal"),
        pytest.param(PROXY, [b"1.1.1.1:"], "10.0.0.1", "malformed", id="empty port"),
        pytest.param(PROXY, [b"1.1.1.1:x"], "10.0.0.1", "malformed", id="bad port"),
        pytest.param(PROXY, [b"[1.1.1.1]"], "10.0.0.1", "malformed", id="bad brackets"),
        pytest.param(PROXY, [b"[::1"], "10.0.0.1", "malformed", id="open bracket"),
        pytest.param(PROXY, [b"x" * 99999], "10.0.0.1", "malformed", id="very long"),
        pytest.param(
            PROXY, [b"1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2", "malformed", id="behind"
        ),
        pytest.param(
            PROXY, [b"unknown, 1.1.1.1"], "1.1.1.1", "proxied", id="never reached"
        ),
        # Empty elements are none (RFC 9110 5.6.1.2).
        pytest.param(PROXY, [b"1.1.1.1,"], "1.1.1.1", "proxied", id="trailing comma"),
        pytest.param(PROXY, [b"1.1.1.1, ,10.0.0.2"], "1.1.1.1", "proxied", id="gap"),
        pytest.param(PROXY, [b" , 1.1.1.1"], "1.1.1.1", "proxied", id="leading comma"),
        pytest.param(PROXY, [b""], "10.0.0.1", "malformed", id="empty"),
        pytest.param(PROXY, [b",,"], "10.0.0.1", "malformed", id="only commas"),
        # Unix sockets.
        pytest.param(UNIX, [b"1.1.1.1"], "1.1.1.1", "proxied", id="unix peer"),
        pytest.param(UNIX, [], "unix", "direct", id="unix peer, no claim"),
        pytest.param(UNIX, [b"unknown"], "unix", "malformed", id="unix, malformed"),
        pytest.param(
            ("testclient", 1), [b"1.1.1.1"], "testclient", "untrusted-claim", id="name"
        ),
    ],
)
def test_forwarded_for(
    peer: Peer, lines: list[bytes], address: str | None, via: str
) -> None:
    """The client is the first hop from the right that is not trusted."""
    client = resolve(peer, *lines)

    assert client.address == (None if address is None else address.encode())
    assert client.via == via
    assert client.trusted == (via in ("proxied", "malformed") or peer in (PROXY, UNIX))


@pytest.mark.parametrize(
    ("lines", "address", "via"),
    [
        pytest.param([b"for=1.1.1.1"], "1.1.1.1", "proxied", id="one"),
        pytest.param(
            [b"for=6.6.6.6, for=1.1.1.1;proto=https"], "1.1.1.1", "proxied", id="two"
        ),
        pytest.param([b'For="[2a00::1]:4711"'], "2a00::1", "proxied", id="quoted"),
        pytest.param([b'for="1.1.1.1:_p"'], "1.1.1.1", "proxied", id="hidden port"),
        pytest.param(
            [b'for=1.1.1.1;by="a,b", for=10.0.0.2'], "1.1.1.1", "proxied", id="comma"
        ),
        pytest.param([b"for=1.1.1.1,"], "1.1.1.1", "proxied", id="trailing comma"),
        pytest.param(
            [b"for=1.1.1.1", b"for=10.0.0.2"], "1.1.1.1", "proxied", id="lines"
        ),
        pytest.param([b"for=unknown"], "10.0.0.1", "malformed", id="unknown"),
        pytest.param([b"for=_x"], "10.0.0.1", "malformed", id="obfuscated"),
        pytest.param([b"proto=https"], "10.0.0.1", "malformed", id="no for"),
        pytest.param(
            [b"for=1.1.1.1;for=2.2.2.2"], "10.0.0.1", "malformed", id="two for"
        ),
        pytest.param([b"1.1.1.1"], "10.0.0.1", "malformed", id="not its grammar"),
        pytest.param([b'for="1.1.1.1'], "10.0.0.1", "malformed", id="open quote"),
        pytest.param([b'for="x, for=1.1.1.1'], "10.0.0.1", "malformed", id="swallowed"),
        pytest.param([b""], "10.0.0.1", "malformed", id="empty"),
    ],
)
def test_forwarded(lines: list[bytes], address: str, via: str) -> None:
    """Forwarded (RFC 7239) is walked by its `for` parameters."""
    assert Client(address.encode(), via, trusted=True) == resolve(
        PROXY, *lines, header="forwarded"
    )


@pytest.mark.parametrize("header", ["x-real-ip", "cf-connecting-ip", "x-any-name"])
def test_other_headers(header: str) -> None:
    """Any header can be the one that the proxies set."""
    client = resolve(PROXY, b"1.1.1.1", header=header)

    assert Client(b"1.1.1.1", "proxied", trusted=True) == client


def test_one_header_only() -> None:
    """A header that the proxies do not set is not believed, even from them."""
    config = Config.load({"trusted_proxies": INSIDE}, {})
    resolve_client = compile_client(config)
    fields = [(b"x-real-ip", b"6.6.6.6"), (b"forwarded", b"for=6.6.6.6")]

    assert Client(b"10.0.0.1", "direct", trusted=True) == resolve_client(PROXY, fields)


@pytest.mark.parametrize("name", sorted(FORWARDING_FIELDS))
def test_untrusted_claims(name: bytes) -> None:
    """Every header that proxies use is a claim, if the peer is not trusted."""
    resolve_client = compile_client(Config.load({}, {}))
    client = resolve_client(STRANGER, [(name, b"6.6.6.6")])

    assert Client(b"192.0.2.1", "untrusted-claim", trusted=False) == client


def test_unix_must_be_named() -> None:
    """A unix socket is trusted only where the config says so."""
    client = resolve(UNIX, b"1.1.1.1", trusted="10.0.0.0/8")

    assert Client(b"unix", "untrusted-claim", trusted=False) == client


def test_mapped_network() -> None:
    """A network spelt IPv4-mapped trusts the IPv4 addresses that it means."""
    client = resolve(PROXY, b"1.1.1.1", trusted="::ffff:10.0.0.0/104")

    assert Client(b"1.1.1.1", "proxied", trusted=True) == client


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param("10.0.0.0/33", id="prefix too long"),
        pytest.param("10.0.0.1/8", id="bits behind the prefix"),
        pytest.param("10.0.0", id="three numbers"),
        pytest.param("proxy.example", id="a name"),
        pytest.param("10.0.0.0/8,*", id="a star"),
        pytest.param("2001:db8::/129", id="IPv6 prefix too long"),
    ],
)
def test_wrong_network(wrong: str) -> None:
    """A wrong network is an error at start that names option and value."""
    with pytest.raises(ConfigError) as caught:
        Config.load({"trusted_proxies": wrong}, {})

    assert caught.value.option == "trusted_proxies"
    assert repr(caught.value.value) in str(caught.value)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param(("1.2.3.4", 80), b"1.2.3.4:80", id="IPv4"),
        pytest.param(("::1", 80), b"[::1]:80", id="IPv6"),
        pytest.param(("1.2.3.4", None), b"1.2.3.4", id="no port"),
        pytest.param(UNIX, b"unix", id="unix"),
        pytest.param(None, None, id="unknown"),
        pytest.param(("\udcff", 1), b"\xff:1", id="no text"),
    ],
)
def test_peer(peer: Peer, expected: bytes | None) -> None:
    """The peer's column has address and port as the socket had them."""
    assert expected == peer_text(peer)


@pytest.mark.parametrize(
    ("peer", "field", "expected"),
    [
        pytest.param(
            "1.1.1.1", (b"x-forwarded-for", b"6.6.6.6, 1.1.1.1"), True, id="for"
        ),
        pytest.param(
            "1.1.1.1", (b"forwarded", b"for=1.1.1.1;proto=https"), True, id="7239"
        ),
        pytest.param("::1", (b"forwarded", b'For="[::1]:80"'), True, id="brackets"),
        pytest.param(
            '"[::1]"', (b"forwarded", b'for="[::1]"'), True, id="still quoted"
        ),
        pytest.param("<junk>", (b"x-real-ip", b"<junk>"), True, id="junk"),
        pytest.param("1.1.1.1", (b"x-forwarded-for", b"11.1.1.1"), False, id="a part"),
        pytest.param("1.1.1.1", (b"x-forwarded-for", b"1.1.1.10"), False, id="a start"),
        pytest.param("1.1.1.1", (b"user-agent", b"1.1.1.1"), False, id="other header"),
        pytest.param("[", (b"x-forwarded-for", b"1.1.1.1"), False, id="no word"),
    ],
)
def test_named_by(peer: str, field: tuple[bytes, bytes], expected: bool) -> None:
    """A peer with port 0 is said to be from the header that has its address."""
    said = {"by": field[0].decode()} if expected else None

    assert said == named_by((peer, 0), [(b"host", b"1.1.1.1"), field])


LINES = fragments(
    b"1.1.1.1", b"10.0.0.2", b"for=", b'"', b",", b";", b"unknown", b"[", b"]", b":80"
)
PEERS = st.sampled_from([PROXY, STRANGER, UNIX, None, ("::1", 1), ("x", None)])


@few
@given(
    st.ip_addresses().map(str),
    st.one_of(st.none(), st.integers(1, 65535)),
    st.sampled_from(sorted(FORWARDING_FIELDS)),
)
def test_a_socket_is_from_no_header(host: str, port: int | None, name: bytes) -> None:
    """A peer with a port of a socket is not suspected, whatever it claims."""
    assert named_by((host, port), [(name, host.encode())]) is None
    assert named_by((host, 0), []) is None
    assert named_by(None, [(name, host.encode())]) is None


@few
@given(PEERS, st.lists(LINES, max_size=3), st.sampled_from(["x-real-ip", "forwarded"]))
def test_never_raises(peer: Peer, lines: list[bytes], header: str) -> None:
    """Whatever is claimed, there is an answer, and of strangers it is the peer."""
    client = resolve(peer, *lines, header=header)

    assert client.via in ("direct", "proxied", "untrusted-claim", "malformed")
    if not client.trusted:
        assert client == resolve(peer, header=header)._replace(via=client.via)


@few
@given(st.lists(LINES, max_size=3), st.ip_addresses(v=4))
def test_what_a_proxy_appends_counts(lines: list[bytes], address: object) -> None:
    """Whatever a client typed, the address that its proxy appended is the client."""
    appended = [*lines[:-1], b"".join(lines[-1:]) + b", " + str(address).encode()]
    client = resolve(PROXY, *appended, trusted="10.0.0.1")

    if str(address) != "10.0.0.1":
        assert client.address == str(address).encode()
