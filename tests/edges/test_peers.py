# What was put in the peer's place, as an edge can know it, and when it must say nothing.
import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edges.asgi_server import http_scope
from tests.edges.wsgi_server import environment
from tests.strategies import few
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import RequestResponseCycle
from werkzeug.middleware.proxy_fix import ProxyFix

from audit_mw import asgi_head, wsgi_head
from audit_mw.event import RequestHead

PEER = ("127.0.0.1", 4711)
ADDRESSES = st.ip_addresses().map(str)
HEADERS = st.sampled_from(
    [b"x-forwarded-for", b"forwarded", b"x-real-ip", b"x-forwarded-proto", b"via"]
)
FIELDS = st.lists(st.tuples(HEADERS, ADDRESSES.map(str.encode)), max_size=4)


class Transport(asyncio.Transport):
    """A connection with nothing but a peer."""

    def __init__(self, peername: object) -> None:
        super().__init__({"peername": peername})


def cycle(peername: object) -> RequestResponseCycle:
    """Return what uvicorn makes of a request that came over such a connection."""
    made = RequestResponseCycle.__new__(RequestResponseCycle)
    made.transport = Transport(peername)

    return made


def served(peername: object, **changes: Any) -> RequestHead:
    """Return the head under uvicorn, its middleware for proxies around us."""
    scope = http_scope(**changes)
    heads = []

    async def app(scope: Any, receive: Any, _send: Any) -> None:
        heads.append(asgi_head.request_head(scope, receive))

    async def send(_message: Any) -> None:
        raise AssertionError("nothing is sent")

    proxied = ProxyHeadersMiddleware(app, "*" if not scope["client"] else "127.0.0.1")
    asyncio.run(proxied(scope, cycle(peername).receive, send))  # type: ignore[arg-type] # our own scope

    return heads[0]


@pytest.mark.parametrize(
    ("peername", "client", "peer"),
    [
        pytest.param(PEER, PEER, PEER, id="TCP"),
        pytest.param("", None, ("unix", None), id="unix socket"),
    ],
)
@pytest.mark.parametrize(
    ("sent", "to"),
    [
        pytest.param(b"192.0.2.7", "192.0.2.7:0", id="no port"),
        pytest.param(b"192.0.2.7:99", "192.0.2.7:99", id="port"),
        pytest.param(b"<junk>", "<junk>:0", id="junk"),
    ],
)
def test_uvicorn(peername: Any, client: Any, peer: Any, sent: bytes, to: str) -> None:
    """What uvicorn took from X-Forwarded-For is named, and the socket's peer kept."""
    head = served(
        peername,
        client=client,
        server=("/run/app.sock", None) if client is None else ("127.0.0.1", 80),
        headers=[(b"x-forwarded-for", sent)],
    )

    assert head.peer == peer
    assert head.rewritten == {"by": "uvicorn", "to": to}


@few
@given(ADDRESSES, st.integers(1, 65535), FIELDS)
def test_uvicorn_untouched(address: str, port: int, fields: Any) -> None:
    """Whatever a peer claims that uvicorn does not trust, nothing is named."""
    peername = (address, port, 0, 0) if ":" in address else (address, port)
    if address != PEER[0]:
        head = served(peername, client=(address, port), headers=fields)

        assert (head.peer, head.rewritten) == ((address, port), None)


@few
@given(ADDRESSES, st.integers(0, 65535), FIELDS)
def test_other_servers(address: str, port: int, fields: Any) -> None:
    """Of a server that is not uvicorn no connection is asked."""
    scope = http_scope(client=(address, port), headers=fields)
    head = asgi_head.request_head(scope, Transport(("9.9.9.9", 9)).get_extra_info)

    assert (head.peer, head.rewritten) == ((address, port), None)


def fixed(**changes: Any) -> RequestHead:
    """Return the head with Werkzeug's ProxyFix around us, which trusts everything."""
    heads = []

    def app(environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        heads.append(wsgi_head.request_head(environ))
        return []

    environ = {k: v for k, v in environment(**changes).items() if v is not None}
    ProxyFix(app, x_host=1, x_prefix=1)(environ, lambda *_: lambda _: None)

    return heads[0]


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        pytest.param("10.0.0.1", ("10.0.0.1", 5), id="TCP"),
        pytest.param("", ("unix", None), id="unix, as gunicorn"),
        pytest.param(None, None, id="unknown"),
    ],
)
def test_werkzeug(address: str | None, peer: Any) -> None:
    """What ProxyFix took from headers is named; peer, host and scheme are the first."""
    head = fixed(
        REMOTE_ADDR=address,
        REMOTE_PORT="5",
        HTTP_HOST="inside",
        HTTP_X_FORWARDED_FOR="192.0.2.7",
        HTTP_X_FORWARDED_HOST="outside",
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_PREFIX="/prefix",
    )

    assert head.peer == peer
    assert head.rewritten == {"by": "werkzeug", "to": "192.0.2.7"}
    assert (b"host", b"inside") in head.fields
    assert (head.scheme, b"prefix" in head.path) == ("http", False)


