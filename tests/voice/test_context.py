# Which exchange a call belongs to: the one that it runs in, or none; never another's.
import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited, read_trail
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment
from tests.voice.stages import Stage, only

import audit_mw
from audit_mw import AuditMiddleware


def note() -> None:
    """Say something."""
    audit_mw.error("noted")


def in_thread(act: Callable[[], None]) -> None:
    """Run in a plain thread, which inherits no context."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def test_outside() -> None:
    """Outside of a request there is no exchange."""
    assert audit_mw.current() is None


def test_nothing_is_left(stage: Stage) -> None:
    """After a request there is none again, in the very context that served it."""
    stage.serve(lambda: None)
    assert audit_mw.current() is None

    stage.serve(note)
    assert audit_mw.current() is None


# --- threads and tasks


def test_plain_thread(stage: Stage) -> None:
    """In a plain thread a call is outside of any exchange; `carry` binds it."""

    def act() -> None:
        in_thread(note)
        in_thread(audit_mw.carry(note))

    stage.serve(act)
    outside, inside = stage.events("error")
    request = stage.event("request")

    assert inside.event == request.event != outside.event
    assert (outside.client, outside.user) == (None, None)
    assert "automation" in outside.details
    assert "automation" not in inside.details


def test_pool(stage: Stage) -> None:
    """A thread of a pool serves one exchange after the other, and keeps none."""

    def act() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(audit_mw.carry(note)).result()
            assert pool.submit(audit_mw.current).result() is None

    stage.serve(act)

    assert stage.event("error").event == stage.event("request").event


def test_carried_beyond_the_end(stage: Stage) -> None:
    """What is carried belongs to its exchange also when that is over."""
    kept: list[Callable[[], None]] = []
    stage.serve(lambda: kept.append(audit_mw.carry(note)))
    kept[0]()

    assert stage.event("error").event == stage.event("request").event
    assert audit_mw.current() is None


def test_carried_in_another(stage: Stage) -> None:
    """What is carried stays where it was bound, and puts back what it found."""
    kept: list[Callable[[], None]] = []
    stage.serve(lambda: kept.append(audit_mw.carry(note)))

    def act() -> None:
        kept[0]()
        note()

    stage.serve(act)
    first, second = stage.events("request")

    assert [it.event for it in stage.events("error")] == [first.event, second.event]


def test_carry_of_nothing(stage: Stage) -> None:
    """What was bound outside stays outside."""
    bound = audit_mw.carry(note)
    stage.serve(bound)

    assert stage.event("error").event != stage.event("request").event


def test_carry_keeps_its_form(stage: Stage) -> None:
    """What is carried takes arguments, returns, raises, and may be a coroutine."""

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        note()
        return number * 2

    def act() -> None:
        assert audit_mw.carry(int)("7") == 7
        assert audit_mw.carry(partial(int, base=16))("ff") == 255
        assert audit_mw.carry(double).__name__ == "double"
        with pytest.raises(ValueError, match="invalid literal"):
            audit_mw.carry(int)("x")
        carried = audit_mw.carry(double)
        in_thread(lambda: results.append(asyncio.run(carried(4))))

    results: list[int] = []
    assert stage.serve(act).raised is None

    assert results == [8]
    assert stage.event("error").event == stage.event("request").event


def test_carry_of_other_things(stage: Stage) -> None:
    """An object that is called as a coroutine is bound; a generator cannot be."""

    class Worker:
        async def __call__(self) -> None:
            await asyncio.sleep(0)
            note()

    def numbers() -> Iterator[int]:
        yield 1

    def act() -> None:
        carried = audit_mw.carry(Worker())
        in_thread(lambda: asyncio.run(carried()))
        with pytest.raises(TypeError, match="not a generator"):
            audit_mw.carry(numbers)
        assert audit_mw.carry(dict)(a=1) == {"a": 1}

    assert stage.serve(act).raised is None
    assert stage.event("error").event == stage.event("request").event


def test_tasks(audited: Audited) -> None:
    """Tasks and `to_thread` inherit the exchange; one that outlives it has none."""
    late: list[asyncio.Task[None]] = []

    async def wait_and_note() -> None:
        await over.wait()
        note()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.to_thread(note)
        await asyncio.create_task(asyncio.to_thread(note))
        late.append(asyncio.create_task(wait_and_note()))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        note()  # as a background task of Starlette

    async def serve() -> None:
        await AsgiServer(http_scope()).serve(app, audited)
        over.set()
        await late[0]

    over = asyncio.Event()
    asyncio.run(serve())
    *inside, outside = audited.events("error")

    assert {it.event for it in inside} == {audited.event().event}
    assert len(inside) == 3
    assert outside.event != audited.event().event
    assert outside.client is None


def test_generator_of_wsgi(audited: Audited) -> None:
    """Each step of a WSGI iterable is in its exchange, and so is its close."""

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            note()
            yield b"a"
            note()

        def close(self) -> None:
            note()

    def app(_environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [])
        return Body()

    server = WsgiServer(environment()).run(app, audited)

    assert server.raised is None
    assert {it.event for it in audited.events("error")} == {audited.event().event}
    assert len(audited.events("error")) == 3
    assert audit_mw.current() is None


def test_interleaved_generators(audited: Audited) -> None:
    """Two responses that one thread takes in turns are two exchanges."""

    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [])

        def chunks() -> Iterator[bytes]:
            for _ in range(3):
                found = audit_mw.current()
                assert found is not None
                found.user = environ["QUERY_STRING"]
                audit_mw.error(environ["QUERY_STRING"])
                yield b"."

        return chunks()

    wrapped = audited(app)
    both = [
        wrapped(environment(QUERY_STRING=name), lambda *_: None)
        for name in ("alice", "bob")
    ]
    for first, second in zip(*both, strict=True):
        assert first == second
    for each in both:
        each.close()

    users = {it.event: it.user for it in audited.events()}
    assert sorted(users.values()) == [b"alice", b"bob"]  # type: ignore[type-var]
    for error in audited.events("error"):
        assert error.details["reason"] == users[error.event] == error.user


# --- several trails


def test_innermost(tmp_path: Path, audited: Audited) -> None:
    """Of several trails around one application the innermost is meant."""

    def app(_environ: Environ, start_response: StartResponse) -> Any:
        note()
        start_response("200 OK", [])
        return [b""]

    outer = AuditMiddleware(audited(app), trail=str(tmp_path / "outer"))
    WsgiServer(environment()).run(outer)
    outer._auditor.close()

    assert only(audited.events("error")).event == audited.event().event
    assert read_trail(tmp_path / "outer", "error") == []
    assert audit_mw.current() is None


def test_opened(tmp_path: Path, stage: Stage) -> None:
    """A script names its trail, itself, and the person who answers for it."""
    trail = str(tmp_path / "job")
    with audit_mw.open(trail=trail, automation="nightly", responsible="j.doe") as job:
        audit_mw.call("sftp://bank")
        audit_mw.error("no file", automation="importer", responsible="m.roe")
        stage.serve(note)
    audit_mw.error("after")

    call = only(read_trail(tmp_path / "job"))
    error = only(read_trail(tmp_path / "job", "error"))
    assert call.details == {"automation": b"nightly", "responsible": b"j.doe"}
    assert error.details["automation"] == b"importer"
    assert error.details["responsible"] == b"m.roe"
    inside, after = stage.events("error")
    assert inside.event == stage.event("request").event != after.event
    job.close()  # a second time


def alone(code: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in a process of its own, where no application is."""
    kept = {name: word for name, word in os.environ.items() if "AUDIT_MW" not in name}
    command = [sys.executable, "-c", code]

    return subprocess.run(
        command, check=False, env=kept | environ, capture_output=True, text=True
    )


