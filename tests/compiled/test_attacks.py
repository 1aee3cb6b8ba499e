"""
What was tried against the compiled road, each beside the road in Python.
"""

import asyncio
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compiled.roads import Pair, Road

import audit_mw

Message = dict[str, Any]

_LENGTH = (b"content-length", b"2")
_START: Message = {"type": "http.response.start", "status": 200, "headers": [_LENGTH]}
_BODY: Message = {"type": "http.response.body", "body": b"ok"}
_SESSION = b"cookie", b"sessionid=0123456789abcdef0123456789abcdef"


def _scope(query: bytes = b"q=1", **changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a",
        "raw_path": b"/a",
        "query_string": query,
        "headers": [(b"host", b"shop.example")],
        "client": ("192.0.2.7", 4711),
    } | changes


async def _receive() -> Message:
    return {"type": "http.request"}


async def _send(_message: Message) -> None:
    pass


def _serve(road: Road, scope: dict[str, Any]) -> str:
    try:
        asyncio.run(road.middleware(scope, _receive, _send))
    except Exception as error:  # noqa: BLE001 - it must be the same
        return repr(error)
    return ""


class _Script:
    """An application that sends what it is told to."""

    messages: tuple[Any, ...] = (_START, _BODY)
    before: Callable[[], object] = staticmethod(lambda: None)
    between: Callable[[], object] = staticmethod(lambda: None)

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.before()
        for message in self.messages:
            await send(message)
            self.between()


@pytest.fixture
def script() -> _Script:
    """An application."""
    return _Script()


@pytest.fixture
def pair(script: _Script, tmp_path: Path) -> Iterator[Pair]:
    """Both roads around it, with few slots."""
    made = Pair(script, tmp_path, max_slots=16)
    yield made
    made.close()


def _serve_both(pair: Pair, **changes: Any) -> None:
    assert _serve(pair.off, _scope(**changes)) == _serve(pair.on, _scope(**changes))


@pytest.mark.parametrize(
    "messages", [(_START, _BODY), ({**_START, "headers": []}, _BODY)]
)
def test_session_from_elsewhere(
    pair: Pair, script: _Script, messages: tuple[Any, ...]
) -> None:
    """A session that moves is found once, and told of."""
    script.messages = messages
    for address in ("192.0.2.8", "2001:db8::1", "192.0.2.8", "192.0.2.9"):
        _serve_both(pair, headers=[_SESSION], client=(address, 1))

    assert pair.check() == 4 + 2


class _Dict(dict[str, Any]):
    pass


class _List(list[Any]):
    pass


class _Text(str):
    __slots__ = ()


class _Bytes(bytes):
    __slots__ = ()

    def __len__(self) -> int:
        return 1000


def _start(**changes: Any) -> Message:
    return _START | changes


def _body(**changes: Any) -> Message:
    return _BODY | changes


_MORE: tuple[Any, ...] = (1, [], None, "x")


def _lengths(*values: Any) -> list[Any]:
    return [(b"Content-Length", value) for value in values]


@pytest.mark.parametrize(
    "messages",
    [
        (_Dict(_START), _BODY),
        (_START, _Dict(_BODY)),
        *[
            (_start(status=status), _BODY)
            for status in (True, 1 << 80, -5, "200", None, 99, 100, 1000, 0, 200.0)
        ],
        *[
            (_start(headers=headers), _BODY)
            for headers in (
                _List([_LENGTH]),
                (_LENGTH,),
                None,
                5,
                "abc",
                [5],
                [[*_LENGTH]],
                [("content-length", "2")],
                [(*_LENGTH, b"3")],
                [(b"content-length",)],
                [(_Bytes(b"content-length"), b"2")],
                _lengths(b"1", b"2"),
                _lengths(b"x", b"2"),
                _lengths(b"9" * 18),
                _lengths(b"9" * 40),
                _lengths(b" \t2\n"),
                _lengths(b"\x852 "),
                _lengths(b"+2"),
                _lengths(b"0"),
                _lengths(b""),
                _lengths(_Bytes(b"2")),
            )
        ],
        *[
            (_START, _body(body=body))
            for body in (_Bytes(b"ok"), bytearray(b"ok"), memoryview(b"ok"), "ok", 5)
        ],
        *[(_START, _body(more_body=more)) for more in _MORE],
        (_START, _body(body=b"o", more_body=True), _body(body=b"k"), _BODY),
        (_START, _START, _BODY),
        (_START, _BODY, _START, _BODY),
        (_BODY, _START),
        (_START,),
        (),
        (_start(trailers=True), _BODY, {"type": "http.response.trailers"}),
        (_start(trailers=0), _BODY),
        (_start(trailers=1), _BODY),
        ({"status": 200}, _BODY),
        ({"type": ["x"]}, _BODY),
        ({"type": _Text("http.response.start"), "status": 200}, _BODY),
        ("text",),
        (None,),
    ],
    ids=lambda _: "odd",  # the address of an object differs from run to run
)
def test_odd_messages(pair: Pair, script: _Script, messages: tuple[Any, ...]) -> None:
    """Whatever an application sends, it sees the same, and the same is kept."""
    script.messages = messages
    for method in ("GET", "GET", "HEAD"):
        _serve_both(pair, method=method)

    assert pair.check() >= 3


