# The Django site with our middleware around it, as the quickstart has it.
from benchmarks.contenders.site import site

from audit_mw import AuditMiddleware

__all__ = ["wsgi"]

wsgi = AuditMiddleware(site(), service="bench")