SAYS = "import audit_mw; audit_mw.security('sys_monitor_disabled', monitor='av')"


def test_environment_names_it(tmp_path: Path) -> None:
    """Without a word of the program the environment names the trail."""
    ended = alone(SAYS, AUDIT_MW_TRAIL=str(tmp_path), AUDIT_MW_RESPONSIBLE="j.doe")
    event = only(read_trail(tmp_path, "security"))

    assert ended.stderr == ""
    assert event.details["responsible"] == b"j.doe"
    assert event.details["automation"]


@pytest.mark.parametrize("says", [SAYS, "import audit_mw; audit_mw.open()"])
def test_nothing_names_it(tmp_path: Path, says: str) -> None:
    """With nothing to name the trail a call is an error that says what would."""
    ended = alone(f"import os; os.chdir({str(tmp_path)!r})\n{says}")

    assert "ConfigError: option 'trail'" in ended.stderr
    assert "AUDIT_MW_TRAIL" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_several_outside(tmp_path: Path) -> None:
    """With several trails in a process a call outside must say which is meant."""
    app = "lambda environ, start_response: []"
    made = [
        f"{name} = audit_mw.AuditMiddleware({app}, trail={str(tmp_path / name)!r})"
        for name in "ab"
    ]
    ended = alone("\n".join(["import audit_mw", *made, SAYS]))

    assert "this process has several" in ended.stderr
    assert "audit_mw.open" in ended.stderr
