# What is in a segment, found in one pass over its bytes.
#
# A time is taken from each line that begins as a record does; whether the line is
# whole is for the reader to say, when there is something to be read.
import hashlib
import re
from collections.abc import Iterator
from typing import BinaryIO

from audit_mw.errors import DamagedRecord
from audit_mw.trail.encoding import decode_time
from audit_mw.trail.index import Facts

__all__ = ["Measure", "measure", "parts"]

_PART = 4 << 20
_STEP = 1 << 20
# A line begins behind an LF: such a pattern is searched many times as fast as one that
# begins with "^", and, of two bytes, faster than `count` is.
_HEADER = re.compile(rb"\n#")
_TIME = re.compile(
    rb"\n[0-9]+\t([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)\t"
)


def parts(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is in a file, some MiB at a time; a part ends where a line does."""
    # But for a line that is longer than a step: it may be of any length.
    while part := file.read(_PART):
        yield part if part.endswith(b"\n") else part + file.readline(_STEP)


def measure(file: BinaryIO) -> Facts:
    """Return what is in a segment that is open at its start."""
    found = Measure()
    for part in parts(file):
        found.take(part)

    return found.facts()


class Measure:
    """Takes a segment part by part, as `parts` gives it."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._bytes = self._records = 0
        self._first = self._last = b""
        self._in_line = False

    def take(self, part: bytes) -> None:
        """Take what follows."""
        self._sha256.update(part)
        self._bytes += len(part)
        lines = part if self._in_line else b"\n" + part
        self._records += part.count(b"\n") - len(_HEADER.findall(lines))
        self._take_times(lines)
        self._in_line = not part.endswith(b"\n")

    def _take_times(self, lines: bytes) -> None:
        times = _TIME.findall(lines)
        if times:
            self._first = min(times) if not self._first else min(self._first, *times)
            self._last = max(self._last, *times)

    def facts(self) -> Facts:
        """Return what was in all that was taken."""
        return Facts(
            first=_maybe_time(self._first),
            last=_maybe_time(self._last),
            records=self._records,
            bytes=self._bytes,
            sha256=self._sha256.hexdigest(),
        )


def _maybe_time(coded: bytes) -> int | None:
    try:
        return decode_time(coded)
    except DamagedRecord:  # none, or the month 13 of a damaged line
        return None
