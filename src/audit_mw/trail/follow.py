# The records of a stream as they are written, across segments.
#
# A follower is asked again and again; it never sleeps and never holds a file open
# between two questions, so it survives rotation, expiry and a trail that is not there
# yet. A line without its LF may still be on its way and is left for the next time,
# unless a later segment exists: then it is torn, and is told as damage.
#
# A segment is known again by its first record: renamed, closed or compressed, it is
# not told twice. (Not by its inode: an archive has another, and a new file may get that
# of one that is gone.) By this a checkpoint holds on another machine as well.
#
# (Longer than 250 lines, since what is told once and what is waited for is one state.)
import fcntl
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from audit_mw.trail.archive import UNREADABLE
from audit_mw.trail.names import period_of
from audit_mw.trail.reader import (
    NO_FILE,
    Damage,
    Line,
    Position,
    Unreadable,
    Wanted,
    scan_lines,
    strangers,
)
from audit_mw.trail.record import Record, StoredValue
from audit_mw.trail.seen import Seen, look, open_seen
from audit_mw.trail.span import Span

__all__ = ["Follower", "Placed"]

_STEP = 1 << 16
_MOST_LANES = 64  # each is a file that is open meanwhile
_Key = tuple[bytes, int]


class Placed(NamedTuple):
    """A line, and the segment in which it stands."""

    path: Path
    line: Line


class Follower:
    """
    Reads what was appended to a stream since the last time.

    Args:
        trail: the directory, or a captured console.
        stream: a name of STREAMS; of a captured console "" is all of them.
        span: segments that have nothing of this time are not opened, unless they were
            before, and got another name since.
        checkpoint: what an earlier follower of the stream gave as its own.
    """

    def __init__(
        self,
        trail: Path,
        stream: str,
        span: Span | None = None,
        checkpoint: Iterable[Sequence[Any]] = (),
    ) -> None:
        self._trail = trail
        self._stream = stream
        self._span = span or Span()
        self.skipped = 0  # lines of a console that were none of ours
        self.size = self.done = 0  # bytes of segments that are due, and that were read
        self._read: dict[_Key, Position] = {
            (bytes.fromhex(first), nth): Position(line, offset)
            for first, nth, line, offset in checkpoint
        }
        # Of files that have nothing new: device, inode and size.
        self._done: set[tuple[int, ...]] = set()
        self._failed: set[tuple[object, ...]] = set()
        self._opened: set[tuple[int, int]] = set()

    def checkpoint(self) -> list[list[Any]]:
        """Return how far it is, as JSON takes it."""
        return [
            [first.hex(), nth, at.line, at.offset]
            for (first, nth), at in self._read.items()
        ]

    def poll(self) -> Iterator[Record | StoredValue | Damage]:
        """Yield what is new, the oldest segment first."""
        for lane in self.lanes():
            for placed in lane:
                if placed.line.item is not None:
                    yield placed.line.item

    def lanes(
        self, wanted: Wanted | None = None, *, raw: bool = False, ends: bool = False
    ) -> list[Iterator[Placed]]:
        """
        Return iterators over what is new, to be read in turn or beside each other.

        The first has what is no file, then come segments whose names do not say of
        which time they are; the last has all others, the oldest first.

        Args:
            wanted, raw: as those of `scan_lines`.
            ends: nobody will ask again, so half a line that no writer is at is damage.
        """
        try:
            seen = look(self._trail, self._stream)
        except OSError as error:  # the other streams are read all the same
            reason = f"cannot be read: {error.strerror or error}"
            return [self._unreadable(self._trail / self._stream, reason)]
        newest = seen[-1:]
        due = [each for each in seen if self._is_due(each)]
        self.size, self.done = sum(each.size for each in due), 0
        alike: Counter[bytes] = Counter()
        how = _How(wanted, raw, ends, alike)
        undated = [[each] for each in due if period_of(each.path.name) is None]
        if len(undated) > _MOST_LANES:
            undated = [[seen for lane in undated for seen in lane]]
        dated = [each for each in due if period_of(each.path.name) is not None]

        lanes = [self._lane(lane, newest, how) for lane in (*undated, dated)]

        return [self._strangers(), *lanes]

    def _is_due(self, seen: Seen) -> bool:
        # Its name said when it was; renamed, it may say anything.
        return seen.inode in self._opened or self._span.may_have(seen)

    def _strangers(self) -> Iterator[Placed]:
        for path in strangers(self._trail, self._stream) if self._stream else ():
            yield from self._unreadable(path, NO_FILE)

    def _lane(
        self, lane: Iterable[Seen], newest: list[Seen], how: "_How"
    ) -> Iterator[Placed]:
        for seen in lane:
            try:
                yield from self._segment(seen, how, is_last=seen in newest)
            except OSError as error:
                yield from self._lost(seen, error)
            self.done += seen.size

    def _segment(self, seen: Seen, how: "_How", *, is_last: bool) -> Iterator[Placed]:
        stamp = (*seen.inode, seen.size)
        if stamp in self._done:
            return
        with open_seen(seen) as (path, file):
            self._opened.add(seen.inode)
            waits = is_last and not how.ends
            first = _first_record(file, waits=waits)
            if first is None:
                return
            how.alike[first] += 1
            at = self._read.setdefault((first, how.alike[first]), Position())
            is_packed = not _is_plain(file)
            until = (
                None if is_packed else _until(file, at, is_last=is_last, ends=how.ends)
            )
            yield from self._lines(path, file, at, until, how)
            self.skipped = at.skipped
            if is_packed or not is_last:
                self._done.add(stamp)

    def _lines(
        self, path: Path, file: BinaryIO, at: Position, until: int | None, how: "_How"
    ) -> Iterator[Placed]:
        only = self._stream or None
        lines = scan_lines(file, path, at, until, only, wanted=how.wanted, raw=how.raw)
        for line in lines:
            is_again = at.captured is not None and at.captured.is_again(line.item)
            is_header = line.item is None and line.text.startswith(b"#")
            if not is_again and not is_header:
                yield Placed(path, line)

    def _lost(self, seen: Seen, error: OSError) -> Iterator[Placed]:
        reason = f"cannot be read: {error.strerror or error}"
        if isinstance(error, FileNotFoundError):
            reason = "it went away while the trail was read"
        yield from self._unreadable(seen.path, reason)

    def _unreadable(self, path: Path, reason: str) -> Iterator[Placed]:
        # It is told once, however often somebody asks.
        if (path, reason) not in self._failed:
            self._failed.add((path, reason))
            yield Placed(path, Line(0, 0, b"", Unreadable(path, 0, 0, reason)))


