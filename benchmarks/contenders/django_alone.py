# The Django site, and nothing else: its "alone", and what its access log is added to.
from benchmarks.contenders.site import site

__all__ = ["wsgi"]

wsgi = site()
