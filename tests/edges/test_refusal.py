# A request that cannot be recorded is not served, and one of which the record fails at
# its end is not answered: with trails that are broken for real, on both interfaces.
#
# (Longer than 250 lines, since each way to answer is broken off in its own way.)
import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.edges import apps_asgi, apps_wsgi
from tests.edges.asgi_server import (
    AsgiServer,
    Receive,
    Scope,
    Send,
    http_scope,
)
from tests.edges.audited import Audited
from tests.edges.broken import (
    BreakableTrail,
    assert_refused,
    assert_refused_wsgi,
    await_ready,
    breaking,
    breaking_wsgi,
    heavy,
    heavy_wsgi,
    never,
    never_wsgi,
)
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment

from audit_mw import AuditUnavailable


def _a_file(trail: Path) -> None:
    trail.touch()


def _below_a_file(trail: Path) -> None:
    trail.symlink_to(trail.parent / "file" / "trail")
    (trail.parent / "file").touch()


def _stream_is_a_file(trail: Path) -> None:
    BreakableTrail(trail).take_away()


UNUSABLE = pytest.mark.parametrize(
    "spoil",
    [_a_file, _below_a_file, _stream_is_a_file],
    ids=["a file", "below a file", "stream is a file"],
)
Spoil = Callable[[Path], None]


# --- before the application is called


@UNUSABLE
def test_asgi_is_not_called(spoil: Spoil, audited: Audited) -> None:
    """Without a trail the first request is refused, and the application not called."""
    spoil(audited.trail)
    server = AsgiServer(http_scope()).run(never, audited)

    assert_refused(server)
    assert server.raised is None


@UNUSABLE
def test_wsgi_is_not_called(spoil: Spoil, audited: Audited) -> None:
    """Without a trail the first request is refused, and the application not called."""
    spoil(audited.trail)

    assert_refused_wsgi(WsgiServer(environment()).run(never_wsgi, audited))


def test_wsgi_head_is_refused_without_body(audited: Audited) -> None:
    """A refused HEAD gets no body: not every server drops it."""
    _a_file(audited.trail)
    server = WsgiServer(environment(REQUEST_METHOD="HEAD")).run(never_wsgi, audited)

    assert (server.status, server.body) == ("503 Service Unavailable", b"")


@UNUSABLE
def test_websocket_is_denied(spoil: Spoil, audited: Audited) -> None:
    """Without a trail a websocket is closed before it is accepted."""
    spoil(audited.trail)
    server = apps_asgi.ODD["denies"].server().run(never, audited)

    assert server.taken == [{"type": "websocket.close", "code": 1013}]
    assert server.raised is None


@UNUSABLE
def test_startup_fails(spoil: Spoil, audited: Audited) -> None:
    """Without a trail the server is told that start-up failed, and nothing after."""
    spoil(audited.trail)
    odd = apps_asgi.ODD["lifespan"]
    server = odd.server().run(odd.app, audited)

    assert server.types == ["lifespan.startup.failed"]
    assert str(audited.trail) in server.taken[0]["message"]
    assert isinstance(server.raised, AuditUnavailable)


