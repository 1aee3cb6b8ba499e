# AuditMiddleware(app): which interface, what servers then take it for, and its name.
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest
from asgiref.compatibility import is_double_callable
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.edges import apps_asgi, apps_wsgi
from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited, read_trail
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment

from audit_mw import AuditMiddleware, ConfigError
from audit_mw.asgi import AsgiAuditMiddleware
from audit_mw.wsgi import WsgiAuditMiddleware

ROOT = Path(__file__).parent.parent.parent
ASGI, WSGI = AsgiAuditMiddleware, WsgiAuditMiddleware


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    await apps_asgi.answering()(scope, receive, send)


def _wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return apps_wsgi.answering()(environ, start_response)


async def _asgi_with_default(
    scope: Scope, receive: Receive, send: Send, *, _more: int = 0
) -> None:
    await _asgi(scope, receive, send)


def _wsgi_with_defaults(
    environ: Environ, start_response: StartResponse, _more: int = 0, **_named: Any
) -> Iterable[bytes]:
    return _wsgi(environ, start_response)


async def _asgi_of_any(*arguments: Any) -> None:
    await _asgi(*arguments)


def _any(*arguments: Any) -> Any:
    return (_asgi if len(arguments) == 3 else _wsgi)(*arguments)


def _decorated(app: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(app)
    def outer(*arguments: Any) -> Any:
        return app(*arguments)

    return outer


class _AsgiObject:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _asgi(scope, receive, send)

    async def bound(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _asgi(scope, receive, send)


class _WsgiObject:
    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        return _wsgi(environ, start_response)

    def bound(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return _wsgi(environ, start_response)

    @staticmethod
    def static(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return _wsgi(environ, start_response)


class _AsgiObjectOfAny:
    async def __call__(self, *arguments: Any) -> None:
        await _asgi(*arguments)


def _asgi_2(scope: Scope) -> Any:
    return partial(_asgi, scope)


class _Asgi2Class:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None:
        await _asgi(self._scope, receive, send)


def _more_than_three(_scope: Any, _receive: Any, _send: Any, _more: Any) -> None:
    """Nobody calls this."""


# --- which interface


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        pytest.param(_asgi, ASGI, id="ASGI function"),
        pytest.param(_asgi_with_default, ASGI, id="ASGI function with default"),
        pytest.param(_asgi_of_any, ASGI, id="coroutine function of any arguments"),
        pytest.param(_AsgiObject(), ASGI, id="ASGI object"),
        pytest.param(_AsgiObject().bound, ASGI, id="ASGI bound method"),
        pytest.param(_AsgiObjectOfAny(), ASGI, id="ASGI object of any arguments"),
        pytest.param(apps_asgi.ODD["a class"].app, ASGI, id="ASGI class"),
        pytest.param(partial(_more_than_three, 1), ASGI, id="ASGI partial"),
        pytest.param(_decorated(_asgi), ASGI, id="ASGI decorated"),
        pytest.param(Starlette(), ASGI, id="Starlette"),
        pytest.param(FastAPI(), ASGI, id="FastAPI"),
        pytest.param(_wsgi, WSGI, id="WSGI function"),
        pytest.param(_wsgi_with_defaults, WSGI, id="WSGI function with defaults"),
        pytest.param(_WsgiObject(), WSGI, id="WSGI object"),
        pytest.param(_WsgiObject().bound, WSGI, id="WSGI bound method"),
        pytest.param(_WsgiObject.static, WSGI, id="WSGI static method"),
        pytest.param(apps_wsgi.ODD["a class"].app, WSGI, id="WSGI class"),
        pytest.param(partial(_more_than_three, 1, 2), WSGI, id="WSGI partial"),
        pytest.param(_decorated(_wsgi), WSGI, id="WSGI decorated"),
        pytest.param(Flask("f"), WSGI, id="Flask"),
        pytest.param(Flask("f").wsgi_app, WSGI, id="Flask's wsgi_app"),
    ],
)
def test_interface(app: Any, expected: type, audited: Audited) -> None:
    """The interface is told from the parameters that the application requires."""
    assert expected is type(audited(app))


@pytest.mark.parametrize(
    ("app", "words"),
    [
        pytest.param(_asgi_2, "ASGI 2 .*guarantee_single_callable", id="ASGI 2"),
        pytest.param(_Asgi2Class, "ASGI 2", id="ASGI 2 class"),
        pytest.param(_any, "requires any .* interface=", id="any arguments"),
        pytest.param(_more_than_three, "requires 4 ", id="four arguments"),
        pytest.param(lambda: None, "factory", id="no arguments"),
        pytest.param(dict, "interface=", id="no signature"),
        pytest.param(None, "NoneType cannot be called", id="None"),
        pytest.param("myapp:app", "str cannot be called", id="name of an application"),
    ],
)
def test_no_interface(app: Any, words: str, audited: Audited) -> None:
    """What is neither is a ConfigError that says what to do, when it is wrapped."""
    with pytest.raises(ConfigError, match=words):
        audited(app)


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_interface_given(interface: str, audited: Audited) -> None:
    """An application that takes any arguments is what it is said to be."""
    expected = {"asgi": ASGI, "wsgi": WSGI}[interface]

    assert expected is type(audited(_any, interface=interface))


# --- what others take the middleware for


def test_is_a_coroutine_function_or_not(audited: Audited) -> None:
    """Servers that ask whether `__call__` is a coroutine function are told right."""
    asgi, wsgi = audited(_asgi), audited(_wsgi)

    assert inspect.iscoroutinefunction(type(asgi).__call__)
    assert inspect.iscoroutinefunction(asgi.__call__)
    assert not inspect.iscoroutinefunction(type(wsgi).__call__)


def test_is_no_double_callable(audited: Audited) -> None:
    """To asgiref it is an application of ASGI 3."""
    assert not is_double_callable(audited(_asgi))  # type: ignore[no-untyped-call] # as asgiref has it


def test_wraps_itself(audited: Audited) -> None:
    """The middleware is an application of its own interface, and can be wrapped."""
    assert ASGI is type(audited(audited(_asgi)))
    assert WSGI is type(audited(audited(_wsgi)))


# --- frameworks


def _home(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("hello")


def test_starlette_add_middleware(tmp_path: Path) -> None:
    """Starlette's add_middleware takes it; its lifespan opens and closes the trail."""
    app = Starlette(routes=[Route("/", _home)])
    app.add_middleware(AuditMiddleware, trail=str(tmp_path / "trail"))
    lifespan = apps_asgi.ODD["lifespan"]
    lifespan.server(probed=False).run(app)
    AsgiServer(http_scope(path="/"), probed=False).run(app)
    lifespan.server(probed=False).run(app)
    (event,) = read_trail(tmp_path / "trail")
    action = f"{__name__}._home".encode()

    assert (action, 200, "SUCCESS") == (event.action, event.status, event.outcome)


def _factory(audited: Audited) -> Any:
    return audited


def test_starlette_middleware_list(audited: Audited) -> None:
    """Starlette's list of middleware takes it with its options."""
    app = Starlette(
        routes=[Route("/", _home)],
        middleware=[Middleware(_factory(audited), event_header="x-event")],
    )
    server = AsgiServer(http_scope(path="/"), probed=False).run(app)

    assert audited.event().event.encode() == dict(server.headers[0])[b"x-event"]


def test_fastapi_add_middleware(audited: Audited) -> None:
    """FastAPI's add_middleware takes it; an unknown path is a failure."""
    app = FastAPI()
    app.add_middleware(_factory(audited))
    AsgiServer(http_scope(), probed=False).run(app)

    assert (audited.event().status, audited.event().outcome) == (404, "FAILURE")


def test_flask_wsgi_app(audited: Audited) -> None:
    """Flask's wsgi_app is wrapped in its place, and is named by import_name."""
    app = Flask("bank")
    app.add_url_rule("/", view_func=lambda: "hello")
    app.wsgi_app = audited(app.wsgi_app, service=None)  # type: ignore[method-assign] # as its documentation says
    server = WsgiServer(environment(PATH_INFO="/")).run(_unprobed(app))
    event = audited.event()

    assert (server.status, server.body) == ("200 OK", b"hello")
    assert (event.service, event.status, event.sent) == (b"bank", 200, 5)


def _unprobed(app: Any) -> Any:
    def called(environ: Environ, start_response: StartResponse) -> Any:
        return app(environ, start_response)

    return called


_DJANGO = """
import json, sys
import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

def home(request):
    return HttpResponse("hello " + ",".join(request.POST.getlist("a")))

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["*"],
    LOGGING_CONFIG=None,
)
urlpatterns = [path("", home)]

from audit_mw import AuditMiddleware
from tests.edges.asgi_server import AsgiServer, http_scope
from tests.edges.wsgi_server import WsgiServer, environment

options = {"trail": sys.argv[1], "service": "django"}
wsgi = AuditMiddleware(get_wsgi_application(), **options)
asgi = AuditMiddleware(get_asgi_application(), **options)
form = "application/x-www-form-urlencoded"
body = b"a=1&password=secret&a=2"
one = WsgiServer(
    environment(
        body,
        REQUEST_METHOD="POST",
        PATH_INFO="/",
        CONTENT_TYPE=form,
        CONTENT_LENGTH=str(len(body)),
    )
).run(lambda *arguments: wsgi(*arguments))
fields = [(b"content-type", form.encode()), (b"content-length", b"23")]
two = AsgiServer(
    http_scope(path="/", method="POST", headers=fields),
    [{"type": "http.request", "body": body}],
    probed=False,
).run(asgi)
for middleware in (wsgi, asgi):
    middleware._auditor.close()
print(json.dumps([type(wsgi).__name__, type(asgi).__name__]))
print(json.dumps([one.body.decode(), two.body.decode()]))
"""


def test_django(tmp_path: Path) -> None:
    """Django's two applications are told apart, and their forms are on record."""
    done = subprocess.run(
        [sys.executable, "-c", _DJANGO, str(tmp_path / "trail")],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    kinds, bodies = map(json.loads, done.stdout.splitlines())
    events = read_trail(tmp_path / "trail")
    forms = [[p.name for p in e.params if p.source == "form"] for e in events]

    assert kinds == ["WsgiAuditMiddleware", "AsgiAuditMiddleware"]
    assert bodies == ["hello 1,2"] * 2
    assert [event.status for event in events] == [200, 200]
    assert forms == [[b"a", b"password", b"a"]] * 2


# --- the service's name


def _service(audited: Audited, app: Any) -> Any:
    middleware = audited(app, service=None)
    if isinstance(middleware, AsgiAuditMiddleware):
        AsgiServer(http_scope(), probed=False).run(middleware)
    else:
        WsgiServer(environment()).run(_unprobed(middleware))

    return audited.event().service


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        pytest.param(_asgi, __name__.encode(), id="function"),
        pytest.param(_wsgi, __name__.encode(), id="WSGI function"),
        pytest.param(_decorated(_asgi), __name__.encode(), id="decorated"),
        pytest.param(Flask("bank"), b"bank", id="Flask"),
        pytest.param(Flask("bank").wsgi_app, b"bank", id="Flask's wsgi_app"),
        pytest.param(FastAPI(title="The Bank"), b"The Bank", id="FastAPI"),
    ],
)
def test_service_name(app: Any, expected: bytes, audited: Audited) -> None:
    """Without a name in the config the application's own is the service's."""
    assert expected == _service(audited, app)


@pytest.mark.parametrize(
    "app", [_AsgiObject(), _WsgiObject(), Flask("__main__"), Starlette()]
)
def test_service_name_of_directory(
    app: Any, audited: Audited, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An application without a name of its own is named after the directory."""
    place = tmp_path / "shop"
    place.mkdir()
    monkeypatch.chdir(place)

    assert _service(audited, app) == b"shop"


def test_service_name_of_audit_mw_app(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module that AUDIT_MW_APP names comes before the application's own name."""
    monkeypatch.setitem(os.environ, "AUDIT_MW_APP", "bank.main:app")

    assert _service(audited, FastAPI(title="The Bank")) == b"bank.main"


def test_service_name_of_config(audited: Audited) -> None:
    """The name that the config gives comes before all others."""
    AsgiServer(http_scope(), probed=False).run(audited(_asgi))

    assert audited.event().service == b"edges"
