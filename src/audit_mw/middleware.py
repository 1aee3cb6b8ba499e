# AuditMiddleware(app): which of the two interfaces, decided when it is constructed.
#
# It is a function that returns one of two classes, for servers and asgiref ask whether
# an application's `__call__` is a coroutine function: one class for both interfaces
# with a plain `__call__` is taken for ASGI 2 by one server and for WSGI by another.
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit_mw.asgi import AsgiAuditMiddleware
from audit_mw.auditor import Auditor
from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.wsgi import WsgiAuditMiddleware

__all__ = ["AuditMiddleware", "is_audited"]

_INTERFACES = {3: "asgi", 2: "wsgi"}


def AuditMiddleware(app: Any, /, **options: Any) -> Any:  # noqa: N802 - used as a class
    """
    Wrap an ASGI or a WSGI application; each request leaves one line in the trail.

    Args:
        app: the application.
        options: as in the table of `docs/options.md`; each may also be set as
            `AUDIT_MW_<NAME>`, or in the file that `AUDIT_MW_CONFIG` names.

    Returns:
        An application of the same interface, for a server or another middleware. Its
        type is Any: which of the two it is, only the application says.

    Raises:
        ConfigError: an option is wrong, or the interface of `app` cannot be told.
    """
    config = Config.load(options)
    interface = config.interface
    if interface == "auto":
        interface = _interface_of(app)
    auditor = Auditor(config, _service_of(app))
    auditor.serve()

    if interface == "asgi":
        return AsgiAuditMiddleware(app, auditor)
    return WsgiAuditMiddleware(app, auditor)


def is_audited(app: Any) -> bool:
    """
    Tell whether an application has its trail already, so that an entry adds none.

    It is seen where it is outermost: as the application itself, as `wsgi_app` of Flask
    or `asgi_app` of Quart, and among what Starlette's `add_middleware` took.
    """
    places = (app, getattr(app, "wsgi_app", None), getattr(app, "asgi_app", None))
    added = getattr(app, "user_middleware", None) or ()

    return any(
        isinstance(each, (AsgiAuditMiddleware, WsgiAuditMiddleware)) for each in places
    ) or any(getattr(each, "cls", None) is AuditMiddleware for each in added)


def _interface_of(app: Any) -> str:
    if not callable(app):
        right = f"wrap an application; {type(app).__name__} cannot be called"
        raise ConfigError("app", app, right)
    required = _required(app)
    if isinstance(required, int) and required in _INTERFACES:
        return _INTERFACES[required]
    if required == "any" and _is_coroutine(app):
        return "asgi"

    if required == 1 and _is_of_django(app):
        raise ConfigError("app", app, _IN_DJANGO)
    raise ConfigError("app", app, _RIGHT.get(required) or _counted(required))


def _is_of_django(app: Any) -> bool:
    modules = (getattr(app, "__module__", ""), type(app).__module__)

    return any(str(each).partition(".")[0] == "django" for each in modules)


def _required(app: Callable[..., Any]) -> int | str:
    """Count the positional parameters that `app` requires; `any` where it takes any."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return "unknown"
    required = [p for p in parameters if p.default is p.empty]
    count = sum(
        p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in required
    )
    if any(p.kind is p.VAR_POSITIONAL for p in required):
        return f"{count} or more" if count else "any"

    return count


_IN_DJANGO = (
    "it is Django's get_response, so AuditMiddleware stands in MIDDLEWARE, where it "
    "has no place: wrap what get_wsgi_application() or get_asgi_application() returns, "
    "and put audit_mw.integrations.django into INSTALLED_APPS"
)
_RIGHT: dict[int | str, str] = {
    0: (
        "it takes no arguments; if it is a factory, wrap what it returns; a server's "
        "entry takes shop:make_app(), with the call"
    ),
    1: (
        "it takes one argument, as ASGI 2 applications do (scope, then receive and "
        "send); wrap it in asgiref.compatibility.guarantee_single_callable"
    ),
}


def _counted(required: int | str) -> str:
    return (
        f"it requires {required} arguments; ASGI has 3 (scope, receive, send), WSGI "
        'has 2 (environ, start_response); say interface="asgi" or interface="wsgi"'
    )


def _is_coroutine(app: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
        type(app).__call__
    )


def _service_of(app: Any) -> str:
    # flask_app.wsgi_app is a bound method: its object knows the name.
    owner = getattr(app, "__self__", app)
    named = os.environ.get("AUDIT_MW_APP", "").partition(":")[0]
    if inspect.isfunction(app) and app.__module__ != "__main__":
        named = named or app.__module__
    for attribute in ("import_name", "title"):
        found = getattr(owner, attribute, None)
        if isinstance(found, str) and found and found != "__main__":
            named = named or found

    return named or Path.cwd().name or Path(sys.argv[0]).stem
