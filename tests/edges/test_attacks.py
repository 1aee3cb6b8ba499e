# What an application, a server or a client may do to make a request lose its record,
# have two, or keep a slot: many at once, in any order, cut short anywhere.
#
# (Longer than 250 lines, since it is a list of attacks, each with its application.)
import asyncio
import gc
import json
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edges import apps_asgi, apps_wsgi
from tests.edges.asgi_server import (
    AsgiServer,
    Message,
    Receive,
    Scope,
    Send,
    http_scope,
)
from tests.edges.audited import Audited, around, read_trail
from tests.edges.broken import LONG, heavy
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment
from tests.serving import ROOT

from audit_mw.event import Event

_REQUESTS = 200


def _words(events: Iterable[Event]) -> Counter[object]:
    """Return how many records there are of each request, by its path."""
    return Counter(event.path for event in events)


def _each_once(audited: Audited, count: int = _REQUESTS) -> None:
    gc.collect()  # what was dropped may be in a cycle, with its exception
    events = audited.events()

    assert _words(events) == Counter(b"/%d" % number for number in range(count))
    assert len({event.event for event in events}) == count


# --- many at once


class _Torn(Exception):
    """Raised by applications, anywhere."""


async def _any_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Do one of many things, by chance: the number of the request is the seed."""
    chance = random.Random(scope["path"])
    scope["called"].set()
    for step in (_ask, _start, _chunk, _chunk, _end):
        if chance.random() < 0.1:
            raise _Torn(scope["path"])
        if chance.random() < 0.05:
            return
        await asyncio.sleep(chance.random() / 500)
        await step(receive, send)


async def _ask(receive: Receive, _send: Send) -> None:
    await receive()


async def _start(_receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _chunk(_receive: Receive, send: Send) -> None:
    await send({"type": "http.response.body", "body": b"chunk", "more_body": True})


async def _end(_receive: Receive, send: Send) -> None:
    await send({"type": "http.response.body", "body": b"end"})


def _request(number: int, chance: random.Random) -> AsgiServer:
    failing = chance.choice(["", "", "", "http.response.start", "http.response.body"])
    error = chance.choice([BrokenPipeError(), RuntimeError(), asyncio.CancelledError()])
    scope = http_scope(path=f"/{number}", raw_path=b"/%d" % number)
    body = [{"type": "http.request", "body": b""}]
    server = AsgiServer(scope, body, failing=failing, error=error, probed=False)

    return heavy(server, str(number)) if chance.random() < 0.1 else server


def test_tasks(audited: Audited) -> None:
    """Tasks that end, raise, are refused by the server or cancelled, a record each."""
    chance = random.Random(1)
    put = around(audited(_any_asgi, max_slots=2 * _REQUESTS))

    async def serve() -> None:
        servers = [_request(number, chance) for number in range(_REQUESTS)]
        called = [asyncio.Event() for _ in servers]
        for server, event in zip(servers, called, strict=True):
            server.scope["called"] = event
        tasks = [asyncio.create_task(each.serve(_any_asgi, put)) for each in servers]
        for number in chance.sample(range(_REQUESTS), 60):
            # A task that is cancelled before the application is called is no request.
            await called[number].wait()
            tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(serve())

    _each_once(audited)


def _any_wsgi(environ: Environ, start_response: StartResponse) -> Any:
    chance = random.Random(environ["PATH_INFO"])
    if chance.random() < 0.1:
        raise _Torn
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if chance.random() < 0.2:
        write(b"written")
    if chance.random() < 0.1:
        raise _Torn
    if chance.random() < 0.1:
        start_response("500 Oh No", [], (_Torn, _Torn(), None))

    return [b"list"] if chance.random() < 0.3 else _chunks(chance)


def _chunks(chance: random.Random) -> Iterator[bytes]:
    for _ in range(5):
        if chance.random() < 0.1:
            raise _Torn
        yield b"chunk"


def test_threads(audited: Audited) -> None:
    """Threads of one middleware: results dropped, left, closed or broken, a record each."""
    middleware = audited(_any_wsgi, max_slots=65_536)

    def serve(number: int) -> None:
        chance = random.Random(-number)
        environ = environment(PATH_INFO=f"/{number}")
        if chance.random() < 0.1:
            environ["QUERY_STRING"] = f"long={number}{LONG}"
        server = WsgiServer(
            environ,
            error=BrokenPipeError(),
            failing=chance.choice([-1, -1, 0, 2]),
            leaves_after=chance.choice([-1, -1, 0, 1]),
            forgets_close=chance.random() < 0.3,
        )
        server.run(_any_wsgi, lambda _: middleware)
        server.result = None

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(serve, range(_REQUESTS)))

    _each_once(audited)


@pytest.mark.parametrize("compiled", ["auto", "off"])
def test_slots_are_of_what_runs(
    audited: Audited, compiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that come faster than the writer looks, one by one, are all served."""
    # On a busy machine the writer may come to it later than a request waits.
    monkeypatch.setattr("audit_mw.trail.pump._CATCH_UP", 60)
    options = {"max_slots": 16, "compiled": compiled}
    wsgi, asgi = apps_wsgi.answering(), apps_asgi.answering()
    around_wsgi = audited(wsgi, **options)
    around_asgi = audited(asgi, **options)

    for number in range(150):
        environ = environment(PATH_INFO=f"/{number}")
        server = WsgiServer(environ)
        assert server.run(wsgi, lambda _: around_wsgi).status == "200 OK"
    for number in range(150, 300):
        scope = http_scope(path=f"/{number}", raw_path=b"/%d" % number)
        served = AsgiServer(scope).run(asgi, lambda _: around_asgi)
        assert served.taken[0]["status"] == 200

    _each_once(audited, 300)


