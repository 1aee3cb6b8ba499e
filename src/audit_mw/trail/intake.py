# What requests give to the writer, and ask of it: from any thread, without a lock.
#
# Rule: a request makes no system call here, but that which wakes a writer that sleeps.
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from audit_mw.trail.entry import Entry
from audit_mw.trail.native import make_lock
from audit_mw.trail.place import Place
from audit_mw.trail.pool import Pool
from audit_mw.trail.receipt import Receipt
from audit_mw.trail.slots import Slot

__all__ = ["Intake", "Job"]

Job = Callable[[Receipt], None]


class Intake:
    """
    The side of a writer that requests see.

    It leaves to the writer what is `Keeper`'s beside: `spill` and `sync`.

    Args:
        instance: whose journal it is.
        pool: the slots of its journal.
        largest: bytes of a version that a slot can hold.
        durable: a record is to be synced before its response ends.
    """

    def __init__(
        self, instance: str, pool: Pool, largest: int, *, durable: bool
    ) -> None:
        self.instance = instance
        self.pool = pool
        self.largest = largest
        self.durable = durable
        self.queue: deque[Entry] = deque()
        # For each event that found no slot: as long as it is not in the queue, the end
        # must wait for it as it does for a slot that is used.
        self._promised: deque[None] = deque()
        self._jobs: deque[tuple[Job, Receipt]] = deque()
        self._rooms: deque[Receipt] = deque()
        # What is to be written again.
        self._again: list[Entry] = []
        self.has_ended = False
        self._bell = make_lock()
        self._bell.acquire()
        self.is_asleep = False

    def place(self) -> Place | None:
        """Return a place for a request that begins; None if there is none."""
        slot = self.pool.begin()

        return None if slot is None else Place(self, slot)

    def outside(self) -> Place:
        """Return a place for an event that must not be refused."""
        slot = self.pool.small()
        if slot is None:
            self._promised.append(None)

        return Place(self, slot)

    def large(self) -> Slot | None:
        """Return a large slot, if one is free."""
        return self.pool.large()

    def free(self, slot: Slot | None) -> None:
        """Take a slot back, or the promise that stood for one."""
        if slot is None:
            self._keep_promise()
        else:
            self.pool.give(slot)

    def append(self, entry: Entry) -> None:
        """Take a record that is finished."""
        entry.since = time.monotonic()
        self.queue.append(entry)
        if entry.slot is None:
            self._keep_promise()
        if self.is_asleep:
            self.wake()

    def _keep_promise(self) -> None:
        with suppress(IndexError):  # it was given in the parent of this process
            self._promised.pop()

    def room(self) -> Receipt:
        """Make room among the large slots."""
        receipt = Receipt()
        self._rooms.append(receipt)
        self._call_writer()

        return receipt

    def _ask(self, job: Callable[[Receipt], None]) -> Receipt:
        receipt = Receipt()
        self._jobs.append((job, receipt))
        self._call_writer()

        return receipt

    def _call_writer(self) -> None:
        # Asked behind the appending: an end that came between has answered nobody.
        if self.has_ended:
            self.turn_away(None)
        self.wake()

    def turn_away(self, reason: str | None) -> None:
        """Answer all who ask something of a writer that has ended."""
        for asked in (self._rooms, self._jobs):
            while asked:
                with suppress(IndexError):  # another thread had the last of them
                    last = asked.pop()
                    receipt = last if isinstance(last, Receipt) else last[1]
                    receipt.answer(reason or "the writer of the trail has ended")

    def wake(self) -> None:
        """Let the thread look at once."""
        self.is_asleep = False
        with suppress(RuntimeError):  # it is awake
            self._bell.release()

    @property
    def waiting(self) -> int:
        """How many finished records are in no segment yet."""
        return len(self.queue) + len(self._again)

    @property
    def oldest(self) -> float | None:
        """When the oldest of them was finished, of a clock that only goes forward."""
        with suppress(IndexError):
            return (self._again or self.queue)[0].since

        return None

    def forget_all(self) -> None:
        """Take nothing any more, as a forked child must not."""
        self.queue = deque(maxlen=0)
        self._jobs = deque(maxlen=0)
        self._rooms = deque(maxlen=0)
        self._promised.clear()

    def spill(self, entry: Entry) -> Receipt:
        """Append the values of an entry."""
        raise NotImplementedError

    def sync(self) -> Receipt:
        """Make what is in the journal durable."""
        raise NotImplementedError
