# ASGI applications that each do one odd but legal thing.
#
# `ODD` names each with the scope and the messages that bring the oddity out.
#
# (Longer than 250 lines, since it is a list.)
import asyncio
import copy
import fcntl
import itertools
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.edges.asgi_server import (
    SEEN,
    App,
    AsgiServer,
    Message,
    Receive,
    Scope,
    Send,
    http_scope,
)

__all__ = ["ODD", "Odd", "Stopped", "answering"]


@dataclass(frozen=True)
class Odd:
    """An application, and how it is called."""

    app: App
    scope: dict[str, Any]
    incoming: tuple[Message, ...]

    def server(self, **more: Any) -> AsgiServer:
        """Return a server that is about to call the application."""
        return AsgiServer(copy.deepcopy(self.scope), self.incoming, **more)


ODD: dict[str, Odd] = {}
_ENDED = ({"type": "http.request", "body": b"", "more_body": False},)


def _odd(
    *incoming: Message, name: str = "", **scope: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(app: Callable[..., Any]) -> Callable[..., Any]:
        shown = name or app.__name__.replace("_", " ")
        ODD[shown] = Odd(app, http_scope(**scope), incoming or _ENDED)
        return app

    return add


def answering(status: int = 200, body: Any = b"hello", *headers: Any) -> App:
    """Return an application that answers, and does nothing else."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(_start(status, *headers))
        await send(_body(body))

    return app


def _start(status: int = 200, *headers: Any, **more: Any) -> Message:
    start = {"type": "http.response.start", "status": status}

    return {**start, "headers": list(headers), **more}


def _body(body: Any, **more: Any) -> Message:
    return {"type": "http.response.body", "body": body, **more}


class Stopped(BaseException):
    """What ends a process, as SystemExit does, but not that of the tests."""


# --- bodies and starts

_LENGTH_5 = (b"content-length", b"5")

_odd(name="plain")(answering(200, b"hello", _LENGTH_5))
_odd(name="head", method="HEAD")(answering(200, b"hello", _LENGTH_5))
_odd(name="no content")(answering(204, b""))
_odd(name="not modified")(answering(304, b"", _LENGTH_5))
_odd(name="content-length 0")(answering(200, b"", (b"content-length", b"0")))
_odd(name="repeated headers")(
    answering(200, b"hello", (b"set-cookie", b"a=1"), (b"set-cookie", b"a=2"))
)
_odd(name="lists as headers")(answering(200, b"hello", [b"Content-Length", b"5"]))
_odd(name="any byte in a header")(answering(200, b"hello", (b"x-name", b"\xe9\xff")))
_odd(name="status of the standard library")(answering(HTTPStatus.OK, b"hello"))
_odd(name="memoryview")(answering(200, memoryview(b"hello")))
_odd(name="bytearray")(answering(200, bytearray(b"hello")))


@_odd()
async def several_chunks(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start())
    for chunk in (b"he", b"l", b"lo"):
        await send(_body(chunk, more_body=True))
    await send(_body(b""))


@_odd()
async def empty_chunks(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start(200, _LENGTH_5))
    for chunk in (b"", b"hello", b"", b""):
        await send(_body(chunk, more_body=True))
    await send(_body(b""))


@_odd()
async def no_body_key(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


@_odd()
async def headers_given_once(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({**_start(), "headers": iter([_LENGTH_5, (b"x-id", b"1")])})
    await send(_body(b"hello"))


@_odd()
async def headers_as_tuple(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({**_start(), "headers": (_LENGTH_5, (b"x-id", b"1"))})
    await send(_body(b"hello"))


@_odd()
async def headers_as_text(_scope: Scope, _receive: Receive, send: Send) -> None:
    # Not ASGI, but h11 takes it, and so do servers that are built on it.
    await send({**_start(), "headers": [("content-length", "5"), ("x-id", "\u20ac")]})
    await send(_body(b"hello", more_body=True))


@_odd()
async def malformed_messages(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.pathsend"})
    await send({"type": "http.response.start", "status": "200 OK"})
    await send(_body(7, more_body=True))
    await send(_body("text"))


@_odd()
async def one_message_used_again(_scope: Scope, _receive: Receive, send: Send) -> None:
    message = _body(b"", more_body=True)
    await send(_start())
    for chunk in (b"he", b"llo"):
        message["body"] = chunk
        await send(message)
    await send({**message, "body": b"", "more_body": False})


@_odd()
async def constant_messages(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(MappingProxyType(_start()))  # type: ignore[arg-type] # cannot be changed
    await send(MappingProxyType(_body(b"hello")))  # type: ignore[arg-type]


@_odd()
async def content_length_then_empty(
    _scope: Scope, _receive: Receive, send: Send
) -> None:
    await send(_start(200, _LENGTH_5))
    await send(_body(b"hello", more_body=True))
    await send(_body(b"", more_body=False))


@_odd()
async def trailers(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start(200, (b"trailer", b"x-sum"), trailers=True))
    await send(_body(b"hello"))
    one, two = [(b"x-sum", b"1")], [(b"x-sum", b"2")]
    kind = "http.response.trailers"
    await send({"type": kind, "headers": one, "more_trailers": True})
    await send({"type": kind, "headers": two})


@_odd(extensions={"http.response.pathsend": {}})
async def pathsend(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start())
    await send({"type": "http.response.pathsend", "path": __file__})


@_odd(extensions={"http.response.pathsend": {}})
async def pathsend_of_no_file(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start(200, _LENGTH_5))
    await send({"type": "http.response.pathsend", "path": "/nowhere\0"})


@_odd(extensions={"http.response.zerocopysend": {}})
async def zerocopysend(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start())
    with Path(__file__).open("rb") as file:  # noqa: ASYNC230 - nobody waits for it
        kind = "http.response.zerocopysend"
        await send({"type": kind, "file": file, "count": 7, "more_body": True})
        await send({"type": kind, "file": file, "offset": 7})


@_odd(extensions={"http.response.zerocopysend": {}})
async def zerocopysend_of_the_rest(
    _scope: Scope, _receive: Receive, send: Send
) -> None:
    await send(_start())
    with Path(__file__).open("rb") as file:  # noqa: ASYNC230 - nobody waits for it
        file.seek(9)
        # The same number whatever else is open: what is sent is compared.
        number = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 700)
        try:
            await send({"type": "http.response.zerocopysend", "file": number})
        finally:
            os.close(number)


@_odd(extensions={"http.response.zerocopysend": {}})
async def zerocopysend_of_no_file(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start())
    await send({"type": "http.response.zerocopysend", "file": object()})


@_odd(extensions={"http.response.early_hint": {}})
async def early_hints(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.early_hint", "links": [b"</a.css>"]})
    await answering()(_scope, _receive, send)


@_odd(extensions={"http.response.push": {}, "http.response.debug": {}})
async def unknown_messages(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.push", "path": "/a.css", "headers": []})
    await send({"type": "http.response.debug", "info": {"template": object}})
    await send(_start())
    await send({"type": "example.unknown", "status": "none", "body": "7"})
    await send(_body(b"hello"))
    await send({"type": "example.unknown.later"})


# --- the request

_PARTS = (
    {"type": "http.request", "body": b"a=1", "more_body": True},
    {"type": "http.request", "body": b"", "more_body": True},
    {"type": "http.request", "more_body": True},
    {"type": "http.request", "body": b"&b=2"},
)
_FORM = [
    (b"content-type", b"application/x-www-form-urlencoded"),
    (b"content-length", b"7"),
]
_POST: dict[str, Any] = {"method": "POST", "headers": _FORM}


@_odd(*_PARTS, **_POST)
async def reads_all(_scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await answering(200, body)(_scope, receive, send)


_odd(*_PARTS, name="never reads", **_POST)(answering())


@_odd(*_PARTS, **_POST)
async def reads_part(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await answering()(_scope, receive, send)


@_odd(*_PARTS, **_POST)
async def reads_after_response(_scope: Scope, receive: Receive, send: Send) -> None:
    await answering()(_scope, receive, send)
    while (await receive())["type"] != "http.disconnect":
        pass


@_odd(*_PARTS, **_POST)
async def listens_for_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    await reads_all(scope, receive, lambda _: asyncio.sleep(0))

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listener = asyncio.create_task(listen())
    await send(_start())
    await send(_body(b"hello", more_body=True))
    await send(_body(b""))
    await listener


@_odd()
async def asks_twice_at_once(_scope: Scope, receive: Receive, send: Send) -> None:
    both = [asyncio.create_task(_type(receive)) for _ in "12"]
    await asyncio.sleep(0)
    await answering()(_scope, receive, send)
    assert {"http.request", "http.disconnect"} == set(await asyncio.gather(*both))


async def _type(receive: Receive) -> Any:
    return (await receive())["type"]


@_odd({"type": "http.disconnect"})
async def client_leaves(_scope: Scope, receive: Receive, send: Send) -> None:
    await send(_start())
    await receive()


# --- the call


@_odd()
async def works_on_afterwards(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answering()(_scope, _receive, send)
    for _ in range(3):
        await asyncio.sleep(0)


@_odd()
async def sends_from_a_task(_scope: Scope, _receive: Receive, send: Send) -> None:
    await asyncio.create_task(answering()(_scope, _receive, send))  # type: ignore[arg-type] # a coroutine


@_odd()
async def returns_a_value(scope: Scope, receive: Receive, send: Send) -> str:
    await answering()(scope, receive, send)

    return "a value"


@_odd()
async def sets_context(scope: Scope, receive: Receive, send: Send) -> None:
    SEEN.set("what the application set")
    await answering()(scope, receive, send)


@_odd(state={"of": "the server"})
async def changes_scope(scope: Scope, receive: Receive, send: Send) -> None:
    scope["user"] = "alice"
    scope["path"] = "/changed"
    scope["headers"].append((b"x-added", b"1"))
    scope["state"]["of"] = "the application"
    del scope["query_string"]
    await answering()(scope, receive, send)


@_odd()
def gives_an_awaitable(scope: Scope, receive: Receive, send: Send) -> Any:
    return asyncio.ensure_future(answering()(scope, receive, send))


@_odd(name="a class")
class _AClass:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._arguments = scope, receive, send

    def __await__(self) -> Generator[Any, None, None]:
        yield from answering()(*self._arguments).__await__()


@_odd()
async def raises_before_start(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ValueError("before the start")


@_odd()
async def raises_after_start(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start())
    raise ValueError("after the start")


@_odd()
async def raises_after_a_chunk(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start(200, (b"content-length", b"9")))
    await send(_body(b"hello", more_body=True))
    raise ExceptionGroup("after a chunk", [ValueError(1), KeyError(2)])


@_odd()
async def raises_after_last(scope: Scope, receive: Receive, send: Send) -> None:
    await answering()(scope, receive, send)
    raise ValueError("after the last message")


@_odd()
async def is_stopped(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start())
    raise Stopped("as SystemExit would")


@_odd()
async def no_response(_scope: Scope, receive: Receive, _send: Send) -> None:
    await receive()


@_odd()
async def no_start(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_body(b"hello"))


@_odd()
async def no_end(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(_start())
    await send(_body(b"hello", more_body=True))


# --- websockets

_CONNECT = {"type": "websocket.connect"}
_WEBSOCKET: dict[str, Any] = {
    "type": "websocket",
    "scheme": "ws",
    "subprotocols": ["chat", "v2"],
}
_ACCEPT = {"type": "websocket.accept"}


def _left(code: int) -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": ""}


def _talk(
    *incoming: Message, name: str = "", **scope: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return _odd(_CONNECT, *incoming, name=name, **_WEBSOCKET | scope)


def _closing(code: int | None) -> App:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(_ACCEPT)
        close: Message = {"type": "websocket.close", "reason": "as I like"}
        await send(close if code is None else {**close, "code": code})

    return app


for _code in (None, 1000, 1001, 1011, 3000):
    _talk(name=f"closes with {_code}")(_closing(_code))


@_talk()
async def subprotocol(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    headers = [(b"x-id", b"1")]
    await send({**_ACCEPT, "subprotocol": "chat", "headers": headers})
    await send({"type": "websocket.close"})


_SAID = (
    {"type": "websocket.receive", "text": "hé"},
    {"type": "websocket.receive", "text": "", "bytes": None},
    {"type": "websocket.receive", "bytes": b"\x00\xff", "text": None},
    {"type": "websocket.receive", "bytes": b""},
    {"type": "websocket.receive", "text": "\ud800"},
)


async def _echo(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(_ACCEPT)
    for _ in itertools.count():
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({**message, "type": "websocket.send"})


for _code in (1000, 1005, 1006):
    _talk(*_SAID, _left(_code), name=f"echo until {_code}")(_echo)
_talk(
    *_SAID, {"type": "websocket.disconnect", "code": None}, name="echo until no code"
)(_echo)
_talk(*_SAID, {"type": "websocket.disconnect"}, name="echo until whatever")(_echo)


@_talk()
async def speaks_first(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(_ACCEPT)
    await send({"type": "websocket.send", "text": ""})
    await send({"type": "websocket.send", "bytes": memoryview(b"hello")})
    await send({"type": "websocket.close"})


@_talk()
async def denies(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 4001})


@_talk(extensions={"websocket.http.response": {}})
async def denies_with_a_response(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    kind = "websocket.http.response"
    headers: Iterator[tuple[bytes, bytes]] = iter([(b"x-id", b"1")])
    await send({"type": f"{kind}.start", "status": 429, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"too ", "more_body": True})
    await send({"type": f"{kind}.body", "body": b"many"})


@_talk(extensions={"websocket.http.response": {}})
async def denies_by_half(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": 401, "headers": []})
    await send({"type": f"{kind}.body", "body": b"who ", "more_body": True})


@_talk()
async def accepts_and_returns(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(_ACCEPT)


@_talk()
async def accepts_and_raises(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(_ACCEPT)
    raise ValueError("after the accept")


@_odd(_CONNECT, _left(1006), **_WEBSOCKET)
async def left_before_accept(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await receive()
    await send({"type": "websocket.close"})


@_talk()
async def neither_accepts_nor_denies(
    _scope: Scope, receive: Receive, _send: Send
) -> None:
    await receive()


# --- lifespan, and what nobody knows

_STARTUP = {"type": "lifespan.startup"}
_SHUTDOWN = {"type": "lifespan.shutdown"}
_LIFESPAN: dict[str, Any] = {"type": "lifespan", "state": {}}


@_odd(_STARTUP, _SHUTDOWN, **_LIFESPAN)
async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    scope["state"]["pool"] = object()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


@_odd(_STARTUP, **_LIFESPAN)
async def lifespan_unsupported(scope: Scope, _receive: Receive, _send: Send) -> None:
    assert scope["type"] == "http"


@_odd(_STARTUP, **_LIFESPAN)
async def lifespan_ignored(_scope: Scope, _receive: Receive, _send: Send) -> None:
    return


@_odd(_STARTUP, **_LIFESPAN)
async def lifespan_failed(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


@_odd(_STARTUP, _SHUTDOWN, **_LIFESPAN)
async def lifespan_shutdown_failed(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "no farewell"})


@_odd({"type": "example.hello"}, type="example")
async def scope_of_no_known_type(_scope: Scope, receive: Receive, send: Send) -> None:
    await send(await receive())
