# Values -> what a terminal may show.
#
# Rule 1: a value is decoded only where that is safe: characters that Unicode calls
#         printable, which leaves out controls, separators and all that is bidirectional
#         or invisible. The rest stays coded as in the record, so nothing that a client
#         sent can move a cursor, and "%" is always the first of a code.
# Rule 2: what the client said stands in quotation marks, or is a bare word without
#         spaces. What we say in its place is marked as in the record, %{password:6},
#         which nobody can type.
import re
from collections.abc import Callable, Iterator, Mapping

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

__all__ = ["event_lines", "head_line", "quoted", "safe"]

_RUN = re.compile(rb"(?:%[0-9A-F]{2})+")
_BARE = re.compile(r"[^\s\"']+")


def safe(text: Text) -> str:
    """Return `text` for a terminal: printable characters decoded, all else coded."""
    if isinstance(text, tuple):
        return "".join(map(_part, text))

    return _RUN.sub(_printable, encode_text(text)).decode()


def _part(part: bytes | Hole) -> str:
    return safe(part) if isinstance(part, bytes) else encode_text((part,)).decode()


def _printable(run: re.Match[bytes]) -> bytes:
    exact = bytes.fromhex(run[0].decode().replace("%", ""))

    return b"".join(_character(exact))


def _character(exact: bytes) -> Iterator[bytes]:
    for character in exact.decode(errors="surrogateescape"):
        coded = character.encode(errors="surrogateescape")
        shown = character.isprintable() and character != "%"
        yield coded if shown else encode_text(coded)


def quoted(text: Text) -> str:
    """Return `text` for a terminal between quotation marks; one inside is coded."""
    return '"' + safe(text).replace('"', "%22") + '"'


def _word(text: Text | str | None) -> str:
    if text is None:
        return "-"
    if isinstance(text, str):
        text = text.encode(errors="surrogateescape")
    shown = safe(text)

    return shown if _BARE.fullmatch(shown) and shown != "-" else quoted(text)


# --- values: what the client said is quoted, all else is ours


def _redacted(value: Redacted) -> str:
    return safe((Hole(value.len, value.cls, value.hmac),))


def _spilled(value: Spilled) -> str:
    return safe((Hole(value.len, sha256=value.sha256),))


def _upload(value: Upload) -> str:
    content = safe((Hole(value.len, sha256=value.sha256),))

    return f"file {_word(value.filename)} of type {_word(value.type)} {content}"


def _unread(value: Unread) -> str:
    whole = "an unknown number of" if value.len is None else value.len

    return f"{value.read} of {whole} bytes read"


def _opaque(value: Opaque) -> str:
    return f"{safe((Hole(value.len, 'opaque'),))} of type {_word(value.type)}"


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


def _value(value: Value) -> str:
    return "without a value" if value is None else _SHOW[type(value)](value)


# --- records


def head_line(record: Record) -> str:
    """Return when, who, what, with what result, on one line."""
    event = record.event
    words = [encode_time(event.time).decode(), event.stream, _word(event.type)]
    if event.method is not None:
        words += _word(event.client), _word(event.user), _word(event.method)
        words += _word(event.path), str(event.status or "-")

    return " ".join([*words, event.outcome, event.event])


def event_lines(record: Record) -> Iterator[str]:
    """Yield the head line, then a line for each param and each detail."""
    yield head_line(record)
    for param in record.event.params:
        yield _param_line(param)
    for key, value in record.event.details.items():
        yield f"    details {_word(key)} = {_detail(value)}"


def _param_line(param: Param) -> str:
    name = "" if param.name is None else f"{_word(param.name)} = "

    return f"    {_word(param.source):7} {name}{_value(param.value)}"


def _detail(value: object) -> str:
    if isinstance(value, (bytes, tuple)):
        return _word(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_detail, value)) + "]"
    if isinstance(value, Mapping):
        shown = (f"{_word(key)}: {_detail(item)}" for key, item in value.items())
        return "{" + ", ".join(shown) + "}"

    return _word(str(value))
