# Whose address: the peer is a fact, all else is a claim.
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.policy.client import FORWARDING_FIELDS, Client, compile_client, peer_text

Peer = tuple[str, int | None] | None

PROXIES = "10.0.0.0/8, 2001:db8::/32, unix"
PROXY: Peer = ("10.0.0.5", 41522)
XFF = b"x-forwarded-for"


def resolve(
    peer: Peer, *lines: bytes, header: str = "x-forwarded-for", trusted: str = PROXIES
) -> Client:
    """Return the client of a request with these lines of the forwarding header."""
    options = {"trusted_proxies": trusted or None, "forwarded_by": header}
    fields = [(header.lower().encode(), line) for line in lines]

    return compile_client(Config.load(options, {}))(peer, fields)


@pytest.mark.parametrize(
    ("peer", "lines", "address", "via"),
    [
        pytest.param(("192.0.2.1", 1), [], b"192.0.2.1", "direct", id="no header"),
        pytest.param(
            ("192.0.2.1", 1), [b"6.6.6.6"], b"192.0.2.1", "untrusted-claim", id="forged"
        ),
        pytest.param(PROXY, [], b"10.0.0.5", "direct", id="the proxy itself"),
        pytest.param(PROXY, [b"192.0.2.7"], b"192.0.2.7", "proxied", id="one hop"),
        pytest.param(
            PROXY, [b"192.0.2.7, 10.0.0.9"], b"192.0.2.7", "proxied", id="two hops"
        ),
        pytest.param(
            PROXY,
            [b"6.6.6.6, 192.0.2.7, 10.0.0.9"],
            b"192.0.2.7",
            "proxied",
            id="forged on the left",
        ),
        pytest.param(
            PROXY, [b"6.6.6.6", b"192.0.2.7"], b"192.0.2.7", "proxied", id="two lines"
        ),
        pytest.param(
            PROXY, [b"10.0.0.8, 10.0.0.9"], b"10.0.0.8", "proxied", id="all trusted"
        ),
        pytest.param(
            ("::ffff:10.0.0.5", 1),
            [b"192.0.2.7"],
            b"192.0.2.7",
            "proxied",
            id="mapped peer",
        ),
        pytest.param(
            PROXY, [b"::ffff:192.0.2.7"], b"192.0.2.7", "proxied", id="mapped hop"
        ),
        pytest.param(
            ("2001:db8::1", 1), [b"2001:DB9::7"], b"2001:db9::7", "proxied", id="IPv6"
        ),
        pytest.param(
            PROXY, [b"192.0.2.7:4711"], b"192.0.2.7", "proxied", id="with a port"
        ),
        pytest.param(
            PROXY, [b"[2001:db9::7]:80"], b"2001:db9::7", "proxied", id="in brackets"
        ),
        pytest.param(PROXY, [b"unknown"], b"10.0.0.5", "malformed", id="unknown"),
        pytest.param(PROXY, [b"_hidden"], b"10.0.0.5", "malformed", id="obfuscated"),
        pytest.param(PROXY, [b"6.6.6.6, x"], b"10.0.0.5", "malformed", id="malformed"),
        pytest.param(
            PROXY,
            [b"6.6.6.6, x, 10.0.0.9"],
            b"10.0.0.9",
            "malformed",
            id="last good hop",
        ),
        pytest.param(
            PROXY, [b"192.0.2.7,"], b"10.0.0.5", "malformed", id="trailing comma"
        ),
        pytest.param(PROXY, [b"\x1b[2J"], b"10.0.0.5", "malformed", id="escape"),
        pytest.param(PROXY, [b""], b"10.0.0.5", "malformed", id="empty"),
        pytest.param(
            ("unix", None), [b"192.0.2.7"], b"192.0.2.7", "proxied", id="unix socket"
        ),
        pytest.param(None, [], None, "direct", id="no peer"),
        pytest.param(
            None, [b"6.6.6.6"], None, "untrusted-claim", id="no peer, a claim"
        ),
        pytest.param(
            ("testclient", 5),
            [b"6.6.6.6"],
            b"testclient",
            "untrusted-claim",
            id="a name",
        ),
    ],
)
def test_client(
    peer: Peer, lines: list[bytes], address: bytes | None, via: str
) -> None:
    """The first untrusted hop from the right is the client, else the peer."""
    found = resolve(peer, *lines)

    assert (found.address, found.via) == (address, via)


