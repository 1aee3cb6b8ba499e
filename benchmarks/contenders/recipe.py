# What the recipes for logging libraries have in common: a middleware as their users
# write it, which hands one line's fields to the library when the response is over.
#
# Rule 1: a recipe logs what an access log has (method, path, query, status, client,
# time taken). More is for the user to add, and to pay.
# Rule 2: the file is the one that BENCH_RECORDS names.
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["RECORDS", "Say", "logger", "over_asgi", "over_wsgi"]

RECORDS = os.environ.get("BENCH_RECORDS", os.devnull)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Say = Callable[[dict[str, Any]], object]


def logger(name: str, line: str = "%(message)s") -> logging.Logger:
    """Return a logger of the standard library that writes lines to the file."""
    handler = logging.FileHandler(RECORDS, encoding="utf-8")
    handler.setFormatter(logging.Formatter(line))
    found = logging.getLogger(name)
    found.addHandler(handler)
    found.setLevel(logging.INFO)
    found.propagate = False

    return found


def over_asgi(app: Any, say: Say) -> Any:
    """Return an ASGI application that says one line for each HTTP request."""

    async def wrapped(scope: MutableMapping[str, Any], receive: Any, send: Send) -> Any:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        start, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            return await app(scope, receive, noting)
        finally:
            query, peer = scope["query_string"].decode("latin-1"), scope["client"]
            asked = _asked(scope["method"], scope["path"], query, peer[0])
            say({**asked, "status": status, "took_ms": _since(start)})

    return wrapped


def over_wsgi(app: Any, say: Say) -> Any:
    """Return a WSGI application that says one line for each request."""

    def wrapped(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        start, status = time.perf_counter(), 500

        def noting(line: str, *rest: Any) -> Any:
            nonlocal status
            status = int(line[:3])
            return start_response(line, *rest)

        try:
            answer: Iterable[bytes] = app(environ, noting)
            return answer
        finally:
            path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
            method, peer = environ["REQUEST_METHOD"], environ["REMOTE_ADDR"]
            asked = _asked(method, path, query, peer)
            say({**asked, "status": status, "took_ms": _since(start)})

    return wrapped


def _asked(method: str, path: str, query: str, peer: str) -> dict[str, Any]:
    return {"method": method, "path": path, "query": query, "client": peer}


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 3)
