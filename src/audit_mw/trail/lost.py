# Slots that nobody has any more.
#
# The handler of a signal may raise between any two steps of ours: SIGALRM of an
# application that bounds its requests, a server that gives one up. Between the taking
# of a slot and the first who would give it back no order of the steps helps, and to
# watch each place would cost each request something. So the writer looks at times for
# slots to which nothing refers but their block.
#
# Rule 1: who has a slot refers to it: a place, an entry, those that are free, a frame
#         that runs or that a traceback holds. While the interpreter's lock is ours no
#         reference comes or goes.
# Rule 2: what it keeps becomes a record, as if its process had died: whom the
#         application served must not be gone with an exception.
# Rule 3: where references are not counted like that, nothing is taken for lost.
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress

from audit_mw.trail.entry import Entry, decode_version
from audit_mw.trail.journal import Journal
from audit_mw.trail.record import mark_broken_off
from audit_mw.trail.slots import DONE, FREE, OPEN, Slot

__all__ = ["entry_of", "is_moved", "kept_in", "lost_among"]

_COUNTED = (
    hasattr(sys, "getrefcount") and getattr(sys, "_is_gil_enabled", lambda: True)()
)


def lost_among(slots: tuple[Slot, ...]) -> list[Slot]:
    """Return those of the slots of a block that nothing else refers to."""
    if not _COUNTED:
        return []
    (alone,) = _counts((object(),))

    return [slots[at] for at, held in enumerate(_counts(slots)) if held <= alone]


def _counts(each: Iterable[object]) -> list[int]:
    return [sys.getrefcount(it) for it in each]


def kept_in(slot: Slot, journal: Journal) -> Entry | None:
    """Return the record that a lost slot keeps; None if there is none, or elsewhere."""
    if slot.state == FREE or is_moved(slot, journal):
        return None
    try:
        entry = entry_of(slot)
    except (ValueError, struct.error):
        return None
    if slot.state == OPEN:
        with suppress(ValueError):  # what cannot be read is better as it is than gone
            entry.draft = mark_broken_off(entry.draft)

    return entry


def entry_of(slot: Slot) -> Entry:
    """
    Return the record that a slot keeps, of which nobody is told how it ended.

    Raises:
        ValueError: it is not whole.
        struct.error: likewise.
    """
    version = slot.get()
    if version is None:
        raise ValueError("not whole")
    draft, spills = decode_version(version)
    delivery = "taken" if slot.state == DONE else "unknown"

    return Entry(draft, spills, slot, delivery, slot.seq)


def is_moved(slot: Slot, journal: Journal) -> bool:
    """Tell whether a record was being moved to a large slot, which has it too."""
    # Others may have been moved from the same slot before, and be there still.
    return any(
        _event_in(other) == _event_in(slot)
        for block in journal.blocks
        for other in block.slots[block.geometry.small :]
        if other.origin == slot.number and other.state != FREE
    )


def _event_in(slot: Slot) -> bytes | None:
    try:
        return entry_of(slot).draft.before
    except (ValueError, struct.error):
        return None
