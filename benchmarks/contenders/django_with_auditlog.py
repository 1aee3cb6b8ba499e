# django-auditlog: its middleware notes who asks, for the changes of models that a view
# makes. Our view makes none, so what is measured is what it costs every request.
from benchmarks.contenders.site import site

__all__ = ["wsgi"]

wsgi = site(
    ["auditlog.middleware.AuditlogMiddleware"],
    ["django.contrib.auth", "django.contrib.contenttypes", "auditlog"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
