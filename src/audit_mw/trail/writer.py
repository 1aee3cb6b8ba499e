# What the floors above have of the trail: a place for each request, and the state.
#
# Rule 1: nothing is opened before it must be: a server may still drop its privileges,
#         or fork.
# Rule 2: a forked child begins anew, with a journal and numbers of its own; what its
#         parent has is its parent's.
#
# (Longer than 250 lines, since opening, using and closing are one agreement between
# threads.)
import atexit
import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet, finalize

from audit_mw.config import Config
from audit_mw.errors import AuditUnavailable
from audit_mw.event import Event
from audit_mw.trail import journals
from audit_mw.trail.adoption import boot_id
from audit_mw.trail.directories import make_directory
from audit_mw.trail.forks import in_child
from audit_mw.trail.journal import Journal
from audit_mw.trail.journal_header import Facts
from audit_mw.trail.journals import SUFFIX
from audit_mw.trail.native import make_lock, pause, this_thread
from audit_mw.trail.owner import acting_as, check_owner
from audit_mw.trail.place import Place
from audit_mw.trail.pump import Pump
from audit_mw.trail.reporting import Notes, describe
from audit_mw.trail.slots import Geometry
from audit_mw.trail.space import Level
from audit_mw.trail.state import WriterState

__all__ = ["JOURNALS", "Writer", "journal_directory", "open_writers"]

JOURNALS = ".journal"  # in the trail, where no other directory is given
_SMALL_HALF = 4 << 10
_LARGE_HALF = 64 << 10  # on a console
_SMALL = 2048  # slots of a block
_LARGE = 32  # small ones to a large one
_MOMENT = 0.001
_SECONDS = 10.0  # until a close gives up on a disk that stalls

_writers: "WeakSet[Writer]" = WeakSet()
_dropped: list[Pump] = []  # whose writers are gone; at exit some may still run


def journal_directory(config: Config) -> Path:
    """Return where the journals of a trail are."""
    return Path(config.journal_dir or Path(config.trail) / JOURNALS)


