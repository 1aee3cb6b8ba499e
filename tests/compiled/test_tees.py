"""
The compiled `receive` and `send` are coroutine functions to whoever asks, and what they
return is a coroutine to whoever drives it: as those in Python are.
"""

import asyncio
import copy
import gc
import inspect
import types
import warnings
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from asgiref.sync import AsyncToSync
from tests.compiled.roads import Pair, Road

Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Message = {"type": "http.response.body", "body": b"ok"}
FORM = b"a=1&b=2"


class Server:
    """What a server gives to a request, and what it got of it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        """Give the whole body."""
        await self.pause()
        return {"type": "http.request", "body": FORM, "more_body": False}

    async def send(self, message: Message) -> None:
        """Take a message, after a while."""
        await self.pause()
        self.sent.append(message)

    async def pause(self) -> None:
        """Let others run."""
        await asyncio.sleep(0)


def scope() -> dict[str, Any]:
    """Return the scope of a form."""
    kind = b"application/x-www-form-urlencoded"
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/a",
        "raw_path": b"/a",
        "query_string": b"q=1",
        "headers": [(b"content-type", kind), (b"content-length", b"7")],
        "client": ("192.0.2.7", 4711),
    }


class Holder:
    """An application that can be changed after it was wrapped."""

    app: App

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Do as the application does."""
        await self.app(scope, receive, send)


@pytest.fixture
def holder() -> Holder:
    """What holds the application."""
    return Holder()


@pytest.fixture
def pair(holder: Holder, tmp_path: Path) -> Iterator[Pair]:
    """Both roads around it."""
    made = Pair(holder, tmp_path, max_slots=16, event_header="x-event")
    yield made
    made.close()


def serve(road: Road, server: Server) -> str:
    """Serve one request; return what it raised."""
    try:
        asyncio.run(road.middleware(scope(), server.receive, server.send))
    except BaseException as error:  # noqa: BLE001 - it must be the same
        return repr(error)

    return ""


def same(pair: Pair, make: Callable[[], Server] = Server) -> list[Message]:
    """Serve on both roads; return what the server got on the compiled one."""
    off, on = make(), make()

    assert serve(pair.off, off) == serve(pair.on, on)
    assert pair.check() >= 1
    assert [_plain(each) for each in off.sent] == [_plain(each) for each in on.sent]

    return on.sent


def _plain(message: Message) -> Message:
    # Each has an event of its own.
    headers = [pair for pair in message.get("headers", []) if pair[0] != b"x-event"]

    return {**message, "headers": headers}


# --- how it may be driven


