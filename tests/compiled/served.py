# What real servers serve in these tests: each response tells by which recorder.
import os
from typing import Any

import audit_mw
from audit_mw import AuditMiddleware

__all__ = ["asgi", "wsgi"]

_TRAIL = os.environ.get("COMPILED_TRAIL", "audit-trail")


def _name() -> bytes:
    found = audit_mw.current()

    return type(found and found.recorder).__name__.encode()


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": _name()})


def _wsgi(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])

    return [_name()]


asgi = AuditMiddleware(_asgi, trail=_TRAIL, service="shop")
wsgi = AuditMiddleware(_wsgi, trail=_TRAIL, service="shop")
