# The writer thread: takes finished records, and appends them.
#
# Rule 1: while records wait it looks every 20 ms; when idle it sleeps, and the first
#         record wakes it. A request makes no other system call for the log.
# Rule 2: it never gives up and never dies of an error. What failed is tried again, and
#         meanwhile requests are refused.
# Rule 3: a pump serves one process, from its opening to its end. What a forked child
#         has of its parent's takes nothing.
#
# (Longer than 250 lines, since what one thread does in turn is one thing.)
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from audit_mw.config import Config
from audit_mw.errors import AuditUnavailable
from audit_mw.event import Event
from audit_mw.trail.appender import Appender, Files
from audit_mw.trail.caretaker import Caretaker, name_in_trail
from audit_mw.trail.console import Stalled
from audit_mw.trail.entry import Entry, without
from audit_mw.trail.intake import Intake, Job
from audit_mw.trail.journal import Journal
from audit_mw.trail.lines import take_entries
from audit_mw.trail.lost import kept_in, lost_among
from audit_mw.trail.native import start_thread, this_thread
from audit_mw.trail.owner import acting_as
from audit_mw.trail.place import Place
from audit_mw.trail.pool import Pool
from audit_mw.trail.receipt import Receipt
from audit_mw.trail.record import draft_event
from audit_mw.trail.reporting import Notes, describe
from audit_mw.trail.slots import FREE

__all__ = ["Pump"]

_LOOK = 0.02  # seconds between two looks while records wait
_LINGER = 50  # looks that find nothing before it sleeps
_SLEEP = 1.0
_ADOPT = 5.0  # seconds between two looks for the journals of the dead
_BACK_OFF = (0.05, 0.5)  # seconds after a failure, the first and the longest
_CATCH_UP = 0.25  # seconds that a request waits at most until slots are given back
_BATCH = 1000
_BATCH_BYTES = 1 << 20


