# Requests for the tests of replay: what a client sends, and the event that the real
# parsers and the real policy make of it, without a server.
from typing import NamedTuple

from audit_mw.config import Config
from audit_mw.event import Event, Redacted, RequestHead
from audit_mw.replay.message import Message, rebuild
from audit_mw.replay.shapes import Filled
from audit_mw.request import Request
from audit_mw.rules import Rules
from audit_mw.trail.params import encode_param
from audit_mw.trail.record import (
    decode_line,
    draft_event,
    encode_record_details,
    finish_line,
)

__all__ = ["Sent", "again", "head_of", "rebuilt", "recorded", "shown"]

_RULES = Rules(
    Config.load({"max_params": 40, "max_body": 4096}, environ={}),
    bytes(range(32)),
    "shop",
    encode_param,
    encode_record_details,
)


class Sent(NamedTuple):
    """What a client sends."""

    query: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    path: bytes = b"/form"


def recorded(sent: Sent) -> tuple[Event, dict[str, bytes]]:
    """Return the event of a request, as read from its line, and what it spilled."""
    request = Request(_RULES, head_of(sent), [])
    if sent.body is not None:
        request.read(sent.body, ended=True)
    params = request.gathered()
    sent_as = request.gathering.sent_as
    event = Event(
        time=0,
        event="019aa4f2-35c3-7a1b-8c4d-5e6f70819203",
        stream="request",
        type="request",
        outcome="SUCCESS",
        service=b"shop",
        instance="web1:1:1",
        method=request.method,
        path=request.path,
        params=params,
        details={"sent_as": sent_as} if sent_as else {},
    )
    line = finish_line(draft_event(event), 1)
    spills = {spill.sha256: spill.value for spill in request.gathering.spilling.spills}

    return decode_line(line).event, spills


def head_of(sent: Sent) -> RequestHead:
    """Return the head as an edge tells it."""
    return RequestHead(
        b"GET" if sent.body is None else b"POST",
        sent.path,
        sent.query,
        sent.fields,
        http_version="1.1",
    )


def rebuilt(sent: Sent) -> Message:
    """Return the request, rebuilt from its record."""
    event, spills = recorded(sent)

    return rebuild(event, spills.get)


def again(filled: Filled) -> Sent:
    """Return a filled request as a client would send it."""
    path, _, query = filled.target.partition(b"?")

    return Sent(query, tuple(filled.fields), filled.body, path)


def shown(sent: Sent) -> list[object]:
    """Return what is compared of the params of a request: all but keyed digests."""
    event, _ = recorded(sent)
    params = [
        (each.source, each.name, _plain(each.value))
        for each in event.params
        # Of a body without a length the length is new, or the other way round.
        if each.name not in (b"content-length", b"transfer-encoding")
    ]

    return [event.path, params, event.details.get("sent_as")]


def _plain(value: object) -> object:
    if isinstance(value, Redacted):
        return value.len, value.cls

    return value
