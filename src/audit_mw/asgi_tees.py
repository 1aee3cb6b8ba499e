# `receive` and `send`, teed: each message passes as the object that it is, and what it
# tells is noted.
#
# Where it was built the compiled road has tees of its own for what is ordinary, which
# come here with each message that is not.
import asyncio.coroutines
import inspect
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from audit_mw.asgi_head import lasting
from audit_mw.asgi_tell import STARTS, TELL, payload
from audit_mw.asgi_wait import answered
from audit_mw.auditor import Receipt, Recorder
from audit_mw.errors import AuditUnavailable

__all__ = [
    "MARKS",
    "Message",
    "Receive",
    "Receiving",
    "Send",
    "Sending",
    "SocketReceiving",
    "SocketSending",
    "Teed",
    "awaiting",
    "keep_first",
    "pass_on",
    "received",
    "refuse_http",
    "refuse_unless",
]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_REFUSAL: list[tuple[bytes, bytes]] = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"retry-after", b"5"),
]
_REFUSAL_BODY = b"Service Unavailable\n"
_UNAVAILABLE = 503
_Tee = TypeVar("_Tee")


class Teed(Protocol):
    """A `send` that is teed."""

    def __call__(self, message: Message, /) -> Awaitable[None]:
        """Send, and tell."""

    def refuse(self) -> Awaitable[None]:
        """Answer that no record could be kept, if nothing was sent yet."""


def _marks() -> dict[str, object]:
    async def is_one() -> None:
        """Be what is marked."""

    mark = getattr(inspect, "markcoroutinefunction", None)
    old = getattr(asyncio.coroutines, "_is_coroutine", None)
    marks = {} if old is None else {"_is_coroutine": old}

    return marks if mark is None else marks | vars(mark(is_one))


# By these asyncio, inspect and asgiref know a coroutine function that is no function.
MARKS = _marks()


def _marked(tee: type[_Tee]) -> type[_Tee]:
    for name, mark in MARKS.items():
        setattr(tee, name, mark)

    return tee


@_marked
class Receiving:
    """`receive` of a request, teed."""

    __slots__ = ("_receive", "_recorder")

    def __init__(self, recorder: Recorder, receive: Receive) -> None:
        self._recorder = recorder
        self._receive = receive

    async def __call__(self) -> Message:
        """Receive, and tell."""
        message = await self._receive()
        steps = received(self._recorder, message)

        return await keep_first(steps, message) if steps else message


@_marked
class Sending:
    """`send` of a request, teed; `event_header` is added to its response, if any."""

    __slots__ = ("_event_header", "_recorder", "_send", "_started")

    def __init__(
        self, recorder: Recorder, send: Send, event_header: bytes | None
    ) -> None:
        self._recorder = recorder
        self._send = send
        self._event_header = event_header
        self._started = False

    async def __call__(self, message: Message) -> None:
        """Send, and tell."""
        await pass_on(self._recorder, self._send, message, self._event_header)
        self._started = self._started or message["type"] == "http.response.start"

    async def refuse(self) -> None:
        """Answer 503, if nothing was sent yet."""
        await refuse_unless(self._started, self._send)


@_marked
class SocketReceiving:
    """`receive` of a websocket, teed."""

    __slots__ = ("_exchange", "_receive")

    def __init__(self, recorder: Recorder, receive: Receive) -> None:
        self._exchange = recorder.exchange
        self._receive = receive

    async def __call__(self) -> Message:
        """Receive, and tell."""
        message = await self._receive()
        kind = message["type"]
        if kind == "websocket.receive":
            self._exchange.message_in(payload(message))
        elif kind == "websocket.disconnect":
            self._exchange.disconnected(message.get("code", 1005))

        return message


@_marked
class SocketSending:
    """`send` of a websocket, teed."""

    __slots__ = ("_recorder", "_send")

    def __init__(self, recorder: Recorder, send: Send) -> None:
        self._recorder = recorder
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send, and tell."""
        await pass_on(self._recorder, self._send, message)

    async def refuse(self) -> None:
        """Do nothing: the exception that goes up ends the connection."""


# --- what passes


def received(recorder: Recorder, message: Message) -> Iterable[Receipt]:
    """Tell of a message of the client; return what to wait for."""
    kind = message["type"]
    if kind == "http.request":
        body = message.get("body") or b""
        ended = not message.get("more_body", False)
        return recorder.read(bytes(body), ended=ended)
    if kind == "http.disconnect":
        recorder.exchange.gone()

    return ()


async def keep_first(steps: Iterable[Receipt], message: Message) -> Message:
    """Return a message of the client when it is on record, or could not be."""
    for receipt in steps:
        await answered(receipt)
        with suppress(AuditUnavailable):
            receipt.check()
            continue
        break  # the head is on record; the end will be, or else be refused

    return message


async def pass_on(
    recorder: Recorder, send: Send, message: Message, event_header: bytes | None = None
) -> None:
    """Tell of a message of the application, wait until that is kept, and send it."""
    steps, message = _told(recorder, message, event_header)
    for receipt in steps:
        await answered(receipt)
        recorder.check(receipt)
    try:
        await send(message)
    except BaseException as error:
        recorder.undelivered(error)
        raise
    recorder.taken()


def _told(
    recorder: Recorder, message: Message, event_header: bytes | None
) -> tuple[Iterable[Receipt], Message]:
    """Tell of a message; return what to wait for, and what to hand over."""
    kind = message["type"]
    tell = TELL.get(kind)
    if tell is None:
        return (), message
    if kind not in STARTS:
        return tell(recorder, message), message
    message = _readable(message)
    steps = tell(recorder, message)
    if event_header and kind == "http.response.start":
        message = _with_event(message, event_header, recorder.event)

    return steps, message


def _readable(message: Message) -> Message:
    headers = message.get("headers")
    kept = lasting(headers)

    return message if kept is headers else {**message, "headers": kept}


def _with_event(message: Message, name: bytes, event: str) -> Message:
    # A copy: message and list may be the application's constants.
    headers = [*(message.get("headers") or ()), (name, event.encode())]

    return {**message, "headers": headers}


# --- refusal


async def refuse_unless(started: bool, send: Send) -> None:  # noqa: FBT001 - compiled too
    """Answer 503, if nothing was sent yet."""
    if not started:
        with suppress(OSError):  # the client may have left
            await refuse_http(send)


async def refuse_http(send: Send) -> None:
    """Answer 503."""
    length = (b"content-length", b"%d" % len(_REFUSAL_BODY))
    await send(
        {
            "type": "http.response.start",
            "status": _UNAVAILABLE,
            "headers": [*_REFUSAL, length],
        }
    )
    await send({"type": "http.response.body", "body": _REFUSAL_BODY})


# --- for tees that are compiled


async def awaiting(awaitable: Awaitable[Any]) -> Any:
    """Return what is awaited: a coroutine, whatever the awaitable is."""
    return await awaitable
