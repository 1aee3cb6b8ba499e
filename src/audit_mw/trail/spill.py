# Spilled values: each once a segment, before the record that names it.
#
# A process remembers the last digests that it wrote to the segment in use, and does
# not write those again. Another process may write the same value; readers look a value
# up by its digest and take it twice.
from collections import OrderedDict
from collections.abc import Iterable

from audit_mw.event import Event, Spill
from audit_mw.trail.record import encode_value_line
from audit_mw.trail.segment import SegmentFile

__all__ = ["SpillFile"]

_REMEMBERED = 4096


class SpillFile:
    """
    The values stream of one process.

    Args:
        segment: of the stream `values`.
    """

    def __init__(self, segment: SegmentFile) -> None:
        self._segment = segment
        self._file = 0
        self._digests: OrderedDict[str, None] = OrderedDict()

    def append(self, event: Event) -> None:
        """
        Append the values of `event` that the segment does not have from us yet.

        Raises:
            OSError: nothing was appended.
        """
        new = event.spills
        while new:
            new = self._unknown(event.spills, self._segment.current())
            lines = b"".join(
                encode_value_line(event.time, event.event, spill) for spill in new
            )
            # A segment that was rotated away under us does not hold what we left out.
            if not new or self._segment.append(lines) == self._file:
                break
        self._remember(new)

    def _unknown(self, spills: Iterable[Spill], file: int) -> tuple[Spill, ...]:
        if file != self._file:
            self._file = file
            self._digests.clear()

        new = {spill.sha256: spill for spill in spills}

        return tuple(new[digest] for digest in new if digest not in self._digests)

    def _remember(self, spills: Iterable[Spill]) -> None:
        for spill in spills:
            self._digests[spill.sha256] = None
        while len(self._digests) > _REMEMBERED:
            self._digests.popitem(last=False)
