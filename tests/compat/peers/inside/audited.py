# A pytest plugin for the wrapped run: `audited(app)` is the AuditMiddleware around an
# application, with a trail for each test; at the end all trails are read.
#
# Three numbers a test, each from another place, must agree:
#   asked     requests that the suite's own client sent (told by `ask`, see the wraps)
#   seen      requests that reached a middleware of ours
#   recorded  lines in the request stream
# `seen` may be more than `asked`: tests call applications also without a client.
import gc
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit_mw import AuditMiddleware
from audit_mw.asgi import AsgiAuditMiddleware
from audit_mw.trail.reader import Damage, read_segment, segments
from audit_mw.trail.record import Record
from audit_mw.wsgi import WsgiAuditMiddleware

from .outcomes import add_table, name_of

__all__ = ["ask", "audited", "counting"]

_TRAILS = Path(os.environ["PEER_TRAILS"])
_KEY = bytes(range(32))
_OUTSIDE = "(outside of tests)"
_PASSES_ON = "PEER_PASSES_ON" in os.environ

_test = _OUTSIDE
_numbers: dict[str, int] = {}  # of the trails, by test
_names: dict[str, str] = {}  # of the tests, by trail
_made: dict[int, Any] = {}  # by the id of the application, which each keeps alive
_asked: Counter[str] = Counter()
_seen: Counter[str] = Counter()
_recorded: Counter[str] = Counter()
_damaged: list[str] = []
for _name, _table in {
    "asked": _asked,
    "seen": _seen,
    "recorded": _recorded,
    "damaged": _damaged,
}.items():
    add_table(_name, _table)


def audited(app: Any, **options: Any) -> Any:
    """Return `app`, wrapped once a test; its records go to a trail of the test's own."""
    if id(app) not in _made:
        _made[id(app)] = _PassesOn(app) if _PASSES_ON else _wrap(app, options)

    return _made[id(app)]


def _wrap(app: Any, options: dict[str, Any]) -> Any:
    trail = str(_TRAILS / str(_numbers.setdefault(_test, len(_numbers))))
    _names[trail] = _test

    return AuditMiddleware(app, trail=trail, service="peer", key=_KEY, **options)


class _PassesOn:
    """A middleware that does nothing: what it changes, any middleware changes."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, *arguments: Any) -> Any:
        return self.app(*arguments)


def ask() -> None:
    """Count a request that the suite's client sends."""
    _asked[_test] += 1


def counting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the client's `function`, each call of which is a request."""

    def counted(*args: Any, **named: Any) -> Any:
        ask()
        return function(*args, **named)

    return counted


# --- how many reach us: counted where they come in, and passed on as they are

_asgi_call = AsgiAuditMiddleware.__call__
_wsgi_call = WsgiAuditMiddleware.__call__


async def _count_asgi(self: Any, scope: Any, receive: Any, send: Any) -> Any:
    if scope["type"] in ("http", "websocket"):
        _seen[_names[self._auditor.config.trail]] += 1

    return await _asgi_call(self, scope, receive, send)


def _count_wsgi(self: Any, environ: Any, start_response: Any) -> Any:
    _seen[_names[self._auditor.config.trail]] += 1

    return _wsgi_call(self, environ, start_response)


AsgiAuditMiddleware.__call__ = _count_asgi  # type: ignore[method-assign]
WsgiAuditMiddleware.__call__ = _count_wsgi  # type: ignore[method-assign]


# --- pytest


def pytest_runtest_logstart(nodeid: str) -> None:
    """Begin a trail."""
    global _test  # noqa: PLW0603 - pytest runs one test at a time
    _test = name_of(nodeid)


def pytest_runtest_logfinish() -> None:
    """Let go of the files, of which one process may not have thousands."""
    global _test  # noqa: PLW0603
    _test = _OUTSIDE
    for middleware in _made.values():
        if not _PASSES_ON:
            middleware._auditor.close()
    _made.clear()


def pytest_sessionfinish() -> None:
    """Read all trails."""
    gc.collect()  # a result that nobody closed is recorded when it goes
    for trail, test in _names.items():
        for stream in ("request", "fault", "system", "values"):
            for path in segments(Path(trail), stream):
                _read(path, stream, test)


def _read(path: Path, stream: str, test: str) -> None:
    for item in read_segment(path):
        if isinstance(item, Damage):
            _damaged.append(f"{test}: {item}")
        elif isinstance(item, Record) and stream == "request":
            _recorded[test] += 1
