# Values -> what a terminal may show.
#
# Rule 1: what is shown is printable ASCII. All else stays coded as in the record, so
#         nothing that a client sent can move a cursor, turn text round or pass for
#         another letter, and "%" is always the first of a code.
# Rule 2: what the client said stands in quotation marks, or is a bare word without
#         spaces. What we say in its place is marked as in the record, %{password:6},
#         which nobody can type.
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from audit_mw.event import (
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spilled,
    Text,
    Unread,
    Upload,
    Value,
)
from audit_mw.trail.encoding import encode_text, encode_time
from audit_mw.trail.record import Record

__all__ = [
    "event_lines",
    "head_line",
    "quoted",
    "safe",
    "shown_detail",
    "shown_path",
    "shown_value",
    "word",
]

_UNSAFE = re.compile(rb"[^ -~]")
_BARE = re.compile(r"[^\s\"']+")


def safe(text: Text) -> str:
    """Return `text` for a terminal: printable ASCII, all else coded."""
    # A class or a digest that a forged record has for a hole is coded by nobody.
    return _UNSAFE.sub(_coded, encode_text(text)).decode()


def _coded(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(byte[0])


def shown_path(path: Path) -> str:
    """Return a path for a terminal: the name of a file may hold what moves a cursor."""
    return safe(str(path).encode(errors="surrogateescape"))


def quoted(text: Text) -> str:
    """Return `text` for a terminal between quotation marks; one inside is coded."""
    return '"' + safe(text).replace('"', "%22") + '"'


def _octets(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half a pair, as a forged record may have it
        return text.encode(errors="surrogatepass")


def word(text: Text | str | None) -> str:
    """Return `text` for a terminal as a bare word, or else quoted; none is -."""
    if text is None:
        return "-"
    if isinstance(text, str):
        text = _octets(text)
    shown = safe(text)

    return shown if _BARE.fullmatch(shown) and shown != "-" else quoted(text)


# --- values: what the client said is quoted, all else is ours


def _redacted(value: Redacted) -> str:
    return safe((Hole(value.len, value.cls, value.hmac),))


def _spilled(value: Spilled) -> str:
    return safe((Hole(value.len, sha256=value.sha256),))


def _upload(value: Upload) -> str:
    content = safe((Hole(value.len, sha256=value.sha256),))

    return f"file {word(value.filename)} of type {word(value.type)} {content}"


def _unread(value: Unread) -> str:
    whole = "an unknown number of" if value.len is None else value.len

    return f"{value.read} of {whole} bytes read"


def _opaque(value: Opaque) -> str:
    return f"{safe((Hole(value.len, 'opaque'),))} of type {word(value.type)}"


def _rest(value: Rest) -> str:
    return f"{value.count} more {safe((Hole(value.len, sha256=value.sha256),))}"


def _json(value: JsonText) -> str:
    return safe(value.text)


_SHOW: dict[type, Callable[..., str]] = {
    bytes: quoted,
    tuple: quoted,
    Redacted: _redacted,
    Spilled: _spilled,
    JsonText: _json,
    Upload: _upload,
    Unread: _unread,
    Opaque: _opaque,
    Rest: _rest,
}


def shown_value(value: Value) -> str:
    """Return the value of a param for a terminal, on one line."""
    return "without a value" if value is None else _SHOW[type(value)](value)


# --- records


def head_line(record: Record) -> str:
    """Return when, who, what, with what result, on one line."""
    event = record.event
    words = [encode_time(event.time).decode(), word(event.stream), word(event.type)]
    if event.method is not None:
        words += word(event.client), word(event.user), word(event.method)
        words += word(event.path), str(event.status or "-")

    return " ".join([*words, word(event.outcome), word(event.event)])


def event_lines(record: Record) -> Iterator[str]:
    """Yield the head line, then a line for each param and each detail."""
    yield head_line(record)
    for param in record.event.params:
        yield _param_line(param)
    for key, value in record.event.details.items():
        yield f"    details {word(key)} = {shown_detail(value)}"


def _param_line(param: Param) -> str:
    name = "" if param.name is None else f"{word(param.name)} = "

    return f"    {word(param.source):7} {name}{shown_value(param.value)}"


def shown_detail(value: object) -> str:
    """Return a value of details for a terminal, on one line."""
    if isinstance(value, (bytes, tuple)):
        return word(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(shown_detail, value)) + "]"
    if isinstance(value, Mapping):
        shown = (f"{word(key)}: {shown_detail(item)}" for key, item in value.items())
        return "{" + ", ".join(shown) + "}"

    return word(str(value))
