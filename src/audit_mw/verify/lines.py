# The lines of a trail, read as often as it takes; each is judged the first time.
#
# Rule: what is passed by as ordinary was judged as well (`verify.ordinary`). That is in
#       a segment with the header of its own stream only, and in no captured console.
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from audit_mw.trail.archive import UNREADABLE
from audit_mw.trail.reader import Damage, Line, Position, scan_lines
from audit_mw.trail.record import VALUES, Record, StoredValue, header_line
from audit_mw.verify.coding import misspelling
from audit_mw.verify.marks import Mark
from audit_mw.verify.report import MOST, Place, Report, Touched
from audit_mw.verify.snapshot import Seen, is_being_written, open_seen

__all__ = ["Good", "Lines"]


class Good(NamedTuple):
    """A line that means something: where it is, its bytes, and what it means."""

    place: Place
    text: bytes
    item: Record | StoredValue


# Takes a line that is ordinary, and whole; tells whether it did.
Take = Callable[[bytes, Place], bool]


class Lines:
    """
    Reads segments, and names in a report what is no line of ours.

    Args:
        report: where findings go.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._files: dict[Seen, int] = {}
        self._read_once: set[Path] = set()
        self._done = 0  # bytes of the files that were read
        self._size = 0  # of the one that is being read
        self._passing: _Passing | None = None
        # Of each file: behind its last whole line, and the bytes of half a line there.
        self.ends: dict[int, tuple[Position, int]] = {}

    @property
    def done(self) -> int:
        """How many bytes were read: for who wants to know how far it is."""
        now = 0 if self._passing is None else self._passing.offset

        return self._done + min(now, self._size)

    def judged(
        self, seen: Seen, take: Take | None = None, mark: Mark | None = None
    ) -> Iterator[Good]:
        """
        Yield what stands in a segment; name each line that is not as written.

        Args:
            seen: the segment.
            take: is given each line first; one that it takes is not yielded.
            mark: how far an earlier run judged it; what stands before is not read.
        """
        for place, line in self._read(seen, take, mark):
            problem = _problem(seen.stream, line)
            if problem is not None:
                self._report.add(place, problem)
                self._report.touch(_touched(line.text, place))
            if isinstance(line.item, (Record, StoredValue)):
                yield Good(place, line.text, line.item)

    def again(self, seen: Seen) -> Iterator[Good]:
        """Yield what stands in a segment that was judged before."""
        for place, line in self._read(seen):
            if isinstance(line.item, (Record, StoredValue)):
                yield Good(place, line.text, line.item)

    def begin(self, seen: Seen) -> Place:
        """Return the place where a segment begins."""
        return Place(self._number(seen, seen.path), 1, 0)

    def _read(
        self, seen: Seen, take: Take | None = None, mark: Mark | None = None
    ) -> Iterator[tuple[Place, Line]]:
        with open_seen(seen) as (path, file):
            at = Position() if mark is None else Position(mark.line, mark.offset)
            if mark is not None:
                self._go_on(seen, path, mark)
            number, start = self._number(seen, path), at.offset
            end = at
            passing = _Passing(number, at, header_line(seen.stream), take)
            passing.is_ours = bool(start) and _begins(file, header_line(seen.stream))
            self._passing, self._size = passing, seen.size
            for line in scan_lines(
                file,
                path,
                at,
                seen.until,
                seen.stream,
                wanted=take and passing,
                # Whoever takes a line has seen that it is whole.
                whole=_is_taken,
            ):
                passing.stop()
                if _is_torn(seen, line):
                    end = Position(line.number - 1, line.offset)
                if not _is_on_its_way(seen, path, line):
                    yield Place(number, line.number, line.offset), line
            self.ends[number] = end, at.offset - end.offset
            if seen.path not in self._read_once:  # a console is read for each stream
                self._read_once.add(seen.path)
                self._report.segments += mark is None
                self._report.bytes += at.offset - start
                self._report.skipped += at.skipped
            self._done += seen.size
            self._passing = None

    def _go_on(self, seen: Seen, path: Path, mark: Mark) -> None:
        self._files[seen] = mark.file
        self._report.paths[mark.file] = path
        if seen.until is not None and seen.until < mark.offset:
            place = Place(mark.file, mark.line, mark.offset)
            what = f"{mark.offset} bytes were read before, and {seen.until} are left"
            self._report.add_once(place, what)

    def _number(self, seen: Seen, path: Path) -> int:
        if seen not in self._files:
            self._files[seen] = self._report.file(path)

        return self._files[seen]


class _Passing:
    """
    Says of each line whether the long road is wanted for it.

    The position of who reads moves on when he stops only; between, it is counted here.
    """

    def __init__(
        self, file: int, at: Position, header: bytes, take: Take | None
    ) -> None:
        self._file = file
        self._at = at
        self._header = header
        self._take = take
        self._is_stopped = True
        self._line = at.line
        self.is_ours = False
        self.offset = at.offset

    def stop(self) -> None:
        """Take the position from who reads before the next line."""
        self._is_stopped = True

    def __call__(self, text: bytes) -> bool:
        if self._is_stopped:
            self._line, self.offset = self._at.line, self._at.offset
            self._is_stopped = False
        if self._line == 0:
            self.is_ours = text == self._header
        place = Place(self._file, self._line + 1, self.offset)
        self._line += 1
        self.offset += len(text)
        if self._take is None or not self.is_ours:
            return True

        return place.line == 1 or not self._take(text, place)


_EVENT, _SEQ, _INSTANCE = 2, 4, 8
_IDS = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN = re.compile(rb"[!-$&-~]{1,256}")


def _touched(text: bytes, place: Place) -> Touched | None:
    """Return which record a damaged line says that it is, if that is still there."""
    # The last one may be the begin of another number.
    cells = [*text[:4096].split(b"\t")[:-1], *[b""] * (_INSTANCE + 1)]
    if _IDS.fullmatch(cells[_EVENT]) is None:
        return None
    seq, instance = (
        cell.decode() if _PLAIN.fullmatch(cell) else None
        for cell in (cells[_SEQ], cells[_INSTANCE])
    )

    return Touched(place, cells[_EVENT].decode(), seq, instance)


def _begins(file: BinaryIO, header: bytes) -> bool:
    try:
        file.seek(0)
        return file.read(len(header)) == header
    except UNREADABLE:
        return False


def _is_taken(_text: bytes) -> bool:
    return True


def _is_torn(seen: Seen, line: Line) -> bool:
    is_torn = isinstance(line.item, Damage) and not line.text.endswith(b"\n")

    return is_torn and not seen.is_packed


def _is_on_its_way(seen: Seen, path: Path, line: Line) -> bool:
    return _is_torn(seen, line) and is_being_written(path, seen.size)


def _problem(stream: str, line: Line) -> str | None:
    item = line.item
    if isinstance(item, Damage):
        return item.reason
    if item is None:
        is_here = line.text == header_line(stream)
        return None if is_here else f"the header of another stream than {stream}"
    found = VALUES if isinstance(item, StoredValue) else item.event.stream
    if found != stream:
        return f"a record of the stream {found} in the directory of {stream}"
    if isinstance(item, Record) and not 1 <= item.seq <= MOST:
        return f"a record that says {item.seq} is its number"

    return misspelling(line.text, item)