def test_startup_fails_whatever_the_application_says(audited: Audited) -> None:
    """An application that goes on after the failed start-up cannot make it complete."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(AuditUnavailable):
            await receive()
        await send({"type": "lifespan.startup.complete"})

    _a_file(audited.trail)
    server = apps_asgi.ODD["lifespan"].server().run(app, audited)

    assert server.types == ["lifespan.startup.failed"]


def test_startup_fails_for_a_bad_key(audited: Audited, tmp_path: Path) -> None:
    """A key file that is too short is known at start-up."""
    short = tmp_path / "key"
    short.write_bytes(b"short")
    short.chmod(0o600)
    odd = apps_asgi.ODD["lifespan"]
    server = odd.server().run(
        odd.app, lambda app: audited(app, key=None, key_file=str(short))
    )

    assert server.types == ["lifespan.startup.failed"]


def test_head_that_cannot_be_read(audited: Audited) -> None:
    """A request of which no record can be made is refused and counted."""
    scope = http_scope(headers=[(None, None)])
    server = AsgiServer(scope).run(never, audited)

    assert_refused(server)


# --- the record fails after the application ran
#
# It is one that spills more than a slot holds, and the stream of values is broken.


def _assert_on_record(
    audited: Audited, values: BreakableTrail, outcome: str = "ERROR"
) -> None:
    """Fail unless the one request is on record, once its trail is whole again."""
    values.give_back()
    await_ready(audited)
    event = audited.event()

    assert (outcome, b"failed") == (event.outcome, event.details["delivery"])
    if outcome == "ERROR":
        assert event.details["reason"] == b"audit trail unavailable"


@pytest.mark.parametrize("name", ["head", "no content", "content-length 0", "no start"])
def test_asgi_before_the_start(
    name: str, audited: Audited, values: BreakableTrail
) -> None:
    """Where nothing was started the client gets a 503, and the server the reason."""
    odd = apps_asgi.ODD[name]
    server = heavy(odd.server()).run(breaking(values, odd.app), audited)

    assert_refused(server)
    assert isinstance(server.raised, AuditUnavailable)
    _assert_on_record(audited, values)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("plain", ["http.response.start"]),
        ("several chunks", ["http.response.start", *["http.response.body"] * 3]),
        ("content length then empty", ["http.response.start"]),
        ("pathsend", ["http.response.start"]),
        ("zerocopysend", ["http.response.start", "http.response.zerocopysend"]),
        ("denies", []),
        ("denies with a response", ["start", "body"]),
        ("closes with 1000", ["websocket.accept"]),
    ],
)
def test_asgi_last_message_is_held_back(
    name: str, taken: list[str], audited: Audited, values: BreakableTrail
) -> None:
    """Where the record fails the server gets all but the last message."""
    odd = apps_asgi.ODD[name]
    server = heavy(odd.server()).run(breaking(values, odd.app), audited)

    assert taken == [
        kind.removeprefix("websocket.http.response.") for kind in server.types
    ]
    assert isinstance(server.raised, AuditUnavailable)
    _assert_on_record(audited, values)


async def _catches_and_returns(scope: Scope, receive: Receive, send: Send) -> None:
    with pytest.raises(AuditUnavailable):
        await apps_asgi.answering()(scope, receive, send)


async def _catches_and_sends(scope: Scope, receive: Receive, send: Send) -> None:
    await _catches_and_returns(scope, receive, send)
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            await send({"type": "http.response.body", "body": b"again"})


async def _catches_and_raises(scope: Scope, receive: Receive, send: Send) -> None:
    await _catches_and_returns(scope, receive, send)
    raise ValueError("something else")


async def _groups(scope: Scope, receive: Receive, send: Send) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(apps_asgi.answering(204, b"")(scope, receive, send))  # type: ignore[arg-type] # a coroutine


@pytest.mark.parametrize(
    "app", [_catches_and_returns, _catches_and_sends, _catches_and_raises]
)
def test_asgi_exception_is_caught(
    app: Any, audited: Audited, values: BreakableTrail
) -> None:
    """An application that catches the exception gets no further, and still fails."""
    server = heavy(AsgiServer(http_scope())).run(breaking(values, app), audited)

    assert server.types == ["http.response.start"]
    assert isinstance(server.raised, AuditUnavailable | ValueError)
    _assert_on_record(audited, values)


def test_asgi_exception_in_a_group(audited: Audited, values: BreakableTrail) -> None:
    """The client gets its 503, too, where a task group hides the exception."""
    server = heavy(AsgiServer(http_scope())).run(breaking(values, _groups), audited)

    assert_refused(server)
    assert isinstance(server.raised, ExceptionGroup)
    _assert_on_record(audited, values)


@pytest.mark.parametrize("name", ["raises before start", "raises after start"])
def test_asgi_application_raised(
    name: str, audited: Audited, values: BreakableTrail
) -> None:
    """What the application raises goes on: no complete response was to be recorded."""
    odd = apps_asgi.ODD[name]
    server = heavy(odd.server()).run(breaking(values, odd.app), audited)
    values.give_back()
    await_ready(audited)

    assert isinstance(server.raised, ValueError)
    assert audited.event().details["reason"] == b"ValueError"


@pytest.mark.parametrize("name", ["no response", "no end", "accepts and returns"])
def test_asgi_no_last_message(
    name: str, audited: Audited, values: BreakableTrail
) -> None:
    """A response that the application leaves open is the server's to end."""
    odd = apps_asgi.ODD[name]
    bare = heavy(odd.server()).run(odd.app)
    wrapped = heavy(odd.server()).run(breaking(values, odd.app), audited)
    values.give_back()
    await_ready(audited)

    assert bare.types == wrapped.types
    assert wrapped.raised is None
    assert len(audited.events()) == 1


def test_asgi_client_left(audited: Audited, values: BreakableTrail) -> None:
    """A refusal that the client does not wait for hides nothing."""
    odd = apps_asgi.ODD["no content"]
    server = odd.server(failing="http.response.start", error=BrokenPipeError())
    heavy(server).run(breaking(values, odd.app), audited)

    assert isinstance(server.raised, AuditUnavailable)
    _assert_on_record(audited, values)


def test_asgi_cancelled(audited: Audited, values: BreakableTrail) -> None:
    """A cancelled task ends with CancelledError, whatever the trail does."""

    def interrupt(server: AsgiServer, where: str) -> None:
        if where == "receive" and server.task is not None:
            server.task.cancel()

    odd = apps_asgi.ODD["reads all"]
    server = heavy(odd.server(interrupt=interrupt))
    server.run(breaking(values, odd.app), audited)

    assert isinstance(server.raised, asyncio.CancelledError)
    assert server.types == []
    _assert_on_record(audited, values, "ABORTED")


