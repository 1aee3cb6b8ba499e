# django-structlog: lines of JSON when a request starts and when it ends, with the
# processors that its documentation shows.
from pathlib import Path

import structlog
from benchmarks.contenders.recipe import RECORDS
from benchmarks.contenders.site import site

__all__ = ["wsgi"]

structlog.configure(
    cache_logger_on_first_use=True,
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.WriteLoggerFactory(
        file=Path(RECORDS).open("a", encoding="utf-8")  # noqa: SIM115 - to the end
    ),
)

wsgi = site(["django_structlog.middlewares.RequestMiddleware"], ["django_structlog"])