def test_werkzeug_without_host() -> None:
    """A host that ProxyFix made up is not on record as sent."""
    head = fixed(HTTP_HOST=None, HTTP_X_FORWARDED_HOST="outside")

    assert b"host" not in dict(head.fields)


@few
@given(ADDRESSES, st.dictionaries(st.text(), st.text()))
def test_werkzeug_untouched(address: str, fields: dict[str, str]) -> None:
    """Where no address was forwarded, ProxyFix is no rewriting."""
    sent = {"HTTP_" + name: value for name, value in fields.items()}
    sent.pop("HTTP_X_FORWARDED_FOR", None)
    head = fixed(REMOTE_ADDR=address, REMOTE_PORT="5", **sent)

    assert (head.peer, head.rewritten) == ((address, 5), None)


@few
@given(ADDRESSES, st.dictionaries(st.text(), st.text()))
def test_wsgi_untouched(address: str, fields: dict[str, str]) -> None:
    """No header line that a client sends passes for a trace of a rewriting."""
    sent: dict[str, Any] = {"HTTP_" + name: value for name, value in fields.items()}
    sent |= {"HTTP_PROXY_PROTOCOL": "TCP4", "HTTP_CONN_REMOTE_ADDR": "9.9.9.9"}
    environ = environment(REMOTE_ADDR=address, REMOTE_PORT="5", **sent)
    head = wsgi_head.request_head(environ)

    assert (head.peer, head.rewritten) == ((address, 5), None)


@pytest.mark.parametrize(
    ("trace", "by"),
    [
        pytest.param({"PROXY_PROTOCOL": "TCP4"}, "proxy-protocol", id="gunicorn"),
        pytest.param({"CONN_REMOTE_ADDR": "10.0.0.1"}, "apache", id="mod_remoteip"),
    ],
)
def test_traces(trace: dict[str, Any], by: str) -> None:
    """A server's own word that the address is not the socket's is on record."""
    head = wsgi_head.request_head(environment(**trace))

    assert (head.peer, head.rewritten) == (("192.0.2.7", 4711), {"by": by})


def test_proxy_protocol_of_nobody() -> None:
    """A proxy that speaks for itself, as for a health check, tells no address."""
    told = {"REMOTE_ADDR": None, "REMOTE_PORT": "None", "PROXY_PROTOCOL": "LOCAL"}
    head = wsgi_head.request_head(environment() | told)

    assert (head.peer, head.rewritten) == (None, {"by": "proxy-protocol"})


@pytest.mark.parametrize(
    ("client", "peer", "to"),
    [
        pytest.param(("192.0.2.7",), PEER, "192.0.2.7", id="no port"),
        pytest.param(("2001:db8::7", 9), PEER, "[2001:db8::7]:9", id="IPv6"),
        pytest.param(("", 0), None, None, id="no address"),
    ],
)
def test_any_shape(client: Any, peer: Any, to: str | None) -> None:
    """Whatever a middleware puts in the place of the peer, there is a head."""
    scope = http_scope(client=client, server=("127.0.0.1", 80))
    head = asgi_head.request_head(scope, cycle(PEER).receive)

    assert (head.peer, (head.rewritten or {}).get("to")) == (peer, to)


def test_apache_untouched() -> None:
    """Where the connection has the address that is told, nothing was rewritten."""
    environ = environment(CONN_REMOTE_ADDR="192.0.2.7")

    assert wsgi_head.request_head(environ).rewritten is None


class Channel:
    """What waitress has of a connection."""

    addr = ("127.0.0.1", 4711)

    def check_client_disconnected(self) -> bool:
        """Tell whether the client left."""
        return False


@pytest.mark.parametrize(
    ("told", "rewritten"),
    [
        pytest.param("127.0.0.1", None, id="not rewritten"),
        pytest.param(
            "192.0.2.7", {"by": "waitress", "to": "192.0.2.7"}, id="rewritten"
        ),
    ],
)
def test_waitress(told: str, rewritten: Any) -> None:
    """The peer of waitress's own connection is kept, whatever it took from a header."""
    asked: dict[str, Any] = {
        "waitress.client_disconnected": Channel().check_client_disconnected
    }
    head = wsgi_head.request_head(environment(REMOTE_ADDR=told, **asked))

    assert (head.peer, head.rewritten) == (("127.0.0.1", 4711), rewritten)
