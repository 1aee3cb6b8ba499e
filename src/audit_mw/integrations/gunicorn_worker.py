"""
The hooks of gunicorn that audit what a worker serves, for a configuration of your own.

    # gunicorn.conf.py
    from audit_mw.integrations.gunicorn_worker import post_worker_init, worker_exit
"""

from contextlib import suppress
from typing import Any

from audit_mw.asgi import AsgiAuditMiddleware
from audit_mw.errors import AuditError, ConfigError
from audit_mw.integrations.application import audited
from audit_mw.outside import find_trail
from audit_mw.wsgi import WsgiAuditMiddleware

__all__ = ["post_worker_init", "worker_exit"]


def post_worker_init(worker: Any) -> None:
    """
    Put the trail around the application that a worker has just loaded, and open it.

    So `sys_startup` tells when the worker began, and a worker that dies before its
    first request has a journal that tells of it.

    Raises:
        ConfigError: an option is wrong, the interface of the application cannot be
            told, or it is not the worker's. gunicorn then ends before it serves.
    """
    # gunicorn's own ASGI worker keeps it apart; all others call what is in `wsgi`.
    place = "asgi" if hasattr(worker, "asgi") else "wsgi"
    named = str(getattr(worker.app, "app_uri", None) or "")
    application = audited(getattr(worker, place), named)
    _check(worker, application, named)
    setattr(worker, place, application)
    # A trail that cannot be opened yet may be once a request comes; that is refused
    # else. And where the application has several, each opens with its first request.
    with suppress(AuditError):
        find_trail().auditor.open()


def worker_exit(_server: Any, worker: Any) -> None:
    """Write what a worker that ends has on record."""
    for place in ("asgi", "wsgi"):
        application = getattr(worker, place, None)
        if isinstance(application, (AsgiAuditMiddleware, WsgiAuditMiddleware)):
            application.close_trail()


def _check(worker: Any, application: Any, named: str) -> None:
    # It would fail at each request otherwise, with an error that helps nobody.
    of_gunicorn = type(worker).__module__.startswith("gunicorn.workers.")
    takes_asgi = hasattr(worker, "asgi")
    if isinstance(application, AsgiAuditMiddleware) and of_gunicorn and not takes_asgi:
        right = "it is an ASGI application; start gunicorn with -k asgi"
    elif isinstance(application, WsgiAuditMiddleware) and takes_asgi:
        right = "it is a WSGI application; start gunicorn without -k asgi"
    else:
        return

    raise ConfigError("app", named, right, "gunicorn")
