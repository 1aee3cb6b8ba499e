# Visitors go through a Django project, over both interfaces.
#
#     python -m tests.integrations.project.visits DIRECTORY
#
# It runs in a process of its own, for Django's settings are those of a process. Each
# step of a visitor has its name in the header X-Request-Id. What was answered is written to
# DIRECTORY/KIND.json; the trails are DIRECTORY/wsgi and DIRECTORY/asgi.
import json
import logging
import os
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from starlette.testclient import TestClient
from tests.edges.audited import KEY
from werkzeug.test import Client

from audit_mw import AuditMiddleware, AuditUnavailable

__all__ = ["CANARY", "PASSWORD", "WRONG"]

PASSWORD = "correct horse battery"
WRONG = "wr0ng-c4n4ry-passphrase"
CANARY = "c4n4ry-0f-a-s3cret-value"
SESSION = "k3v9x2q8m4z7w1t6r5y0p2n8b4c6d1f3"  # somebody's
_ERRORS = ("found", "denied", "bad", "suspicious")


class Visitor:
    """Goes through the project with a browser's cookies, and notes what is answered."""

    def __init__(self, kind: str, application: Any) -> None:
        self.keys: list[str] = []
        self.answers: dict[str, int] = {}
        self._kind = kind
        self._browser = self._browse(application)

    def _browse(self, application: Any) -> Any:
        if self._kind == "wsgi":
            return Client(application)
        return TestClient(
            application, raise_server_exceptions=False, follow_redirects=False
        )

    def get(self, path: str, case: str, **more: str) -> None:
        """Ask for a page."""
        self._send(case, partial(self._browser.get, path), more)

    def post(self, path: str, case: str, form: dict[str, Any], **more: str) -> None:
        """Send a form."""
        self._send(case, partial(self._browser.post, path, data=form), more)

    def give_up(self, path: str, case: str) -> None:
        """Ask for a page where the server gives the request up; by one interface."""
        if self._kind == "wsgi":
            with suppress(CancelledError):
                self.get(path, case)

    def log_in(self, name: str, case: str, path: str = "/login") -> None:
        """Log in, with the password that all have."""
        self.post(path, case, {"username": name, "password": PASSWORD})

    def _send(self, case: str, ask: Callable[..., Any], more: dict[str, str]) -> None:
        headers = {"X-Request-Id": case} | more
        # Werkzeug's client leaves a response where it is, as a client that goes does.
        read = {"buffered": True} if self._kind == "wsgi" else {}
        try:
            response = ask(headers=headers, **read)
        except AuditUnavailable:  # so Werkzeug's client shows a late 503
            self.answers[case] = 503
            return
        self.answers[case] = response.status_code
        response.close()
        sessions = apps.get_model("sessions", "Session").objects
        self.keys = sorted({*self.keys, *sessions.values_list("pk", flat=True)})


def _visit(new: Callable[[], Visitor]) -> Iterator[Visitor]:
    visitor = new()
    visitor.get("/public", "public")
    visitor.get("/nowhere", "nowhere")
    visitor.post("/login", "wrong", {"username": "alice", "password": WRONG})
    visitor.post("/login", "nobody", {"username": "", "password": WRONG})
    visitor.post("/login", "no password", {"username": "alice"})
    visitor.get("/logout", "nobody out")
    visitor.get("/begin", "begin")
    visitor.log_in("alice", "login")
    visitor.get("/public", "public alice")
    visitor.get("/private", "private")
    visitor.get("/private-async", "private async")
    visitor.get("/own", "own")
    visitor.post("/fail", "fail", {"password": CANARY})
    visitor.get("/fail-async", "fail async")
    for kind in _ERRORS:
        visitor.get(f"/refuse/{kind}", kind)
    visitor.post("/transfer", "form", {"amount": CANARY, "to": CANARY})
    visitor.post("/transfer", "good form", {"amount": "1", "to": "a"})
    visitor.post("/transfer", "forged", {}, csrf="1")
    visitor.get("/broken", "broken")
    visitor.get("/within", "within")
    visitor.log_in("bob", "other")
    visitor.get("/logout", "logout")
    yield visitor
    visitor = new()
    visitor.get("/log", "log")
    visitor.get("/other-session", "other session")
    visitor.log_in("alice", "login async", "/login-async")
    visitor.get("/unrecordable", "unrecordable")
    visitor.get("/wrapped", "wrapped")
    visitor.log_in("alice", "alice again")
    visitor.give_up("/given-up", "given up")
    yield visitor
    visitor = new()
    visitor.get("/signed", "signed")
    yield visitor
    visitor = new()
    _administer(visitor)
    yield visitor


