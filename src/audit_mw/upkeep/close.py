# Closing: each segment whose period is over is compressed, and put on record.
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from audit_mw.event import STREAMS
from audit_mw.trail.closing import Closed, close_segment
from audit_mw.trail.names import SegmentName, period_of
from audit_mw.trail.owner import acting_as, check_owner
from audit_mw.trail.reader import segments
from audit_mw.trail.record import VALUES
from audit_mw.upkeep.records import SystemRecords, facts_details, name_in_trail

__all__ = ["closable", "close_trail"]

# After the end of its period: a writer that chose its segment before may be at it.
_PATIENCE = 300


def close_trail(trail: Path, now: float | None = None) -> Iterator[Closed]:
    """
    Close what can be closed; yield each as it is done.

    Args:
        trail: the directory.
        now: seconds since the epoch; None asks the clock.

    Raises:
        OSError: the disk does not take it; the segment stays as it is.
        AuditError: there is no zstd, an archive does not read back, or the trail takes
            no record of it; the segment stays as it is.
    """
    check_owner(trail)
    with SystemRecords(trail) as records:
        for path in closable(trail, time.time() if now is None else now):
            with acting_as(trail):
                closed = close_segment(path, partial(_tell, records))
            if closed is not None:
                yield closed


def closable(trail: Path, now: float) -> list[Path]:
    """Return the segments whose period is over, and that are not compressed yet."""
    return [
        path
        for stream in (*STREAMS, VALUES)
        for path in segments(trail, stream)
        if _is_over(path, now)
    ]


def _is_over(path: Path, now: float) -> bool:
    period = period_of(path.name)
    is_open = not SegmentName(path.name).is_packed

    return is_open and period is not None and now >= period.end + _PATIENCE


def _tell(records: SystemRecords, closed: Closed) -> None:
    details = {
        "segment": name_in_trail(closed.segment),
        "archive": name_in_trail(closed.archive),
        **facts_details(closed.facts),
    }
    if not (closed.resumed and records.has("segment_closed", details)):
        records.write("segment_closed", details)
