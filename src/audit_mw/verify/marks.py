# How far each segment was judged, so that the next run goes on there.
#
# A segment is known again by its stream and its first bytes: they hold the event ids of
# its first records. So it may be renamed, closed or carried elsewhere between two runs.
import hashlib
from collections import defaultdict
from typing import Any, NamedTuple

from audit_mw.trail.archive import UNREADABLE
from audit_mw.verify.snapshot import Seen, open_seen

__all__ = ["Mark", "Marks"]

_BEGIN = 4096
_Key = tuple[str, int, str]


class Mark(NamedTuple):
    """
    How far a segment was judged.

    Args:
        file: its number in the report.
        line, offset: behind the last line that was.
        tops: the largest number of each instance in it, and its line.
    """

    file: int
    line: int
    offset: int
    tops: list[Any]


class Marks:
    """The marks of a trail."""

    def __init__(self) -> None:
        self._before: defaultdict[_Key, list[Mark]] = defaultdict(list)
        self._marks: defaultdict[_Key, list[Mark]] = defaultdict(list)
        self._lengths: set[int] = set()

    @property
    def left(self) -> list[tuple[str, Mark]]:
        """The streams and marks of an earlier run that were not taken."""
        return [(key[0], mark) for key, marks in self._before.items() for mark in marks]

    def take(self, seen: Seen) -> Mark | None:
        """Return how far a segment was judged, and forget it; None: it is new."""
        begin = _begin(seen)
        for length in sorted(self._lengths, reverse=True):
            marks = self._before.get(_key(seen.stream, begin[:length]))
            if marks and len(begin) >= length:
                return marks.pop()

        return None

    def put(self, seen: Seen, mark: Mark) -> None:
        """Remember how far a segment was judged."""
        begin = _begin(seen)[: mark.offset]
        if begin:
            self._lengths.add(len(begin))
            self._marks[_key(seen.stream, begin)].append(mark)

    def kept(self) -> list[Any]:
        """Return all, for a checkpoint."""
        both = (*self._before.items(), *self._marks.items())

        return [[key, marks] for key, marks in both if marks]

    def restore(self, kept: list[Any]) -> None:
        """Take what `kept` gave."""
        for (stream, length, digest), marks in kept:
            self._lengths.add(int(length))
            key = str(stream), int(length), str(digest)
            self._before[key] += [
                Mark(int(file), int(line), int(offset), list(tops))
                for file, line, offset, tops in marks
            ]


def _key(stream: str, begin: bytes) -> _Key:
    return stream, len(begin), hashlib.sha256(begin).hexdigest()


def _begin(seen: Seen) -> bytes:
    try:
        with open_seen(seen) as (_, file):
            return file.read(min(_BEGIN, _BEGIN if seen.until is None else seen.until))
    except UNREADABLE:  # told where it is read
        return b""
