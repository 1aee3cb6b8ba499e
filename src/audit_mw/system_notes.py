# The records that this package makes of itself, and what it owes to the trail: how many
# requests were refused, and how many were served without a record, until one tells.
import threading
from collections.abc import Callable, Iterator

from audit_mw.event import Event
from audit_mw.ids import IdMaker
from audit_mw.trail.encoding import encode_time

__all__ = ["SystemNotes"]


class SystemNotes:
    """
    Makes the records of the system stream.

    Args:
        service: name of the service.
        ids: makes the ids of events.
        startup: gives what `sys_startup` tells.
    """

    def __init__(
        self,
        service: str,
        ids: IdMaker,
        startup: Callable[[], dict[str, object]] = dict,
    ) -> None:
        self._startup = startup
        self._service = service.encode(errors="surrogateescape")
        self._ids = ids
        self._refused = _Count()
        self._unrecorded = _Count()

    @property
    def refused(self) -> int:
        """Requests that were refused since the last record of that."""
        return self._refused.count

    @property
    def unrecorded(self) -> int:
        """Requests that were served unrecorded since the last record of that."""
        return self._unrecorded.count

    def refuse(self, now: int, reason: str) -> None:
        """Count a request that is refused; `now` in microseconds since the epoch."""
        self._refused.note(now, reason)

    def pass_unrecorded(self, now: int) -> None:
        """Count a request that is served without a record."""
        self._unrecorded.note(now, "served unrecorded")

    def make(
        self, instance: str, kind: str, outcome: str, details: dict[str, object]
    ) -> Event:
        """Return an event of the system stream."""
        event, now = self._ids.make()
        if kind == "sys_startup":
            details = self._startup() | details

        return Event(
            time=now,
            event=event,
            stream="system",
            type=kind,
            outcome=outcome,
            service=self._service,
            instance=instance,
            details=details,
        )

    def missed(self, instance: str) -> Iterator[Event]:
        """Yield what tells of requests that were refused, or not recorded, once."""
        if self._refused.count:
            yield self.make(instance, "log_refused", "FAILURE", self._refused.take())
        if self._unrecorded.count:
            yield self.make(instance, "log_gap", "FAILURE", self._unrecorded.take())


class _Count:
    """How many, why, the first and the last of them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.count = 0
        self._first = self._last = 0
        self._reason = b""

    def note(self, now: int, reason: str) -> None:
        """Count one; the reason of the first is that of all."""
        with self._lock:
            if not self.count:
                self._first, self._reason = now, reason.encode(errors="replace")
            self._last = now
            self.count += 1

    def take(self) -> dict[str, object]:
        """Return what there is to tell, and forget it."""
        with self._lock:
            count, self.count = self.count, 0

        return {
            "reason": self._reason,
            "count": count,
            "first": encode_time(self._first),
            "last": encode_time(self._last),
        }
