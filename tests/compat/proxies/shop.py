# What servers behind proxies serve in tests: one answer, audited by the configuration
# that AUDIT_MW_CONFIG names; and the same below what rewrites the peer.
from collections.abc import Iterable
from typing import Any

from hypercorn.middleware import ProxyFixMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from audit_mw import AuditMiddleware

__all__ = ["asgi", "asgi_fixed", "asgi_modern", "wsgi", "wsgi_fixed"]

_HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"5")]


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": b"hello"})


def _wsgi(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    headers = [(name.decode(), value.decode()) for name, value in _HEADERS]
    start_response("200 OK", headers)

    return [b"hello"]


asgi = AuditMiddleware(_asgi)
wsgi = AuditMiddleware(_wsgi)
asgi_fixed = ProxyFixMiddleware(asgi)
asgi_modern = ProxyFixMiddleware(asgi, mode="modern")
wsgi_fixed = ProxyFix(wsgi)
