# Input that is coded as no ordinary client codes it.
#
# Evidence is what no browser and no usual library sends:
#
# - a NUL, in a name, a value or the path: it ends a string in C;
# - an overlong "/", ".", "\" or NUL of UTF-8 (RFC 3629 10), in what is ASCII otherwise;
# - a name that is no UTF-8, or that has a "%" without two digits behind;
# - a body that is declared as JSON or multipart and is none to its end.
#
# No evidence: a "%" in a value, which somebody typed; a value in another coding, as old
# forms send it (there are letters that look overlong in windows-1251, but they come
# with others); a name without "=", which is what was searched for.
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from audit_mw.event import Param, Text, Unread
from audit_mw.wire.body import media_types
from audit_mw.wire.head import field_values

__all__ = ["declared_kind", "is_malformed_path", "malformations", "misnamed", "tails"]

Fields = Sequence[tuple[bytes, bytes]]

_OVERLONG = re.compile(
    rb"\xc0[\x80\xae\xaf]|\xc1\x9c|\xe0\x80[\x80\xae\xaf]|\xe0\x81\x9c"
    rb"|\xf0\x80\x80[\x80\xae\xaf]|\xf0\x80\x81\x9c"
)
_IN_PATH = re.compile(
    rb"%00|%C0%(?:80|AE|AF)|%C1%9C|%E0%80%(?:80|AE|AF)|%E0%81%9C"
    rb"|%F0%80%80%(?:80|AE|AF)|%F0%80%81%9C",
    re.IGNORECASE,
)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def malformations(param: Param) -> Iterator[str]:
    """Yield what is malformed in a param, by name or value."""
    name = _exact(param.name)
    value = _exact(param.value) if isinstance(param.value, (bytes, tuple)) else b""
    if b"\0" in name or b"\0" in value:
        yield "NUL"
    if _is_overlong(name) or _is_overlong(value):
        yield "overlong UTF-8"
    if param.value is not None and not _is_utf8(name):
        yield "name that is no UTF-8"


def _exact(text: Text | None) -> bytes:
    if isinstance(text, tuple):
        return b"".join(part for part in text if isinstance(part, bytes))

    return text or b""


def _is_overlong(text: bytes) -> bool:
    return bool(_OVERLONG.search(text)) and _OVERLONG.sub(b"", text).isascii()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False

    return True


def misnamed(
    params: Sequence[Param], sent_as: Iterable[object], kind: str
) -> Iterator[Param]:
    """
    Yield the params that were sent with a name whose percent coding is malformed.

    Args:
        params: of the exchange.
        sent_as: [index, name, value] as sent.
        kind: of the body; in multipart, names have no percent coding.
    """
    for sent in sent_as:
        index, name, _ = cast("tuple[int, Text, Text | None]", sent)
        param = params[index]
        coded = param.source == "query" or kind == "form"
        if coded and param.value is not None and _BAD_ESCAPE.search(_exact(name)):
            yield param


def is_malformed_path(path: Text) -> bool:
    """Tell whether a path, in its percent coding, has a NUL or what is overlong."""
    return _IN_PATH.search(_exact(path)) is not None


def declared_kind(fields: Fields) -> str:
    """Return as what a body is declared: json, multipart, form; or empty."""
    codings = (
        each.strip().lower() for each in field_values(fields, b"content-encoding")
    )
    if any(coding not in (b"", b"identity") for coding in codings):
        return ""  # the bytes are not what the type says
    for media_type in media_types(fields):
        kind = _KINDS.get(media_type.name, "")
        if kind or media_type.name.endswith(b"+json"):
            return kind or "json"

    return ""


_KINDS = {
    b"application/json": "json",
    b"text/json": "json",
    b"multipart/form-data": "multipart",
    b"application/x-www-form-urlencoded": "form",
}


def tails(params: Iterable[Param]) -> list[Param]:
    """Return the parts of a body that no parser understood."""
    return [
        param
        for param in params
        if param.source == "body" and not isinstance(param.value, Unread)
    ]
