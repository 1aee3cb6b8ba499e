# What the wrapped application and its server see of each other is what they see
# without us: each odd application of apps_asgi and apps_wsgi is driven bare and wrapped.
import asyncio
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from io import BytesIO
from typing import Any
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edges import apps_asgi, apps_wsgi
from tests.edges.asgi_server import AsgiServer, Message, Receive, Scope, Send
from tests.edges.asgi_server import http_scope as scope_of
from tests.edges.audited import Audited, around
from tests.edges.wsgi_server import (
    Environ,
    StartResponse,
    WsgiServer,
    environment,
    trace_of,
)

ASGI = pytest.mark.parametrize("odd", apps_asgi.ODD.values(), ids=apps_asgi.ODD)
WSGI = pytest.mark.parametrize("odd", apps_wsgi.ODD.values(), ids=apps_wsgi.ODD)

# An iterator of headers can be read once, so these messages go on as copies.
_GIVEN_ONCE = {"headers given once", "denies with a response"}
EDGES = ["asgi", "wsgi"]


def _assert_same(bare: Any, wrapped: Any) -> None:
    assert bare.trace.shown() == wrapped.trace.shown()
    assert repr(bare.raised) == repr(wrapped.raised)


def _are(these: list[Any], those: list[Any]) -> bool:
    return len(these) == len(those) and all(map(_is, these, those))


def _is(this: Any, that: Any) -> bool:
    return this is that


# --- ASGI


@ASGI
def test_asgi_sees_the_same(odd: apps_asgi.Odd, audited: Audited) -> None:
    """Every step, message, result and exception is the same and in the same order."""
    bare = odd.server().run(odd.app)
    wrapped = odd.server().run(odd.app, audited)

    _assert_same(bare, wrapped)


@ASGI
def test_asgi_objects_pass(odd: apps_asgi.Odd, audited: Audited) -> None:
    """Scope, messages, result, exception and task are the very objects that they are."""
    server = odd.server().run(odd.app, audited)
    things = server.trace.things

    assert _are([server.scope], things("app called"))
    assert _are([server.task], things("app in task"))
    assert _are(things("server gives"), things("app got"))
    if odd not in [apps_asgi.ODD[name] for name in _GIVEN_ONCE]:
        assert _are(things("app sends"), things("server takes"))
    assert _are(things("app returns")[-1:] or [None], [server.returned])
    assert _are(things("app raises")[-1:] or [None], [server.raised])


@ASGI
def test_asgi_without_probe(odd: apps_asgi.Odd, audited: Audited) -> None:
    """The server sees the same where nothing stands between us and the application."""
    bare = odd.server(probed=False).run(odd.app)
    wrapped = odd.server(probed=False).run(odd.app, partial(audited, interface="asgi"))

    _assert_same(bare, wrapped)


def _cancel_at(where: str) -> Callable[[AsgiServer, str], None]:
    def interrupt(server: AsgiServer, here: str) -> None:
        if here == where and server.task is not None:
            server.task.cancel("by the server")

    return interrupt


def _cancel_after(where: str) -> Callable[[AsgiServer, str], None]:
    def interrupt(server: AsgiServer, here: str) -> None:
        if here == where and server.task is not None:
            asyncio.get_running_loop().call_soon(server.task.cancel)

    return interrupt


@pytest.mark.parametrize(
    "where", ["receive", "http.response.start", "http.response.body"]
)
@pytest.mark.parametrize("when", [_cancel_at, _cancel_after], ids=["at", "after"])
@pytest.mark.parametrize("name", ["reads all", "listens for disconnect", "no end"])
def test_asgi_cancelled(where: str, when: Any, name: str, audited: Audited) -> None:
    """A task that is cancelled in receive, in send or in the application is cancelled."""
    odd = apps_asgi.ODD[name]
    bare = odd.server(interrupt=when(where)).run(odd.app)
    wrapped = odd.server(interrupt=when(where)).run(odd.app, audited)

    _assert_same(bare, wrapped)
    assert _are(wrapped.trace.things("app raises")[-1:] or [None], [wrapped.raised])


async def _keeps_on(scope: Scope, receive: Receive, send: Send) -> str:
    while True:
        try:
            await apps_asgi.ODD["trailers"].app(scope, receive, send)
        except (OSError, RuntimeError, asyncio.CancelledError):
            return "caught"
        return "complete"


