# Starlette's BaseHTTPMiddleware with a logger of the standard library: what most
# tutorials for FastAPI show.
import time
from typing import Any

from benchmarks.contenders.recipe import logger
from benchmarks.served import asgi as asgi_alone
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["asgi"]

_log = logger("bench.base_http", "%(asctime)s %(levelname)s %(message)s")


class _Logged(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        start = time.perf_counter()
        response: Response = await call_next(request)
        peer = request.client.host if request.client else "-"
        took = (time.perf_counter() - start) * 1000
        line = '%s "%s %s" %d %.3fms'
        _log.info(line, peer, request.method, request.url, response.status_code, took)

        return response


asgi = _Logged(asgi_alone)
