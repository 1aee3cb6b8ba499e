# What real servers serve in tests: one application for each interface, as it is below
# /bare, audited everywhere else. The last part of the path says what it does.
import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.edges.asgi_server import Receive, Scope, Send
from tests.edges.wsgi_server import Environ, StartResponse

from audit_mw import AuditMiddleware

__all__ = ["FILE", "asgi", "wsgi"]

FILE = Path(__file__)  # what /file sends
_CONTENT = FILE.read_bytes()
_CHUNK = b"x" * 65536
_CHUNKS = 20_000  # more than any client takes before it leaves
_FEW = [b"one", b"two" * 1000, b"three"]
_TRAIL = os.environ.get("EDGES_TRAIL", "audit-trail")


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await {"lifespan": _lifespan, "websocket": _websocket}[scope["type"]](
            receive, send
        )
        return
    serve = _ASGI.get(scope["path"].rpartition("/")[2], _echo)
    await serve(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})


async def _websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        content = {key: message.get(key) for key in ("text", "bytes")}
        await send({"type": "websocket.send", **content})


async def _echo(_scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await _answer(send, 200, body)


async def _reject(_scope: Scope, _receive: Receive, send: Send) -> None:
    await _answer(send, 413, b"too large")


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _few(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for chunk in _FEW:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


async def _file(scope: Scope, _receive: Receive, send: Send) -> None:
    if "http.response.pathsend" not in (scope.get("extensions") or {}):
        await _answer(send, 200, _CONTENT)
        return
    headers = [(b"content-length", b"%d" % len(_CONTENT))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.pathsend", "path": str(FILE)})


async def _stream(_scope: Scope, receive: Receive, send: Send) -> None:
    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listener = asyncio.create_task(left())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        for _ in range(_CHUNKS):
            if listener.done():
                return
            chunk = {"type": "http.response.body", "body": _CHUNK, "more_body": True}
            await send(chunk)
            await asyncio.sleep(0)
        await send({"type": "http.response.body"})
    finally:
        listener.cancel()


_ASGI: dict[str, Callable[[Scope, Receive, Send], Any]] = {
    "reject": _reject,
    "few": _few,
    "file": _file,
    "stream": _stream,
}


def _wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    serve = _WSGI.get(environ["PATH_INFO"].rpartition("/")[2], _echo_wsgi)

    return serve(environ, start_response)


def _echo_wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return _start(start_response, "200 OK", _body(environ))


def _body(environ: Environ) -> bytes:
    # Without a length a stream that does not end by itself is not to be read.
    length = environ.get("CONTENT_LENGTH")
    if length:
        return bytes(environ["wsgi.input"].read(int(length)))
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", ""):
        return bytes(environ["wsgi.input"].read())

    return b""


def _start(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    length = ("Content-Length", str(len(body)))
    start_response(status, [("Content-Type", "text/plain"), length])

    return [body]


def _reject_wsgi(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return _start(start_response, "413 Too Large", b"too large")


def _few_wsgi(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter(_FEW)


def _stream_wsgi(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return _chunks()


def _chunks() -> Iterator[bytes]:
    for _ in range(_CHUNKS):
        yield _CHUNK


def _file_wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    if "wsgi.file_wrapper" not in environ:
        return _start(start_response, "200 OK", _CONTENT)
    length = ("Content-Length", str(len(_CONTENT)))
    start_response("200 OK", [("Content-Type", "text/plain"), length])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](FILE.open("rb"), 4096)

    return wrapped


def _break_trail(environ: Environ) -> None:
    # The record is more than a slot holds, and its value cannot be appended.
    environ["REMOTE_USER"] = "x" * 200_000
    os.close(os.open(f"{_TRAIL}/values", os.O_CREAT | os.O_WRONLY))


def _broken_wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    _break_trail(environ)
    return _echo_wsgi(environ, start_response)


def _broken_few_wsgi(
    environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    _break_trail(environ)
    return _few_wsgi(environ, start_response)


_WSGI: dict[str, Callable[[Environ, StartResponse], Iterable[bytes]]] = {
    "reject": _reject_wsgi,
    "few": _few_wsgi,
    "file": _file_wsgi,
    "stream": _stream_wsgi,
    "broken": _broken_wsgi,
    "broken-few": _broken_few_wsgi,
}

_audited_asgi = AuditMiddleware(_asgi, trail=_TRAIL)
_audited_wsgi = AuditMiddleware(_wsgi, trail=_TRAIL)


async def asgi(scope: Scope, receive: Receive, send: Send) -> Any:
    """Serve bare what is below /bare, and the rest audited."""
    bare = scope.get("path", "").startswith("/bare")

    return await (_asgi if bare else _audited_asgi)(scope, receive, send)


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Serve bare what is below /bare, and the rest audited."""
    bare = environ["PATH_INFO"].startswith("/bare")

    return (_wsgi if bare else _audited_wsgi)(environ, start_response)
