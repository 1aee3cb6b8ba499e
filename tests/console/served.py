# What the servers of tests/console/test_servers.py serve; their console is the trail.
#
# The word of a request that began goes into a file of the process.
import os
from pathlib import Path
from typing import Any

from tests.console.consoles import OPTIONS

from audit_mw import AuditMiddleware

__all__ = ["asgi", "wsgi"]

_DIRECTORY = Path(os.environ.get("CONSOLE_DIRECTORY", "."))
_OPTIONS = OPTIONS | {
    "trail": os.environ.get("CONSOLE_TRAIL", "stdout"),
    "journal_dir": f"{_DIRECTORY}/journals",
    "max_slots": 2048,
}
_files: dict[int, int] = {}


def _begin(query: bytes) -> None:
    pid = os.getpid()
    if pid not in _files:
        path = _DIRECTORY / f"{pid}.words"
        _files[pid] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    word = query.partition(b"&")[0].removeprefix(b"n=")
    os.write(_files[pid], b"began " + word + b"\n")


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    _begin(scope["query_string"])
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def _wsgi(environ: Any, start_response: Any) -> list[bytes]:
    _begin(environ["QUERY_STRING"].encode())
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


asgi = AuditMiddleware(_asgi, interface="asgi", **_OPTIONS)
wsgi = AuditMiddleware(_wsgi, interface="wsgi", **_OPTIONS)
