# The one place that wires things: config, key, rules, writer, and what becomes of
# requests that could not be recorded.
#
# It opens nothing when it is made: a server may still drop its privileges, or fork.
# Lifespan start-up opens it, or else the first request.
#
# (Longer than 250 lines, since the one place that wires things wires all of them.)
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from weakref import WeakSet

from audit_mw.config import Config
from audit_mw.errors import AuditError, AuditUnavailable, ConfigError
from audit_mw.event import RequestHead
from audit_mw.exchange import Exchange
from audit_mw.ordinary import Ordinary
from audit_mw.recorder import Recorder, Vouched
from audit_mw.rules import Rules
from audit_mw.short_road import ShortRoad, check_built, make_ids
from audit_mw.startup import startup_details
from audit_mw.statements import Statement, compose
from audit_mw.system_notes import SystemNotes
from audit_mw.trail.forks import see_fork
from audit_mw.trail.key import load_key
from audit_mw.trail.mounts import is_in_memory
from audit_mw.trail.owner import acting_as, check_owner
from audit_mw.trail.params import encode_details, encode_param
from audit_mw.trail.receipt import Receipt
from audit_mw.trail.reporting import describe
from audit_mw.trail.sheet import Sheet
from audit_mw.trail.writer import Writer, journal_directory

__all__ = ["Auditor", "Receipt", "Recorder", "Vouched", "auditors"]


_auditors: "WeakSet[Auditor]" = WeakSet()


