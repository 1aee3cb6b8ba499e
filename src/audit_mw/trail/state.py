# How a writer is, for who asks after its health.
from dataclasses import dataclass, field

__all__ = ["WriterState"]


@dataclass(frozen=True, slots=True)
class WriterState:
    """
    How a writer is: what `audit_mw.health()` tells of a trail.

    Args:
        trail: the directory.
        state: ok, failing, refusing or stopped.
        slots: how many the journal has.
        free_slots: how many requests could begin now.
        waiting: finished records that are in no segment yet.
        oldest_waiting: seconds since the oldest of them was finished.
        last_error: what the disk said, while it fails.
        failing_since: seconds since it began to fail.
        refused: requests that were refused and are not on record yet.
        unrecorded: requests that were served unrecorded, likewise.
        free_space: bytes, of the trail and of the journal.
        level: what that asks for: ok, warn, no_debug or refuse.
    """

    trail: str
    state: str
    slots: int = 0
    free_slots: int = 0
    waiting: int = 0
    oldest_waiting: float | None = None
    last_error: str | None = None
    failing_since: float | None = None
    refused: int = 0
    unrecorded: int = 0
    free_space: dict[str, int] = field(default_factory=dict)
    level: str = "ok"
