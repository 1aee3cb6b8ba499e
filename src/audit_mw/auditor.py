# The one place that wires things: config, key, rules, writer, and the refusal of
# requests that could not be recorded.
#
# It opens nothing when it is made: a server may still drop its privileges, or fork.
# Lifespan start-up opens it, or else the first request.
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from audit_mw.config import Config
from audit_mw.errors import AuditError, AuditUnavailable
from audit_mw.event import Event, RequestHead
from audit_mw.exchange import Exchange
from audit_mw.ids import EventIds
from audit_mw.recorder import Recorder, Vouched
from audit_mw.rules import Rules
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.forks import see_fork
from audit_mw.trail.key import load_key
from audit_mw.trail.params import encode_param
from audit_mw.trail.writer import Writer

__all__ = ["Auditor", "Recorder", "Vouched"]


class Auditor:
    """
    Records the exchanges of one application.

    Args:
        config: the options.
        service: name of the service, where the config gives none.
    """

    def __init__(self, config: Config, service: str) -> None:
        # A server may change its directory later; key and records must not part.
        trail = Path(config.trail).absolute()
        self.config = replace(config, trail=str(trail))
        self._service = config.service or service
        self._ids = EventIds()
        self._writer = Writer(trail, config.rotate)
        self._rules: Rules | None = None
        self._refused = _Refused()

    def open(self) -> None:
        """
        Make the trail ready.

        Raises:
            AuditUnavailable: it takes no record.
        """
        self._open()

    def _open(self) -> Rules:
        see_fork()
        rules = self._compile()
        self._writer.open()

        return rules

    def close(self) -> None:
        """Let go of all files; the next request opens them again."""
        self._writer.close()

    def begin(
        self, head: Callable[[], RequestHead], vouch: Callable[[], Vouched]
    ) -> Recorder:
        """
        Return the recorder of a request that may be served.

        Args:
            head: gives what is known before the application is called.
            vouch: is asked, before the record is made, for user and action.

        Raises:
            AuditUnavailable: no record can be written: the application must not be
                called. The refusal is counted.
        """
        see_fork()
        event, now = self._ids.make()
        try:
            rules = self._rules or self._open()
            self._writer.ready()
            if self._refused.count:
                self._refused.record(self._refused_event)
            exchange = Exchange(rules, head(), event, now, time.monotonic_ns())
        except Exception as error:
            self._refused.note(now)
            if isinstance(error, AuditUnavailable):
                raise
            # A head that we fail on cannot be recorded, and so is not served.
            raise AuditUnavailable(f"no record of the request: {error!r}") from error

        return Recorder(exchange, self._writer, vouch)

    def _compile(self) -> Rules:
        try:
            key = load_key(self.config)
        except (OSError, AuditError) as error:
            reason = f"the trail {self.config.trail!r} has no key: {error}"
            raise AuditUnavailable(reason) from error
        self._rules = Rules(self.config, key, self._service, encode_param)

        return self._rules

    def _refused_event(self, count: int, first: int, last: int) -> None:
        event, now = self._ids.make()
        details = {
            "count": count,
            "first": encode_time(first),
            "last": encode_time(last),
        }
        self._writer.commit(
            Event(
                time=now,
                event=event,
                stream="system",
                type="log_refused",
                outcome="FAILURE",
                service=self._service.encode(errors="surrogateescape"),
                instance=self._writer.instance,
                details=details,
            )
        )


class _Refused:
    """Requests that were refused, until a record tells of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0
        self._first = self._last = 0

    def note(self, now: int) -> None:
        """Count one."""
        with self._lock:
            self._first = self._first if self.count else now
            self._last = now
            self.count += 1

    def record(self, commit: Callable[[int, int, int], None]) -> None:
        """Commit (count, first, last) if there is anything to tell, and forget it."""
        with self._lock:
            count, first, last = self.count, self._first, self._last
            self.count = 0
        if count:
            try:
                commit(count, first, last)
            except AuditUnavailable:
                with self._lock:
                    self.count += count
                    self._first = first
                    self._last = max(last, self._last)
                raise
