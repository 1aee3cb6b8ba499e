# The records of a stream as they are written, across segments.
#
# A follower is asked again and again; it never sleeps and never holds a file open
# between two questions, so it survives rotation, expiry and a trail that is not there
# yet. A line without its LF may still be on its way and is left for the next time,
# unless a later segment exists: then it is torn, and is told as damage.
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from audit_mw.trail.reader import Damage, Position, read_lines, segments
from audit_mw.trail.record import Record, StoredValue

__all__ = ["Follower"]

_STEP = 1 << 16


class Follower:
    """
    Reads what was appended to a stream since the last time.

    Args:
        trail: the directory.
        stream: a name of STREAMS.
    """

    def __init__(self, trail: Path, stream: str) -> None:
        self._trail = trail
        self._stream = stream
        self._read: dict[tuple[int, int], Position] = {}

    def poll(self) -> Iterator[Record | StoredValue | Damage]:
        """Yield what is new, the oldest segment first."""
        paths = segments(self._trail, self._stream)
        for path in paths:
            yield from self._new(path, is_last=path == paths[-1])

    def _new(
        self, path: Path, *, is_last: bool
    ) -> Iterator[Record | StoredValue | Damage]:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            inode = status.st_dev, status.st_ino
            at = self._read.setdefault(inode, Position())
            if status.st_size < at.offset:  # truncated: it is another file now
                at.line = at.offset = 0
            until = status.st_size
            if is_last:
                until = _end_of_lines(file, at.offset, status.st_size)
            yield from read_lines(file, path, at, until)


def _end_of_lines(file: BinaryIO, start: int, size: int) -> int:
    """Return where the last whole line ends."""
    end = size
    while end > start:
        begin = max(start, end - _STEP)
        file.seek(begin)
        at = file.read(end - begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin

    return start
