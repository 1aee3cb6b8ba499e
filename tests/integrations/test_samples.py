# The lines that docs/integrations.md shows are those that are written.
#
# What changes from run to run (time, ids, addresses, digests) is as all documents have it.
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import flask_login
import pytest
from fastapi import FastAPI, Form
from flask import Flask, abort
from starlette.testclient import TestClient
from tests.edges.audited import Audited
from tests.generated import EVENT_ID, HMAC, ROOT, TIME
from tests.integrations.project.site import Site
from tests.integrations.test_flask import User, heard

from audit_mw.event import Event
from audit_mw.integrations.starlette import listen
from audit_mw.trail.record import draft_event, finish_line

DOCUMENT = ROOT / "docs" / "integrations.md"


def _as_shown(event: Event) -> str:
    details = dict(event.details)
    if "session_before" in details:
        details["session_before"] = HMAC.replace("66", "41").encode()
    app = details.get("app")
    if isinstance(app, dict):
        keys = {"object": b"4", "form": b"shop.forms.Transfer"}
        details["app"] = app | {key: it for key, it in keys.items() if key in app}
    shown = replace(
        event,
        time=TIME,
        event=EVENT_ID,
        service=b"shop",
        instance="web1:4711:1eeb7084",
        client=b"192.0.2.7",
        peer=b"192.0.2.7:41522",
        session=event.session and HMAC,
        details=details,
    )

    return finish_line(draft_event(shown), 1).decode().rstrip("\n")


def _shows(event: Event) -> None:
    line = _as_shown(event)

    assert line in DOCUMENT.read_text().splitlines(), line


def _pay() -> str:
    flask_login.login_user(User("alice"))
    abort(409, "insufficient funds")


def test_flask(audited: Audited) -> None:
    """What a Flask application aborts with."""
    app = Flask("shop")
    app.secret_key = "of your own"
    flask_login.LoginManager(app)
    app.add_url_rule("/pay", "pay", _pay)
    heard(app, audited).test_client().get("/pay", buffered=True)
    app.wsgi_app = None  # type: ignore[method-assign,assignment]

    (event,) = audited.events("error")
    _shows(event)


def _order(item: Annotated[str, Form()], count: Annotated[int, Form()]) -> str:
    return item * count


def test_fastapi(audited: Audited) -> None:
    """What FastAPI finds invalid."""
    app = FastAPI()
    app.add_api_route("/orders", _order, methods=["POST"])
    listen(app)
    TestClient(audited(app)).post("/orders", data={"count": "many"})

    (event,) = audited.events("error")
    _shows(event)


_DJANGO: dict[str, Callable[[Site], Event]] = {
    "a failed login": lambda site: site.one("wrong", "session"),
    "a login": lambda site: site.one("login", "session"),
    "a form": lambda site: site.one("form", "error"),
    "the admin": lambda site: site.one("add user", "security"),
}


@pytest.mark.parametrize("what", _DJANGO)
def test_django(what: str, site: Site) -> None:
    """What is told of the pages of a Django project."""
    _shows(_DJANGO[what](site))
