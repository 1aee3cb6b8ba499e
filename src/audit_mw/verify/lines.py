# The lines of a trail, read as often as it takes; each is judged the first time.
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from audit_mw.trail.reader import Damage, Line, Position, scan_lines
from audit_mw.trail.record import VALUES, Record, StoredValue, header_line
from audit_mw.verify.coding import misspelling
from audit_mw.verify.report import MOST, Place, Report
from audit_mw.verify.snapshot import Seen, is_being_written, open_seen

__all__ = ["Good", "Lines"]


class Good(NamedTuple):
    """A line that means something: where it is, its bytes, and what it means."""

    place: Place
    text: bytes
    item: Record | StoredValue


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

    def judged(self, seen: Seen) -> Iterator[Good]:
        """Yield what stands in a segment; name each line that is not as written."""
        for place, line in self._read(seen):
            problem = _problem(seen.stream, line)
            if problem is not None:
                self._report.add(place, problem)
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

    def _read(self, seen: Seen) -> Iterator[tuple[Place, Line]]:
        with open_seen(seen) as (path, file):
            is_new, at = seen.path not in self._read_once, Position()
            number = self._number(seen, path)
            for line in scan_lines(file, path, at, seen.until, seen.stream):
                if not _is_on_its_way(seen, path, line):
                    yield Place(number, line.number, line.offset), line
            if is_new:  # a captured console is read for each stream
                self._read_once.add(seen.path)
                self._report.segments += 1
                self._report.bytes += at.offset
                self._report.skipped += at.skipped

    def _number(self, seen: Seen, path: Path) -> int:
        if seen not in self._files:
            self._files[seen] = self._report.file(path)

        return self._files[seen]


def _is_on_its_way(seen: Seen, path: Path, line: Line) -> bool:
    is_torn = isinstance(line.item, Damage) and not line.text.endswith(b"\n")

    return is_torn and not seen.is_packed and is_being_written(path, seen.size)


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
