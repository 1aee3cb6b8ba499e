"""
An evidence-grade audit trail for any ASGI or WSGI application.

    from audit_mw import AuditMiddleware

    app = AuditMiddleware(app)

From the top floor down; each imports only from those below it:

    door        door                      the public names, imported when first used
    entries     serve, integrations       wrap with no line of code to change
    edges       middleware, asgi, wsgi    translate and tee, never parse
                health_endpoint           is it well?
    voice       voice, outside            what the application says of its events
    composer    auditor, recorder, ...    wire things, contain our failures
                startup, health_report    what a process says of itself
    exchange    exchange, ...             one request -> one Event, without I/O
    policy      policy/                   whose address, what is secret, how it ended
    wire        wire/                     bytes -> values; no input is an error
    trail       trail/                    the disk and nothing else
    vocabulary  event, config, errors, ...    what all of them speak of
    readers     cli/                      what people look at
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "AuditError",
    "AuditMiddleware",
    "AuditUnavailable",
    "ConfigError",
    "call",
    "carry",
    "current",
    "error",
    "health",
    "health_app",
    "login",
    "logout",
    "open",
    "security",
    "session_expired",
    "session_invalidated",
    "system",
]

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from audit_mw.door import (
        AuditError,
        AuditMiddleware,
        AuditUnavailable,
        ConfigError,
        call,
        carry,
        current,
        error,
        health,
        health_app,
        login,
        logout,
        open,  # noqa: A004 - audit_mw.open is what it is called
        security,
        session_expired,
        session_invalidated,
        system,
    )
else:

    def __getattr__(name):
        # Commands that read a trail need none of it, and it takes most of their start.
        # All at once: what is first said in a request must not be looked for there.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        door = import_module("audit_mw.door")
        globals().update((each, getattr(door, each)) for each in __all__)

        return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
