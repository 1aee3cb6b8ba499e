# A request that cannot be recorded is not served, and one whose record fails is not
# answered: with trails that are broken for real, on both interfaces.
import asyncio
import json
import os
import subprocess
import sys
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
from tests.edges.audited import Audited, around, read_trail
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment

from audit_mw import AuditUnavailable
from audit_mw.event import Event

ROOT = Path(__file__).parent.parent.parent
UNRECORDED = b"audit trail unavailable"


class BreakableTrail:
    """A trail that takes no record while a file stands in the way of a stream."""

    def __init__(self, trail: Path, stream: str = "request") -> None:
        self._directory = trail / stream
        self._away = trail / f"{stream}.away"

    def take_away(self) -> None:
        """Put a file in the place of the stream's directory."""
        self._directory.parent.mkdir(exist_ok=True)
        if self._directory.is_dir():
            self._directory.rename(self._away)
        self._directory.touch()

    def give_back(self) -> None:
        """Put everything as it was."""
        self._directory.unlink()
        if self._away.is_dir():
            self._away.rename(self._directory)


@pytest.fixture
def breakable(audited: Audited) -> BreakableTrail:
    """Return the trail of `audited`, to be broken."""
    return BreakableTrail(audited.trail)


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


async def _never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("the application is called")


def _never_wsgi(_environ: Environ, _start_response: StartResponse) -> Any:
    raise AssertionError("the application is called")


def _assert_refused(server: AsgiServer) -> None:
    assert server.types == ["http.response.start", "http.response.body"]
    assert server.status == 503
    assert b"retry-after" in dict(server.headers[0])
    assert server.body == b"Service Unavailable\n"


def _assert_refused_wsgi(server: WsgiServer) -> None:
    assert server.status == "503 Service Unavailable"
    assert server.head is not None
    assert "Retry-After" in dict(server.head[1])
    assert server.body == b"Service Unavailable\n"
    assert server.raised is None


# --- before the application is called


@UNUSABLE
def test_asgi_is_not_called(spoil: Spoil, audited: Audited) -> None:
    """Without a trail the first request is refused, and the application not called."""
    spoil(audited.trail)
    server = AsgiServer(http_scope()).run(_never, audited)

    _assert_refused(server)
    assert server.raised is None


@UNUSABLE
def test_wsgi_is_not_called(spoil: Spoil, audited: Audited) -> None:
    """Without a trail the first request is refused, and the application not called."""
    spoil(audited.trail)

    _assert_refused_wsgi(WsgiServer(environment()).run(_never_wsgi, audited))


def test_wsgi_head_is_refused_without_body(audited: Audited) -> None:
    """A refused HEAD gets no body: not every server drops it."""
    _a_file(audited.trail)
    server = WsgiServer(environment(REQUEST_METHOD="HEAD")).run(_never_wsgi, audited)

    assert (server.status, server.body) == ("503 Service Unavailable", b"")


@UNUSABLE
def test_websocket_is_denied(spoil: Spoil, audited: Audited) -> None:
    """Without a trail a websocket is closed before it is accepted."""
    spoil(audited.trail)
    server = apps_asgi.ODD["denies"].server().run(_never, audited)

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
    server = AsgiServer(scope).run(_never, audited)

    _assert_refused(server)


# --- ASGI: the record fails after the application ran


def _breaking(breakable: BreakableTrail, app: Callable[..., Any]) -> Callable[..., Any]:
    async def broken(scope: Scope, receive: Receive, send: Send) -> Any:
        breakable.take_away()
        return await app(scope, receive, send)

    return broken


