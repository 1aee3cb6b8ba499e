# Each proxy in front of each interface: honest and forged, around it, and over IPv6.
import pytest
from tests.compat.proxies.configurations import OPTIONS, configuration, options
from tests.compat.proxies.machines import CLIENT, SERVERS, Behind, Machines, send

from audit_mw.event import Event

PROXIES = [
    ("nginx", "append"),
    ("nginx", "replace"),
    ("nginx", "x-real-ip"),
    ("nginx", "forwarded"),
    ("haproxy", "append"),
    ("haproxy", "replace"),
    ("haproxy", "forwarded"),
    ("apache", "append"),
    ("apache", "replace"),
]
HEADERS = {"append": "x-forwarded-for", "replace": "x-forwarded-for"}
FORGED = (
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Forwarded-For", '"unknown, 127.0.0.1,'),
    ("X-Real-IP", "6.6.6.6"),
    ("Forwarded", 'for="6.6.6.6'),
    ("Forwarded", "for=127.0.0.1"),
)

each_server = pytest.mark.parametrize("server", SERVERS)
each_proxy = pytest.mark.parametrize(
    ("proxy", "sets"), PROXIES, ids=[" ".join(words) for words in PROXIES]
)


def start(machines: Machines, server: str, sets: str) -> Behind:
    """Return a server with the options that fit what its proxies set."""
    return machines.behind(SERVERS[server], options(HEADERS.get(sets, sets)))


def claims(event: Event, name: str) -> list[bytes]:
    """Return the values of the field lines called `name`, all of them as sent."""
    values = [p.value for p in event.params if p.name == name.encode()]

    return [value for value in values if isinstance(value, bytes)]


@each_server
@each_proxy
@pytest.mark.parametrize(
    "fields", [pytest.param((), id="honest"), pytest.param(FORGED, id="forged")]
)
def test_client(
    machines: Machines,
    server: str,
    proxy: str,
    sets: str,
    fields: tuple[tuple[str, str], ...],
) -> None:
    """Whatever a client claims, it is the address that the proxy saw; both are there."""
    behind = start(machines, server, sets)
    port = machines.proxy(proxy, configuration(proxy, sets, f"127.0.0.1:{behind.port}"))
    event = behind.event(send(port, *fields))
    told = b",".join(claims(event, HEADERS.get(sets, sets)))

    assert event.client == CLIENT.encode()
    assert str(event.peer).startswith("b'127.0.0.1:")
    assert event.details["via"] == b"proxied"
    assert "rewritten" not in event.details
    assert told.count(CLIENT.encode()) == 1
    assert (b"6.6.6.6" in told) == (sets == "append" and bool(fields))


@each_server
@pytest.mark.parametrize("sets", ["append", "x-real-ip", "forwarded"])
def test_around_the_proxy(machines: Machines, server: str, sets: str) -> None:
    """Who goes around the proxy is itself, whatever it claims."""
    behind = start(machines, server, sets)
    sent = send(behind.port, *FORGED)
    event = behind.event(sent)

    assert event.client == CLIENT.encode()
    assert event.peer == f"{CLIENT}:{sent.port}".encode()
    assert event.details["via"] == b"untrusted-claim"
    assert "rewritten" not in event.details


@each_server
def test_claims_itself(machines: Machines, server: str) -> None:
    """Who claims its own address is not taken for one that a server rewrote."""
    behind = start(machines, server, "append")
    sent = send(behind.port, ("X-Forwarded-For", CLIENT), ("X-Real-IP", CLIENT))
    event = behind.event(sent)

    assert event.peer == f"{CLIENT}:{sent.port}".encode()
    assert "rewritten" not in event.details


@each_server
@each_proxy
def test_not_trusted(machines: Machines, server: str, proxy: str, sets: str) -> None:
    """Without trusted proxies the client is the peer, and the claim on record."""
    behind = machines.behind(SERVERS[server], "[tool.audit_mw]\n")
    port = machines.proxy(proxy, configuration(proxy, sets, f"127.0.0.1:{behind.port}"))
    event = behind.event(send(port))

    assert event.client == b"127.0.0.1"
    assert str(event.peer).startswith("b'127.0.0.1:")
    assert event.details["via"] == b"untrusted-claim"
    assert len(claims(event, HEADERS.get(sets, sets))) == 1


@each_server
@each_proxy
def test_client_over_ipv6(
    machines: Machines, server: str, proxy: str, sets: str
) -> None:
    """An IPv6 client is found, in quotes and brackets where a header wants them."""
    behind = start(machines, server, sets)
    text = configuration(proxy, sets, f"127.0.0.1:{behind.port}")
    port = machines.proxy(proxy, text, host="::1")
    event = behind.event(send(port, host="::1"))
    told = {"forwarded": b'for="[::1]"'}.get(sets, b"::1")

    assert event.client == b"::1"
    assert event.details["via"] == b"proxied"
    assert [told] == [
        value.split(b";")[0] for value in claims(event, HEADERS.get(sets, sets))
    ]


@pytest.mark.parametrize(
    ("server", "listen"),
    [
        pytest.param("uvicorn", "--host ::1 --port {port}", id="uvicorn"),
        pytest.param("gunicorn", "--bind [::1]:{port}", id="gunicorn"),
    ],
)
@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "apache"])
def test_peer_over_ipv6(
    machines: Machines, server: str, listen: str, proxy: str
) -> None:
    """A proxy that comes over IPv6 is trusted where its address is."""
    trusted = OPTIONS.replace("127.0.0.1", "::1")
    behind = machines.behind(SERVERS[server], trusted, listen)
    port = machines.proxy(proxy, configuration(proxy, "append", f"[::1]:{behind.port}"))
    event = behind.event(send(port, *FORGED))

    assert event.client == CLIENT.encode()
    assert str(event.peer).startswith("b'[::1]:")
    assert event.details["via"] == b"proxied"
