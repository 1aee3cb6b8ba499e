# What real servers serve in tests of health: the endpoint below /health, all of it below
# /health/detailed, and an audited application everywhere else.
import os
from collections.abc import Iterable
from typing import Any

from tests.edges.asgi_server import Receive, Scope, Send
from tests.edges.wsgi_server import Environ, StartResponse

from audit_mw import AuditMiddleware, health_app

__all__ = ["asgi", "wsgi"]

_TRAIL = os.environ.get("EDGES_TRAIL", "audit-trail")


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def _wsgi(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


_asgi_paths = {
    "/health": health_app("asgi"),
    "/health/detailed": health_app("asgi", detailed=True),
}
_wsgi_paths = {
    "/health": health_app("wsgi"),
    "/health/detailed": health_app("wsgi", detailed=True),
}
_audited_asgi = AuditMiddleware(_asgi, trail=_TRAIL)
_audited_wsgi = AuditMiddleware(_wsgi, trail=_TRAIL)


async def asgi(scope: Scope, receive: Receive, send: Send) -> Any:
    """Serve one scope."""
    app = _asgi_paths.get(scope.get("path", ""), _audited_asgi)

    return await app(scope, receive, send)


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Serve one request."""
    app = _wsgi_paths.get(environ["PATH_INFO"], _audited_wsgi)
    result: Iterable[bytes] = app(environ, start_response)

    return result