@pytest.mark.parametrize(
    "name", ["head", "no content", "content-length 0", "no response", "no start"]
)
def test_asgi_before_the_start(
    name: str, audited: Audited, breakable: BreakableTrail
) -> None:
    """Where nothing was started the client gets a 503, and the server the reason."""
    odd = apps_asgi.ODD[name]
    server = odd.server().run(_breaking(breakable, odd.app), audited)

    _assert_refused(server)
    assert isinstance(server.raised, AuditUnavailable)


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
        ("accepts and returns", ["websocket.accept"]),
    ],
)
def test_asgi_last_message_is_held_back(
    name: str, taken: list[str], audited: Audited, breakable: BreakableTrail
) -> None:
    """Where the record fails the server gets all but the last message."""
    odd = apps_asgi.ODD[name]
    server = odd.server().run(_breaking(breakable, odd.app), audited)

    assert taken == [
        kind.removeprefix("websocket.http.response.") for kind in server.types
    ]
    assert isinstance(server.raised, AuditUnavailable)


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
    app: Any, audited: Audited, breakable: BreakableTrail
) -> None:
    """An application that catches the exception gets no further, and still fails."""
    server = AsgiServer(http_scope()).run(_breaking(breakable, app), audited)

    assert server.types == ["http.response.start"]
    assert isinstance(server.raised, AuditUnavailable | ValueError)


def test_asgi_exception_in_a_group(audited: Audited, breakable: BreakableTrail) -> None:
    """The client gets its 503, too, where a task group hides the exception."""
    server = AsgiServer(http_scope()).run(_breaking(breakable, _groups), audited)

    _assert_refused(server)
    assert isinstance(server.raised, ExceptionGroup)


def test_asgi_application_raised(audited: Audited, breakable: BreakableTrail) -> None:
    """Where the application raised, the reason is chained to what it raised."""
    odd = apps_asgi.ODD["raises before start"]
    server = odd.server().run(_breaking(breakable, odd.app), audited)

    _assert_refused(server)
    assert isinstance(server.raised, AuditUnavailable)
    assert isinstance(server.raised.__cause__, ValueError)


def test_asgi_client_left(audited: Audited, breakable: BreakableTrail) -> None:
    """A refusal that the client does not wait for hides nothing."""
    odd = apps_asgi.ODD["no response"]
    server = odd.server(failing="http.response.start", error=BrokenPipeError())
    server.run(_breaking(breakable, odd.app), audited)

    assert isinstance(server.raised, AuditUnavailable)


def test_asgi_cancelled(audited: Audited, breakable: BreakableTrail) -> None:
    """A cancelled task ends with CancelledError, whatever the trail does."""

    def interrupt(server: AsgiServer, where: str) -> None:
        if where == "receive" and server.task is not None:
            server.task.cancel()

    odd = apps_asgi.ODD["reads all"]
    server = odd.server(interrupt=interrupt)
    server.run(_breaking(breakable, odd.app), audited)

    assert isinstance(server.raised, asyncio.CancelledError)
    assert server.types == []


@pytest.mark.parametrize("edge", [apps_asgi, apps_wsgi], ids=["asgi", "wsgi"])
def test_stopped(edge: Any, audited: Audited, breakable: BreakableTrail) -> None:
    """What stops a process goes up as it is, whatever the trail does."""
    odd = edge.ODD["is stopped"]
    breaking = _breaking if edge is apps_asgi else _breaking_wsgi
    server = odd.server().run(breaking(breakable, odd.app), audited)

    assert isinstance(server.raised, edge.Stopped)


# --- WSGI: the record fails after the application ran


def _breaking_wsgi(breakable: BreakableTrail, app: Callable[..., Any]) -> Any:
    def broken(environ: Environ, start_response: StartResponse) -> Any:
        breakable.take_away()
        return app(environ, start_response)

    return broken


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
    name: str, audited: Audited, breakable: BreakableTrail
) -> None:
    """Where no byte of the body was sent the start is taken back: the client gets 503."""
    odd = apps_wsgi.ODD[name]
    server = odd.server().run(_breaking_wsgi(breakable, odd.app), audited)

    _assert_refused_wsgi(server)


def test_wsgi_first_chunk_is_the_last(
    audited: Audited, breakable: BreakableTrail
) -> None:
    """A first chunk that would complete the response is held back, and 503 sent."""

    def app(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]
        start_response("200 OK", headers)
        yield b""
        yield b"hello"

    server = WsgiServer(environment()).run(_breaking_wsgi(breakable, app), audited)

    _assert_refused_wsgi(server)


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
    name: str, body: bytes, audited: Audited, breakable: BreakableTrail
) -> None:
    """Where bytes were sent the response is broken off before its end."""
    odd = apps_wsgi.ODD[name]
    server = odd.server().run(_breaking_wsgi(breakable, odd.app), audited)

    assert ("200 OK", body) == (server.status, server.body)
    assert isinstance(server.raised, AuditUnavailable)


