# Our middleware around the applications of `served.py`, at its defaults. The trail is
# the one that AUDIT_MW_TRAIL names.
from audit_mw import AuditMiddleware
from benchmarks import served

__all__ = ["asgi", "wsgi"]

asgi = AuditMiddleware(served.asgi, service="bench")
wsgi = AuditMiddleware(served.wsgi, service="bench")
