# Starlette: every way in which its tests call an application goes through `audited`.
#
# - `TestClient(app)`: the app that it is given, ASGI 2 made ASGI 3 first, as the client
#   itself would do.
# - `httpx.ASGITransport(app=...)`: likewise.
# - `await app(scope, receive, send)` in a test: the runner rewrites it to
#   `await audited(app)(scope, receive, send)` in the copy that runs (see `rewrite`).
import builtins
from importlib import import_module
from typing import Any

from .audited import audited, counting

_testclient = import_module("starlette.testclient")
_client = _testclient.TestClient
_client_transport = _testclient._TestClientTransport
_transports = [import_module(name).ASGITransport for name in ("httpx", "httpx2")]
_guard = import_module("blockbuster").BlockBuster
_make = _client.__init__
_make_guard = _guard.__init__


def _wrapped_client(self: Any, app: Any, *args: Any, **named: Any) -> None:
    if not _testclient._is_asgi3(app):
        app = _testclient._WrapASGI2(app)
    _make(self, audited(app), *args, **named)


def _wrapping(make: Any) -> Any:
    def wrapped(self: Any, app: Any, *args: Any, **named: Any) -> None:
        make(self, audited(app), *args, **named)

    return wrapped


# Starlette's tests fail at any call that blocks the event loop. A trail is opened once
# in a process, by the first request where there is no lifespan; nothing else may.
_BLOCKING = {
    "audit_mw/auditor.py": {"_compile"},
    "audit_mw/trail/writer.py": {"_open", "close"},
    "peers/inside/audited.py": {"audited"},
}


def _lenient_guard(self: Any, *args: Any, **named: Any) -> None:
    _make_guard(self, *args, **named)
    for function in self.functions.values():
        for path, names in _BLOCKING.items():
            function.can_block_in(path, names)


_client.__init__ = _wrapped_client
_client_transport.handle_request = counting(_client_transport.handle_request)
for _transport in _transports:
    _transport.__init__ = _wrapping(_transport.__init__)
_guard.__init__ = _lenient_guard
builtins.audited = audited  # type: ignore[attr-defined] # for the rewritten tests
