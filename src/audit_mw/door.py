# What `audit_mw` gives, in one module: the package imports it when it is first asked.
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