def test_more_than_slots(audited: Audited) -> None:
    """Beside its slots no request is called; those that run end, and are recorded."""
    entered = threading.Semaphore(0)
    go_on = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Any:
        entered.release()
        go_on.wait(20)
        return apps_wsgi.answering()(environ, start_response)

    middleware = audited(app, max_slots=16)

    def serve(number: int) -> str | None:
        environ = environment(PATH_INFO=f"/{number}")
        return WsgiServer(environ).run(app, lambda _: middleware).status

    assert audited.is_ready()  # the record of the start has had its slot, and
    assert audited.slots_in_use() == 0  # given it back
    with ThreadPoolExecutor(14) as threads:
        answers = [threads.submit(serve, number) for number in range(14)]
        try:
            assert all(entered.acquire(timeout=20) for _ in answers)
            refused = [serve(99) for _ in range(6)]
        finally:
            go_on.set()
        served = [answer.result() for answer in answers]

    assert served == ["200 OK"] * 14
    assert refused == ["503 Service Unavailable"] * 6
    _each_once(audited, 14)


# --- cut short anywhere


class _Stop(BaseException):
    """Ends a call, as KeyboardInterrupt does, but neither the loop nor the tests."""


_ASGI = [
    name
    for name, odd in apps_asgi.ODD.items()
    if odd.scope["type"] in ("http", "websocket")
]
_ERRORS: list[Callable[[], BaseException]] = [
    BrokenPipeError,
    ConnectionResetError,
    RuntimeError,
    asyncio.CancelledError,
    GeneratorExit,
    _Stop,
]