@pytest.mark.parametrize("name", ["a list to close", "iterator", "a lazy list"])
def test_wsgi_closed_once(
    name: str, audited: Audited, breakable: BreakableTrail
) -> None:
    """A result that is not handed over is closed all the same, and once."""
    odd = apps_wsgi.ODD[name]
    server = odd.server().run(_breaking_wsgi(breakable, odd.app), audited)

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
    result: Any, method: str, audited: Audited, breakable: BreakableTrail
) -> None:
    """An application that catches the exception gets no further, and is recorded once."""
    environ = environment(REQUEST_METHOD=method, **{"test.result": result})
    wrap = around(audited(apps_wsgi.answering()))
    server = WsgiServer(environ).run(_breaking_wsgi(breakable, _writes_on), wrap)
    breakable.give_back()
    WsgiServer(environment()).run(apps_wsgi.answering(), wrap)

    assert server.status == "503 Service Unavailable"
    assert [event.outcome for event in audited.events()] == ["ERROR", "SUCCESS"]


def test_wsgi_generator_writes(audited: Audited, breakable: BreakableTrail) -> None:
    """A refused `write` that a generator does not catch is a 503 as well."""

    def app(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "5")])(b"hello")
        yield b""

    server = WsgiServer(environment()).run(_breaking_wsgi(breakable, app), audited)

    _assert_refused_wsgi(server)


def test_wsgi_application_raised(audited: Audited, breakable: BreakableTrail) -> None:
    """Where the application raised, the reason is chained to what it raised."""
    odd = apps_wsgi.ODD["raises before start"]
    server = odd.server().run(_breaking_wsgi(breakable, odd.app), audited)

    assert isinstance(server.raised, AuditUnavailable)
    assert isinstance(server.raised.__cause__, ValueError)


def test_wsgi_fails_in_close(audited: Audited, breakable: BreakableTrail) -> None:
    """A record that fails when the server gives up early fails in close()."""
    odd = apps_wsgi.ODD["generator"]
    server = odd.server(leaves_after=1)
    server.run(_breaking_wsgi(breakable, odd.app), audited)

    assert isinstance(server.raised, AuditUnavailable)


# --- recovery


def _shown(event: Event) -> tuple[str, int | None, object]:
    return event.outcome, event.status, event.details.get("reason")


def test_asgi_recovers(audited: Audited, breakable: BreakableTrail) -> None:
    """When the trail takes records again, what was held and refused is written first."""
    middleware = audited(apps_asgi.answering())

    def serve(app: Any) -> AsgiServer:
        return AsgiServer(http_scope()).run(app, around(middleware))

    serve(apps_asgi.answering())
    serve(_breaking(breakable, apps_asgi.answering(201)))
    refused = [serve(_never) for _ in range(3)]
    breakable.give_back()
    server = serve(apps_asgi.answering(202))
    (told,) = audited.events("system")

    assert server.status == 202
    assert [server.status for server in refused] == [503] * 3
    assert [_shown(event) for event in audited.events()] == [
        ("SUCCESS", 200, None),
        ("ERROR", 201, UNRECORDED),
        ("SUCCESS", 202, None),
    ]
    assert (told.type, told.outcome) == ("log_refused", "FAILURE")
    assert told.details["count"] == 3
    assert bytes(told.details["first"]) <= bytes(told.details["last"])  # type: ignore[call-overload] # texts


def test_wsgi_recovers(audited: Audited, breakable: BreakableTrail) -> None:
    """When the trail takes records again, what was held and refused is written first."""
    middleware = audited(apps_wsgi.answering())

    def serve(app: Any) -> WsgiServer:
        return WsgiServer(environment()).run(app, around(middleware))

    breakable.take_away()
    refused = [serve(_never_wsgi) for _ in range(2)]
    breakable.give_back()
    serve(_breaking_wsgi(breakable, apps_wsgi.answering("201 Created")))
    refused.append(serve(_never_wsgi))
    breakable.give_back()
    server = serve(apps_wsgi.answering("202 Accepted"))

    assert server.status == "202 Accepted"
    assert [server.status for server in refused] == ["503 Service Unavailable"] * 3
    assert [_shown(event) for event in audited.events()] == [
        ("ERROR", 201, UNRECORDED),
        ("SUCCESS", 202, None),
    ]
    assert [event.details["count"] for event in audited.events("system")] == [2, 1]


