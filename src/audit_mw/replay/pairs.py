# Params of a query, a form or a cookie line -> the text that they were.
#
# Plain coding gives back every piece that has no `sent_as`, but that a space may have
# been `+` or `%20`, which decode to the same. It becomes `%20` in a query, and `+` in a
# form, as browsers send it (WHATWG URL 5.2).
from collections.abc import Callable, Iterable
from typing import NamedTuple

from audit_mw.event import Param, Redacted, Spilled, Text
from audit_mw.replay.gaps import Gaps, Parts, exact, named
from audit_mw.wire.query import encode_plain

__all__ = ["Sent", "cookie_line", "form", "query", "value_parts"]

Code = Callable[[bytes], bytes]


class Sent(NamedTuple):
    """A param, and both halves as they were sent, where that was not the plain way."""

    param: Param
    halves: tuple[Text, Text | None] | None = None


def query(gaps: Gaps, params: Iterable[Sent]) -> Parts:
    """Return a query, without its question mark."""
    return _joined(gaps, params, b"&", encode_plain)


def form(gaps: Gaps, params: Iterable[Sent]) -> Parts:
    """Return a urlencoded form."""
    return _joined(gaps, params, b"&", _encode_form)


def _encode_form(text: bytes) -> bytes:
    return encode_plain(text).replace(b"%20", b"+")


def cookie_line(gaps: Gaps, params: Iterable[Sent]) -> Parts:
    """Return the value of a Cookie line."""
    return _joined(gaps, params, b"; ", exact)


def _joined(gaps: Gaps, params: Iterable[Sent], mark: bytes, code: Code) -> Parts:
    parts: Parts = []
    for at, sent in enumerate(params):
        parts += [mark] if at else []
        parts += _pair(gaps, sent, code)

    return parts


def _pair(gaps: Gaps, sent: Sent, code: Code) -> Parts:
    param, halves = sent
    what = named(param.source, param.name)
    if halves is not None:
        name, value = halves
        behind = [] if value is None else [b"=", *gaps.text(value, what)]
        return [*gaps.text(name, what), *behind]
    behind = [] if param.value is None else [b"=", *value_parts(gaps, param, code)]

    return [*gaps.text(param.name or b"", f"name:{what}", code), *behind]


def value_parts(gaps: Gaps, param: Param, code: Code = exact) -> Parts:
    """Return the value of a param as it stands on the wire."""
    value, what = param.value, named(param.source, param.name)
    if isinstance(value, (bytes, tuple)):
        return gaps.text(value, what, code)
    if isinstance(value, Redacted):
        return [gaps.make(what, value.cls, value.len, code)]
    if isinstance(value, Spilled):
        stored = gaps.spilled(value.sha256)
        if stored is None:
            return [gaps.make(what, "spilled", value.len, code)]
        return [code(stored)]

    return [] if value is None else [gaps.make(what, "withheld", 0, code)]
