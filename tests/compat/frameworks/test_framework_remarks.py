# What the pages of frameworks in docs/quickstart/ say under "What to know", where the
# applications of test_frameworks do not show it already.
import gc
import secrets
import sys
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from falcon import App as Falcon
from fastapi import FastAPI
from flask import Flask
from litestar import Litestar, get
from litestar.middleware.session.client_side import (
    ClientSideSessionBackend,
    CookieBackendConfig,
)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.testclient import TestClient
from tests.compat.frameworks.frameworks import FRAMEWORKS, serve
from tests.compat.frameworks.quickstart import PORT, page_of, serving_page
from tests.edges.audited import Audited, read_trail

from audit_mw import AuditMiddleware
from audit_mw.errors import ConfigError
from audit_mw.policy.session import is_session_id


def _fail() -> None:
    raise LookupError("no such account")


def test_fastapi_wrapped_whole(audited: Audited) -> None:
    """Around the whole, the middleware sees the page of the 500, and the fault."""
    app = FastAPI()
    app.add_api_route("/fail", _fail)
    with TestClient(audited(app), raise_server_exceptions=False) as client:
        said = client.get("/fail").content
    event, (fault,) = audited.event(), audited.faults()

    assert (event.outcome, event.status, event.sent) == ("ERROR", 500, len(said))
    assert fault.details["reason"] == b"LookupError"


@pytest.mark.parametrize("audit_last", [False, True])
def test_starlette_add_last(audited: Audited, *, audit_last: bool) -> None:
    """What a middleware answers by itself has a line only if ours is added after it."""
    app = Starlette()
    guard = (TrustedHostMiddleware, {"allowed_hosts": ["shop.example"]})
    both: list[tuple[Any, dict[str, Any]]] = [guard, (audited, {})]
    for middleware, options in both[:: 1 if audit_last else -1]:
        app.add_middleware(middleware, **options)
    with TestClient(app) as client:
        response = client.get("/", headers={"Host": "evil.example"})

    assert response.status_code == 400
    assert [e.status for e in audited.events()] == ([400] if audit_last else [])


def test_starlette_first_of_the_list(audited: Audited) -> None:
    """The first in the list of middlewares is the outermost."""
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=["shop.example"])
    ours: Any = Middleware(cast("Any", audited))
    app = Starlette(middleware=[ours, guard])
    with TestClient(app) as client:
        client.get("/", headers={"Host": "evil.example"})

    assert audited.event().status == 400


def _flask(audited: Callable[[Any], Any]) -> Flask:
    app = Flask("shop")
    app.add_url_rule("/", view_func=lambda: "hello")
    app.wsgi_app = audited(app.wsgi_app)  # type: ignore[method-assign] # as Flask says

    return app


def test_flask_test_client(audited: Audited) -> None:
    """A request of Flask's test client leaves a line."""
    assert _flask(audited).test_client().get("/?case=1").status_code == 200
    assert audited.event().status == 200


def test_flask_cycle(tmp_path: Path) -> None:
    """A wrapped Flask application is freed by the collector, and not before."""
    app = _flask(partial(AuditMiddleware, trail=str(tmp_path)))
    seen = weakref.ref(app)
    gc.collect()
    gc.disable()
    try:
        del app
        assert seen() is not None
        gc.collect()
        assert seen() is None
    finally:
        gc.enable()


def test_django_list_of_middlewares() -> None:
    """In Django's list, where a middleware gets one argument, it is an error at start."""

    def get_response(request: object) -> object:
        return request

    with pytest.raises(ConfigError, match="it takes one argument"):
        AuditMiddleware(get_response)


def test_django_runserver(tmp_path: Path) -> None:
    """What runserver serves is audited."""
    command = f"django-admin runserver {PORT} --noreload --settings shop --pythonpath ."
    with serving_page(page_of("django"), command, tmp_path) as running:
        response, _ = running.ask("POST", "/orders", body="item=tea")

    assert response.status == 200
    assert len(read_trail(tmp_path / "audit-trail")) == 1


def test_falcon_list_of_middlewares() -> None:
    """In Falcon's list, it is an error at start."""
    with pytest.raises(TypeError, match="AuditMiddleware"):
        Falcon(middleware=[AuditMiddleware])


def test_litestar_list_of_middlewares() -> None:
    """In Litestar's list, it is an error at start."""
    with pytest.raises(TypeError, match="AuditMiddleware"):
        Litestar([get("/")(_page)], middleware=[AuditMiddleware])


async def _page() -> str:
    return "hello"


def test_litestar_cookie_session() -> None:
    """A session that Litestar keeps in a cookie is no id."""
    backend = ClientSideSessionBackend(
        CookieBackendConfig(secret=secrets.token_bytes())
    )
    for user in ("al", "bob", "mary"):
        (value,) = backend.dump_data({"user": user})

        assert len(value) < 256  # else length alone would tell
        assert not is_session_id(value)


def test_pyramid_exception_view(tmp_path: Path) -> None:
    """An exception that a view of Pyramid's answers leaves no fault record."""
    served = serve(FRAMEWORKS["pyramid"], tmp_path, {"ANSWERED": "1"})
    try:
        _, said = served.running.ask("GET", "/fail?case=1")
        (event,) = served.awaited("1")
    finally:
        served.running.end()

    assert said == b"sorry"
    assert (event.outcome, event.status) == ("ERROR", 500)
    assert served.events("1", "fault") == []


@pytest.mark.parametrize(("given", "expected"), [("shop.app, ", 1), ("", 0)])
def test_bottle_run(given: str, expected: int, tmp_path: Path) -> None:
    """What bottle.run serves is audited if it is given `app`, and else it is not."""
    code = f"import bottle, shop; bottle.run({given}port={PORT})"
    command = f'{sys.executable} -c "{code}"'
    with serving_page(page_of("bottle"), command, tmp_path) as running:
        response, _ = running.ask("POST", "/orders", body="item=tea")

    assert response.status == 200
    assert len(read_trail(tmp_path / "audit-trail")) == expected
