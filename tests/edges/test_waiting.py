# Requests that wait for the writer, since their values are more than a slot holds: the
# event loop goes on meanwhile, under asyncio and trio, and a task that is cancelled
# while it waits leaves one record and no slot.
#
# The writer is held by the lock of the segment, as another process would hold it.
#
# (Longer than 250 lines, since each wait is there for both loops.)
import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from tests.edges.apps_asgi import answering
from tests.edges.asgi_server import (
    AsgiServer,
    Message,
    Receive,
    Scope,
    Send,
    http_scope,
)
from tests.edges.audited import Audited, around
from tests.edges.broken import LONG, heavy
from tests.trail.samples import locked

_TURNS = 50  # of the loop, while the writer is held
_FORM = [
    (b"content-type", b"application/x-www-form-urlencoded"),
    (b"content-length", b"%d" % (2 * len(LONG))),
]


@contextmanager
def _held(audited: Audited, middleware: Any) -> Iterator[Callable[[], None]]:
    """Let no value be appended; give what lets it be."""
    heavy(AsgiServer(http_scope()), "first").run(answering(), around(middleware))
    audited.is_flushed()
    (segment,) = (audited.trail / "values").iterdir()
    with locked(segment) as let_go:
        yield let_go


def _chunk(word: str, *, more: bool) -> Message:
    body = f"long={word}{LONG}".encode()

    return {"type": "http.request", "body": body, "more_body": more}


def _server(where: str, **more: Any) -> AsgiServer:
    """Return a request that waits at its begin, at the end of its body, or its own."""
    if where == "begin":
        return heavy(AsgiServer(http_scope(), **more), "second")
    chunk = _chunk("second", more=where == "end")

    return AsgiServer(http_scope(method="POST", headers=_FORM), [chunk], **more)


async def _reads(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] == "POST":
        await receive()
    await answering()(scope, receive, send)


PLACES = pytest.mark.parametrize("where", ["begin", "body", "end"])


@PLACES
def test_asyncio_goes_on(where: str, audited: Audited) -> None:
    """While a request waits, other tasks run; it is answered when its values are down."""
    middleware = audited(_reads)
    server = _server(where)

    async def serve(let_go: Callable[[], None]) -> list[str]:
        task = asyncio.create_task(server.serve(_reads, around(middleware)))
        for _ in range(_TURNS):
            await asyncio.sleep(0.001)
        before = list(server.types)
        assert not task.done()
        let_go()
        await task
        return before

    with _held(audited, middleware) as let_go:
        before = asyncio.run(serve(let_go))

    assert before == (["http.response.start"] if where == "end" else [])
    assert (server.status, server.body) == (200, b"hello")
    assert [event.outcome for event in audited.events()] == ["SUCCESS"] * 2


def test_others_are_served(audited: Audited) -> None:
    """A request that needs no writer is served while another waits for it."""
    middleware = audited(answering())
    waiting = _server("begin")
    other = AsgiServer(http_scope())

    async def serve(let_go: Callable[[], None]) -> bool:
        put = around(middleware)
        task = asyncio.create_task(waiting.serve(answering(), put))
        await other.serve(answering(), put)
        is_first = not task.done()
        let_go()
        await task
        return is_first

    with _held(audited, middleware) as let_go:
        assert asyncio.run(serve(let_go))

    assert (other.status, waiting.status) == (200, 200)
    assert len(audited.events()) == 3


# --- a task that is cancelled while it waits


async def _cancel(server: AsgiServer, app: Any, put: Any) -> bool:
    task = asyncio.create_task(server.serve(app, put))
    for _ in range(_TURNS):
        await asyncio.sleep(0.001)
    task.cancel()
    await task

    return task.done()


@pytest.mark.parametrize(
    ("where", "records"),
    [
        ("begin", []),
        ("body", [("ABORTED", None, b"cancelled")]),
        ("end", [("ABORTED", 200, b"cancelled")]),
    ],
)
def test_asyncio_cancelled(where: str, records: list[Any], audited: Audited) -> None:
    """It is cancelled at once; what the application began is on record as aborted."""
    middleware = audited(_reads)
    server = _server(where)
    with _held(audited, middleware):
        asyncio.run(_cancel(server, _reads, around(middleware)))
    found = audited.events()[1:]

    assert isinstance(server.raised, asyncio.CancelledError)
    assert "http.response.body" not in server.types
    assert records == [(e.outcome, e.status, e.details["reason"]) for e in found]


