# A record -> one line of the Common Event Format, version 0.
#
#     CEF:0|vendor|product|version|event class|name|severity|key=value key=value ...
#
# In the head `\` and `|` have a backslash before them, in a value `\` and `=`; there
# line ends are `\n` and `\r`, and in a head there can be none.
#
# Rule: the extension has the keys of CEF's dictionary. What has none is in those for
#       custom use, each with its label; the whole record is in `rawEvent`. A text that
#       is more than printable ASCII is coded as in the record.
import re
from collections.abc import Iterator, Mapping

from audit_mw.event import Text
from audit_mw.event_types import type_rows
from audit_mw.export.facts import (
    Facts,
    facts_of,
    field_line,
    level_of,
    readable,
    shown_url,
)
from audit_mw.trail.encoding import encode_text
from audit_mw.trail.merging import Found

__all__ = ["cef_line", "encode_extension", "encode_head"]

_SEVERITIES = {"INFO": 3, "WARN": 6, "CRITICAL": 9}
_NAMES = {each.name: each.meaning for each in type_rows()}
_HEAD = re.compile(r"[\\|]")
_VALUE = re.compile(r"[\\=\n\r]")
_WIDE = re.compile(r"[^ -~]+")
_CODES = {"\n": "\\n", "\r": "\\r"}
_PRODUCT = ("audit_mw", "audit_mw", "1")


def cef_line(found: Found) -> bytes:
    """Return a record in CEF, without a line's end."""
    event = found.record.event
    kind = _plain(event.type)
    name = _NAMES.get(event.type, kind)
    severity = str(_SEVERITIES[level_of(event)])
    head = encode_head(("CEF:0", *_PRODUCT, kind, name, severity))
    extension = encode_extension(dict(_pairs(found, facts_of(event))))

    return f"{head}|{extension}".encode()


def encode_head(cells: tuple[str, ...]) -> str:
    """
    Return the head of a line, without the bar behind it.

    Args:
        cells: of one line each.
    """
    return "|".join(_HEAD.sub(r"\\\g<0>", cell) for cell in cells)


def encode_extension(pairs: Mapping[str, str]) -> str:
    """Return the extension; a key is letters and digits."""
    return " ".join(f"{key}={_VALUE.sub(_code, pairs[key])}" for key in pairs)


def _code(unsafe: re.Match[str]) -> str:
    return _CODES.get(unsafe[0], f"\\{unsafe[0]}")


def _pairs(found: Found, facts: Facts) -> Iterator[tuple[str, str]]:
    event, details = found.record.event, found.record.event.details
    known: tuple[tuple[str, str | int | None], ...] = (
        ("rt", event.time // 1000),
        ("cat", event.stream),
        ("act", readable(event.type)),
        ("outcome", readable(event.outcome)),
        ("externalId", readable(event.event)),
        ("dvchost", facts.host),
        ("dvcpid", facts.pid),
        ("suser", _maybe(event.user)),
        ("spt", facts.port),
        ("requestMethod", _maybe(event.method)),
        ("request", None if event.path is None else shown_url(event.path)),
        ("requestClientApplication", field_line(event, b"user-agent")),
        ("app", _maybe(_text(details.get("scheme")))),
        ("in", _number(details.get("request_len"))),
        ("out", event.sent),
        ("reason", _maybe(_text(details.get("reason")))),
    )
    for key, value in known:
        if value is not None:
            yield key, _ascii(str(value))
    yield from _source(facts)
    yield from _custom(found)
    yield "rawEvent", found.text[:-1].decode("ascii")


def _source(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.client is None:
        return
    if facts.client.ip is None:
        yield "shost", _ascii(facts.client.text)
    elif facts.client.ip.version == 4:
        yield "src", facts.client.text
    else:
        yield "c6a2", facts.client.text
        yield "c6a2Label", "Source IPv6 Address"


def _custom(found: Found) -> Iterator[tuple[str, str]]:
    event = found.record.event
    custom: tuple[tuple[str, str, Text | str | int | None], ...] = (
        ("cn1", "status", event.status),
        ("cn2", "micros", event.micros),
        ("cn3", "seq", found.record.seq),
        ("cs1", "session", event.session),
        ("cs2", "instance", event.instance),
        ("cs3", "action", event.action),
        ("cs4", "service", event.service),
    )
    for key, label, value in custom:
        if value is not None:
            yield key, str(value) if isinstance(value, int) else _plain(value)
            yield f"{key}Label", label


def _plain(value: Text | str) -> str:
    return _ascii(readable(value))


def _ascii(shown: str) -> str:
    # A "%" that is there is one of a code, or of a URL: it is not coded again.
    return _WIDE.sub(lambda wide: encode_text(wide[0].encode()).decode(), shown)


def _maybe(value: Text | None) -> str | None:
    return None if value is None else readable(value)


def _text(value: object) -> Text | None:
    return value if isinstance(value, (bytes, tuple)) else None


def _number(value: object) -> int | None:
    return value if type(value) is int else None
