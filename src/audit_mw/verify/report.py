# What a trail was found to be: counts, and findings with their positions.
#
# Rule 1: a line that is wrong in itself comes before what is missing because of it, and
#         of each kind the first position comes first. So the first finding is where to
#         look.
# Rule 2: a trail that is rotten all through does not fill the memory: beyond a number
#         findings are counted, and no longer kept.
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = ["LINE", "MISSING", "MOST", "Finding", "Place", "Report"]

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
        return Finding(self.paths[place.file], place.line, place.offset, what)

    def add(self, place: Place, what: str, kind: int = LINE) -> None:
        """Take a finding."""
        if len(self._found) < _KEPT:
            self._found.append((kind, place, what))
        else:
            self.more += 1

    def repeat(self, place: Place, what: str) -> None:
        """Take a record that is there again."""
        self.repeats += 1
        if len(self.repeated) < _KEPT:
            self.repeated.append(self.at(place, what))
