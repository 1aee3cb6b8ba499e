# Applications that do not answer: a worker that hangs in Python, or in C code.
import ctypes
import time
from collections.abc import Iterable
from typing import Any

_LONG = 600


def _hang(path: str) -> None:
    if path == "/python":
        time.sleep(_LONG)
    elif path == "/c":
        # It keeps the interpreter's lock, and no signal ends it: no handler runs.
        libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(256)
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answer, or hang, as the path asks."""
    _hang(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answer, or hang, as the path asks."""
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    _hang(scope["path"])
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
