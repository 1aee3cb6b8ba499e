# What is served while the disk is harmed: one application for each interface.
#
# The first thing that it does is to write the query of the request into a file of its
# own, by one unbuffered write: what stands there was begun, whatever the trail says.
# All options of the middleware come from the environment, as an operator sets them.
import os
from collections.abc import Iterable
from typing import Any

from tests.edges.asgi_server import Receive, Scope, Send
from tests.edges.wsgi_server import Environ, StartResponse

from audit_mw import AuditMiddleware

__all__ = ["CALLS", "asgi", "wsgi"]

CALLS = "DISK_CALLS"  # the variable that names the file of calls
_calls = os.open(
    os.environ.get(CALLS, os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
)


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    os.write(_calls, scope["query_string"] + b"\n")
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def _lifespan(receive: Receive, send: Send) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})


def _wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    os.write(_calls, environ["QUERY_STRING"].encode("latin-1") + b"\n")
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


asgi: Any = AuditMiddleware(_asgi)
wsgi: Any = AuditMiddleware(_wsgi)
