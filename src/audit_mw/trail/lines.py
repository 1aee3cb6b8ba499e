# What the writer does for each record: the number, the line, the slot given back.
#
# Where they were built, the compiled ones serve (`_lines`), which do the same.
from collections import deque
from collections.abc import Iterable

from audit_mw.trail.entry import Entry
from audit_mw.trail.record import finish_line
from audit_mw.trail.slots import FREE, Block, Slot

try:
    from audit_mw.trail import _lines
except ImportError:  # there was no compiler when it was installed
    _lines = None  # type: ignore[assignment] # what a module that is not there is

__all__ = ["finish_lines", "free_slots", "number_entries", "take_entries"]


def take_each(
    queue: deque[Entry], entries: list[Entry], most: int, most_bytes: int
) -> None:
    """Move what waits from a queue to the entries, until there are so many of them."""
    size = sum(len(entry.draft.after) for entry in entries)
    while len(entries) < most and size < most_bytes:
        try:
            entry = queue.popleft()
        except IndexError:
            break
        size += len(entry.draft.after)
        entries.append(entry)


def number_each(entries: Iterable[Entry], first: int) -> None:
    """Give entries their numbers from `first` on, in the journal too."""
    for seq, entry in enumerate(entries, first):
        entry.number(seq)


def finish_each(entries: Iterable[Entry]) -> bytes:
    """Return the lines of entries, as they are appended."""
    return b"".join(
        finish_line(entry.draft, entry.seq, entry.delivery) for entry in entries
    )


def free_each(
    entries: Iterable[Entry],
    blocks: tuple[Block, ...],
    small: deque[Slot],
    large: deque[Slot],
) -> None:
    """
    Mark the slots of entries as free, and give those of these blocks back.

    Args:
        entries: that are in their segments.
        blocks: of the journal; another's slots are not given back.
        small, large: where they are put.
    """
    for entry in entries:
        slot = entry.slot
        if slot is not None:
            slot.mark(FREE)
            if slot.block in blocks:
                (large if slot.is_large else small).append(slot)


number_entries = number_each if _lines is None else _lines.number_entries
finish_lines = finish_each if _lines is None else _lines.finish_lines
free_slots = free_each if _lines is None else _lines.free_slots
take_entries = take_each if _lines is None else _lines.take_entries