@pytest.mark.parametrize(
    ("line", "address"),
    [
        pytest.param(b"for=192.0.2.7", b"192.0.2.7", id="token"),
        pytest.param(
            b'For="[2001:db9::7]:80";proto=https', b"2001:db9::7", id="quoted"
        ),
        pytest.param(b"for=6.6.6.6, for=192.0.2.7", b"192.0.2.7", id="the right one"),
        pytest.param(b"for=6.6.6.6;for=192.0.2.7", b"10.0.0.5", id="twice in one"),
        pytest.param(b"proto=https", b"10.0.0.5", id="without for"),
        pytest.param(b'for=6.6.6.6;by=", for=192.0.2.7', b"10.0.0.5", id="open quote"),
        pytest.param(b"for=unknown", b"10.0.0.5", id="unknown"),
    ],
)
def test_forwarded(line: bytes, address: bytes) -> None:
    """Forwarded is read as RFC 7239 has it, and an element is taken whole or not."""
    assert resolve(PROXY, line, header="forwarded").address == address


def test_one_header_decides() -> None:
    """A forwarding header that the config does not name decides nothing."""
    client = compile_client(Config.load({"trusted_proxies": "10.0.0.0/8"}, {}))
    found = client(PROXY, [(b"x-real-ip", b"6.6.6.6"), (b"forwarded", b"for=6.6.6.6")])

    assert found == Client(b"10.0.0.5", "direct", trusted=True)


def test_any_header() -> None:
    """The header may be any, such as X-Real-IP."""
    assert resolve(PROXY, b"192.0.2.7", header="X-Real-IP").address == b"192.0.2.7"


@pytest.mark.parametrize("name", sorted(FORWARDING_FIELDS - {XFF}))
def test_claims_are_noticed(name: bytes) -> None:
    """Whatever header an untrusted peer claims by, it is called a claim."""
    found = compile_client(Config.load({}, {}))(("192.0.2.1", 1), [(name, b"6.6.6.6")])

    assert (found.address, found.via) == (b"192.0.2.1", "untrusted-claim")


def test_unix_is_trusted_by_name_only() -> None:
    """A unix peer is trusted only where the config says so."""
    found = resolve(("unix", None), b"6.6.6.6", trusted="10.0.0.0/8")

    assert found == Client(b"unix", "untrusted-claim", trusted=False)


@pytest.mark.parametrize(
    "wrong", ["10.0.0.1/8", "300.1.1.1", "example.org", "10.0.0.0/33"]
)
def test_wrong_network(wrong: str) -> None:
    """A wrong network is an error at start that names it."""
    with pytest.raises(ConfigError, match="trusted_proxies"):
        Config.load({"trusted_proxies": wrong}, {})


@given(st.lists(st.binary(max_size=40), max_size=4), st.booleans())
def test_never_raises(lines: list[bytes], forwarded: bool) -> None:
    """No header raises, and an untrusted peer is the client whatever it sends."""
    header = "forwarded" if forwarded else "x-forwarded-for"
    resolve(PROXY, *lines, header=header)

    assert resolve(("192.0.2.1", 1), *lines, header=header).address == b"192.0.2.1"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param(("192.0.2.1", 80), b"192.0.2.1:80", id="IPv4"),
        pytest.param(("::1", 80), b"[::1]:80", id="IPv6"),
        pytest.param(("::1", None), b"::1", id="no port"),
        pytest.param(("unix", None), b"unix", id="unix"),
        pytest.param(None, None, id="unknown"),
    ],
)
def test_peer_text(peer: Peer, expected: bytes | None) -> None:
    """The peer is shown with its port, an IPv6 address in brackets."""
    assert peer_text(peer) == expected
