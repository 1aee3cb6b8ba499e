"""
An evidence-grade audit trail for any ASGI or WSGI application.

    from audit_mw import AuditMiddleware

    app = AuditMiddleware(app)

From the top floor down; each imports only from those below it:

    entries     serve, integrations       wrap with no line of code to change
    edges       middleware, asgi, wsgi    translate and tee, never parse
    composer    auditor, recorder, ids    wire things, contain our failures
    exchange    exchange, ...             one request -> one Event, without I/O
    policy      policy/                   whose address, what is secret, how it ended
    wire        wire/                     bytes -> values; no input is an error
    trail       trail/                    the disk and nothing else
    vocabulary  event, config, errors     what all of them speak of
    readers     cli/                      what people look at
"""

from audit_mw.errors import AuditError, AuditUnavailable, ConfigError
from audit_mw.middleware import AuditMiddleware

__all__ = ["AuditError", "AuditMiddleware", "AuditUnavailable", "ConfigError"]

__version__ = "0.1.0.dev0"