def test_refusals_are_counted_until_told(audited: Audited) -> None:
    """Refusals that cannot be told yet are refused and counted on, with the first time."""
    requests = BreakableTrail(audited.trail)
    systems = BreakableTrail(audited.trail, "system")
    reuse = around(audited(apps_asgi.answering()))

    def serve(app: Any) -> AsgiServer:
        return AsgiServer(http_scope()).run(app, reuse)

    serve(_breaking(requests, apps_asgi.answering()))
    serve(_never)
    systems.take_away()
    requests.give_back()
    refused = [serve(_never).status for _ in range(2)]
    systems.give_back()
    serve(apps_asgi.answering())
    (told,) = audited.events("system")

    assert refused == [503, 503]
    assert told.details["count"] == 3


def test_fault_is_held(audited: Audited) -> None:
    """A fault record that fails is written later, and its request is not answered."""
    faults = BreakableTrail(audited.trail, "fault")
    middleware = audited(apps_asgi.answering())

    def serve(app: Any) -> AsgiServer:
        return AsgiServer(http_scope()).run(app, around(middleware))

    serve(_breaking(faults, apps_asgi.ODD["raises before start"].app))
    refused = serve(_never)
    faults.give_back()
    serve(apps_asgi.answering())

    assert refused.status == 503
    assert [event.outcome for event in audited.events()] == ["ERROR", "SUCCESS"]
    assert [audited.events()[0].event] == [fault.event for fault in audited.faults()]


# --- disks that are full


def _serve_until_refused(middleware: Any) -> int:
    served = 0
    while served < 1000:
        server = AsgiServer(http_scope()).run(apps_asgi.answering(), around(middleware))
        if not isinstance(server.raised, AuditUnavailable):
            served += 1
            continue
        assert server.types == ["http.response.start"]
        return served

    raise AssertionError("never refused")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a tmpfs of four pages."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if os.geteuid() != 0:
        pytest.skip("only root mounts a tmpfs")
    try:
        done = subprocess.run(mount, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount(8)")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """A full disk refuses requests, loses no record, and recovers when it has room."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 8192)
    audited = Audited(small_disk / "trail")
    middleware = audited(apps_asgi.answering())
    served = _serve_until_refused(middleware)
    refused = AsgiServer(http_scope()).run(_never, around(middleware))
    ballast.unlink()
    AsgiServer(http_scope()).run(apps_asgi.answering(202), around(middleware))
    audited.close()
    events = audited.events()

    assert refused.status == 503
    assert served > 0
    assert ["SUCCESS"] * served + ["ERROR", "SUCCESS"] == [e.outcome for e in events]
    assert [event.details["count"] for event in audited.events("system")] == [1]


_LIMITED = """
import asyncio, json, resource, sys
from tests.edges.apps_asgi import answering
from tests.edges.asgi_server import AsgiServer, http_scope
from audit_mw import AuditMiddleware

async def never(scope, receive, send):
    raise AssertionError("the application is called")

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
middleware = AuditMiddleware(answering(), trail=sys.argv[1], service="edges")

def serve(app):
    middleware.app = app
    server = AsgiServer(http_scope(), probed=False)
    return server.run(app, lambda app: middleware)

served = 0
while serve(answering()).raised is None:
    served += 1
refused = [serve(never).status for _ in range(4)]
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
again = serve(answering()).status
middleware._auditor.close()
print(json.dumps([served, refused, again]))
"""


def test_file_too_large(tmp_path: Path) -> None:
    """A limit of the kernel on files refuses requests until it is lifted."""
    trail = tmp_path / "trail"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(trail)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    served, refused, again = json.loads(done.stdout)
    outcomes = [event.outcome for event in read_trail(trail)]
    (told,) = read_trail(trail, "system")

    assert refused == [503] * 4
    assert again == 200
    assert ["SUCCESS"] * served + ["ERROR", "SUCCESS"] == outcomes
    assert told.details["count"] == 4