class Pump(Intake):
    """
    The writer thread of one process, and what it works on.

    Args:
        config: the options.
        notes: makes the records of its own.
        make_journal: makes a journal; is asked again should that one vanish.
        last: the last seq of each stream so far.
    """

    def __init__(
        self,
        config: Config,
        notes: Notes,
        make_journal: Callable[[dict[str, int]], Journal],
        last: dict[str, int],
    ) -> None:
        self.error: Exception | None = None
        self.refusal: str | None = None
        self.failure: str | None = None
        self.failing_since: float | None = None
        self.accepting = self.is_alive = False
        self._config = config
        self._notes = notes
        self._make_journal = make_journal
        self._trail = Path(config.trail)
        self.journal = make_journal(last)
        super().__init__(
            self.journal.facts.instance,
            Pool(self.journal, config.max_slots),
            max(slot.room for slot in self.journal.blocks[0].slots),
            durable=config.durability == "disk",
        )
        self.files = Files(config, self.journal.path.parent)
        self.files.journals.append(self.journal)
        self._appender = Appender(self.files, self.journal)
        self._caretaker = Caretaker(
            config, self.files, self.journal.path.parent, self._note
        )
        self.space = self._caretaker.space
        self._thread = 0
        self._homeless = ""
        self._gone: list[Journal] = []
        self._unsynced: list[Entry] = []
        self._stopping = self._at_exit = False
        self._idle_looks = 0
        self._is_late = False  # somebody waited for slots in vain
        self._delay = 0.0
        self._not_before = 0.0
        self._next_adoption = 0.0
        self._stopped = Receipt()
        self.is_clean = False

    # --- what requests ask for; from any thread

    def place(self) -> Place | None:
        """Return a place for a request that begins; None if there is none."""
        place = super().place()
        if place is None and self._catches_up():
            place = super().place()

        return place

    def _catches_up(self) -> bool:
        # Slots that only wait for the next look are of no request that runs, nor are
        # those of what the writer is at just now. Where that does not come, nobody
        # waits for it again: an event loop would stand still.
        is_due = self.waiting or self._unsynced
        if not is_due or self._is_late or self.is_this_thread():
            return False
        try:
            self.flush().wait(_CATCH_UP)
        except AuditUnavailable:
            self._is_late = True

        return not self._is_late

    def spill(self, entry: Entry) -> Receipt:
        """Append the values of an entry."""
        return self._ask(lambda receipt: self._spill(entry, receipt))

    def sync(self) -> Receipt:
        """Make what is in the journal durable."""
        return self._ask(self._sync_journal)

    def flush(self) -> Receipt:
        """Append what was finished so far."""
        asked = time.monotonic()

        def flushed(receipt: Receipt) -> None:
            oldest = self.oldest
            if oldest is None or oldest > asked:
                receipt.answer()
            elif self._delay:
                receipt.answer(self.failure)
            else:
                self._not_before = 0
                self._jobs.append((flushed, receipt))

        return self._ask(flushed)

    # --- life

    def start(self) -> None:
        """
        Start the thread.

        Raises:
            RuntimeError: the system gives no further thread.
        """
        self.accepting = self.is_alive = True
        try:
            start_thread(self._run)
        except BaseException:
            self.accepting = self.is_alive = False
            raise

    def stop(self, *, at_exit: bool = False) -> Receipt:
        """
        End the thread, once all is written, if no request runs.

        Args:
            at_exit: end it though one runs: its journal is left to who comes next.
        """
        self._at_exit = self._at_exit or at_exit
        if not self._stopping:
            self._stopped = Receipt()
            self._stopping = True
        self.wake()

        return self._stopped

    def abandon(self) -> None:
        """Let go of everything: it was not started."""
        self.files.close()
        self.journal.remove()

    def forget(self) -> None:
        """Let go of everything, as a forked child must."""
        self.accepting = self.is_alive = False  # its thread is the parent's
        self.forget_all()
        for journal in self.files.journals:
            journal.forget()
        self.files.close()

    # --- the thread

    def is_this_thread(self) -> bool:
        """Tell whether it is the writer's own thread that asks."""
        return self._thread == this_thread()

    def _run(self) -> None:
        self._thread = this_thread()
        try:
            with acting_as(Path(self._config.home)):
                while not self._is_over():
                    self._wait()
                    self._look(time.monotonic())
        finally:
            # Should it die, which nothing that we know of makes it do, it can be
            # started again, and goes on where it was.
            self.accepting = self.is_alive = False
            self._stopped.answer()

    def _wait(self) -> None:
        if self._jobs or self._stopping:
            self._bell.acquire(timeout=0)
            return
        seconds = _LOOK
        if self._delay:
            seconds = max(self._not_before - time.monotonic(), 0)
        elif not self.waiting and not self._unsynced and not self._rooms:
            self._idle_looks += 1
            if self._idle_looks > _LINGER:
                self.is_asleep = True
                # A record that came before this was said wakes nobody.
                seconds = 0 if self.queue or self._jobs else _SLEEP
        else:
            self._idle_looks = 0
        self._bell.acquire(timeout=seconds)
        self.is_asleep = False

    def _look(self, now: float) -> None:
        try:
            self._tend(now)
            self._homeless = ""
        except Exception as error:  # noqa: BLE001 - what is finished is written still
            self._homeless = f"the journal cannot be kept: {describe(error)}"
            self._next_adoption = now + _BACK_OFF[1]
        try:
            if now >= self._not_before or self._stopping:
                self._batch()
                self._not_before = now + _LOOK
        except Exception as error:  # noqa: BLE001 - rule 2, whatever it is
            self._fail(error)
        for _ in range(len(self._jobs)):
            self._do(*self._jobs.popleft())
        self._make_room()
        self._judge()

    def _do(self, job: Job, receipt: Receipt) -> None:
        if receipt.answered:
            return
        try:
            job(receipt)
        except Exception as error:  # noqa: BLE001 - rule 2
            self._fail(error)
            receipt.answer(self.failure)

    def _batch(self) -> None:
        entries = self._take()
        if not entries and not self._unsynced:
            if self._delay and not self._jobs:
                self._works()
            return
        down = self._appender.append(entries)
        self._unsynced += down  # first: who asks meanwhile finds them in one of both
        self._again = without(entries, down)
        self._caretaker.tell_losses()
        if self.durable:
            self.files.sync()
        self.pool.give_all(self._unsynced)
        self._unsynced, self._is_late = [], False
        if self._appender.error is not None:
            raise self._appender.error
        self._works()

    def _take(self) -> list[Entry]:
        # Until it is known what became of them, they are there for whoever looks.
        take_entries(self.queue, self._again, _BATCH, _BATCH_BYTES)

        return self._again

    # --- jobs

    def _spill(self, entry: Entry, receipt: Receipt) -> None:
        if self._delay:
            receipt.answer(self.failure)
            return
        self._appender.spill([entry])
        if self.durable:
            self.files.sync()
        receipt.answer()

    def _sync_journal(self, receipt: Receipt) -> None:
        # One sync serves all that came before it.
        same = [each for job, each in list(self._jobs) if job == self._sync_journal]
        self.journal.sync()
        for each in (receipt, *same):
            each.answer()

    def _make_room(self) -> None:
        while self._rooms:
            slot = self.pool.large()
            if slot is None and self._delay:
                self._rooms.popleft().answer(self.failure)
                continue
            if slot is None:
                return
            self.pool.give(slot)
            self._rooms.popleft().answer()

    # --- how it goes

    def _fail(self, error: Exception) -> None:
        now = time.monotonic()
        if not self._delay:
            self.failing_since = now
        first, longest = _BACK_OFF
        self._delay = min(self._delay * 2, longest) or first
        self._not_before = now + self._delay
        self.error = error
        self._judge()

    def _works(self) -> None:
        self._delay = 0.0
        self.error = self.failing_since = None
        self._judge()
        if self.refusal is None:
            for event in self._notes.missed(self.instance):
                self.note(event)

    def _judge(self) -> None:
        """Say why requests are refused, if they are."""
        if self.error is not None:
            told = describe(self.error)
            self.failure = f"the trail {str(self._trail)!r} takes no record: {told}"
        else:
            self.failure = None
        # As with a disk that stalls, which holds the write: what is finished is in the
        # journal, and as long as that has room requests are served.
        failure = None if self.is_stalled else self.failure
        self.refusal = failure or self._homeless or self._caretaker.refusal

    @property
    def is_stalled(self) -> bool:
        """Whether records only wait until a console is read again."""
        return isinstance(self.error, Stalled)

    def note(self, event: Event) -> None:
        """Add a record of our own."""
        self.outside().finish(event)

    def _note(self, kind: str, outcome: str, details: dict[str, object]) -> None:
        told = {key: value for key, value in details.items() if value is not None}
        self.note(self._notes.make(self.instance, kind, outcome, told))

    # --- what else it looks after

    def _tend(self, now: float) -> None:
        self._caretaker.look_at_space(now)
        if now >= self._next_adoption and not self._delay:
            self._keep_journal()
            self._take_back()
            self._caretaker.adopt()
            self._next_adoption = now + _ADOPT

    def _keep_journal(self) -> None:
        with suppress(OSError):
            if self.journal.is_named():
                self.journal.hold_lock()
                return
        # While we live nothing is lost, but after a kill nobody could find it.
        gone, journal = self.journal, self._make_journal(self.journal.last)
        if gone.is_whole():
            self._gone.append(gone)
        else:
            # A look behind the end of a file is a SIGBUS. What is finished is with us
            # still; what runs is kept by this process alone.
            gone.forget()
        self.journal = journal
        self.files.journals.append(journal)
        self.pool = Pool(journal, self._config.max_slots)
        self._appender = Appender(self.files, journal)
        details: dict[str, object] = {
            "reason": b"the journal is gone",
            "segment": name_in_trail(gone.path, self._trail),
            "inode": gone.inode[1],
        }
        self._note("log_gap", "FAILURE", details)

    def _take_back(self) -> None:
        """Record what slots keep that nobody has any more, and free them."""
        lost = [(slot, self.journal) for slot in self.pool.lost()]
        lost += [
            (slot, journal)
            for journal in self._gone
            for block in journal.blocks
            for slot in lost_among(block.slots)
            if slot.state != FREE
        ]
        for slot, journal in lost:
            entry = kept_in(slot, journal)
            if entry is None:
                self.pool.give(slot)
            else:
                self.append(entry)

    # --- the end

    def _is_over(self) -> bool:
        """End if that is asked for; tell whether it is done."""
        if self._stopping:
            self._take_back()  # or it would wait for what never ends
        if not self._stopping or (self.waiting and not self._delay):
            return False
        # Whoever got a place before this has it; nobody gets one after.
        self.accepting = False
        is_used = self.pool.used or self._promised
        is_idle = not (is_used or self.waiting or self._delay) and not any(
            slot.state for journal in self._gone for slot in journal.slots()
        )
        if is_idle or self._at_exit:
            self._end(is_idle=is_idle)
            return True
        self.accepting = True
        self._stopping = False
        self._stopped.answer()

        return False

    def _end(self, *, is_idle: bool) -> None:
        self.has_ended = True
        self.pool.stop_growing()
        if is_idle:
            missed = self._notes.missed(self.instance)
            self._appender.append(Entry(draft_event(event)) for event in missed)
        last: dict[str, object] = dict(self.journal.last)
        last["system"] = self.journal.last.get("system", 0) + 1
        if is_idle and self._appender.error is None:
            event = self._notes.make(
                self.instance, "sys_shutdown", "SUCCESS", {"last": last}
            )
            self._appender.append([Entry(draft_event(event))])
            is_idle = self._appender.error is None
        self.turn_away(self.failure or self.refusal)
        with suppress(OSError):
            self.files.sync()
        self.files.close()
        if is_idle:
            self.is_clean = True
            self.journal.remove()
        elif not self._is_running():
            self.journal.close()  # what is in it is for who comes next
        # Else what runs has its slots as long as this process is there, and nobody
        # else gets them: a request may be answered yet before the process is gone.

    def _is_running(self) -> bool:
        """Tell whether a request has a slot that waits for nobody but its end."""
        finished = [*self.queue, *self._again, *self._unsynced]

        return self.pool.used > sum(entry.slot is not None for entry in finished)
