# structlog: a line of JSON for each request, in the fast form that its documentation
# names: orjson, bytes straight to a file, no logger of the standard library between.
from pathlib import Path
from typing import Any

import orjson
import structlog
from benchmarks.contenders.recipe import RECORDS, over_asgi, over_wsgi
from benchmarks.served import asgi as asgi_alone
from benchmarks.served import wsgi as wsgi_alone

__all__ = ["asgi", "wsgi"]

structlog.configure(
    cache_logger_on_first_use=True,
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ],
    logger_factory=structlog.BytesLoggerFactory(
        file=Path(RECORDS).open("ab")  # noqa: SIM115 - to the end of the process
    ),
)
_log = structlog.get_logger()


def _say(fields: dict[str, Any]) -> None:
    _log.info("request", **fields)


asgi = over_asgi(asgi_alone, _say)
wsgi = over_wsgi(wsgi_alone, _say)
