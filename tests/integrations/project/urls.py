# The pages of a Django project that knows nothing of its trail, but what it says itself.
import asyncio
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from asgiref.sync import sync_to_async
from django import forms
from django.apps import apps
from django.contrib import admin, auth
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from tests.integrations.slots import no_slot_left

import audit_mw
from audit_mw import AuditUnavailable

CANARY = "c4n4ry-0f-a-s3cret-value"


def _middleware() -> Any:
    return apps.get_app_config("audit_mw").middleware  # where visits.py left it


def no_csrf(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Let forms be posted without a token, as Django's own test client does."""

    def middleware(request: HttpRequest) -> Any:
        request._dont_enforce_csrf_checks = "csrf" not in request.headers
        full = "exhausted" in request.headers
        with no_slot_left(_middleware()) if full else nullcontext():
            return get_response(request)

    return middleware


class Transfer(forms.Form):  # type: ignore[misc] # Django has no types
    """An order to transfer money."""

    amount = forms.IntegerField()
    to = forms.ChoiceField(choices=[("a", "a")])


def log_in(request: HttpRequest) -> HttpResponse:
    """Log in as a project's own view would."""
    given = request.POST
    user = auth.authenticate(
        request, username=given["username"], password=given.get("password")
    )
    if user is None:
        return HttpResponse("no", status=401)
    auth.login(request, user)

    return HttpResponse("yes")


async def log_in_async(request: HttpRequest) -> HttpResponse:
    """Log in as a project's own asynchronous view would."""
    return await sync_to_async(log_in)(request)


def log_out(request: HttpRequest) -> HttpResponse:
    """Log out."""
    auth.logout(request)

    return HttpResponse("bye")


def public(_request: HttpRequest) -> HttpResponse:
    """Ask for nobody."""
    return HttpResponse("hello")


def begin(request: HttpRequest) -> HttpResponse:
    """Begin a session, of nobody."""
    request.session["begun"] = True

    return HttpResponse("hello")


def private(request: HttpRequest) -> HttpResponse:
    """Ask who is there, and say something."""
    name = request.user.get_username()
    audit_mw.error("insufficient funds")

    return HttpResponse(name)


def _name_of(request: HttpRequest) -> str:
    return str(request.user.get_username())


async def private_async(request: HttpRequest) -> HttpResponse:
    """Do it in a task, with a thread for what blocks."""
    name = await sync_to_async(_name_of)(request)
    if hasattr(request, "auser"):  # since Django 5.0
        name = (await request.auser()).get_username()

    def say() -> None:
        audit_mw.error("insufficient funds")

    await asyncio.gather(sync_to_async(say)(), asyncio.to_thread(say))

    return HttpResponse(name)


def fail(request: HttpRequest) -> HttpResponse:
    """Fail, when it is known who is there."""
    assert request.user.get_username() is not None
    raise LookupError(CANARY if request.POST.get("password") else "no such account")


async def fail_async(_request: HttpRequest) -> HttpResponse:
    """Fail in a task."""
    raise LookupError("no such account")


_ERRORS: dict[str, type[Exception]] = {
    "found": Http404,
    "denied": PermissionDenied,
    "bad": BadRequest,
    "suspicious": SuspiciousOperation,
}


def refuse(_request: HttpRequest, kind: str) -> HttpResponse:
    """Refuse, with words that nobody is to read."""
    raise _ERRORS[kind](CANARY)


def transfer(request: HttpRequest) -> HttpResponse:
    """Take a form."""
    form = Transfer(request.POST)

    return HttpResponse(str(form.is_valid()))


def broken_user(request: HttpRequest) -> HttpResponse:
    """Be served to a user who cannot be asked."""

    class Broken:
        @property
        def is_authenticated(self) -> bool:
            raise ConnectionError("database gone")

    request.user = Broken()
    auth.user_logged_out.send(Broken, request=request, user=request.user)

    return HttpResponse("hello")


def unrecordable(request: HttpRequest) -> HttpResponse:
    """Log in where nothing more can be recorded; catch what is raised, too."""
    user = auth.get_user_model().objects.get(username="alice")
    with no_slot_left(_middleware()):
        try:
            auth.login(request, user)
        except AuditUnavailable:
            return HttpResponse("caught")

    return HttpResponse("all is well")


def signed(request: HttpRequest) -> HttpResponse:
    """Keep the session in the cookie."""
    request.session = SessionStore()
    request.session["word"] = CANARY

    return HttpResponse("hello")


def other_session(request: HttpRequest) -> HttpResponse:
    """Have a session that is none of Django's."""
    request.session = {"word": CANARY}

    return HttpResponse("hello")


def log_of_nothing(_request: HttpRequest) -> HttpResponse:
    """Write an entry of the admin's log that is about no model, in words of its own."""
    user = auth.get_user_model().objects.get(username="root")
    entries = apps.get_model("admin", "LogEntry").objects
    entry = entries.create(
        user=user, object_repr=CANARY, action_flag=9, change_message=CANARY
    )
    entry.save()

    return HttpResponse("hello")


def given_up(request: HttpRequest) -> HttpResponse:
    """Log in over the session of another, and be given up by the server."""
    auth.login(request, auth.get_user_model().objects.get(username="bob"))
    raise CancelledError


class Wrapped:
    """A request around another one, as REST framework has it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


def wrapped(request: HttpRequest) -> HttpResponse:
    """Log in over the session of another, by a request that Django did not make."""
    auth.login(Wrapped(request), auth.get_user_model().objects.get(username="bob"))

    return HttpResponse("hello")


def within(request: HttpRequest) -> HttpResponse:
    """Let Django serve a request of somebody else within this one."""
    inner = RequestFactory().get("/private")
    session = DatabaseSession()
    bob = auth.get_user_model().objects.get(username="bob")
    session[auth.SESSION_KEY] = str(bob.pk)
    session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[auth.HASH_SESSION_KEY] = bob.get_session_auth_hash()
    session.save()
    inner.COOKIES["sessionid"] = session.session_key
    handler = WSGIHandler()
    handler.load_middleware()
    found = handler.get_response(inner)
    name = request.user.get_username()

    return HttpResponse(f"{name}, and within {found.content.decode()}")


def own_word(_request: HttpRequest) -> HttpResponse:
    """Say user and action."""
    found = audit_mw.current()
    assert found is not None
    found.user, found.action = "bob", "own"

    return HttpResponse("hello")


admin.site.register(apps.get_model("sessions", "Session"))
urlpatterns = [
    path("public", public),
    path("begin", begin),
    path("given-up", given_up),
    path("signed", signed),
    path("other-session", other_session),
    path("log", log_of_nothing),
    path("login", log_in),
    path("login-async", log_in_async),
    path("logout", log_out),
    path("private", private, name="private-page"),
    path("private-async", private_async),
    path("fail", fail),
    path("fail-async", fail_async),
    path("refuse/<kind>", refuse),
    path("transfer", transfer),
    path("broken", broken_user),
    path("unrecordable", unrecordable),
    path("own", own_word),
    path("wrapped", wrapped),
    path("within", within, name="within-page"),
    path("admin/", admin.site.urls),
]
