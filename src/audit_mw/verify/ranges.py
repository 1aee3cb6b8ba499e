# Which numbers were seen, as ranges: memory grows with the gaps, not with the records.
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Self

from audit_mw.verify.report import Place

__all__ = ["Ranges"]


class Ranges:
    """The seq numbers of one instance in one stream, and where each run begins."""

    __slots__ = ("_ends", "_places", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._places: list[Place] = []

    @property
    def last(self) -> int:
        """The largest, 0 if there is none."""
        return self._ends[-1] if self._ends else 0

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._starts, seq) - 1

        return at >= 0 and seq <= self._ends[at]

    def add(self, seq: int, place: Place) -> bool:
        """Take a number; tell whether it is new."""
        if self._ends and self._ends[-1] + 1 == seq:
            self._ends[-1] = seq
            return True
        if seq in self:
            return False
        self._insert(bisect_right(self._starts, seq), seq, place)

        return True

    def _insert(self, at: int, seq: int, place: Place) -> None:
        joins_left = at > 0 and self._ends[at - 1] + 1 == seq
        joins_right = at < len(self._starts) and self._starts[at] == seq + 1
        if joins_left and joins_right:
            self._ends[at - 1] = self._ends.pop(at)
            del self._starts[at], self._places[at]
        elif joins_left:
            self._ends[at - 1] = seq
        elif joins_right:
            self._starts[at], self._places[at] = seq, place
        else:
            self._starts.insert(at, seq)
            self._ends.insert(at, seq)
            self._places.insert(at, place)

    def kept(self) -> list[Any]:
        """Return all, for a checkpoint."""
        return [self._starts, self._ends, self._places]

    def restore(self, kept: list[Any]) -> Self:
        """Take what `kept` gave."""
        starts, ends, places = kept
        self._starts, self._ends = list(map(int, starts)), list(map(int, ends))
        self._places = [Place(*map(int, place)) for place in places]

        return self

    def gaps(self) -> Iterator[tuple[int, int, Place]]:
        """Yield (first, last) of what is missing, and where what follows it stands."""
        before = 0
        for start, end, place in zip(
            self._starts, self._ends, self._places, strict=True
        ):
            if start > before + 1:
                yield before + 1, start - 1, place
            before = end
