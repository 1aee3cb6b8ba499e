# How the trail speaks of itself: who makes the records of the system stream, and how an
# error is put into words.
import errno
from collections.abc import Iterable
from typing import Protocol

from audit_mw.event import Event

__all__ = ["Notes", "describe"]


class Notes(Protocol):
    """Makes the records of the system stream, and counts what is not on record."""

    @property
    def refused(self) -> int:
        """Requests that were not served, since the last record of that."""

    @property
    def unrecorded(self) -> int:
        """Requests that were served without a record, since the last record of that."""

    def make(
        self, instance: str, kind: str, outcome: str, details: dict[str, object]
    ) -> Event:
        """Return an event of the system stream."""

    def pass_unrecorded(self, now: int) -> None:
        """Count what is not on record; `now` in microseconds since the epoch."""

    def missed(self, instance: str) -> Iterable[Event]:
        """Return events that tell what was refused or not recorded, once."""


def describe(error: Exception) -> str:
    """Return what went wrong: the name of its number, what that means, and where."""
    name = errno.errorcode.get(getattr(error, "errno", 0) or 0)
    if not isinstance(error, OSError) or name is None:
        return str(error) or repr(error)
    where = f": {error.filename!r}" if error.filename else ""

    return f"{name} ({error.strerror}){where}"
