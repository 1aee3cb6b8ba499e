# The place of one record in the journal, from the begin of its request to its end.
#
# Rule 1: what does not fit a small slot is moved to a large one. A record always fits
#         that; the values that it spills need not. Then they are appended first, and
#         the request waits for it.
# Rule 2: nothing is done after `finish`: its slot may be another's by then.
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from audit_mw.errors import AuditUnavailable
from audit_mw.event import Draft, Event, Spill
from audit_mw.trail.entry import Entry, encode_version
from audit_mw.trail.receipt import Receipt
from audit_mw.trail.record import change_instance, draft_event
from audit_mw.trail.slots import DONE, FREE, OPEN, SENDING, Slot

__all__ = ["Keeper", "Place"]


class Keeper(Protocol):
    """What a place asks of the writer."""

    instance: str
    durable: bool
    largest: int  # bytes of a version that a slot can hold

    def large(self) -> Slot | None:
        """Return a large slot, if one is free."""

    def free(self, slot: Slot | None) -> None:
        """Take a slot back, or the promise that stood for one."""

    def append(self, entry: Entry) -> None:
        """Take a record that is finished."""

    def spill(self, entry: Entry) -> Receipt:
        """Append the values of an entry."""

    def room(self) -> Receipt:
        """Make room among the large slots."""

    def sync(self) -> Receipt:
        """Make what is in the journal durable."""


class Place:
    """
    The place of one record.

    Args:
        keeper: whose journal it is.
        slot: a small one; None where the record is kept by this process alone.
    """

    __slots__ = ("_draft", "_is_over", "_keeper", "_slot", "_spills")

    def __init__(self, keeper: Keeper, slot: Slot | None) -> None:
        self._keeper = keeper
        self._slot = slot
        self._draft: Draft | None = None
        self._is_over = False
        self._spills: tuple[Spill, ...] = ()

    def go_on(self, draft: Draft | None, *, is_over: bool) -> None:
        """Go on from a version that is kept, or with the writer, already."""
        self._draft = None if is_over else draft
        self._is_over = is_over

    def open(self, event: Event | Draft) -> Iterable[Receipt]:
        """Keep what is on record should the process die; return what to wait for."""
        return self._keep(OPEN, event)

    def send(self, event: Event | Draft) -> Iterable[Receipt]:
        """
        Keep the record before its last message is handed over.

        Returns:
            What must be waited for, one after the other.
        """
        steps = self._keep(SENDING, event)

        return self._and_sync(steps) if self._keeper.durable else steps

    def _and_sync(self, steps: Iterable[Receipt]) -> Iterator[Receipt]:
        yield from steps
        yield self._keeper.sync()

    @property
    def is_safe(self) -> bool:
        """Whether it has a slot, which outlives the process."""
        return self._slot is not None

    def put(self, event: Event) -> Iterable[Receipt]:
        """Keep a record that is whole, and depends on no message; return as `send`."""
        return self._keep(SENDING, event)

    def _keep(self, state: int, event: Event | Draft) -> Iterable[Receipt]:
        self._take(event)

        return () if self._put(state) else self._make_room(state)

    def _make_room(self, state: int) -> Iterator[Receipt]:
        draft = self._draft
        if draft is not None and self._spills:
            yield self._keeper.spill(Entry(draft, self._spills))
            self._spills = ()
        while draft is not None and not self._put(state):
            length = len(encode_version(draft, ()))
            if length > self._keeper.largest:
                raise AuditUnavailable(f"a record of {length} bytes fits no slot")
            yield self._keeper.room()

    def _take(self, event: Event | Draft) -> Draft:
        # Its instance may have ended while it ran, or before it came: with the numbers
        # of one in the journal of another, the same would be given twice.
        instance = self._keeper.instance
        spills: tuple[Spill, ...] = ()
        if isinstance(event, Event):
            if event.instance != instance:
                event = replace(event, instance=instance)
            spills = event.spills
            draft = draft_event(event)
        elif event.instance == instance:
            draft = event
        else:
            draft = change_instance(event, instance)
        self._draft, self._spills = draft, spills

        return draft

    def _put(self, state: int) -> bool:
        if self._draft is None or self._slot is None:
            return True
        version = encode_version(self._draft, self._spills)
        if len(version) <= self._slot.room:
            self._slot.put(state, version)
            return True

        return not self._slot.is_large and self._move(self._slot, state, version)

    def _move(self, small: Slot, state: int, version: bytes) -> bool:
        """Go to a large slot, if one is free and large enough."""
        large = self._keeper.large()
        if large is None:
            return False
        if len(version) > large.room:
            self._keeper.free(large)
            return False
        # Both have the record for a moment; the large one says so.
        try:
            large.claim(origin=small.number if small.state else -1)
            large.put(state, version)
            self._slot = large
            small.mark(FREE)
        except BaseException:
            # What a signal raises must not leave it in both: it would be told twice.
            if self._slot is large:
                small.mark(FREE)
            else:
                self._keeper.free(large)
            raise
        self._keeper.free(small)

        return True

    def sent(self, delivery: str = "taken") -> None:
        """Note that the last message was handed over."""
        if self._draft is not None:
            if self._slot is not None:
                self._slot.mark(DONE)
            self._finish(Entry(self._draft, self._spills, self._slot, delivery))

    def finish(self, event: Event | Draft) -> None:
        """Take the record as it is at the end of its request."""
        draft = self._take(event)
        # Where it does not fit, the version before stays until the line is down.
        self._put(DONE)
        self._finish(Entry(draft, self._spills, self._slot))

    def drop(self) -> None:
        """Give the slot back: nothing of the request is to be recorded."""
        self._draft = None
        if not self._is_over:
            self._is_over = True
            slot, self._slot = self._slot, None
            self._keeper.free(slot)

    def _finish(self, entry: Entry) -> None:
        # Whoever still holds this place must not pass for one who has the slot.
        self._draft = self._slot = None
        self._is_over = True
        self._keeper.append(entry)