def _administer(root: Visitor) -> None:
    users, groups = "/admin/auth/user/", "/admin/auth/group/"
    root.log_in("alice", "no staff", "/admin/login/")
    root.log_in("root", "admin", "/admin/login/")
    user = {"username": "carol", "password1": CANARY, "password2": CANARY}
    root.post(f"{users}add/", "add user", user | {"usable_password": "true"})
    users_ = get_user_model().objects
    mallory = {**user, "username": "mallory", "usable_password": "true"}
    root.post(f"{users}add/", "unrecorded", mallory, exhausted="1")
    root.answers["mallory"] = users_.filter(username="mallory").count()
    key = users_.get(username="carol").pk
    profile = {
        "username": "carol",
        "date_joined_0": "2026-11-21",
        "date_joined_1": "05:26:07",
    }
    named = profile | {"is_active": "on", "first_name": CANARY}
    root.post(f"{users}{key}/change/", "change user", named)
    root.post(f"{users}{key}/change/", "promote", named | {"is_staff": "on"})
    new = {"password1": WRONG, "password2": WRONG, "usable_password": "true"}
    root.post(f"{users}{key}/password/", "password", new)
    root.post(f"{users}{key}/delete/", "delete user", {"post": "yes"})
    for name in ("one", "two"):
        root.post(f"{groups}add/", f"group {name}", {"name": f"{CANARY} {name}"})
    keys = [each.pk for each in apps.get_model("auth", "Group").objects.all()]
    chosen = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    root.post(groups, "delete groups", chosen)
    root.post(f"{groups}add/", "bad group", {"name": ""})
    session = apps.get_model("sessions", "Session").objects.create(
        pk=SESSION, session_data="x", expire_date="2030-01-01T00:00Z"
    )
    root.keys.append(SESSION)
    page = f"/admin/sessions/session/{session.pk}/delete/"
    root.post(page, "delete session", {"post": "yes"})


@contextmanager
def _people() -> Iterator[None]:
    users = get_user_model().objects
    for name in ("alice", "bob"):
        users.create_user(name, password=PASSWORD)
    users.create_superuser("root", password=PASSWORD)
    yield
    users.all().delete()
    apps.get_model("sessions", "Session").objects.all().delete()


_MAKE: dict[str, Callable[[], Any]] = {"wsgi": WSGIHandler, "asgi": ASGIHandler}


def visit(kind: str, directory: Path) -> None:
    """Let visitors go through the project over one interface."""
    trail = str(directory / kind)
    application = AuditMiddleware(
        _MAKE[kind](), trail=trail, service="shop", key=KEY, max_slots=64
    )
    apps.get_app_config("audit_mw").middleware = application
    with _people():
        seen = list(_visit(lambda: Visitor(kind, application)))
    application._auditor.close()
    noted = {
        "keys": [key for visitor in seen for key in visitor.keys],
        "answers": {
            case: it for visitor in seen for case, it in visitor.answers.items()
        },
    }
    (directory / f"{kind}.json").write_text(json.dumps(noted))


def main(directory: Path) -> None:
    """Set the project up, and let it be visited."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.integrations.project.settings"
    os.environ["DATABASE"] = str(directory / "database")
    django.setup()
    logging.disable()
    call_command("migrate", run_syncdb=True, verbosity=0)
    apps.get_app_config("audit_mw").ready()  # a second time changes nothing
    for kind in _MAKE:
        visit(kind, directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
