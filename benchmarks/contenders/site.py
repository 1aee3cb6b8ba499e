# The smallest Django site: one view, which reads the body and answers as the other
# applications do, and what a contender adds. One process has one site.
from collections.abc import Callable, Sequence
from typing import Any

import django
from benchmarks.served import ANSWER
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import re_path

__all__ = ["site", "urlpatterns"]


def answer(request: HttpRequest) -> HttpResponse:
    """Answer a request to any path."""
    while request.read(65536):
        pass

    return HttpResponse(ANSWER, content_type="application/json")


urlpatterns = [re_path("", answer)]


def site(
    middleware: Sequence[str] = (), apps: Sequence[str] = (), **more: Any
) -> Callable[..., Any]:
    """Return the site as a WSGI application; `more` are further settings."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of no use to anybody",
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", *middleware],
        INSTALLED_APPS=apps,
        **more,
    )
    django.setup()

    handler: Callable[..., Any] = WSGIHandler()

    return handler
