# What a trail was found to be: counts, and findings with their positions.
#
# Rule 1: a line that is wrong in itself comes before what is missing because of it, and
#         of each kind the first position comes first. So the first finding is where to
#         look.
# Rule 2: a trail that is rotten all through does not fill the memory: beyond a number
#         findings are counted, and no longer kept.
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["LINE", "MISSING", "MOST", "Finding", "Place", "Report", "Touched"]

LINE, MISSING = 0, 1
MOST = (1 << 63) - 1  # no count is larger; whoever signs can write any
_KEPT = 10_000


class Place(NamedTuple):
    """Where a line is: the number of its file in the report, its own, and its bytes."""

    file: int
    line: int
    offset: int


class Finding(NamedTuple):
    """Something that is not as it was written: where, and what."""

    path: Path
    line: int
    offset: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: at byte {self.offset}: {self.what}"


class Touched(NamedTuple):
    """
    A record whose line is not as it was written, by what the line still says.

    Args:
        place: of the line.
        event: its event id.
        seq, instance: of it; None where that cannot be read.
    """

    place: Place
    event: str
    seq: str | None
    instance: str | None


@dataclass(slots=True)
class Report:
    """
    What was found in a trail.

    Args:
        trail: the directory.
        records: by stream; `values` counts spilled values.
        segments: how many files were read.
        bytes: of them, not compressed.
        instances: how many processes wrote.
        unended: how many of them left no `sys_shutdown`.
        missing: how many records are not there, though their numbers were given.
        expired: how many of these segments that expired explain.
        repeats: how many are there again, equal or recovered: that is no damage.
        repeated: where, for the first of them.
        told: records of `system` in which the trail tells of itself, by type.
        counted: what those of a type count, summed.
        waiting: records in journals of processes that died.
        unread: files in the directories of streams that are no segments.
        skipped: lines of a captured console that are no records.
        damaged: how many lines are not as they were written.
        touched: the records of which they say that they are.
        runs: how many streams all instances wrote, each counted for its instance.
        broken: in how many of these a number is missing.
    """

    trail: Path
    records: "Counter[str]" = field(default_factory=Counter)
    segments: int = 0
    bytes: int = 0
    instances: int = 0
    unended: int = 0
    missing: int = 0
    expired: int = 0
    repeats: int = 0
    repeated: list[Finding] = field(default_factory=list)
    told: "Counter[str]" = field(default_factory=Counter)
    counted: "Counter[str]" = field(default_factory=Counter)
    waiting: int = 0
    unread: int = 0
    skipped: int = 0
    more: int = 0
    touched: list[Touched] = field(default_factory=list)
    damaged: int = 0
    runs: int = 0
    broken: int = 0
    paths: list[Path] = field(default_factory=list)
    _found: list[tuple[int, Place, str]] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """All findings that were kept, the first place to look at first."""
        return [self.at(place, what) for _, place, what in sorted(self._found)]

    @property
    def is_well(self) -> bool:
        """Whether there is no finding."""
        return not self._found

    def file(self, path: Path) -> int:
        """Take a file; return its number, by which places name it."""
        self.paths.append(path)

        return len(self.paths) - 1

    def at(self, place: Place, what: str) -> Finding:
        """Return a finding at a place."""
        # A checkpoint may be another's work, and name a file that there is not.
        known = 0 <= place.file < len(self.paths)
        path = self.paths[place.file] if known else self.trail

        return Finding(path, place.line, place.offset, what)

    def add_once(self, place: Place, what: str) -> None:
        """Take a finding that an earlier run may have had."""
        if (LINE, place, what) not in self._found:
            self.add(place, what)

    def add(self, place: Place, what: str, kind: int = LINE) -> None:
        """Take a finding."""
        if len(self._found) < _KEPT:
            self._found.append((kind, place, what))
        else:
            self.more += 1

    def touch(self, touched: Touched | None) -> None:
        """Count a line that is damaged; keep which record it says that it is."""
        self.damaged += 1
        if touched is not None and len(self.touched) < _KEPT:
            self.touched.append(touched)

    def kept(self, torn: Mapping[Place, int], blank: int) -> dict[str, Any]:
        """
        Return what was found in lines, for a checkpoint.

        Args:
            torn: half lines, and their bytes: the next run reads them again.
            blank: segments without a whole line: likewise.
        """
        touched = [each for each in self.touched if each.place not in torn]
        lines = {place for _, place, _ in self._found if place in torn}
        size = self.bytes - sum(torn.values())

        return {
            "records": self.records,
            "counts": [self.segments - blank, size, self.skipped, self.more],
            "damaged": self.damaged - len(lines),
            "touched": touched,
            "paths": list(map(str, self.paths)),
            "found": [each for each in self._found if each[1] not in torn],
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what `kept` gave."""
        self.records.update(kept["records"])
        self.segments, self.bytes, self.skipped, self.more = map(int, kept["counts"])
        self.damaged = int(kept["damaged"])
        self.touched = [
            Touched(Place(*map(int, place)), event, seq, instance)
            for place, event, seq, instance in kept["touched"]
        ]
        self.paths = list(map(Path, kept["paths"]))
        self._found = [
            (int(kind), Place(*map(int, place)), str(what))
            for kind, place, what in kept["found"]
        ]

    def repeat(self, place: Place, what: str) -> None:
        """Take a record that is there again."""
        self.repeats += 1
        if len(self.repeated) < _KEPT:
            self.repeated.append(self.at(place, what))