@pytest.mark.parametrize("app", [apps_asgi.ODD["trailers"].app, _keeps_on])
@pytest.mark.parametrize("error", [OSError, BrokenPipeError, RuntimeError])
@pytest.mark.parametrize("failing", ["start", "body", "trailers"])
def test_asgi_send_fails(
    app: Any, error: type[Exception], failing: str, audited: Audited
) -> None:
    """What the server's `send` raises reaches the application as that very object."""
    kind = f"http.response.{failing}"
    bare = AsgiServer(scope_of(), error=error("gone"), failing=kind).run(app)
    wrapped = AsgiServer(scope_of(), error=error("gone"), failing=kind)
    wrapped.run(app, audited)

    _assert_same(bare, wrapped)
    assert _are(wrapped.trace.things("app sees send raise"), [wrapped.error])


_PAIRS = [(b"host", b"example.org"), (b"origin", b"null")]
_GIVEN = pytest.mark.parametrize(
    "give",
    [
        pytest.param(iter, id="iterator"),
        pytest.param(lambda pairs: list(map(iter, pairs)), id="list of iterators"),
        pytest.param(lambda pairs: map(iter, pairs), id="iterator of iterators"),
    ],
)


@_GIVEN
def test_asgi_headers_given_once(give: Any, audited: Audited) -> None:
    """Headers that can be read only once are there for the application and the record."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(map(tuple, scope["headers"]))
        await apps_asgi.answering()(scope, receive, send)

    AsgiServer(scope_of(headers=give(_PAIRS))).run(app, audited)
    recorded = [param.value for param in audited.event().params[-2:]]

    assert seen == _PAIRS
    assert recorded == [value for _, value in _PAIRS]


@_GIVEN
def test_asgi_response_headers_given_once(give: Any, audited: Audited) -> None:
    """Headers of a response that can be read only once reach the server."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        kind = "http.response.start"
        await send({"type": kind, "status": 200, "headers": give(_PAIRS)})
        await send({"type": "http.response.body"})

    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    asyncio.run(audited(app)(scope_of(), None, send))

    assert list(map(tuple, messages[0]["headers"])) == _PAIRS


def test_asgi_event_header(audited: Audited) -> None:
    """The header with the event id is added to a copy; what was sent stays as it was."""
    headers = [(b"x-id", b"1")]
    app = apps_asgi.answering(200, b"hello", *headers)
    wrap = partial(audited, event_header="X-Event")
    server = AsgiServer(scope_of()).run(app, wrap)
    start, _ = server.headers

    assert [*headers, (b"x-event", audited.event().event.encode())] == start
    assert headers == server.trace.things("app sends")[0]["headers"]


def test_asgi_headers_as_text(audited: Audited) -> None:
    """Headers that are text, which some servers take, are read as such."""
    odd = apps_asgi.ODD["headers as text"]
    odd.server().run(odd.app, audited)
    event = audited.event()

    assert event.status == 200
    assert event.outcome == "SUCCESS"


def _more(chunk: bytes) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": True}


_CHUNKS = st.binary(max_size=9)
_ACTIONS = st.one_of(
    st.just("receive"),
    st.just("yield"),
    st.sampled_from(["http.response.debug", "example"]).map(
        lambda kind: {"type": kind}
    ),
    _CHUNKS.map(_more),
)
_LENGTHS = st.none() | st.integers(0, 20)


@st.composite
def _scripts(draw: st.DrawFn) -> list[Any]:
    """What an application does: anything, a start, anything, and as a rule an end."""
    length = draw(_LENGTHS)
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    status = draw(st.sampled_from([200, 204, 304, 401, 500]))
    start = {"type": "http.response.start", "status": status, "headers": headers}
    end = [{"type": "http.response.body", "body": draw(_CHUNKS)}]
    begins = draw(st.lists(st.sampled_from(["receive", "yield"]), max_size=3))
    middle = draw(st.lists(_ACTIONS, max_size=6))
    endings: list[list[Any]] = [end, end, [], ["raise"], [*end, "raise"]]

    return [*begins, start, *middle, *draw(st.sampled_from(endings))]


async def _act(actions: list[Any], messages: int, receive: Receive, send: Send) -> None:
    for action in actions:
        if action == "receive":
            messages -= 1
            if messages >= 0:  # else it would wait for the end of the response
                await receive()
        elif action == "yield":
            await asyncio.sleep(0)
        elif action == "raise":
            raise ValueError("as the script has it")
        else:
            await send(dict(action))


