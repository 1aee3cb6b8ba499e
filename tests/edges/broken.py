# Trails that take nothing for a while, for real, and what is needed to ask of them.
#
# A record of the usual size is safe in the journal whatever becomes of the trail. One
# whose values are more than a slot holds is not: they are appended before its last
# message. Such a request is made here by a long value in its query.
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send
from tests.edges.audited import Audited
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer
from tests.exchanging import exchange

__all__ = [
    "LONG",
    "BreakableTrail",
    "assert_refused",
    "assert_refused_wsgi",
    "await_ready",
    "await_refusal",
    "breaking",
    "breaking_wsgi",
    "heavy",
    "heavy_wsgi",
    "never",
    "never_wsgi",
]

LONG = "x" * 200_000  # more than a large slot holds


class BreakableTrail:
    """A trail that takes no record while a file stands in the way of a stream."""

    def __init__(self, trail: Path, stream: str = "request") -> None:
        self._directory = trail / stream
        self._away = trail / f"{stream}.away"

    def take_away(self) -> None:
        """Put a file in the place of the stream's directory."""
        self._directory.parent.mkdir(exist_ok=True)
        if self._directory.is_dir():
            self._away.touch()
            exchange(self._directory, self._away)
        self._directory.touch()

    def give_back(self) -> None:
        """Put everything as it was, if it is not."""
        if self._away.is_dir():
            exchange(self._directory, self._away)
            self._away.unlink()
        elif self._directory.is_file():
            self._directory.unlink()


def await_refusal(audited: Audited) -> None:
    """Return when the trail is known to take nothing."""
    _await(lambda: not audited.is_ready())


def await_ready(audited: Audited) -> None:
    """Return when the trail takes records again, and has those that waited."""
    _await(lambda: audited.is_ready() and audited.is_flushed())


def _await(condition: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("waited in vain")


# --- requests


def heavy(server: AsgiServer, word: str = "") -> AsgiServer:
    """Give a request more than a slot holds; `word` makes it differ from others."""
    server.scope["query_string"] = f"long={word}{LONG}".encode()

    return server


def heavy_wsgi(server: WsgiServer, word: str = "") -> WsgiServer:
    """Give a request more than a slot holds."""
    server.environ["QUERY_STRING"] = f"long={word}{LONG}"

    return server


# --- applications


async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Fail: a request that is refused must not get here."""
    raise AssertionError("the application is called")


def never_wsgi(_environ: Environ, _start_response: StartResponse) -> Any:
    """Fail: a request that is refused must not get here."""
    raise AssertionError("the application is called")


def breaking(breakable: BreakableTrail, app: Callable[..., Any]) -> Callable[..., Any]:
    """Return an application that breaks the trail, and goes on as `app`."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> Any:
        breakable.take_away()
        return await app(scope, receive, send)

    return broken


def breaking_wsgi(breakable: BreakableTrail, app: Callable[..., Any]) -> Any:
    """Return an application that breaks the trail, and goes on as `app`."""

    def broken(environ: Environ, start_response: StartResponse) -> Any:
        breakable.take_away()
        return app(environ, start_response)

    return broken


# --- answers


def assert_refused(server: AsgiServer) -> None:
    """Fail unless the client got a 503, and no more."""
    assert server.types == ["http.response.start", "http.response.body"]
    assert server.status == 503
    assert b"retry-after" in dict(server.headers[0])
    assert server.body == b"Service Unavailable\n"


def assert_refused_wsgi(server: WsgiServer) -> None:
    """Fail unless the client got a 503, and no more."""
    assert server.status == "503 Service Unavailable"
    assert server.head is not None
    assert "Retry-After" in dict(server.head[1])
    assert server.body == b"Service Unavailable\n"
    assert server.raised is None
