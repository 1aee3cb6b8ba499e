# What is in a trail, as tables: drawn from those that writer and reader use, with a
# word on each thing that these do not explain themselves.
#
# A test says when a stream, or a kind of value, is not in here.
from collections.abc import Callable
from typing import NamedTuple

from audit_mw.event import (
    STREAMS,
    Event,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spill,
    Spilled,
    Unread,
    Upload,
    Value,
)
from audit_mw.trail.encoding import decode_base64, decode_number, decode_time
from audit_mw.trail.params import decode_details, decode_params
from audit_mw.trail.record import (
    COLUMNS,
    VALUE_COLUMNS,
    VALUES,
    Column,
    draft_event,
    encode_value_line,
    finish_line,
    header_line,
)

__all__ = [
    "STREAM_MEANINGS",
    "VALUE_KINDS",
    "Kind",
    "ValueKind",
    "is_required",
    "kind_of",
    "sample_lines",
]

STREAM_MEANINGS = {
    "request": "every request and websocket, and external resources used",
    "session": "logins, logouts, and the ends of sessions",
    "security": "what the security officer is to see",
    "error": "errors that were handled, and that a user was shown",
    "fault": "exceptions that nobody handled, each with its traceback",
    "debug": "the application's own debugging, where that is asked for",
    "system": "starts, ends, deployments, and what the trail says of itself",
    VALUES: "values too long for a record, exactly, by their SHA-256",
}


class ValueKind(NamedTuple):
    """An object in the place of a value: what it means, and one that is like it."""

    meaning: str
    sample: Value


_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_HMAC = "1c2d3e4f.66b80c3dddc06bfe62325dfdfc092e60"

# By the keys of the object.
VALUE_KINDS = {
    ("len", "class"): ValueKind(
        "a secret: its length and class, and nothing else", Redacted(6, "password")
    ),
    ("len", "class", "hmac"): ValueKind(
        "a secret whose uses can be joined: its keyed digest",
        Redacted(32, "token", _HMAC),
    ),
    ("len", "sha256"): ValueKind(
        "a value in the stream `values`", Spilled(5000, _SHA256)
    ),
    ("json",): ValueKind(
        "a JSON number, true, false, null, [] or {}, as its exact text",
        JsonText(b"12.50"),
    ),
    ("filename", "type", "len", "sha256"): ValueKind(
        "an uploaded file", Upload(b"a.png", b"image/png", 1234, _SHA256)
    ),
    ("len", "read"): ValueKind(
        "a body that the application did not read to its end", Unread(60, 0)
    ),
    ("len", "class", "type"): ValueKind(
        "a body that nobody understood, and that may hold a secret",
        Opaque(9, b"application/x-foo"),
    ),
    ("count", "len", "sha256"): ValueKind(
        "the params that did not fit: a JSON array in the stream `values`",
        Rest(3096, 81_203, _SHA256),
    ),
}


class Kind(NamedTuple):
    """What a column holds: as JSON has it, and as SQL has it."""

    json: str
    sql: str


_TEXT = Kind("string", "VARCHAR")
_KINDS: dict[Callable[..., object], Kind] = {
    decode_number: Kind("integer", "BIGINT"),
    decode_time: Kind("string", "TIMESTAMP WITH TIME ZONE"),
    decode_params: Kind("array", "JSON"),
    decode_details: Kind("object", "JSON"),
    decode_base64: Kind("string", "BLOB"),
}
# What a reader does not take for absent.
_REQUIRED = {
    *("len", "time", "event", "stream", "seq", "type", "outcome", "service"),
    *("instance", "params", "details", "check", "size", "sha256", "value"),
}


def kind_of(column: Column) -> Kind:
    """Return what a column holds, by what decodes it."""
    return _KINDS.get(column.decode, _TEXT)


def is_required(column: Column) -> bool:
    """Tell whether a column is never absent."""
    return column.name in _REQUIRED


_SAMPLE = Event(
    time=1_795_238_767_123_456,
    event="019aa4f2-35c3-7a1b-8c4d-5e6f70819203",
    stream="request",
    type="request",
    outcome="FAILURE",
    service=b"bank",
    instance="web1:4711:1eeb7084",
    client=b"192.0.2.7",
    peer=b"10.0.0.5:41522",
    method=b"POST",
    path=b"/login",
    action=b"bank.views.login",
    status=401,
    sent=21,
    micros=1834,
    params=(
        Param("form", b"user", b"alice"),
        Param("form", b"password", Redacted(6, "password")),
        Param("header", b"host", b"bank.example"),
    ),
    details={"via": b"proxied", "delivery": b"taken", "scheme": b"https"},
)


def sample_lines() -> list[tuple[str, bytes]]:
    """Return what a line is of, and the line: headers, a record, a stored value."""
    spill = Spill(_SHA256, b"test")

    return [
        ("the header of a stream of records", header_line(STREAMS[0])),
        ("a login that failed", finish_line(draft_event(_SAMPLE), 12)),
        ("the header of the stream `values`", header_line(VALUES)),
        ("a value", encode_value_line(_SAMPLE.time, _SAMPLE.event, spill)),
    ]


def columns_of(stream: str) -> tuple[Column, ...]:
    """Return the columns of a stream."""
    return VALUE_COLUMNS if stream == VALUES else COLUMNS