@st.composite
def _bodies(draw: st.DrawFn) -> list[Message]:
    chunks = draw(st.lists(_CHUNKS, max_size=4))
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]

    return [*messages, {"type": "http.request", "body": b"", "more_body": False}]


def test_asgi_any_conversation(audited: Audited) -> None:
    """Whatever is sent in whatever chunks, both sides see the same, and one record."""
    reuse = around(audited(apps_asgi.answering()))
    count = 0

    @settings(max_examples=100)
    @given(_scripts(), _bodies(), st.sampled_from(["GET", "HEAD", "POST"]))
    def compare(script: list[Any], body: list[Message], method: str) -> None:
        nonlocal count

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await _act(script, len(body), receive, send)

        bare = AsgiServer(scope_of(method=method), body).run(app)
        wrapped = AsgiServer(scope_of(method=method), body).run(app, reuse)
        count += 1

        _assert_same(bare, wrapped)

    compare()
    assert count == len(audited.events())


# --- WSGI


def _run(server: WsgiServer, *arguments: Any) -> WsgiServer:
    # In a context of its own, as servers call applications in threads of theirs.
    return copy_context().run(server.run, *arguments)


@WSGI
def test_wsgi_sees_the_same(odd: apps_wsgi.Odd, audited: Audited) -> None:
    """Every call, chunk, result and exception is the same and in the same order."""
    bare = _run(odd.server(), odd.app)
    wrapped = _run(odd.server(), odd.app, audited)

    _assert_same(bare, wrapped)
    assert bare.chunks == wrapped.chunks
    assert bare.head == wrapped.head


@WSGI
def test_wsgi_objects_pass(odd: apps_wsgi.Odd, audited: Audited) -> None:
    """Environ, headers, chunks and exception are the very objects that they are."""
    server = _run(odd.server(), odd.app, audited)
    things = server.trace.things

    assert _are([server.environ], things("app called"))
    for (_, these, *_), (_, those) in zip(
        things("app starts"), things("server is told to start"), strict=True
    ):
        assert these is those
    assert _are(things("app raises")[-1:] or [server.raised], [server.raised])


_PASSED_WHOLE = [
    "a list",
    "a list of several",
    "a tuple",
    "an empty list",
    "a list to close",
    "file wrapper",
    "file wrapper of a file",
    "file wrapper function",
]


@pytest.mark.parametrize("name", _PASSED_WHOLE)
def test_wsgi_result_is_the_object(name: str, audited: Audited) -> None:
    """A list, a tuple and the server's file wrapper go on as the very object."""
    odd = apps_wsgi.ODD[name]
    server = _run(odd.server(), odd.app, audited)

    assert _are(server.trace.things("app returns"), [server.result])


@pytest.mark.parametrize("leaves_after", [0, 1])
@WSGI
def test_wsgi_client_leaves(
    odd: apps_wsgi.Odd, leaves_after: int, audited: Audited
) -> None:
    """A result that is closed before its end is closed as it would be, and once."""
    bare = _run(odd.server(leaves_after=leaves_after), odd.app)
    wrapped = _run(odd.server(leaves_after=leaves_after), odd.app, audited)

    _assert_same(bare, wrapped)


@WSGI
def test_wsgi_close_forgotten(odd: apps_wsgi.Odd, audited: Audited) -> None:
    """A result that the server does not close is not closed by us."""
    bare = _run(odd.server(forgets_close=True), odd.app)
    wrapped = _run(odd.server(forgets_close=True), odd.app, audited)

    _assert_same(bare, wrapped)
    for result in (*bare.trace.things("app returns"), wrapped.result):
        with suppress(ValueError):  # the one that raises in close
            getattr(result, "close", bool)()


def test_wsgi_closed_twice(audited: Audited) -> None:
    """A result that the server closes twice is closed once."""
    odd = apps_wsgi.ODD["iterator"]
    server = _run(odd.server(), odd.app, audited)
    server.result.close()

    assert len(server.trace.things("result close")) == 1


@pytest.mark.parametrize(
    ("error", "failing"),
    [(BrokenPipeError, 0), (BrokenPipeError, 1), (RuntimeError, 0)],
)
@WSGI
def test_wsgi_write_fails(
    odd: apps_wsgi.Odd, error: type[Exception], failing: int, audited: Audited
) -> None:
    """What the server's `write` raises reaches the application as without us."""
    bare = _run(odd.server(error=error("gone"), failing=failing), odd.app)
    wrapped = _run(odd.server(error=error("gone"), failing=failing), odd.app, audited)

    _assert_same(bare, wrapped)


