# What the servers of the load tests serve, once for each interface, and their witness.
#
# The witness stands outside of the middleware: it notes the word of each request that
# the server hands over, one line in a file of the process, before we are called. So it
# is exact also for those whose client left before the application was.
import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.edges.asgi_server import Receive, Scope, Send
from tests.edges.wsgi_server import Environ, StartResponse

from audit_mw import AuditMiddleware

__all__ = ["FLOOD", "STREAM", "WORD", "asgi", "wsgi"]

WORD = re.compile(rb"case-\d{7}-end")  # what a request carries in each place
STREAM = [b"chunk " * 100] * 10
FLOOD = [b"x" * 65536] * 256  # more than sockets hold: whoever leaves, leaves early
_DIRECTORY = Path(os.environ.get("LOAD_DIRECTORY", "."))
_noted: dict[int, int] = {}


def _witness(query: bytes) -> None:
    pid = os.getpid()
    if pid not in _noted:
        path = _DIRECTORY / f"witness.{pid}"
        _noted[pid] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(_noted[pid], _word(query) + b"\n")


def _word(query: bytes) -> bytes:
    found = WORD.search(query)

    return found.group() if found else b"without a word"


def _status(path: str) -> int:
    if path == "/error":
        raise RuntimeError("as asked")

    return 404 if path == "/missing" else 200


# --- ASGI


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    serve: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
        "lifespan": _lifespan,
        "websocket": _websocket,
        "http": _STREAMED.get(scope.get("path", ""), _echo),
    }
    await serve[scope["type"]](scope, receive, send)


async def _lifespan(_scope: Scope, receive: Receive, send: Send) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})


async def _websocket(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    body = _word(scope["query_string"])
    await _start(send, _status(scope["path"]), b"content-length", b"%d" % len(body))
    await send({"type": "http.response.body", "body": body})


async def _start(send: Send, status: int, *field: bytes) -> None:
    headers = [field] if field else []
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _stream(_scope: Scope, _receive: Receive, send: Send) -> None:
    await _start(send, 200)
    for chunk in STREAM:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


async def _flood(_scope: Scope, receive: Receive, send: Send) -> None:
    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listener = asyncio.create_task(left())
    await _start(send, 200)
    for chunk in FLOOD:
        if listener.done():
            return
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body"})
    listener.cancel()


_STREAMED = {"/stream": _stream, "/flood": _flood}


# --- WSGI


def _wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    chunks = {"/stream": STREAM, "/flood": FLOOD}.get(environ["PATH_INFO"])
    if chunks is not None:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _each(chunks)
    environ["wsgi.input"].read()
    body = _word(environ["QUERY_STRING"].encode("latin-1"))
    status = {200: "200 OK", 404: "404 Not Found"}[_status(environ["PATH_INFO"])]
    start_response(status, [("Content-Length", str(len(body)))])

    return [body]


def _each(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks


_audited: dict[str, Any] = {
    "asgi": AuditMiddleware(_asgi, trail=str(_DIRECTORY / "trail")),
    "wsgi": AuditMiddleware(_wsgi, trail=str(_DIRECTORY / "trail")),
}
# The application alone, as the control of a soak.
_app: dict[str, Any] = (
    {"asgi": _asgi, "wsgi": _wsgi} if "LOAD_BARE" in os.environ else _audited
)


async def asgi(scope: Scope, receive: Receive, send: Send) -> Any:
    """Note the request, and serve it audited."""
    if scope["type"] != "lifespan":
        _witness(scope["query_string"])

    return await _app["asgi"](scope, receive, send)


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Note the request, and serve it audited."""
    _witness(environ["QUERY_STRING"].encode("latin-1"))
    result: Iterable[bytes] = _app["wsgi"](environ, start_response)

    return result
