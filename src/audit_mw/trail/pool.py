# The free slots of a journal.
#
# The last eighth of the small ones is kept for what runs: a request that begins is
# refused before it is touched, so that a request that was served can always end.
#
# To take and to give needs no lock: a deque does both under the interpreter's own.
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from audit_mw.trail.entry import Entry
from audit_mw.trail.journal import Journal
from audit_mw.trail.lines import free_slots
from audit_mw.trail.lost import lost_among
from audit_mw.trail.native import make_lock, start_thread
from audit_mw.trail.slots import FREE, Block, Slot

__all__ = ["Pool"]

_RESERVE = 8  # one in so many
_PATIENCE = 1.0  # seconds before it asks for room again where there was none


class Pool:
    """
    The free slots of one journal.

    Args:
        journal: whose slots they are.
        max_slots: small ones that it may grow to.
    """

    def __init__(self, journal: Journal, max_slots: int) -> None:
        self._journal = journal
        self._max = max_slots
        # The last that was freed is the next that is used: its pages are warm.
        self.free_small: deque[Slot] = deque()
        self.free_large: deque[Slot] = deque()
        self.slots = 0
        self._reserve = 0
        self.half = 0.0, 0.0
        self._total = 0
        self._growing = make_lock()
        self._failed = 0.0
        for block in journal.blocks:
            self._add(block)

    def _add(self, block: Block) -> None:
        small = block.geometry.small
        self.free_small.extendleft(block.slots[:small])
        self.free_large.extendleft(block.slots[small:])
        self._total += len(block.slots)
        self.slots += small
        self._reserve = self.slots // _RESERVE
        self.half = self.slots / 2, (self._total - self.slots) / 2

    @property
    def free(self) -> int:
        """How many requests could begin now."""
        return max(len(self.free_small) - self._reserve, 0)

    @property
    def used(self) -> int:
        """How many slots are not free."""
        return self._total - len(self.free_small) - len(self.free_large)

    @property
    def is_low(self) -> bool:
        """Whether it should grow, ahead of need."""
        small, large = self.half
        is_low = len(self.free_small) < small or len(self.free_large) < large

        return is_low and self.slots < self._max

    def begin(self) -> Slot | None:
        """Return a slot for a request that begins; None if only the reserve is left."""
        small, large = self.half
        if (
            len(self.free_small) < small or len(self.free_large) < large
        ) and self.is_low:
            self._grow_ahead()
        if len(self.free_small) <= self._reserve:
            self.grow()
            if len(self.free_small) <= self._reserve:
                return None

        return _take(self.free_small)

    def small(self) -> Slot | None:
        """Return a small slot, from the reserve too; None if none is left."""
        return _take(self.free_small)

    def large(self) -> Slot | None:
        """Return a large slot; None if none is left."""
        return _take(self.free_large)

    def give(self, slot: Slot) -> None:
        """Take a slot back."""
        slot.mark(FREE)
        if slot.block not in self._journal.blocks:
            return  # of a journal that is gone
        (self.free_large if slot.is_large else self.free_small).append(slot)

    def give_all(self, entries: Iterable[Entry]) -> None:
        """Take the slots of entries back."""
        blocks = tuple(self._journal.blocks)
        free_slots(entries, blocks, self.free_small, self.free_large)

    def lost(self) -> list[Slot]:
        """Return slots that nobody has, who had them being broken off."""
        if not self.used or not self._growing.acquire(blocking=False):
            return []  # those of a block that is being added are nobody's yet
        try:
            blocks = self._journal.blocks
            return [slot for block in blocks for slot in lost_among(block.slots)]
        finally:
            self._growing.release()

    def grow(self) -> None:
        """Add a block to the journal, if one is needed and there is room for it."""
        with self._growing:
            is_time = time.monotonic() - self._failed > _PATIENCE
            if self.is_low and is_time:
                try:
                    self._add(self._journal.grow())
                except (OSError, ValueError):
                    self._failed = time.monotonic()

    def stop_growing(self) -> None:
        """Leave the journal as it is; when this returns, nobody works at it."""
        with self._growing:
            self._max = 0

    def _grow_ahead(self) -> None:
        # In a thread of its own: the writer's may be held by a disk that stalls, and
        # the request's must not be by the making of a file.
        is_time = time.monotonic() - self._failed > _PATIENCE
        if is_time and self._growing.acquire(blocking=False):
            self._growing.release()
            with suppress(RuntimeError):  # no further thread: who needs it grows it
                start_thread(self.grow)


def _take(slots: deque[Slot]) -> Slot | None:
    try:
        slot = slots.pop()
    except IndexError:
        return None
    slot.claim()

    return slot