_LOGIN = b'{"user":"alice","password":"Xq-tulip-77","token":"abcdefgh12345678"}'


@pytest.mark.parametrize("body", [_LOGIN, b'[%b,"%b"]' % (_LOGIN, b"a b " * 1500)])
def test_secrets_of_a_document_that_are_quoted(
    pair: Pair, script: _Script, body: bytes
) -> None:
    """What a document withheld is withheld in what the application says, too."""

    def quote() -> None:
        audit_mw.error("no: Xq-tulip-77 abcdefgh12345678")
        found = audit_mw.current()
        if found is not None:
            found.note(sent="Xq-tulip-77", others=["abcdefgh12345678"])

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        script.between = quote
        await script(scope, receive, send)
        raise ValueError("Xq-tulip-77 abcdefgh12345678")

    about = (b"content-type", b"application/json")
    length = (b"content-length", b"%d" % len(body))
    for road in (pair.on, pair.off):
        road.middleware.app = app
    for _ in range(2):
        for road in (pair.on, pair.off):
            scope = _scope(method="POST", headers=[about, length])
            with pytest.raises(ValueError, match="tulip"):
                asyncio.run(road.middleware(scope, receive, _send))

    assert pair.check() >= 4
    for road in (pair.on, pair.off):
        kept = b"".join(path.read_bytes() for path in road.trail.rglob("*.log"))
        assert b"no: " in kept
        assert b"tulip" not in kept
        assert b"abcdefgh12345678" not in kept


@pytest.mark.parametrize("at", ["before", "between"])
def test_fork_in_the_application(pair: Pair, script: _Script, at: str) -> None:
    """A child that goes on with the request of its parent makes no second record."""
    _serve_both(pair)

    def fork() -> None:
        if child := os.fork():
            os.waitpid(child, 0)
            return
        found = audit_mw.current()
        if found is not None:
            found.recorder.respond(_START["status"], [])
            list(found.recorder.send(len(_BODY["body"]), more=False))
            found.recorder.taken()
        os._exit(0)

    setattr(script, at, fork)
    _serve_both(pair)
    setattr(script, at, lambda: None)
    _serve_both(pair)

    assert pair.check() == 3


@pytest.mark.parametrize("at_exit", [False, True])
@pytest.mark.parametrize("at", ["before", "between"])
def test_closed_meanwhile(
    pair: Pair, script: _Script, at: str, *, at_exit: bool
) -> None:
    """A trail that is closed while a request runs loses nothing of either road."""

    def close() -> None:
        for road in (pair.on, pair.off):
            road.middleware._auditor.close(at_exit=at_exit)

    setattr(script, at, close)
    _serve_both(pair)
    setattr(script, at, lambda: None)
    _serve_both(pair)

    assert pair.check() >= 1


def test_no_slot_is_free(pair: Pair) -> None:
    """Requests beyond the slots are refused alike, and those that ran are on record."""
    told: dict[str, list[int]] = {}
    for name, road in (("on", pair.on), ("off", pair.off)):
        statuses = told[name] = []

        async def answer(message: Message, statuses: list[int] = statuses) -> None:
            if "status" in message:
                statuses.append(message["status"])

        held = [_Held() for _ in range(30)]
        for each in held:
            each.begin(road, answer)
        for each in held:
            each.end()

    assert told["on"] == told["off"]
    assert {200, 503} == set(told["on"])
    assert pair.check() == told["on"].count(200)


class _Held:
    """A request that waits in the hands of its server until it is ended."""

    def begin(self, road: Road, send: Any) -> None:
        async def receive() -> Message:
            return {"type": "http.request"}

        async def slow(message: Message) -> None:
            await _Pause()
            await send(message)

        self._coroutine = road.middleware(_scope(), receive, slow)
        self.end(1)

    def end(self, turns: int = 9) -> None:
        for _ in range(turns):
            try:
                self._coroutine.send(None)
            except StopIteration:
                break
            except RuntimeError:  # it is over
                break


class _Pause:
    def __await__(self) -> Generator[None, None, None]:
        yield
