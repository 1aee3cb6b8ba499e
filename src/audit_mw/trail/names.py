# Names of segments: what a file in the directory of a stream is, and of which time.
#
#     2026-11-21.log         of a day: active, or waiting to be closed
#     2026-11-21T05.log      of an hour
#     2026-11-21-2.log       the name before it was taken
#     2026-11-21.log.1       renamed by who rotates: .1, -20261121, .old
#     2026-11-21.log.zst     closed; 2026-11-21.index beside it
#     2026-11-21.log.2.gz    compressed by who rotates
#
# Rule 1: what has `.log` in its name is a segment, though nothing else in the name is
#         known: what is passed over here is looked for by nobody.
# Rule 2: what is on its way to another name (`.new`) is none, and an index is none.
import re
from calendar import timegm
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

__all__ = ["PACKED", "Period", "SegmentName", "index_path", "period_of"]

PACKED = (".zst", ".gz")
_NAME = re.compile(
    r"(?P<period>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2})?)?"
    r"(?:-(?P<number>[0-9]{1,5})(?![0-9]))?"
    r"(?P<before>.*?)\.log(?P<behind>.*?)(?:\.zst|\.gz)?",
    re.DOTALL,
)
_PERIOD = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}))?")
_COUNT = re.compile(r"\.([0-9]{1,5})")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NEWEST = (2, 0, "")


class Period(NamedTuple):
    """What a segment is of, in seconds since the epoch; `end` is not in it."""

    start: int
    end: int


def period_of(name: str) -> Period | None:
    """Return the day or the hour that `name` begins with, if it does."""
    match = _PERIOD.match(name)
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    hour = int(match[4] or 0)
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] and hour < 24):
        return None
    start = timegm((year, month, day, hour, 0, 0))

    return Period(start, start + (86_400 if match[4] is None else 3_600))


class SegmentName:
    """
    A segment by its name.

    Args:
        name: of a file, without its directory.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._match = _NAME.fullmatch(name)

    @property
    def is_segment(self) -> bool:
        """Whether a file of this name holds records."""
        hidden = self.name.startswith(".")
        on_its_way = self.name.endswith((".new", ".index"))

        return self._match is not None and not hidden and not on_its_way

    @property
    def is_packed(self) -> bool:
        """Whether it is closed, or compressed by somebody else."""
        return self.name.endswith(PACKED)

    @property
    def unpacked(self) -> str:
        """The name that it had while it was written."""
        return self.name.removesuffix(".zst").removesuffix(".gz")

    @cached_property
    def order(self) -> tuple[str, int, tuple[int, int, str], str]:
        """Sorts the names of a stream, the oldest first."""
        if self._match is None:
            return "", 0, _NEWEST, self.name
        number = int(self._match["number"] or 1)
        rotation = _rotation(self._match["before"] + self._match["behind"])

        return self._match["period"] or "", number, rotation, self.name


def _rotation(words: str) -> tuple[int, int, str]:
    # Of the names that one file gets in turn the plain one is the newest; a count rises
    # with age, a date does not.
    count = _COUNT.fullmatch(words)
    if count is not None:
        return 1, -int(count[1]), ""

    return (0, 0, words) if words else _NEWEST


def index_path(path: Path) -> Path:
    """Return where the index of a segment stands, closed or not."""
    plain = SegmentName(path.name).unpacked

    return path.with_name(f"{plain.removesuffix('.log')}.index")
