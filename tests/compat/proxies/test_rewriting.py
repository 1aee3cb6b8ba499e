# Servers and middlewares that put what a header says in the place of the peer: the
# record names them where that can be known, and keeps what the socket said.
import pytest
from tests.compat.proxies.configurations import OPTIONS, configuration
from tests.compat.proxies.machines import (
    CLIENT,
    SERVERS,
    SHOP,
    Behind,
    Machines,
    send,
)

from audit_mw.event import Event

UVICORN = f"uvicorn {SHOP}:asgi --log-level warning"
WORKER = (
    f"gunicorn {SHOP}:asgi -k uvicorn_worker.UvicornWorker --log-level warning "
    "--graceful-timeout 1 --no-control-socket"
)
FIXED = SERVERS["gunicorn"].replace(":wsgi", ":wsgi_fixed")
WAITRESS = (
    "waitress-serve --trusted-proxy 127.0.0.1 --trusted-proxy-headers x-forwarded-for"
)
HYPERCORN = f"hypercorn {SHOP}:asgi_fixed --graceful-timeout 1"
MODERN = f"hypercorn {SHOP}:asgi_modern --graceful-timeout 1"
DAPHNE = "daphne --proxy-headers -v 0"

RESTORED = [
    pytest.param(f"{UVICORN} --loop asyncio --http h11", "uvicorn", ":0", id="uvicorn"),
    pytest.param(
        f"{UVICORN} --loop uvloop --http httptools", "uvicorn", ":0", id="uvloop"
    ),
    pytest.param(WORKER, "uvicorn", ":0", id="gunicorn's uvicorn"),
    pytest.param(FIXED, "werkzeug", "", id="ProxyFix"),
    pytest.param(WAITRESS, "waitress", "", id="waitress"),
]
NOT_RESTORED = [
    pytest.param(HYPERCORN, "append", "x-forwarded-for", id="hypercorn"),
    pytest.param(MODERN, "forwarded", "forwarded", id="hypercorn, Forwarded"),
    pytest.param(DAPHNE, "append", "x-forwarded-for", id="daphne"),
]


def through_nginx(
    machines: Machines, behind: Behind, sets: str = "append", *, host: str = "127.0.0.1"
) -> Event:
    """Return the event of a request that comes through nginx."""
    text = configuration("nginx", sets, f"127.0.0.1:{behind.port}")
    port = machines.proxy("nginx", text, host=host)

    return behind.event(send(port, host=host))


@pytest.mark.parametrize(("command", "by", "port"), RESTORED)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_put_right(
    machines: Machines, command: str, by: str, port: str, host: str
) -> None:
    """The peer is the socket's, the client is the header's, and who did it is named."""
    behind = machines.behind(command, OPTIONS)
    event = through_nginx(machines, behind, host=host)
    client = CLIENT if host == "127.0.0.1" else host

    assert str(event.peer).startswith("b'127.0.0.1:")
    assert not str(event.peer).endswith(":0'")
    assert event.client == client.encode()
    assert event.details["via"] == b"proxied"
    to = f"[{client}]{port}" if port and ":" in client else f"{client}{port}"
    assert event.details["rewritten"] == {"by": by.encode(), "to": to.encode()}


@pytest.mark.parametrize(("command", "sets", "header"), NOT_RESTORED)
def test_named(machines: Machines, command: str, sets: str, header: str) -> None:
    """Where the socket's peer is lost, the header that it looks to be from is named."""
    event = through_nginx(machines, machines.behind(command, OPTIONS), sets)

    assert event.peer == f"{CLIENT}:0".encode()
    assert event.client == CLIENT.encode()
    assert event.details["via"] == b"untrusted-claim"
    assert event.details["rewritten"] == {"by": header.encode()}


@pytest.mark.parametrize(
    "command",
    [
        *(p.values[0] for p in RESTORED if p.id != "ProxyFix"),
        DAPHNE,
        *SERVERS.values(),
    ],
)
def test_ordinary(machines: Machines, command: object) -> None:
    """Who is not behind a proxy and claims nothing raises no alarm."""
    behind = machines.behind(str(command), OPTIONS)
    sent = send(behind.port)
    event = behind.event(sent)

    assert event.peer == f"{CLIENT}:{sent.port}".encode()
    assert "rewritten" not in event.details


@pytest.mark.parametrize(
    "command", [UVICORN, WORKER, WAITRESS], ids=["uvicorn", "worker", "waitress"]
)
def test_not_believed(machines: Machines, command: str) -> None:
    """What a server does not believe is no rewriting, even of one's own address."""
    behind = machines.behind(command, OPTIONS)
    sent = send(behind.port, ("X-Forwarded-For", CLIENT), ("X-Real-IP", CLIENT))
    event = behind.event(sent)

    assert event.peer == f"{CLIENT}:{sent.port}".encode()
    assert "rewritten" not in event.details


@pytest.mark.parametrize("library", ["websockets", "websockets-sansio", "wsproto"])
def test_websocket(machines: Machines, library: str) -> None:
    """Of a websocket the peer is kept as well, and only a rewritten one is named."""
    behind = machines.behind(f"{UVICORN} --ws {library}", OPTIONS)
    fields = [
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("X-Forwarded-For", CLIENT),
    ]
    own, proxied = (
        behind.event(send(behind.port, *fields, source=source, upgrade="websocket"))
        for source in (CLIENT, "127.0.0.1")
    )

    assert (own.type, own.client) == ("websocket", CLIENT.encode())
    assert "rewritten" not in own.details
    assert str(proxied.peer).startswith("b'127.0.0.1:")
    assert proxied.client == CLIENT.encode()
    assert proxied.details["rewritten"] == {
        "by": b"uvicorn",
        "to": f"{CLIENT}:0".encode(),
    }


def test_uvicorn_over_unix(machines: Machines) -> None:
    """A unix socket is the peer, whatever uvicorn put there."""
    command = f"{UVICORN} --forwarded-allow-ips *"
    trusted = OPTIONS.replace("127.0.0.1", "unix")
    behind = machines.behind(command, trusted, "--uds {unix}")
    text = configuration("nginx", "append", f"unix:{behind.running.unix}")
    event = behind.event(send(machines.proxy("nginx", text)))

    assert (event.peer, event.client) == (b"unix", CLIENT.encode())
    assert event.details["rewritten"] == {
        "by": b"uvicorn",
        "to": f"{CLIENT}:0".encode(),
    }


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"{UVICORN} --no-proxy-headers", id="uvicorn"),
        pytest.param(f"{WORKER} --forwarded-allow-ips=", id="gunicorn's uvicorn"),
    ],
)
def test_switched_off(machines: Machines, command: str) -> None:
    """What the page says switches it off."""
    event = through_nginx(machines, machines.behind(command, OPTIONS))

    assert event.client == CLIENT.encode()
    assert "rewritten" not in event.details