async def _awaits(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    await send(BODY)


async def _makes_tasks(_scope: Any, receive: Any, send: Any) -> None:
    await asyncio.create_task(receive())
    for message in (START, BODY):
        await asyncio.create_task(send(message))


async def _ensures_futures(_scope: Any, receive: Any, send: Any) -> None:
    await asyncio.wait({asyncio.ensure_future(receive())})
    await asyncio.wait_for(send(START), 20)
    await asyncio.gather(send(BODY))


async def _shields(_scope: Any, receive: Any, send: Any) -> None:
    await asyncio.shield(receive())
    await asyncio.shield(send(START))
    await asyncio.shield(send(BODY))


async def _steps(_scope: Any, receive: Any, send: Any) -> None:
    for each in (receive(), send(START), send(BODY)):
        await _Stepping(each)


class _Stepping:
    """Drives a coroutine by its methods."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        value = None
        while True:
            try:
                found = self._coroutine.send(value)
            except StopIteration as end:
                return end.value
            value = yield found


async def _throws_into(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    coroutine = send(BODY)
    coroutine.send(None)
    coroutine.throw(ValueError("thrown"))


async def _throws_before(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    send(BODY).throw(ValueError("thrown"))


async def _closes(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    coroutine = send(BODY)
    coroutine.send(None)
    coroutine.close()
    coroutine.close()


async def _closes_unused(_scope: Any, receive: Any, send: Any) -> None:
    receive().close()
    send(START).close()
    await send(START)
    await send(BODY)


async def _drops_in_the_middle(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    coroutine = send(BODY)
    coroutine.send(None)
    del coroutine
    gc.collect()


async def _awaits_again(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    last = send(BODY)
    await last
    with pytest.raises(RuntimeError, match="already"):
        await last
    with pytest.raises(RuntimeError, match="already"):
        last.send(None)
    with pytest.raises(RuntimeError, match="already"):
        last.throw(ValueError())


async def _is_cancelled(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    task = asyncio.create_task(send(BODY))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def _is_cancelled_receiving(_scope: Any, receive: Any, send: Any) -> None:
    task = asyncio.create_task(receive())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    await receive()
    await send(START)
    await send(BODY)


async def _awaits_what_runs(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    last: list[Any] = []

    class Message(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            for each in last:
                with pytest.raises(ValueError, match="already executing"):
                    each.send(None)
                with pytest.raises(ValueError, match="already executing"):
                    each.throw(ValueError())
            return super().__getitem__(key)

    last.append(send(Message(BODY)))
    await last[0]


async def _sends_too_soon(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    last = send(BODY)
    with pytest.raises(TypeError, match="just-started"):
        last.send(1)
    with pytest.raises(TypeError):
        last.throw()
    await last


async def _copies(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    last = send(BODY)
    last.send(None)
    for each in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pickle"):
            each(last)
    await _Stepping(last)


APPS = [
    _awaits,
    _makes_tasks,
    _ensures_futures,
    _shields,
    _steps,
    _throws_into,
    _throws_before,
    _closes,
    _closes_unused,
    _drops_in_the_middle,
    _awaits_again,
    _is_cancelled,
    _is_cancelled_receiving,
    _awaits_what_runs,
    _sends_too_soon,
    _copies,
]


@pytest.mark.parametrize("app", APPS, ids=lambda it: it.__name__.strip("_"))
def test_driven(pair: Pair, holder: Holder, app: App) -> None:
    """However it is driven, the record is the same."""
    holder.app = app
    same(pair)
    same(pair)


# --- servers


class _Future:
    def __init__(self, server: Server) -> None:
        self._server = server

    def __await__(self) -> Generator[Any, Any, None]:
        return self._server.pause().__await__()


class _Awaitables(Server):
    """Its `send` and `receive` are no coroutine functions."""

    def send(self, message: Message) -> Any:
        self.sent.append(message)
        return _Future(self)

    def receive(self) -> Any:
        return asyncio.ensure_future(super().receive())


class _Generators(Server):
    """They are coroutines of the old kind."""

    @staticmethod
    def _pausing() -> Any:
        @types.coroutine
        def pausing() -> Generator[Any, Any, None]:
            yield from asyncio.sleep(0).__await__()

        return pausing()

    def send(self, message: Message) -> Any:
        self.sent.append(message)
        return self._pausing()


class _RaisesAtOnce(Server):
    def send(self, message: Message) -> Any:
        if message is not START and message["type"] != START["type"]:
            raise OSError("the client is gone")
        return super().send(message)


class _RaisesLater(Server):
    async def send(self, message: Message) -> None:
        await super().send(message)
        if message["type"] != START["type"]:
            raise OSError("the client is gone")


class _StopsAtOnce(Server):
    def send(self, message: Message) -> Any:
        if message["type"] != START["type"]:
            raise StopIteration("no coroutine raises this")
        return super().send(message)


class _StopsReceiving(Server):
    def receive(self) -> Any:
        raise StopIteration({"type": "http.request", "body": b"forged"})


class _ReturnsAValue(Server):
    async def send(self, message: Message) -> Any:
        await super().send(message)
        return (1, 2)


class _GivesNothing(Server):
    async def receive(self) -> Any:
        return None


class _Disconnects(Server):
    async def receive(self) -> Message:
        return {"type": "http.disconnect"}


class _InPieces(Server):
    _left: tuple[bytes, ...] = (b"a=1", b"&b=2", b"")

    async def receive(self) -> Any:
        first, *rest = self._left
        self._left = tuple(rest)
        return {"type": "http.request", "body": first, "more_body": bool(rest)}


SERVERS = [
    _Awaitables,
    _Generators,
    _RaisesAtOnce,
    _RaisesLater,
    _StopsAtOnce,
    _StopsReceiving,
    _ReturnsAValue,
    _GivesNothing,
    _Disconnects,
    _InPieces,
]


@pytest.mark.parametrize("server", SERVERS, ids=lambda it: it.__name__.strip("_"))
def test_servers(pair: Pair, holder: Holder, server: type[Server]) -> None:
    """Whatever a server gives to await, the record is the same."""
    holder.app = _awaits
    same(pair, server)
    same(pair, server)  # the first request is never a short one: it opens the trail


class _Swallows(Server):
    async def send(self, message: Message) -> None:
        with suppress(GeneratorExit):
            await self.pause()
        self.sent.append(message)


class _Ignores(Server):
    async def send(self, message: Message) -> None:
        with suppress(GeneratorExit):
            await self.pause()
        await self.pause()
        self.sent.append(message)


async def _throws_its_exit(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    coroutine = send(BODY)
    coroutine.send(None)
    with suppress(GeneratorExit, RuntimeError):
        coroutine.throw(GeneratorExit)


@pytest.mark.parametrize("server", [_Swallows, _Ignores])
@pytest.mark.parametrize("app", [_closes, _throws_its_exit])
def test_closed(pair: Pair, holder: Holder, app: App, server: type[Server]) -> None:
    """What is closed was not delivered, whatever the server makes of that."""
    holder.app = app
    same(pair, server)
    same(pair, server)


def test_event_header(pair: Pair, holder: Holder) -> None:
    """The response has the event of its record; the application's own is unchanged."""
    holder.app = _awaits
    server = Server()
    assert serve(pair.on, server) == ""
    [(_, record)] = pair.on.news()

    assert server.sent[0]["headers"] == [(b"x-event", record["event"])]
    assert START["headers"] == []


def test_trio(pair: Pair, holder: Holder) -> None:
    """It runs in trio, and is cancelled there."""

    class Slow(Server):
        async def pause(self) -> None:
            await trio.lowlevel.checkpoint()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, START)
        with trio.CancelScope() as cancelling:
            cancelling.cancel()
            await send(BODY)

    holder.app = app
    for road in (pair.off, pair.on):
        server = Slow()
        trio.run(road.middleware, scope(), server.receive, server.send)

    assert pair.check() >= 1


