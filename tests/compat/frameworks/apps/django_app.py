# Django, by both of its handlers; each is wrapped where a project's wsgi.py and asgi.py
# make them.
# mypy: disable-error-code="import-untyped"
import json
import os
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import path

from audit_mw import AuditMiddleware

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DEBUG_PROPAGATE_EXCEPTIONS="LET_THROUGH" in os.environ,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(16).hex(),
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()


def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(",".join(request.POST.getlist("item")))


def document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(json.loads(request.body)["order"]["item"])


def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.FILES["photo"].read())))


def login(request: HttpRequest) -> HttpResponse:
    request.session["user"] = request.POST["user"]

    return HttpResponse("welcome")


def me(request: HttpRequest) -> HttpResponse:
    name = request.session.get("user")
    if name is None:
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED)
    _vouch(request, name)

    return HttpResponse(name)


def _vouch(request: Any, name: str) -> None:
    if hasattr(request, "scope"):
        request.scope["user"] = name
    else:
        request.META["REMOTE_USER"] = name


def fail(_request: HttpRequest) -> HttpResponse:
    raise LookupError("no such account")


_CHUNKS = (b"one,", b"two,", b"three")


async def _asynchronously() -> AsyncIterator[bytes]:
    for chunk in _CHUNKS:
        yield chunk


def stream(request: HttpRequest) -> StreamingHttpResponse:
    # Django warns when it must turn one kind of iterator into the other.
    chunks: Callable[[], Any] = lambda: iter(_CHUNKS)  # noqa: E731
    chunks = _asynchronously if hasattr(request, "scope") else chunks

    return StreamingHttpResponse(chunks(), content_type="text/plain")


def old(_request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/")


urlpatterns = [
    path("", page),
    path("form", form),
    path("json", document),
    path("upload", upload),
    path("login", login),
    path("me", me),
    path("fail", fail),
    path("stream", stream),
    path("old", old),
]
wsgi = AuditMiddleware(get_wsgi_application())
asgi = AuditMiddleware(get_asgi_application())
