"""
What a Flask application does, said in its trail.

    from audit_mw.integrations.flask import listen

    app.wsgi_app = AuditMiddleware(app.wsgi_app)
    listen(app)

The request's record has the endpoint as its action, and the user of Flask-Login, whose
signals make records of logins and logouts. An exception has a fault record though Flask
makes a 500 of it, and `abort` one in the error stream. docs/integrations.md has it all.
"""

# Rule 1: signals where there are any. `handle_user_exception` is the one method that is
#         put around, for Flask tells nobody of an exception that it handles.
# Rule 2: the user is taken as Flask-Login has loaded it, and never loaded: that would
#         ask the application's database where the application did not.
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask, g, got_request_exception, request, request_started, session
from flask.globals import request_ctx
from werkzeug.exceptions import BadRequestKeyError, HTTPException

from audit_mw import voice
from audit_mw.errors import AuditUnavailable, ConfigError
from audit_mw.integrations.hearing import (
    Problem,
    class_name,
    contained,
    name_of,
    put_around,
    refusal,
    rejected_input,
    vouch_by,
)

try:
    import flask_login
except ImportError:  # it is not used, then
    flask_login = None

__all__ = ["listen"]

_METHOD = "audit_mw_login_method"
_USER = "_audit_mw_user"  # on the request: the name of who was loaded


def listen(app: Flask, *, method: str = "password") -> None:
    """
    Let a Flask application be heard. Calling it again changes nothing but `method`.

    Args:
        app: the application; blueprints may be registered before or after.
        method: how Flask-Login's users log in: password, id-card, oidc, ...

    Raises:
        ConfigError: it is no Flask application.
    """
    if not isinstance(app, Flask):
        raise ConfigError("app", app, "give listen the Flask application itself")
    app.extensions[_METHOD] = method
    request_started.connect(_started, app)
    got_request_exception.connect(_failed, app)
    put_around(app, "handle_user_exception", _handling)
    if flask_login is not None:
        for name, hear in _LOGIN_SIGNALS.items():
            signal = getattr(flask_login.signals, name, None)
            if signal is not None:  # of a later version than the one that is there
                signal.connect(hear, app)


# --- the request


@contained
def _started(app: Flask, **_: object) -> None:
    # The proxies mean something else, or nothing, by the time a record is made.
    asked: Any = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    globals_: Any = g._get_current_object()  # noqa: SLF001
    _name_session()
    manager = getattr(app, "login_manager", None)
    if manager is not None:
        put_around(manager, "_update_request_context_with_user", _loading)
    vouch_by(user=lambda: _loaded(asked, globals_), action=lambda: asked.endpoint)


def _loading(load: Callable[..., Any]) -> Callable[..., Any]:
    def loaded(*args: Any, **named: Any) -> Any:
        result = load(*args, **named)
        _known()

        return result

    return loaded


@contained
def _known() -> None:
    # Now, while it is fresh: after a commit its name is another query, and at the end
    # of the request there is no session of the database any more.
    setattr(request, _USER, _user_name(getattr(g, "_login_user", None)))


def _loaded(asked: Any, globals_: Any) -> str | None:
    found = vars(asked)
    if _USER in found:
        return str(found[_USER]) if found[_USER] else None

    return _user_name(getattr(globals_, "_login_user", None))


def _name_session() -> None:
    # Flask's own cookie is the session itself, and has no id; that of an extension
    # which keeps sessions on the server has one. Who asks Flask for it makes the
    # response vary by it.
    held = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001
    key = getattr(held.get("_session", held.get("session")), "sid", None)
    found = voice.current()
    if found is not None and isinstance(key, str) and key and found.session is None:
        found.session = key


def _user_name(user: Any) -> str | None:
    if user is None or not user.is_authenticated:
        return None
    name = name_of(user)
    if name is None:
        with suppress(Exception):
            name = name_of(user.get_id())

    return name


# --- what goes wrong in it


@contained
def _failed(_app: Flask, exception: BaseException, **_: object) -> None:
    if not isinstance(exception, AuditUnavailable):
        voice.fault(exception)


def _handling(handle: Callable[..., Any]) -> Callable[..., Any]:
    def handled(*args: Any, **named: Any) -> Any:
        answer = handle(*args, **named)  # raises what nobody handles
        _handled(args[-1] if args else named.get("e"), answer)

        return answer

    return handled


@contained
def _handled(error: Any, answer: Any) -> None:
    if voice.current() is None or request.routing_exception is not None:
        return  # what no route serves was not raised by the application
    if isinstance(error, BadRequestKeyError) and error.args:
        missing = Problem(str(error.args[0]), "missing")
        rejected_input(error.name, [missing])
        return
    refusal(_status_of(answer), _message(error), exception=class_name(error))


def _status_of(answer: Any) -> int:
    if isinstance(answer, HTTPException):
        return (
            answer.get_response().status_code if answer.response else answer.code or 0
        )
    if isinstance(answer, tuple):
        given = next((each for each in answer[1:] if isinstance(each, (int, str))), 200)
        return int(str(given)[:3])

    return int(getattr(answer, "status_code", 200))


def _message(error: Any) -> str:
    if isinstance(error, HTTPException):
        # A text of the application's own; else the standard's, which says less.
        own = "description" in vars(error) and isinstance(error.description, str)
        return str(error.description) if own else error.name

    return class_name(error)


# --- Flask-Login


@contained
def _logged_in(app: Flask, user: Any = None, **_: object) -> None:
    key = getattr(session, "sid", None)
    method = app.extensions.get(_METHOD, "password")
    voice.login(_user_name(user), method=method, session=key)


@contained
def _remembered(_app: Flask, user: Any = None, **_: object) -> None:
    voice.login(_user_name(user), method="remember me")


@contained
def _logged_out(_app: Flask, user: Any = None, **_: object) -> None:
    if name := _user_name(user):  # else nobody was logged in
        voice.logout(name)


@contained
def _confirmed(_app: Flask, **_: object) -> None:
    voice.login(_user_name(getattr(g, "_login_user", None)), method="confirmation")


@contained
def _needs_refresh(_app: Flask, **_: object) -> None:
    voice.security(
        "authz_fail",
        outcome="ATTEMPT",
        reason=voice.Own("fresh login required"),
        user=_user_name(getattr(g, "_login_user", None)),
        action=_endpoint(),
    )


@contained
def _protected(_app: Flask, **_: object) -> None:
    # Each update of a browser does it, on each request: no alarm, but good to know.
    found = voice.current()
    if found is not None:
        found.note(suspicion="address or browser changed")


def _endpoint() -> str | None:
    return voice.Own(request.endpoint) if request.endpoint else None


_LOGIN_SIGNALS = {
    "user_logged_in": _logged_in,
    "user_loaded_from_cookie": _remembered,
    "user_logged_out": _logged_out,
    "user_login_confirmed": _confirmed,
    "user_needs_refresh": _needs_refresh,
    "session_protected": _protected,
}