class Auditor:
    """
    Records the exchanges of one application.

    Args:
        config: the options.
        service: name of the service, where the config gives none.
    """

    def __init__(self, config: Config, service: str) -> None:
        # A server may change its directory later; key and records must not part.
        trail = config.trail if config.is_console else Path(config.trail).absolute()
        journals = config.journal_dir and str(Path(config.journal_dir).absolute())
        self.config = replace(config, trail=str(trail), journal_dir=journals)
        _check_durability(self.config)
        check_built(config)
        self._service = config.service or service
        self._ids = make_ids(config)
        self._startup = _Startup(self.config)
        self._notes = SystemNotes(self._service, self._ids, self._startup)
        self._writer = Writer(self.config, self._notes, self._service)
        self._rules: Rules | None = None
        self._ordinary: Ordinary | None = None
        self.short_road = ShortRoad(self.config, self._ids, self._writer)
        self._unlogged = {path.encode() for path in config.serve_unlogged}

    def open(self) -> None:
        """
        Make the trail ready.

        Raises:
            AuditUnavailable: it takes no record.
        """
        see_fork()
        self._open()

    def _open(self) -> Rules:
        rules = self._rules or self._compile()
        self._writer.open()

        return rules

    def serve(self) -> None:
        """Note that this is the auditor of an application of this process."""
        _auditors.add(self)

    @property
    def keeps_debug(self) -> bool:
        """Whether debug records are kept now."""
        return self._writer.keeps_debug

    def flush(self) -> None:
        """
        Wait until what was recorded so far is in the segments.

        Raises:
            AuditUnavailable: it is not; it is kept, and comes as soon as it can.
        """
        self._writer.flush()

    def close(self, *, at_exit: bool = False) -> None:
        """
        Write what is recorded, and let go of all files; the next request opens them.

        Args:
            at_exit: this process ends: what still runs is left to the next one.
        """
        self._writer.close(at_exit=at_exit)

    def begin(
        self, head: Callable[[], RequestHead], vouch: Callable[[], Vouched]
    ) -> Recorder | None:
        """
        Return the recorder of a request that may be served.

        Its `opening` must be waited for before the application is called.

        Args:
            head: gives what is known before the application is called.
            vouch: is asked, before the record is made, for user and action.

        Returns:
            None where the request is to be served though it cannot be recorded.

        Raises:
            AuditUnavailable: no record can be written: the application must not be
                called. The refusal is counted.
        """
        see_fork()
        event, now = self._ids.make()
        try:
            return self._begin(event, now, head, vouch)
        except Exception as error:  # noqa: BLE001 - what cannot be recorded is not served
            self.refuse(error, head)
            return None

    def _begin(
        self,
        event: str,
        now: int,
        head: Callable[[], RequestHead],
        vouch: Callable[[], Vouched],
    ) -> Recorder:
        rules = self._rules or self._open()
        place = self._writer.place()
        try:
            exchange = Exchange(
                rules, head(), event, now, time.monotonic_ns(), self._ordinary
            )
            opening = place.open(exchange.opening(self._writer.instance))
            lenient = self.config.on_failure == "serve"
            return Recorder(
                exchange, place, self._writer, vouch, opening, lenient=lenient
            )
        except BaseException:
            place.drop()
            raise

    def say(self, said: Statement) -> None:
        """
        Record something that the application says outside of any exchange.

        Raises:
            AuditUnavailable: it cannot be.
            TypeError: something in it cannot be recorded.
            ValueError: something in it is nested too deep.
        """
        see_fork()
        lenient = self.config.on_failure == "serve"
        try:
            self._say(said)
        except AuditUnavailable:
            if not lenient:
                raise
            self._writer.pass_unrecorded()
            return
        with suppress(*((AuditUnavailable,) if lenient else ())):
            self._writer.settle()

    def _say(self, said: Statement) -> None:
        rules = self._rules or self._open()
        event, now = self._ids.make()
        self._writer.ready()
        self._writer.commit_safely(compose(rules, said, event, now))

    def refuse(self, error: Exception, head: Callable[[], RequestHead]) -> None:
        """
        Count a request that cannot be recorded; return if it is to be served anyway.

        Raises:
            AuditUnavailable: it is not.
        """
        now = time.time_ns() // 1000
        if self._serves(head):
            self._notes.pass_unrecorded(now)
            return
        self._notes.refuse(now, describe(error))
        if self.config.on_failure == "exit":
            _end_worker(error)
        if isinstance(error, AuditUnavailable):
            raise error
        raise AuditUnavailable(f"no record of the request: {error!r}") from error

    def _serves(self, head: Callable[[], RequestHead]) -> bool:
        if self.config.on_failure == "serve":
            return True
        try:
            return bool(self._unlogged) and head().path in self._unlogged
        except Exception:  # noqa: BLE001 - a head that we fail on has no path
            return False

    def _compile(self) -> Rules:
        home = Path(self.config.home)
        try:
            check_owner(home)
            with acting_as(home):
                self._startup.key = load_key(self.config)
        except (OSError, AuditError) as error:
            raise self._writer.blame(error) from error
        key = self._startup.key
        rules = Rules(self.config, key, self._service, encode_param, _encode_details)
        self._ordinary = Ordinary(rules, Sheet)
        self.short_road.learn(rules, self._ordinary)
        self._rules = rules

        return rules


def auditors() -> list[Auditor]:
    """Return those of the applications of this process."""
    return list(_auditors)


class _Startup:
    """What `sys_startup` tells; the writer's thread holds this, and not the auditor."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.key = b""

    def __call__(self) -> dict[str, object]:
        return startup_details(self._config, self.key, journal_directory(self._config))


def _encode_details(details: Mapping[str, object]) -> bytes:
    return encode_details(details, {})


def _check_durability(config: Config) -> None:
    directory = journal_directory(config)
    if config.durability == "disk" and is_in_memory(directory):
        right = (
            f"{str(directory)!r} is in memory, and so would be gone with the power: "
            "name a directory on a disk, or give durability=process"
        )
        raise ConfigError("journal_dir", config.journal_dir, right)


def _end_worker(error: Exception) -> None:
    sys.stderr.write(f"audit_mw: on_failure is exit, so this worker ends: {error}\n")
    # As its server would be ended: what runs is answered, and recorded.
    os.kill(os.getpid(), signal.SIGTERM)
