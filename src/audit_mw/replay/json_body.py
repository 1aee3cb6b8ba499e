# Members of a JSON document, by pointer (RFC 6901) -> the document again.
#
# The inverse of `wire/json`: members come in the order of the document, and each
# array, each empty and each repeated object has an entry of its own, so the pointers
# tell where each container begins and ends. Order, repeated keys and the exact text of
# numbers are kept; white space and escapes are not in a record.
#
# Rule: no container is opened twice for one entry, and nothing recurses: a record may
#       be a thousand levels deep.
import re
from typing import NamedTuple

from audit_mw.event import Hole, JsonText, Param, Redacted
from audit_mw.replay.gaps import Gaps, Parts
from audit_mw.replay.pairs import value_parts

__all__ = ["JsonWriter", "quote"]

Segment = tuple[bytes | Hole, ...]
Path = tuple[Segment, ...]

_SPECIAL = re.compile(rb'["\\\x00-\x1f]')
# Half a surrogate pair in UTF-8, which only an escape may stand for (RFC 8259 8.2).
# Beside its other half the escapes would become one character, so then it stays.
_SURROGATE = re.compile(
    rb"(?<!\xed[\xa0-\xaf][\x80-\xbf])\xed[\xa0-\xbf][\x80-\xbf](?!\xed[\xb0-\xbf])"
)
_SHORT = {
    code: b"\\" + letter
    for code, letter in zip(
        (b'"', b"\\", b"\b", b"\f", b"\n", b"\r", b"\t"),
        (b'"', b"\\", b"b", b"f", b"n", b"r", b"t"),
        strict=True,
    )
}
_OPEN = {b"[]": b"[", b"{}": b"{"}


def quote(text: bytes) -> bytes:
    """Return what stands between the quotes of a JSON string."""
    text = _SPECIAL.sub(_escaped, text)

    return _SURROGATE.sub(_unit, text)


def _escaped(match: re.Match[bytes]) -> bytes:
    byte = match[0]

    return _SHORT.get(byte) or b"\\u%04x" % byte[0]


def _unit(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode("utf-8", "surrogatepass"))


class _Container(NamedTuple):
    path: Path
    is_array: bool


class JsonWriter:
    """
    Takes the members of one document, in order.

    Args:
        gaps: makes what the record does not hold.
    """

    def __init__(self, gaps: Gaps) -> None:
        self._gaps = gaps
        self._open: list[_Container] = []
        self._counts: list[int] = []
        self.parts: Parts = []
        self.withheld = 0  # members that may have been numbers as well as strings

    def add(self, param: Param) -> None:
        """Take a member."""
        path = _path(self._gaps.resolve(param.name or b""))
        while self._open and not self._is_in(path):
            self._close()
        # What is not opened by an entry of its own is an object, and not empty.
        while len(path) > len(self._open):
            at = path[: len(self._open)]
            self._begin(at)
            self._enter(at, b"{")
        self._begin(path)
        mark = (
            _OPEN.get(param.value.text) if isinstance(param.value, JsonText) else None
        )
        if mark is not None:
            self._enter(path, mark)
        else:
            self.parts += self._value(param)

    def finish(self, *, whole: bool) -> Parts:
        """Return the document; `whole` if nothing that was not understood follows."""
        while whole and self._open:
            self._close()

        return self.parts

    def _is_in(self, path: Path) -> bool:
        depth = len(self._open) - 1  # the length of the path of the innermost one

        return len(path) > depth and path[:depth] == self._open[-1].path

    def _begin(self, path: Path) -> None:
        """Write what stands before a member: a comma, and its key."""
        if not self._open:
            return
        self.parts += [b","] if self._counts[-1] else []
        self._counts[-1] += 1
        if not self._open[-1].is_array:
            self.parts += [b'"', *self._key(path[-1]), b'":']

    def _key(self, segment: Segment) -> Parts:
        return [
            quote(part)
            if isinstance(part, bytes)
            else self._gaps.make("name:json", part.cls or "spilled", part.len, quote)
            for part in segment
        ]

    def _enter(self, path: Path, mark: bytes) -> None:
        self.parts.append(mark)
        self._open.append(_Container(path, mark == b"["))
        self._counts.append(0)

    def _close(self) -> None:
        self.parts.append(b"]" if self._open.pop().is_array else b"}")
        self._counts.pop()

    def _value(self, param: Param) -> Parts:
        if isinstance(param.value, JsonText):
            return [param.value.text]
        if isinstance(param.value, Redacted):
            self.withheld += 1

        return [b'"', *value_parts(self._gaps, param, quote), b'"']


def _path(pointer: Segment) -> Path:
    """Return the segments of a pointer, of which parts may be holes."""
    segments: list[list[bytes | Hole]] = []
    for part in pointer:
        if isinstance(part, Hole):
            segments = segments or [[]]
            segments[-1].append(part)
            continue
        first, *others = part.split(b"/")
        if segments:
            segments[-1].append(_key(first))
        segments += [[_key(each)] for each in others]

    return tuple(tuple(part for part in each if part) for each in segments)


def _key(escaped: bytes) -> bytes:
    return escaped.replace(b"~1", b"/").replace(b"~0", b"~")  # RFC 6901 4
