# When a call returns its record is safe; when it cannot be, the response is broken off.
from pathlib import Path
from typing import Any

import pytest
from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited
from tests.edges.broken import BreakableTrail, await_ready, await_refusal
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment
from tests.torture.children import judged, run
from tests.torture.judge import Trail, recover
from tests.voice.stages import INTERFACES, Stage

import audit_mw
from audit_mw import AuditUnavailable


@pytest.mark.parametrize("kind", INTERFACES)
def test_killed(tmp_path: Path, kind: str) -> None:
    """What was said is on record, though the process is killed at the next statement."""
    run(tmp_path, "say_and_die", kind)
    recover(tmp_path / "trail")
    trail = Trail(tmp_path / "trail")

    assert judged(tmp_path) == []
    (request,) = trail.of("request")
    said = [line for stream in ("session", "error") for line in trail.of(stream)]
    assert [line["type"] for line in said] == ["authn_login_success", "error"]
    assert {line["event"] for line in said} == {request["event"]}


def test_on_a_broken_trail(stage: Stage) -> None:
    """Where the disk takes nothing a running request can still say what happens."""
    breakable = BreakableTrail(stage.audited.trail, "error")

    def act() -> None:
        breakable.take_away()
        for number in range(5):
            audit_mw.error("said", number=number)
        await_refusal(stage.audited)
        audit_mw.error("said", number=5)

    try:
        assert stage.serve(act).raised is None
    finally:
        breakable.give_back()
    await_ready(stage.audited)

    said = [it.details["app"] for it in stage.events("error")]
    assert said == [{"number": number} for number in range(6)]


def exhausted(count: int) -> int:
    """Say so much that no slot is left; return how often that worked."""
    for number in range(count):
        try:
            audit_mw.error("more")
        except AuditUnavailable:
            return number

    return count


def test_no_slot_left(audited: Audited) -> None:
    """A call that finds no place raises, and the response is broken off."""
    breakable = BreakableTrail(audited.trail, "error")
    said: list[int] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        breakable.take_away()
        said.append(exhausted(1000))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"all is well"})

    server = AsgiServer(http_scope())
    try:
        server.run(app, lambda it: audited(it, max_slots=64))
    finally:
        breakable.give_back()
    await_ready(audited)

    assert 0 < said[0] < 64
    assert server.status == 503
    assert isinstance(server.raised, AuditUnavailable)
    assert len(audited.events("error")) == said[0]
    (event,) = audited.events()
    assert (event.outcome, event.details["reason"]) == (
        "ERROR",
        b"audit trail unavailable",
    )


def test_no_slot_left_wsgi(audited: Audited) -> None:
    """Over WSGI the application's answer is taken back, whatever it caught."""
    breakable = BreakableTrail(audited.trail, "error")
    said: list[int] = []

    def app(_environ: Environ, start_response: StartResponse) -> Any:
        breakable.take_away()
        said.append(exhausted(1000))
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = WsgiServer(environment())
    try:
        server.run(app, lambda it: audited(it, max_slots=64))
    finally:
        breakable.give_back()
    await_ready(audited)

    assert server.status == "503 Service Unavailable"
    assert len(audited.events("error")) == said[0]


def test_outside_on_a_broken_trail(audited: Audited) -> None:
    """Outside of a request a call that cannot be recorded is an error."""
    stage = Stage("wsgi", audited)
    stage.serve(lambda: None)
    breakable = BreakableTrail(audited.trail, "error")
    breakable.take_away()
    try:
        audit_mw.error("waits in the journal")
        await_refusal(audited)
        with pytest.raises(AuditUnavailable):
            audit_mw.error("is refused")
    finally:
        breakable.give_back()
    await_ready(audited)

    (event,) = audited.events("error")
    assert event.details["reason"] == b"waits in the journal"


def test_durable(audited: Audited) -> None:
    """With `durability=disk` a call outside of a request waits for the disk."""
    stage = Stage("wsgi", audited, durability="disk")
    stage.serve(lambda: audit_mw.login("alice"))
    audit_mw.error("outside")

    assert [it.type for it in audited.events("session")] == ["authn_login_success"]
    assert len(audited.events("error")) == 1


def test_refusal_is_not_caught_twice(audited: Audited) -> None:
    """A fault of the application beside a refused call is the refusal's."""

    def app(_environ: Environ, _start_response: StartResponse) -> Any:
        BreakableTrail(audited.trail, "error").take_away()
        exhausted(1000)
        raise RuntimeError("as a consequence")

    server = WsgiServer(environment())
    try:
        server.run(app, lambda it: audited(it, max_slots=64))
    finally:
        BreakableTrail(audited.trail, "error").give_back()
    await_ready(audited)

    assert isinstance(server.raised, RuntimeError)
    (event,) = audited.events()
    assert event.outcome == "ERROR"


def test_served_unrecorded(audited: Audited) -> None:
    """Where the options say to serve unrecorded a call does no harm, and is counted."""
    stage = Stage("wsgi", audited, on_failure="serve", max_slots=64)
    breakable = BreakableTrail(audited.trail, "error")

    def act() -> None:
        breakable.take_away()
        assert exhausted(100) == 100

    try:
        assert stage.serve(act).raised is None
        assert exhausted(10) == 10
    finally:
        breakable.give_back()
    await_ready(audited)
    audited.is_flushed()

    kept = len(audited.events("error"))
    missed = [
        it.details["count"] for it in audited.events("system") if it.type == "log_gap"
    ]
    assert kept + sum(int(str(count)) for count in missed if count) == 110