@pytest.mark.parametrize("edge", [apps_asgi, apps_wsgi], ids=["asgi", "wsgi"])
def test_stopped(edge: Any, audited: Audited, values: BreakableTrail) -> None:
    """What stops a process goes up as it is, whatever the trail does."""
    is_asgi = edge is apps_asgi
    odd = edge.ODD["is stopped"]
    server = (heavy if is_asgi else heavy_wsgi)(odd.server())
    server.run((breaking if is_asgi else breaking_wsgi)(values, odd.app), audited)
    values.give_back()
    await_ready(audited)

    assert isinstance(server.raised, edge.Stopped)
    assert audited.event().outcome == "ERROR"


# --- the same on WSGI


@pytest.mark.parametrize(
    "name",
    [
        "a list",
        "a tuple",
        "an empty list",
        "a list to close",
        "file wrapper",
        "no content",
        "never starts",
        "empty iterator",
        "no content iterator",
        "writes content length",
    ],
)
def test_wsgi_before_the_first_byte(
    name: str, audited: Audited, values: BreakableTrail
) -> None:
    """Where no byte of the body was sent the start is taken back: the client gets 503."""
    odd = apps_wsgi.ODD[name]
    server = heavy_wsgi(odd.server()).run(breaking_wsgi(values, odd.app), audited)

    assert_refused_wsgi(server)
    _assert_on_record(audited, values)


def test_wsgi_first_chunk_is_the_last(audited: Audited, values: BreakableTrail) -> None:
    """A first chunk that would complete the response is held back, and 503 sent."""

    def app(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]
        start_response("200 OK", headers)
        yield b""
        yield b"hello"

    server = heavy_wsgi(WsgiServer(environment())).run(
        breaking_wsgi(values, app), audited
    )

    assert_refused_wsgi(server)
    _assert_on_record(audited, values)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("generator", b"hello"),
        ("content length then more", b"he"),
        ("writes alone", b"hello"),
        ("sized", b"hello"),
        ("writes then returns", b"hello"),
    ],
)
def test_wsgi_after_the_first_byte(
    name: str, body: bytes, audited: Audited, values: BreakableTrail
) -> None:
    """Where bytes were sent the response is broken off before its end."""
    odd = apps_wsgi.ODD[name]
    server = heavy_wsgi(odd.server()).run(breaking_wsgi(values, odd.app), audited)

    assert ("200 OK", body) == (server.status, server.body)
    assert isinstance(server.raised, AuditUnavailable)
    _assert_on_record(audited, values)


@pytest.mark.parametrize("name", ["a list to close", "iterator", "a lazy list"])
def test_wsgi_closed_once(name: str, audited: Audited, values: BreakableTrail) -> None:
    """A result that is not handed over is closed all the same, and once."""
    odd = apps_wsgi.ODD[name]
    server = heavy_wsgi(odd.server()).run(breaking_wsgi(values, odd.app), audited)

    assert len(server.trace.things("result close")) == 1


def _writes_on(environ: Environ, start_response: StartResponse) -> Any:
    headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]
    write = start_response("200 OK", headers)
    for _ in range(3):
        with pytest.raises(AuditUnavailable):
            write(b"hello")
    with pytest.raises(AuditUnavailable):
        start_response("201 Created", headers)

    return environ["test.result"]


@pytest.mark.parametrize("result", [[b"hello"], iter([b"hello"]), []])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_wsgi_exception_is_caught(
    result: Any, method: str, audited: Audited, values: BreakableTrail
) -> None:
    """An application that catches the exception gets no further, and is recorded once."""
    environ = environment(REQUEST_METHOD=method, **{"test.result": result})
    server = heavy_wsgi(WsgiServer(environ))
    server.run(breaking_wsgi(values, _writes_on), audited)

    assert server.status == "503 Service Unavailable"
    _assert_on_record(audited, values)


def test_wsgi_generator_writes(audited: Audited, values: BreakableTrail) -> None:
    """A refused `write` that a generator does not catch is a 503 as well."""

    def app(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "5")])(b"hello")
        yield b""

    server = heavy_wsgi(WsgiServer(environment())).run(
        breaking_wsgi(values, app), audited
    )

    assert_refused_wsgi(server)
    _assert_on_record(audited, values)


@pytest.mark.parametrize("name", ["raises before start", "raises in the middle"])
def test_wsgi_application_raised(
    name: str, audited: Audited, values: BreakableTrail
) -> None:
    """What the application raises goes on: no complete response was to be recorded."""
    odd = apps_wsgi.ODD[name]
    server = heavy_wsgi(odd.server()).run(breaking_wsgi(values, odd.app), audited)
    values.give_back()
    await_ready(audited)

    assert isinstance(server.raised, ValueError)
    assert audited.event().details["reason"] == b"ValueError"


def test_wsgi_client_left(audited: Audited, values: BreakableTrail) -> None:
    """A server that gives up early is told nothing: its response was not whole."""
    odd = apps_wsgi.ODD["generator"]
    server = heavy_wsgi(odd.server(leaves_after=1))
    server.run(breaking_wsgi(values, odd.app), audited)

    assert server.raised is None
    _assert_on_record(audited, values, "ABORTED")