async def _tries_again(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = {"type": "http.response.body", "body": b"hello"}
    try:
        async with asyncio.timeout(0.05):
            await send(body)
    except TimeoutError:
        scope["let go"]()
        await send(body)


def test_sent_again_after_a_timeout(audited: Audited) -> None:
    """An application that gives up waiting and sends again is recorded before it is sent."""
    middleware = audited(_tries_again)
    server = _server("end")
    with _held(audited, middleware) as let_go:
        server.scope["let go"] = let_go
        server.run(_tries_again, around(middleware))
    event = audited.events()[1]

    assert (server.status, server.body) == (200, b"hello")
    assert (event.outcome, event.details["delivery"]) == ("SUCCESS", b"taken")


async def _ends_it(scope: Scope, receive: Receive, send: Send) -> None:
    async def patient(message: Message) -> None:
        # Of the body alone: what goes before may take a busy machine as long.
        is_body = message["type"] == "http.response.body"
        async with asyncio.timeout(0.05 if is_body else None):
            await send(message)

    with pytest.raises(TimeoutError):
        await answering()(scope, receive, patient)


def test_never_sent_after_a_timeout(audited: Audited) -> None:
    """An application that gives up waiting, and sends nothing more, broke it off."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await _ends_it(scope, receive, send)

    middleware = audited(app)
    server = _server("end")
    with _held(audited, middleware):
        server.run(app, around(middleware))
    event = audited.events()[1]

    assert server.types == ["http.response.start"]
    assert (event.outcome, event.details["delivery"]) == ("ERROR", b"failed")


# --- trio


class _TrioCall:
    """One call under trio: it gives one chunk, and takes all."""

    def __init__(self, server: AsgiServer) -> None:
        self.scope = server.scope
        self.taken: list[str] = []
        self._incoming = list(server.incoming)

    async def receive(self) -> Message:
        """Give a message."""
        await trio.lowlevel.checkpoint()
        return self._incoming.pop(0) if self._incoming else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message."""
        await trio.lowlevel.checkpoint()
        self.taken.append(message["type"])


def _in_trio(
    middleware: Any, call: _TrioCall, meanwhile: Callable[[trio.CancelScope], object]
) -> list[str]:
    before: list[str] = []

    async def main() -> None:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(middleware, call.scope, call.receive, call.send)
                for _ in range(_TURNS):
                    await trio.sleep(0.001)
                before.extend(call.taken)
                meanwhile(nursery.cancel_scope)

    trio.run(main)

    return before


@PLACES
def test_trio_goes_on(where: str, audited: Audited) -> None:
    """While a request waits, other tasks run; it is answered when its values are down."""
    middleware = audited(_reads)
    call = _TrioCall(_server(where))
    with _held(audited, middleware) as let_go:
        middleware.app = _reads
        before = _in_trio(middleware, call, lambda _: let_go())

    assert before == (["http.response.start"] if where == "end" else [])
    assert call.taken == ["http.response.start", "http.response.body"]
    assert [event.outcome for event in audited.events()] == ["SUCCESS"] * 2


@pytest.mark.parametrize(("where", "records"), [("begin", 0), ("body", 1), ("end", 1)])
def test_trio_cancelled(where: str, records: int, audited: Audited) -> None:
    """It is cancelled at once; what the application began is on record once."""
    middleware = audited(_reads)
    call = _TrioCall(_server(where))
    with _held(audited, middleware):
        middleware.app = _reads
        _in_trio(middleware, call, lambda scope: scope.cancel())
    found = audited.events()[1:]

    assert "http.response.body" not in call.taken
    assert len(found) == records
    assert {event.outcome for event in found} <= {"ABORTED"}


# --- a writer that was given work by a loop that is gone


def test_loop_is_closed(audited: Audited) -> None:
    """An answer for a loop that is closed by then harms nobody."""
    middleware = audited(_reads)
    with _held(audited, middleware) as let_go:
        asyncio.run(_cancel(_server("body"), _reads, around(middleware)))
        let_go()
        AsgiServer(http_scope()).run(answering(), around(middleware))

    assert len(audited.events()) == 3