@given(
    name=st.sampled_from(_ASGI),
    at=st.integers(0, 6),
    make=st.sampled_from(_ERRORS),
    again=st.booleans(),
)
@settings(max_examples=120)
def test_asgi_server_raises_anywhere(
    trail: Audited,
    name: str,
    at: int,
    make: Callable[[], BaseException],
    *,
    again: bool,
) -> None:
    """Whatever `receive` or `send` raises, and whatever is made of it, one record."""
    odd = apps_asgi.ODD[name]
    calls = 0

    def interrupt(_server: AsgiServer, _where: str) -> None:
        nonlocal calls
        calls += 1
        if calls == at + 1 or (again and calls > at):
            raise make()

    async def app(scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await odd.app(scope, receive, send)
        except BaseException:
            if again:
                with suppress(Exception):
                    await apps_asgi.answering(500)(scope, receive, send)
            raise

    before = len(trail.events())
    odd.server(interrupt=interrupt, probed=False).run(app, trail)
    after = trail.events()

    assert len(after) == before + 1
    assert trail.slots_in_use() == 0


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """Return one trail for all examples."""
    one = Audited(tmp_path_factory.mktemp("attacks") / "trail")
    middleware = one(apps_asgi.answering())

    class Shared(Audited):
        def __call__(self, app: Any, **_options: Any) -> Any:
            middleware.app = app
            return middleware

        def slots_in_use(self) -> int:
            return one.slots_in_use()

    yield Shared(one.trail)
    one.close()


@pytest.mark.parametrize("turns", range(1, 14))
@pytest.mark.parametrize(
    "name", ["reads all", "trailers", "several chunks", "speaks first", "denies"]
)
def test_coroutine_is_dropped(name: str, turns: int, audited: Audited) -> None:
    """A call of which the coroutine is thrown away anywhere has its one record."""
    odd = apps_asgi.ODD[name]
    incoming = list(odd.incoming)

    async def receive() -> Message:
        await _pause()
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        await _pause()

    call = audited(odd.app)(odd.scope | {}, receive, send)
    with suppress(StopIteration):
        for _ in range(turns):
            call.send(None)
    call.close()

    assert len(audited.events()) == 1


class _Turn:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def _pause() -> None:
    await _Turn()


def test_trio_cancelled_anywhere(audited: Audited) -> None:
    """Under trio, too, a call that is cancelled at any checkpoint has its one record."""
    app = apps_asgi.ODD["several chunks"].app
    middleware = audited(app)

    async def call(turns: int) -> None:
        scope = http_scope(path=f"/{turns}", raw_path=b"/%d" % turns)
        with trio.CancelScope() as cancel:
            left = turns

            async def send(_message: Message) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    cancel.cancel()
                await trio.lowlevel.checkpoint()

            await middleware(scope, trio.sleep_forever, send)

    for turns in range(7):
        trio.run(call, turns)

    _each_once(audited, 7)


# --- what servers do of WSGI


def test_result_is_iterated_twice(audited: Audited) -> None:
    """A result that is iterated over and closed again and again has its one record."""
    app = audited(apps_wsgi.ODD["generator"].app)
    result: Any = app(environment(), lambda *_: None)
    assert b"".join(result) == b"hello"
    assert list(result) == []
    result.close()
    result.close()

    assert audited.event().details["delivery"] == b"taken"


def test_generator_is_closed_by_another_thread(audited: Audited) -> None:
    """A server that closes in another thread than it iterates in has one record."""
    app = audited(apps_wsgi.ODD["generator"].app)
    result: Any = app(environment(), lambda *_: None)
    next(result)
    thread = threading.Thread(target=result.close)
    thread.start()
    thread.join()

    assert audited.event().outcome == "ABORTED"


def test_reentrant(audited: Audited) -> None:
    """An application that calls itself through the middleware has a record for each."""
    middleware = audited(_calls_itself)
    middleware.app = lambda environ, start: _calls_itself(environ, start, middleware)
    list(middleware(environment(PATH_INFO="/0"), lambda *_: None))

    _each_once(audited, 4)


def _calls_itself(environ: Environ, start: StartResponse, inner: Any = None) -> Any:
    number = int(environ["PATH_INFO"][1:])
    if number < 3:
        return inner(environment(PATH_INFO=f"/{number + 1}"), start)
    start("200 OK", [])
    return [b"hello"]


def test_wrapped_twice(audited: Audited) -> None:
    """An application that is wrapped twice has two records of each request."""
    app = audited(audited(apps_asgi.answering()))
    AsgiServer(http_scope()).run(None, lambda _: app)

    assert [event.outcome for event in audited.events()] == ["SUCCESS"] * 2


# --- processes


_FORKING = """
import os, sys
from tests.edges.apps_wsgi import answering
from tests.edges.wsgi_server import WsgiServer, environment
from audit_mw import AuditMiddleware

def app(environ, start_response):
    if environ["PATH_INFO"] == "/fork":
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        elif sys.argv[2] == "leaves":
            os._exit(0)
        environ["test.child"] = child
    return answering()(environ, start_response)

def serve(path):
    server = WsgiServer(environment(PATH_INFO=path))
    server.run(app, lambda app: middleware)
    return server

middleware = AuditMiddleware(app, trail=sys.argv[1], service="edges", interface="wsgi")
serve("/before")
if not serve("/fork").environ["test.child"]:
    serve("/child")
    middleware._auditor.close()
    os._exit(0)
serve("/after")
middleware._auditor.close()
"""


@pytest.mark.parametrize("child", ["leaves", "goes on"])
def test_fork_in_a_handler(child: str, tmp_path: Path) -> None:
    """A handler that forks has one record; what the child serves afterwards is its own."""
    command = [sys.executable, "-c", _FORKING, str(tmp_path / "trail"), child]
    subprocess.run(command, check=True, cwd=ROOT)
    events = read_trail(tmp_path / "trail")
    own = [b"/child"] if child == "goes on" else []

    assert Counter([b"/before", b"/fork", b"/after", *own]) == _words(events)
    assert {event.outcome for event in events} == {"SUCCESS"}


_DYING = """
import os, sys
from tests.edges.asgi_server import AsgiServer, http_scope
from audit_mw import AuditMiddleware

async def app(scope, receive, send):
    more = True
    while more and scope["path"] != "/unread":
        more = (await receive()).get("more_body", False)
        if scope["path"] == "/part":
            break
    os._exit(7)

middleware = AuditMiddleware(app, trail=sys.argv[1], service="edges", interface="asgi")
form = [(b"content-type", b"application/x-www-form-urlencoded")]
path = sys.argv[2]
long = b"x" * int(sys.argv[3])
chunks = [
    {"type": "http.request", "body": b"a=1&password=secret", "more_body": True},
    {"type": "http.request", "body": b"&b=2&long=" + long},
]
scope = http_scope(method="POST", path=path, raw_path=path.encode(), headers=form)
AsgiServer(scope, chunks, probed=False).run(app, lambda app: middleware)
"""


@pytest.mark.parametrize(
    ("path", "size", "forms"),
    [
        ("/whole", 1, [b"a", b"password", b"b", b"long"]),
        ("/whole", 6_000, [b"a", b"password", b"b", b"long"]),
        ("/whole", 200_000, [b"a", b"password", b"b", b"long"]),
        ("/part", 1, []),
        ("/unread", 1, []),
    ],
)
def test_body_that_kills_its_worker(
    path: str, size: int, forms: list[bytes], tmp_path: Path
) -> None:
    """A body that was read to its end is on record though its process dies of it."""
    command = [sys.executable, "-c", _DYING, str(tmp_path / "trail"), path, str(size)]
    done = subprocess.run(command, check=False, cwd=ROOT)
    (event,) = read_trail(tmp_path / "trail")

    assert done.returncode == 7
    assert (event.outcome, event.details["reason"]) == ("ABORTED", b"process_died")
    assert (event.path, event.method) == (path.encode(), b"POST")
    assert forms == [param.name for param in event.params if param.source == "form"]


_DYING_WSGI = """
import os, sys
from tests.edges.wsgi_server import WsgiServer, environment
from audit_mw import AuditMiddleware

def app(environ, start_response):
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    os._exit(7)

middleware = AuditMiddleware(app, trail=sys.argv[1], service="edges", interface="wsgi")
body = b"a=1&password=secret"
environ = environment(body, REQUEST_METHOD="POST", CONTENT_LENGTH=str(len(body)),
                      CONTENT_TYPE="application/x-www-form-urlencoded")
WsgiServer(environ).run(app, lambda app: middleware)
"""


def test_body_that_kills_its_wsgi_worker(tmp_path: Path) -> None:
    """The same on WSGI: what reaches the declared length is the end."""
    command = [sys.executable, "-c", _DYING_WSGI, str(tmp_path / "trail")]
    done = subprocess.run(command, check=False, cwd=ROOT)
    (event,) = read_trail(tmp_path / "trail")

    assert done.returncode == 7
    assert (event.outcome, event.details["reason"]) == ("ABORTED", b"process_died")
    names = [param.name for param in event.params if param.source == "form"]
    assert names == [b"a", b"password"]


# --- durability


_UNDURABLE = """
import json, sys
from pathlib import Path
from tests.edges import apps_asgi, apps_wsgi
from tests.edges.audited import Audited

audited = Audited(Path(sys.argv[1]))

def wrap(app):
    return audited(app, durability="disk")

found = []
for edge, name in [(apps_asgi, "plain"), (apps_asgi, "no content"), (apps_wsgi, "a list")]:
    server = edge.ODD[name].server()
    server.run(edge.ODD[name].app, wrap)
    found.append([server.status, server.body.decode(), type(server.raised).__name__])
print(json.dumps(found))
"""


def test_journal_that_is_not_durable(tmp_path: Path) -> None:
    """With `disk`, what cannot be made durable is not answered; it is recorded later."""
    if shutil.which("strace") is None:
        pytest.skip("needs Debian's strace")
    fault = ("-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO")
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", *fault)
    command = [*strace, sys.executable, "-c", _UNDURABLE, str(tmp_path / "trail")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    events = read_trail(tmp_path / "trail")

    assert json.loads(done.stdout) == [
        [200, "", "AuditUnavailable"],
        [503, "Service Unavailable\n", "AuditUnavailable"],
        ["503 Service Unavailable", "Service Unavailable\n", "NoneType"],
    ]
    assert [event.details["reason"] for event in events] == [
        b"audit trail unavailable"
    ] * 3
