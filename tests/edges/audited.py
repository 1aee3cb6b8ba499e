# AuditMiddleware around applications that share one trail, and that trail read again.
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.settling import settle

from audit_mw import AuditMiddleware, AuditUnavailable
from audit_mw.event import Event
from audit_mw.trail.reader import Damage, read_segment, segments
from audit_mw.trail.record import Record

__all__ = ["KEY", "Audited", "around", "read_trail", "slots_in_use"]

KEY = bytes(range(32))
_LOOKS = 2000


class Audited:
    """
    Wraps applications; all write to one trail.

    Args:
        trail: its directory.
    """

    def __init__(self, trail: Path) -> None:
        self.trail = trail
        self._made: list[Any] = []

    def __call__(self, app: Any, **options: Any) -> Any:
        """Return `app`, wrapped."""
        options = {"trail": str(self.trail), "service": "edges", "key": KEY} | options
        middleware = AuditMiddleware(app, **options)
        self._made.append(middleware)

        return middleware

    def events(self, stream: str = "request") -> list[Event]:
        """Return the events of a stream, in the order of their records."""
        return read_trail(self.trail, stream)

    def event(self) -> Event:
        """Return the one event of the request stream."""
        (event,) = self.events()

        return event

    def faults(self) -> list[Event]:
        """Return the events of the fault stream."""
        return self.events("fault")

    def is_ready(self) -> bool:
        """Tell whether each trail takes a request now, as far as is known."""
        return all(_does(made._auditor._writer.ready) for made in self._made)

    def is_flushed(self) -> bool:
        """Tell whether what was recorded is on lines; wait for it where it can be."""
        return all(_does(made._auditor._writer.flush) for made in self._made)

    def slots_in_use(self) -> int:
        """Return how many slots are not free, once what was recorded is on lines."""
        return sum(map(slots_in_use, self._made))

    def close(self) -> None:
        """Let go of all files."""
        for middleware in self._made:
            middleware._auditor.close()


def _does(act: Callable[[], None]) -> bool:
    try:
        act()
    except AuditUnavailable:
        return False
    return True


def around(middleware: Any) -> Callable[[Any], Any]:
    """Return a function that puts `middleware`, as it is, around another application."""

    def put(app: Any) -> Any:
        middleware.app = app
        return middleware

    return put


def slots_in_use(middleware: Any) -> int:
    """Return how many slots of the journal of `middleware` stay in use."""
    writer = middleware._auditor._writer
    for _ in range(_LOOKS):
        with suppress(AuditUnavailable):
            writer.flush()
        # The records that the writer makes of itself follow those that it was given.
        if writer.pump is None or not writer.pump.pool.used:
            return 0
        time.sleep(0.001)

    return int(writer.pump.pool.used)


def read_trail(
    trail: Path, stream: str = "request", journals: Path | None = None
) -> list[Event]:
    """Return the events of a stream; a damaged line is a failure."""
    settle(trail, journals)
    items = [item for path in segments(trail, stream) for item in read_segment(path)]
    assert [item for item in items if isinstance(item, Damage)] == []

    return [item.event for item in items if isinstance(item, Record)]
