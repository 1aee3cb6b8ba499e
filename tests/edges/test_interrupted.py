"""
An exception of a signal's handler costs no record, and no slot of the journal.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compiled.roads import Road
from tests.edges.interrupting import Interrupting

# What a coroutine says that was made, and then not awaited any more.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

_START = {"type": "http.response.start", "status": 200, "headers": []}
_BODY = {"type": "http.response.body", "body": b"ok"}

Serve = Callable[[int, list[int]], object]


async def _asgi_app(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(_START)
    await send(_BODY)


def _asgi(road: Road) -> Serve:
    def serve(number: int, answered: list[int]) -> None:
        sent: list[Any] = []
        path = f"/{number}"
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"q=1",
            "headers": [(b"host", b"shop.example")],
            "client": ("192.0.2.7", 4711),
            "server": ("192.0.2.1", 80),
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)
            if message is _BODY:
                answered.append(number)

        # Without a loop, of which nothing here waits.
        coroutine = road.middleware(scope, receive, send)
        with pytest.raises(StopIteration):
            coroutine.send(None)

    return serve


def _wsgi_app(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    is_odd = int(environ["PATH_INFO"][1:]) % 2

    return iter([b"o", b"k"]) if is_odd else [b"ok"]


def _wsgi(road: Road) -> Serve:
    def serve(number: int, answered: list[int]) -> None:
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": f"/{number}",
            "QUERY_STRING": "q=1",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.url_scheme": "http",
        }
        body = road.middleware(environ, lambda *_: lambda _chunk: None)
        try:
            if b"".join(body) == b"ok":
                answered.append(number)
        finally:
            getattr(body, "close", int)()

    return serve


@pytest.fixture(params=["asgi off", "asgi on", "wsgi off", "wsgi on"])
def interrupting(tmp_path: Path, request: Any) -> Iterator[Interrupting]:
    """A middleware of either interface, on either road, and what interrupts it."""
    interface, compiled = request.param.split()
    if compiled == "on":
        pytest.importorskip("audit_mw._native", reason="it was not built")
    app, serve = (_asgi_app, _asgi) if interface == "asgi" else (_wsgi_app, _wsgi)
    road = Road(app, tmp_path / "trail", compiled=compiled, max_slots=256)
    yield Interrupting(road, serve(road))
    road.close()


def test_some_points(interrupting: Interrupting) -> None:
    """At some points."""
    assert interrupting.run(3, 17) > 3
    assert interrupting.complaints() == []


@pytest.mark.long
def test_each_point(interrupting: Interrupting) -> None:
    """At each point."""
    assert interrupting.run(1, 1) > 50
    assert interrupting.complaints() == []
