# What users write must type-check. mypy reads this file; nothing runs it.
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware

from audit_mw import AuditMiddleware, AuditUnavailable, ConfigError


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi(
    _environ: dict[str, Any], _start_response: Callable[..., Any]
) -> Iterable[bytes]:
    return []


wrapped_asgi = AuditMiddleware(
    asgi, trail="audit-trail", trusted_proxies=["10.0.0.0/8"]
)
wrapped_wsgi = AuditMiddleware(wsgi, service="shop")

fastapi_app = FastAPI()
fastapi_app.add_middleware(AuditMiddleware, service="shop")
starlette_app = Starlette(middleware=[Middleware(AuditMiddleware, service="shop")])
flask_app = Flask(__name__)
flask_app.wsgi_app = AuditMiddleware(flask_app.wsgi_app)  # type: ignore[method-assign] # Flask's manual

errors: tuple[type[Exception], ...] = (AuditUnavailable, ConfigError)
