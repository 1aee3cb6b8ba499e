# loguru: a line of JSON for each request, by its own `serialize`, to a file sink.
from typing import Any

from benchmarks.contenders.recipe import RECORDS, over_asgi, over_wsgi
from benchmarks.served import asgi as asgi_alone
from benchmarks.served import wsgi as wsgi_alone
from loguru import logger

__all__ = ["asgi", "wsgi"]

logger.remove()
logger.add(RECORDS, serialize=True)


def _say(fields: dict[str, Any]) -> None:
    logger.bind(**fields).info("request")


asgi = over_asgi(asgi_alone, _say)
wsgi = over_wsgi(wsgi_alone, _say)
