# When a finding is on record: before its response, whatever becomes of that.
from contextlib import suppress
from typing import Any

import pytest
from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited
from tests.edges.broken import BreakableTrail, await_ready
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment

from audit_mw.errors import AuditUnavailable
from audit_mw.event import Event

_ODD = http_scope(query_string=b"q=%00")


async def _answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def _fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ValueError("as a consequence")


async def _accept(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close"})


def _answer_wsgi(_environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


def _types(audited: Audited) -> list[tuple[str, str]]:
    (event,) = audited.events()
    alarms = audited.events("security")

    return [(alarm.type, alarm.event) for alarm in alarms if alarm.event == event.event]


def test_before_response(audited: Audited) -> None:
    """A finding is on record before the client has its answer."""
    seen: list[str] = []

    def look(_server: AsgiServer, what: str) -> None:
        if what == "http.response.body":
            seen.extend(alarm.type for alarm in audited.events("security"))

    server = AsgiServer(_ODD, interrupt=look, probed=False)
    server.run(_answer, audited)

    assert seen == ["malformed_input"]
    assert [name for name, _ in _types(audited)] == ["malformed_input"]


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_wsgi(audited: Audited, durability: str) -> None:
    """Over WSGI likewise, with either durability."""
    server = WsgiServer(environment(QUERY_STRING="q=%00"))
    server.run(_answer_wsgi, lambda app: audited(app, durability=durability))

    assert [name for name, _ in _types(audited)] == ["malformed_input"]


def test_websocket(audited: Audited) -> None:
    """The request of a websocket is looked at as any other."""
    connect = {"type": "websocket.connect"}
    scope = _ODD | {"type": "websocket", "scheme": "ws"}
    AsgiServer(scope, [connect], probed=False).run(_accept, audited)

    assert [name for name, _ in _types(audited)] == ["malformed_input"]


def test_no_response(audited: Audited) -> None:
    """A request that made the application fail is looked at all the same."""
    AsgiServer(_ODD, probed=False).run(_fail, audited)
    (event,) = audited.events()

    assert [name for name, _ in _types(audited)] == ["malformed_input"]
    assert event.details["findings"] == [b"malformed_input"]


def _exhaust(middleware: Any) -> None:
    writer = middleware._auditor._writer
    event = Event(
        time=0, event="-", stream="error", type="error", outcome="ERROR", service=b"s"
    )
    with suppress(AuditUnavailable):
        while True:
            writer.commit_safely(event)


def _serve_exhausted(audited: Audited, **options: Any) -> AsgiServer:
    breakable = BreakableTrail(audited.trail, "error")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The record of the start has had its slot, and given it back: later it would
        # be one that the finding gets.
        assert audited.is_flushed()
        breakable.take_away()
        _exhaust(middleware)
        await _answer(scope, receive, send)

    middleware = audited(app, max_slots=64, **options)
    server = AsgiServer(_ODD, probed=False)
    try:
        server.run(None, lambda _: middleware)
    finally:
        breakable.give_back()
    await_ready(audited)

    return server


def test_no_slot_left(audited: Audited) -> None:
    """A finding that cannot be made safe breaks the response off; both are kept."""
    server = _serve_exhausted(audited)
    (event,) = audited.events()

    assert isinstance(server.raised, AuditUnavailable)
    assert server.body != b"ok"
    assert event.details["reason"] == b"audit trail unavailable"
    assert [name for name, _ in _types(audited)] == ["malformed_input"]


def test_no_slot_left_but_served(audited: Audited) -> None:
    """Where the options say to serve anyway it is served, and told as soon as can be."""
    server = _serve_exhausted(audited, on_failure="serve")

    assert (server.status, server.body) == (200, b"ok")
    assert [name for name, _ in _types(audited)] == ["malformed_input"]


def test_off(audited: Audited) -> None:
    """What is switched off makes no record, and no stream."""
    AsgiServer(_ODD, probed=False).run(
        _answer, lambda app: audited(app, detectors="none")
    )

    assert "findings" not in audited.event().details
    assert not (audited.trail / "security").exists()
