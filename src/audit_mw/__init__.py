"""
An evidence-grade audit trail for any ASGI or WSGI application.

    from audit_mw import AuditMiddleware

    app = AuditMiddleware(app)

From the top floor down; each imports only from those below it:

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

from audit_mw.errors import AuditError, AuditUnavailable, ConfigError
from audit_mw.health_endpoint import health, health_app
from audit_mw.middleware import AuditMiddleware
from audit_mw.voice import (
    call,
    carry,
    current,
    error,
    login,
    logout,
    open,  # noqa: A004 - audit_mw.open is what it is called
    security,
    session_expired,
    session_invalidated,
    system,
)

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