def _strict(app: Any) -> Any:
    return validator(app)


@pytest.mark.parametrize(
    "side", ["outside", "inside", pytest.param("both", marks=pytest.mark.long)]
)
@pytest.mark.parametrize(
    "name", [name for name, odd in apps_wsgi.ODD.items() if odd.strict]
)
def test_wsgi_validator_is_silent(name: str, side: str, audited: Audited) -> None:
    """The validator of the standard library has no more to say than without us."""
    odd = apps_wsgi.ODD[name]
    inner = _strict(odd.app) if side != "outside" else odd.app

    def wrap(app: Any) -> Any:
        middleware = audited(app, interface="wsgi")
        return _strict(middleware) if side != "inside" else middleware

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        bare = _run(odd.server(), odd.app)
        wrapped = _run(odd.server(), inner, wrap)

    assert said == []
    assert (bare.chunks, bare.head) == (wrapped.chunks, wrapped.head)
    assert repr(bare.raised) == repr(wrapped.raised)


def test_wsgi_event_header(audited: Audited) -> None:
    """The header with the event id is added to a copy; what was sent stays as it was."""
    headers = [("X-Id", "1")]
    wrap = partial(audited, event_header="X-Event")
    server = _run(
        WsgiServer(environment()), apps_wsgi.answering("200 OK", None, *headers), wrap
    )

    assert ("x-event", audited.event().event) == (server.head or ("", []))[1][-1]
    assert headers == server.trace.things("app starts")[0][1][1:]


def test_wsgi_environ_without_input(audited: Audited) -> None:
    """An environ without a body gets none from us."""
    environ = environment()
    middleware = audited(apps_wsgi.answering())
    del environ["wsgi.input"]
    list(middleware(environ, lambda *_: None))

    assert "wsgi.input" not in environ


def _reads_all_ways(ways: list[tuple[str, int]]) -> Any:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        stream = environ["wsgi.input"]
        for name, size in ways:
            trace_of(environ).add("app read", getattr(stream, name)(size))
        start_response("200 OK", [])
        return iter([b"hello"])

    return app


def test_wsgi_any_reading(audited: Audited) -> None:
    """In whatever way a body is read, it is read as the application does, no more."""
    reuse = around(audited(apps_wsgi.answering()))
    names = st.sampled_from(["read", "readline", "readlines", "read1"])

    @settings(max_examples=100)
    @given(st.lists(st.tuples(names, st.integers(-1, 9))), st.binary(max_size=30))
    def compare(ways: list[tuple[str, int]], body: bytes) -> None:
        app = _reads_all_ways(ways)
        bare = _run(WsgiServer(environment(body)), app)
        wrapped = _run(WsgiServer(environment(body)), app, reuse)

        _assert_same(bare, wrapped)

    compare()


def test_wsgi_input_is_no_more_than_the_stream(audited: Audited) -> None:
    """What the server's stream lacks, ours lacks."""
    seen = []

    def app(environ: Environ, start_response: StartResponse) -> Any:
        seen.append(environ["wsgi.input"])
        return apps_wsgi.answering()(environ, start_response)

    for stream in (BytesIO(), _Bare()):
        environ = environment() | {"wsgi.input": stream}
        audited(app)(environ, lambda *_: None)
    rich, bare = seen

    for name in ("readinto", "read1", "readall", "seek", "fileno", "close"):
        assert hasattr(BytesIO(), name) == hasattr(rich, name)
        assert not hasattr(bare, name)


class _Lines:
    """A stream that is no iterator, and numbers its lines when it is iterated over."""

    read = readline = readlines = lambda *_: b""

    def __iter__(self) -> Iterator[bytes]:
        return (b"%d" % number for number in range(3))


def test_wsgi_input_iterates_as_the_stream(audited: Audited) -> None:
    """Lines come from the stream's own iterator, a new one each time, if it has one."""
    seen: list[Any] = []

    def app(environ: Environ, start_response: StartResponse) -> Any:
        stream = environ["wsgi.input"]
        seen.extend([next(iter(stream)), *stream, iter(stream) is stream])
        with pytest.raises(TypeError):
            next(stream)
        return apps_wsgi.answering()(environ, start_response)

    audited(app)(environment() | {"wsgi.input": _Lines()}, lambda *_: None)

    assert seen == [b"0", b"0", b"1", b"2", False]


class _Bare:
    """All that PEP 3333 asks of a stream."""

    read = readline = readlines = __iter__ = lambda *_: b""
