# Many users at once: each says its name, and is told it back after a while.
# mypy: disable-error-code="import-untyped"
import asyncio
import time
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

import audit_mw
from audit_mw import AuditMiddleware

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["audit_mw.integrations.django"],
    MIDDLEWARE=[f"{__name__}.named"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of your own",
)
django.setup()


class User:
    """Whoever the header names."""

    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.pk = name

    def get_username(self) -> str:
        """Return it."""
        return str(self.pk)


def named(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Believe the header."""

    def middleware(request: Any) -> Any:
        request.user = User(request.headers["X-User"])
        return get_response(request)

    return middleware


def me(request: HttpRequest) -> HttpResponse:
    """Say something of the user, after a while."""
    name = request.user.get_username()
    time.sleep(len(name) / 1000)
    audit_mw.error("insufficient funds", said_by=name)

    return HttpResponse(name)


async def me_async(request: HttpRequest) -> HttpResponse:
    """Do it in a task, and in a thread."""
    name = request.user.get_username()
    await asyncio.sleep(len(name) / 1000)
    await asyncio.to_thread(audit_mw.error, "insufficient funds", said_by=name)

    return HttpResponse(name)


urlpatterns = [path("me", me), path("me-async", me_async)]
wsgi = AuditMiddleware(get_wsgi_application())
asgi = AuditMiddleware(get_asgi_application())
