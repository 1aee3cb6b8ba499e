# The records of a stream as they are written, across segments.
#
# A follower is asked again and again; it never sleeps and never holds a file open
# between two questions, so it survives rotation, expiry and a trail that is not there
# yet. A line without its LF may still be on its way and is left for the next time,
# unless a later segment exists: then it is torn, and is told as damage.
#
# A segment is known again by its first record: renamed, closed or compressed, it is
# not told twice. (Not by its inode: an archive has another, and a new file may get that
# of one that is gone.)
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.names import SegmentName
from audit_mw.trail.reader import Damage, Position, read_lines, segments
from audit_mw.trail.record import Record, StoredValue

__all__ = ["Follower"]

_STEP = 1 << 16
_Key = tuple[bytes, int]


class Follower:
    """
    Reads what was appended to a stream since the last time.

    Args:
        trail: the directory, or a captured console.
        stream: a name of STREAMS.
    """

    def __init__(self, trail: Path, stream: str) -> None:
        self._trail = trail
        self._stream = stream
        self._read: dict[_Key, Position] = {}
        self.skipped = 0  # lines of a console that were none of ours
        self._done: set[tuple[int, ...]] = set()  # archives, which do not grow

    def poll(self) -> Iterator[Record | StoredValue | Damage]:
        """Yield what is new, the oldest segment first."""
        paths = segments(self._trail, self._stream)
        alike: Counter[bytes] = Counter()
        for path in paths:
            # One that was renamed since is there under its new name the next time.
            with suppress(FileNotFoundError):
                yield from self._poll(path, alike, is_last=path == paths[-1])

    def _poll(
        self, path: Path, alike: "Counter[bytes]", *, is_last: bool
    ) -> Iterator[Record | StoredValue | Damage]:
        stamp = _stamp(path)
        if stamp in self._done:
            return
        with open_segment(path) as file:
            first = _first_record(file, is_last=is_last)
            if first is None:
                return
            alike[first] += 1
            at = self._read.setdefault((first, alike[first]), Position())
            if SegmentName(path.name).is_packed:
                yield from read_lines(file, path, at, only=self._stream)
                self._done.add(stamp)
            else:
                until = _until(file, at, is_last=is_last)
                yield from read_lines(file, path, at, until, self._stream)
            self.skipped = at.skipped


def _stamp(path: Path) -> tuple[int, ...]:
    status = path.stat()

    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _first_record(file: BinaryIO, *, is_last: bool) -> bytes | None:
    """Return the digest of a segment's first record; None: it has none yet."""
    try:
        first = file.readline(_STEP)
        if first.startswith(b"#"):
            first = file.readline(_STEP)
    except UNREADABLE:
        return b""
    is_whole = first.endswith(b"\n") or len(first) == _STEP

    return sha256(first).digest() if first and (is_whole or not is_last) else None


def _until(file: BinaryIO, at: Position, *, is_last: bool) -> int:
    """Return up to where a segment is read now."""
    until = os.fstat(file.fileno()).st_size
    if until < at.offset:  # truncated: it is another file now
        at.line = at.offset = 0

    return _end_of_lines(file, at.offset, until) if is_last else until


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