class Writer:
    """
    The way into one trail, for this process.

    Args:
        config: the options; `trail` is made when it is first needed.
        notes: makes the records of the system stream.
        service: name of the service.
    """

    def __init__(self, config: Config, notes: Notes, service: str = "") -> None:
        self._config = config
        self._notes = notes
        self._service = service
        self._trail = Path(config.trail)
        self._begin_process()
        _writers.add(self)

    def _begin_process(self) -> None:
        # Locks, files and numbers belong to one process; a forked child that went on
        # with its parent's would write the same seq twice.
        self._gate = make_lock()
        self._opener = 0  # the thread that has the gate
        self.pump: Pump | None = None
        self._error: str | None = None
        self._host = socket.gethostname()
        self._begin_instance()

    def _begin_instance(self) -> None:
        self._last: dict[str, int] = {}
        boot = secrets.token_hex(4)
        self.instance = f"{self._host}:{os.getpid()}:{boot}"
        # Not a method of ours: a pump that held us would keep us, and itself, for ever.
        self._make_journal = _JournalMaker(
            self._config,
            self._service,
            self.instance,
            f"{self._host}-{os.getpid()}-{boot}",
        )

    def begin_child(self) -> None:
        """Start anew in a forked child."""
        if self.pump is not None:
            self.pump.forget()
        self._begin_process()

    # --- requests

    def ready(self) -> None:
        """
        Return if a request may be served.

        Raises:
            AuditUnavailable: no record could be written.
        """
        self._ready()

    def _ready(self) -> Pump:
        pump = self.pump
        if pump is None or not pump.accepting:
            pump = self._open()
        if pump.refusal is not None:
            raise AuditUnavailable(pump.refusal) from pump.error

        return pump

    def place(self) -> Place:
        """
        Return a place for the record of a request that begins.

        Raises:
            AuditUnavailable: there is none, or no record could be written.
        """
        while True:
            pump = self._ready()
            place = pump.place()
            if place is None:
                raise AuditUnavailable(
                    f"the journal of {str(self._trail)!r} has no slot free beside its "
                    f"reserve: {pump.pool.slots} requests run; raise max_slots"
                )
            # Asked again: a pump that ends says so first, and counts its places then.
            if pump.accepting:
                return place
            place.drop()

    def commit(self, event: Event) -> None:
        """
        Take an event that happened outside of any request.

        Raises:
            AuditUnavailable: the trail cannot be opened.
        """
        while True:
            pump = self.pump
            if pump is None or not pump.accepting:
                pump = self._open()
            place = pump.outside()
            if pump.accepting:  # as in `place`
                place.finish(event)
                return
            place.drop()

    def pass_unrecorded(self) -> None:
        """Count what is not on record, and is to do no harm."""
        self._notes.pass_unrecorded(time.time_ns() // 1000)

    def settle(self) -> None:
        """
        Wait until what was committed outlives what the durability promises.

        Raises:
            AuditUnavailable: it does not yet.
        """
        pump = self.pump
        if pump is not None and pump.durable and not pump.is_this_thread():
            pump.sync().wait()

    def commit_safely(self, event: Event) -> None:
        """
        Take an event that whoever tells it relies on: it is in the journal then.

        Raises:
            AuditUnavailable: there is no place for it, or the trail cannot be opened.
        """
        while True:
            pump = self.pump
            if pump is None or not pump.accepting:
                pump = self._open()
            place = pump.outside()
            if not pump.accepting:  # as in `place`
                place.drop()
                continue
            if not place.is_safe:
                place.drop()
                free = f"the journal of {str(self._trail)!r} has no slot free"
                raise AuditUnavailable(free)
            try:
                if pump.is_this_thread():
                    place.finish(event)  # it would wait for itself
                    return
                for receipt in place.put(event):
                    receipt.wait()
            except BaseException:
                place.drop()
                raise
            place.sent()
            return

    # --- life

    def open(self) -> None:
        """
        Make journal and trail ready, so that a trail that cannot be is known at once.

        Raises:
            AuditUnavailable: they cannot be opened.
        """
        self._ready()

    def _open(self) -> Pump:
        here, pump = this_thread(), self.pump
        if here == self._opener or (pump is not None and pump.is_this_thread()):
            # What a collection of garbage, or a signal, makes somebody say in the
            # middle of an opening or an ending would wait for itself.
            raise AuditUnavailable(f"the trail {str(self._trail)!r} is being opened")
        with self._gate:
            self._opener = here
            try:
                return self._opened()
            finally:
                self._opener = 0

    def _opened(self) -> Pump:
        pump = self.pump
        while pump is not None and pump.is_alive:
            if pump.accepting:
                return pump
            # It is about to end, or finds that it cannot. No greenlet may run
            # meanwhile: it could come here, and hold the thread at the gate.
            pause(_MOMENT)
        try:
            if pump is not None and not pump.has_ended:
                pump.start()  # its thread died
                return pump
            if pump is not None:
                self._follow(pump)
            pump = self._start()
        except Exception as error:
            raise self.blame(error) from error
        self.pump = pump
        self._error = None

        return pump

    def _start(self) -> Pump:
        home = Path(self._config.home)
        check_owner(home)
        make_directory(home, sync=self._config.durability == "disk")
        with acting_as(home):
            pump = Pump(self._config, self._notes, self._make_journal, self._last)
            try:
                pump.files.segments["request"].current()
                startup = self._notes.make(self.instance, "sys_startup", "SUCCESS", {})
                pump.note(startup)
            except BaseException:
                pump.abandon()
                raise
        try:  # outside: a thread has the identity for files of who starts it
            pump.start()
        except BaseException:
            pump.abandon()
            raise
        # An application that is dropped takes its thread and its journal with it.
        finalize(self, _drop, pump).atexit = False

        return pump

    def blame(self, error: Exception) -> AuditUnavailable:
        """Return why the trail cannot be opened, and remember it for `state`."""
        reason = f"the trail {str(self._trail)!r} takes no record: {describe(error)}"
        self._error = reason

        return AuditUnavailable(reason)

    @property
    def keeps_debug(self) -> bool:
        """Whether debug records are asked for, and there is space for them."""
        pump = self.pump
        level = Level.OK if pump is None else pump.space.level

        return self._config.debug and level < Level.NO_DEBUG

    def flush(self) -> None:
        """
        Wait until what was finished is in its segments.

        Raises:
            AuditUnavailable: it is not; it is kept, and comes as soon as it can.
        """
        if self.pump is not None and self.pump.accepting:
            self.pump.flush().wait(_SECONDS)

    def close(self, *, at_exit: bool = False) -> None:
        """
        Write what is finished, and let go of all files; the next request opens them.

        Args:
            at_exit: this process ends: what still runs is left to the next one.
        """
        pump = self.pump
        if pump is None or not pump.accepting:
            return
        with suppress(AuditUnavailable):
            pump.stop(at_exit=at_exit).wait(_SECONDS)
        with self._gate:
            if pump.has_ended and self.pump is pump:
                self._follow(pump)
                self.pump = None

    def _follow(self, pump: Pump) -> None:
        """Go on with the numbers of a pump that ended."""
        if pump.is_clean:
            self._last = pump.journal.last
        else:
            # Who adopts its journal goes on with them.
            self._begin_instance()

    # --- health

    def state(self) -> WriterState:
        """Return how it is."""
        pump, trail = self.pump, str(self._trail)
        refused, unrecorded = self._notes.refused, self._notes.unrecorded
        if pump is None:
            state = "stopped" if self._error is None else "failing"
            return WriterState(
                trail,
                state,
                last_error=self._error,
                refused=refused,
                unrecorded=unrecorded,
            )
        now = time.monotonic()
        oldest, since = pump.oldest, pump.failing_since
        is_full = not pump.pool.free
        state = "refusing" if pump.refusal or is_full else "ok"
        state = "failing" if pump.error and not pump.is_stalled else state

        return WriterState(
            trail,
            state if pump.accepting else "stopped",
            slots=pump.pool.slots,
            free_slots=pump.pool.free,
            waiting=pump.waiting,
            oldest_waiting=None if oldest is None else now - oldest,
            last_error=pump.refusal or pump.failure,
            failing_since=None if since is None else now - since,
            refused=refused,
            unrecorded=unrecorded,
            free_space=pump.space.free,
            level=pump.space.level.name.lower(),
        )


class _JournalMaker:
    """Makes the journals of one instance, which needs a second when one vanishes."""

    def __init__(self, config: Config, service: str, instance: str, name: str) -> None:
        self._config = config
        self._service = service
        self._instance = instance
        self._name = name
        self._made = 0

    def __call__(self, last: dict[str, int]) -> Journal:
        directory = journal_directory(self._config)
        make_directory(directory, sync=self._config.durability == "disk")
        self._made += 1
        inside = self._config.journal_dir is None
        facts = Facts(
            "" if inside else self._config.trail,
            self._service,
            self._instance,
            boot_id(),
            self._config.durability,
            _geometry(self._config),
        )
        path = directory / f"{self._name}-{self._made}{SUFFIX}"

        return Journal.create(path, facts, last)


def _drop(pump: Pump) -> None:
    _dropped[:] = [each for each in (*_dropped, pump) if each.is_alive]
    pump.stop(at_exit=True)


def _geometry(config: Config) -> Geometry:
    small = min(_SMALL, config.max_slots)
    # A record, what else a version has, and room for some of what it spills. Where
    # records are to be short, on a console, what cannot be short must fit still.
    record = _LARGE_HALF if config.is_console else config.max_record
    large_half = record + (4 << 10)

    return Geometry(small, _SMALL_HALF, max(small // _LARGE, 2), large_half)


def open_writers() -> tuple[Writer, ...]:
    """Return the writers of this process."""
    return tuple(_writers)


def _begin_children() -> None:
    journals.begin_child()
    _dropped.clear()  # their threads are the parent's: at exit nobody would answer
    for writer in tuple(_writers):
        writer.begin_child()


def _close_all() -> None:
    for writer in tuple(_writers):
        with suppress(Exception):  # the others shall be closed as well
            writer.close(at_exit=True)
    for pump in tuple(_dropped):
        with suppress(Exception):
            if pump.is_alive:
                pump.stop(at_exit=True).wait(_SECONDS)


in_child(_begin_children)
atexit.register(_close_all)
