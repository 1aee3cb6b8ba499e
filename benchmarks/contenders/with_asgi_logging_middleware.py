# asgi-logging-middleware, a fork of asgi-logger: an access log as ASGI middleware, at
# its own format, to a file.
from asgi_logging_middleware import AccessLoggerMiddleware
from benchmarks.contenders.recipe import logger
from benchmarks.served import asgi as asgi_alone

__all__ = ["asgi"]

asgi = AccessLoggerMiddleware(asgi_alone, logger=logger("bench.access"))
