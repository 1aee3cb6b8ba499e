# Uvicorn: what a server serves is wrapped as the last thing that its Config does, so
# every protocol, and the lifespan, calls `audited(app)`.
#
# - `httpx.ASGITransport(app=...)`, and `await app(scope, receive, send)` in a test, go
#   through `audited` too, as for Starlette.
import builtins
from importlib import import_module
from typing import Any

from .audited import ask, audited

_config = import_module("uvicorn.config").Config
_transport = import_module("httpx2").ASGITransport
_too_busy = import_module("uvicorn.protocols.http.flow_control").service_unavailable
_load = _config.load
_make_transport = _transport.__init__


def _wrapped_load(self: Any) -> None:
    _load(self)
    self.loaded_app = audited(self.loaded_app)


def _wrapped_transport(self: Any, app: Any, *args: Any, **named: Any) -> None:
    _make_transport(self, audited(app), *args, **named)


def _asking(run_asgi: Any) -> Any:
    async def run(self: Any, *app: Any) -> Any:
        if app != (_too_busy,):  # the server's own answer, which asks no application
            ask()
        return await run_asgi(self, *app)

    return run


_config.load = _wrapped_load
_transport.__init__ = _wrapped_transport
builtins.audited = audited  # type: ignore[attr-defined] # for the rewritten tests
for _module, _name in {
    "http.h11_impl": "RequestResponseCycle",
    "http.httptools_impl": "RequestResponseCycle",
    "http.zttp_impl": "RequestResponseCycle",
    "websockets.websockets_sansio_impl": "WebSocketsSansIOProtocol",
    "websockets.wsproto_impl": "WSProtocol",
}.items():
    _cycle = getattr(import_module(f"uvicorn.protocols.{_module}"), _name)
    _cycle.run_asgi = _asking(_cycle.run_asgi)
