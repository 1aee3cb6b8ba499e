# A module with applications of each kind, as users have them, for an entry to name.
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI
from flask import Flask

from audit_mw import AuditMiddleware

NUMBER = 17


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answer each request with its path."""
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    await receive()
    body = scope["path"].encode()
    length = (b"content-length", b"%d" % len(body))
    start = {"type": "http.response.start", "status": 200, "headers": [length]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answer each request with its path."""
    body = environ["PATH_INFO"].encode("latin-1")
    start_response("200 OK", [("Content-Length", str(len(body)))])

    return [body]


def make_app(kind: str = "wsgi", *, wanted: bool = True) -> Any:
    """Return an application, as a factory does."""
    if not wanted:
        raise LookupError("not wanted")

    return {"wsgi": wsgi, "asgi": asgi, "nothing": None}[kind]


def needs_tables() -> Any:
    """Fail as a factory does that misses a package."""
    return __import__("package_that_nobody_has")


async def old(scope: Any) -> None:
    """Be of ASGI 2, or so it seems."""


nested = SimpleNamespace(inner=SimpleNamespace(app=wsgi))

flask = Flask("shop")
flask.add_url_rule("/", view_func=lambda: "hello")

audited_flask = Flask("shop")
audited_flask.wsgi_app = AuditMiddleware(audited_flask.wsgi_app)  # type: ignore[method-assign] # as Flask's manual says

audited_fastapi = FastAPI()
audited_fastapi.add_middleware(AuditMiddleware)

audited_asgi = AuditMiddleware(asgi)
