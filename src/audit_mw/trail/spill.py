# Spilled values: each once a segment, before the record that names it.
#
# A process remembers the last digests that it wrote to the segment in use, and does
# not write those again. Another process may write the same value; readers look a value
# up by its digest and take it twice.
from collections import OrderedDict
from collections.abc import Callable, Iterable

from audit_mw.event import Spill
from audit_mw.trail.console import ConsoleStream
from audit_mw.trail.entry import Entry
from audit_mw.trail.record import finish_value_line
from audit_mw.trail.segment import Noting, SegmentFile

__all__ = ["SpillFile"]

_REMEMBERED = 4096


class SpillFile:
    """
    The values stream of one process.

    Args:
        segment: of the stream `values`.
        finish: gives the lines that keep a value.
    """

    def __init__(
        self,
        segment: SegmentFile | ConsoleStream,
        finish: Callable[[bytes, Spill], bytes] = finish_value_line,
    ) -> None:
        self._segment = segment
        self._finish = finish
        self._file = 0
        self._digests: OrderedDict[str, None] = OrderedDict()

    def append(self, entries: Iterable[Entry], noting: Noting | None = None) -> None:
        """
        Append the values of `entries` that the segment does not have from us yet.

        Raises:
            OSError: nothing was appended.
        """
        spilling = [entry for entry in entries if entry.spills]
        new: dict[str, bytes] = {}
        while spilling:
            new = self._unknown(spilling, self._segment.current())
            # A segment that was rotated away under us does not hold what we left out.
            if (
                not new
                or self._segment.append(b"".join(new.values()), noting) == self._file
            ):
                break
        self._remember(new)

    def _unknown(self, entries: Iterable[Entry], file: int) -> dict[str, bytes]:
        if file != self._file:
            self._file = file
            self._digests.clear()

        return {
            spill.sha256: self._finish(entry.stamp, spill)
            for entry in entries
            for spill in entry.spills
            if spill.sha256 not in self._digests
        }

    def _remember(self, digests: Iterable[str]) -> None:
        for digest in digests:
            self._digests[digest] = None
        while len(self._digests) > _REMEMBERED:
            self._digests.popitem(last=False)