class _How(NamedTuple):
    wanted: Wanted | None
    raw: bool
    ends: bool
    alike: "Counter[bytes]"


def _first_record(file: BinaryIO, *, waits: bool) -> bytes | None:
    """Return the digest of a segment's first record; None: it has none yet."""
    try:
        first = header = file.readline(_STEP)
        if header.startswith(b"#"):
            first = file.readline(_STEP)
    except UNREADABLE:
        return b""
    if not waits and header:
        return sha256(first or header).digest()
    is_whole = first.endswith(b"\n") or len(first) == _STEP

    return sha256(first).digest() if first and is_whole else None


def _is_plain(file: BinaryIO) -> bool:
    # By what was opened: a name need not say that something else compressed it.
    raw = file.raw if isinstance(file, io.BufferedReader) else None

    return isinstance(raw, io.FileIO)


def _until(file: BinaryIO, at: Position, *, is_last: bool, ends: bool) -> int:
    """Return up to where a segment is read now."""
    size = os.fstat(file.fileno()).st_size
    if size < at.offset:  # truncated: it is another file now
        at.line = at.offset = 0
    whole = _end_of_lines(file, at.offset, size) if is_last else size
    if whole == size or not ends:
        return whole
    settled = _settled_size(file)

    return whole if settled is None else settled


def _settled_size(file: BinaryIO) -> int | None:
    """Return the size of a segment at which no writer is; None: one is."""
    # Writers append under this lock, so half a line that stands while we have it has
    # nobody who ends it.
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return None
    size = os.fstat(file.fileno()).st_size
    fcntl.flock(file, fcntl.LOCK_UN)

    return size


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