# --- what it is taken for


def test_what_it_is(pair: Pair, holder: Holder) -> None:
    """It is a coroutine function to asyncio, inspect and asgiref, and has no warning."""
    found: list[bool] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        for each in (receive, send):
            found.append(asyncio.iscoroutinefunction(each))
            if hasattr(inspect, "markcoroutinefunction"):
                found.append(inspect.iscoroutinefunction(each))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                AsyncToSync(each)
            assert not hasattr(each, "__wrapped__")
        first, *others = receive(), send(START), send(BODY)
        found.extend(asyncio.iscoroutine(each) for each in (first, *others))
        found.extend(inspect.isawaitable(each) for each in (first, *others))
        for each in (first, *others):
            await each

    holder.app = app
    for road in (pair.off, pair.on, pair.on):
        server = Server()
        assert serve(road, server) == ""
        assert len(server.sent) == 2

    assert all(found)


def test_never_awaited(pair: Pair, holder: Holder) -> None:
    """Who forgets to await is warned, as with a coroutine."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        for forgotten in (partial(send, START), receive):
            with pytest.warns(RuntimeWarning, match="was never awaited"):
                forgotten()
        await send(START)
        await send(BODY)

    holder.app = app
    for road in (pair.off, pair.on, pair.on):
        assert serve(road, Server()) == ""
