# What the real servers of test_servers serve: one application for each interface, as it
# is below /bare, wrapped everywhere else.
#
# `python -m tests.edges.served SERVER FD TRAIL` serves on a socket that listens already.
import asyncio
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from tests.edges.asgi_server import Receive, Scope, Send
from tests.edges.wsgi_server import Environ, StartResponse

from audit_mw import AuditMiddleware

__all__ = ["SERVERS", "asgi", "wsgi"]

_CHUNK = b"x" * 65536
_CHUNKS = 20_000  # more than any client takes before it leaves
_TRAIL = os.environ.get("EDGES_TRAIL", "audit-trail")


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["path"].endswith("/reject"):
        await _answer(send, 413, b"too large")
    elif scope["path"].endswith("/stream"):
        await _stream(receive, send)
    else:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await _answer(send, 200, body)


async def _lifespan(receive: Receive, send: Send) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(receive: Receive, send: Send) -> None:
    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listener = asyncio.create_task(left())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(_CHUNKS):
        if listener.done():
            return
        await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
        await asyncio.sleep(0)


def _wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path.endswith("/reject"):
        return _start(start_response, "413 Too Large", b"too large")
    if path.endswith("/stream"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _chunks()
    if path.endswith("/broken"):
        _break_trail()

    return _start(start_response, "200 OK", environ["wsgi.input"].read())


def _start(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    length = ("Content-Length", str(len(body)))
    start_response(status, [("Content-Type", "text/plain"), length])

    return [body]


def _chunks() -> Iterator[bytes]:
    for _ in range(_CHUNKS):
        yield _CHUNK


def _break_trail() -> None:
    os.rename(f"{_TRAIL}/request", f"{_TRAIL}/away")  # noqa: PTH104 - as short as can be
    os.close(os.open(f"{_TRAIL}/request", os.O_CREAT | os.O_WRONLY))


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


def _uvicorn(fd: int) -> None:
    import uvicorn  # noqa: PLC0415 - only the server that is asked for

    config = uvicorn.Config(asgi, log_level="warning")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=fd)])


def _hypercorn(fd: int) -> None:
    from hypercorn.__main__ import main  # noqa: PLC0415 - as above

    main(["tests.edges.served:asgi", "--bind", f"fd://{fd}"])


def _gunicorn(fd: int, app: str, *arguments: str) -> None:
    from gunicorn.app.wsgiapp import (  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
        run,
    )

    bind = ["--bind", f"fd://{fd}", "--graceful-timeout", "1", "--no-control-socket"]
    sys.argv = ["gunicorn", f"tests.edges.served:{app}", *bind, *arguments]
    run()


def _waitress(fd: int) -> None:
    import waitress  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    waitress.serve(wsgi, sockets=[socket.socket(fileno=fd)])


SERVERS = {
    "uvicorn": _uvicorn,
    "hypercorn": _hypercorn,
    "gunicorn sync": lambda fd: _gunicorn(fd, "wsgi"),
    "gunicorn gthread": lambda fd: _gunicorn(fd, "wsgi", "-k", "gthread"),
    "gunicorn asgi": lambda fd: _gunicorn(
        fd, "asgi", "-k", "asgi", "--asgi-disconnect-grace-period", "1"
    ),
    "waitress": _waitress,
}


if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
