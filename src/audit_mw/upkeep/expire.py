# Expiry: segments whose period ended long ago are put on record, and removed.
#
# Rule: nothing is removed by a guess. A segment whose name tells no time stays, and so
#       does the newest of a stream, which a writer may have open.
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit_mw.errors import AuditError, DamagedRecord
from audit_mw.event import STREAMS
from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.closing import lock_segment
from audit_mw.trail.directories import sync_directory
from audit_mw.trail.facts import measure
from audit_mw.trail.index import Facts, read_index
from audit_mw.trail.names import SegmentName, index_path, period_of
from audit_mw.trail.owner import acting_as, check_owner
from audit_mw.trail.reader import segments
from audit_mw.trail.record import VALUES
from audit_mw.upkeep.records import SystemRecords, facts_details, name_in_trail

__all__ = ["LEAST_DAYS", "Expired", "expirable", "expire_trail"]

LEAST_DAYS = 365
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Expired:
    """A segment that was removed, and what was in it, if that could be told."""

    segment: Path
    facts: Facts | None


def expire_trail(trail: Path, days: int, now: float | None = None) -> Iterator[Expired]:
    """
    Remove what is older; yield each as it is done.

    Args:
        trail: the directory.
        days: since the end of a segment's period.
        now: seconds since the epoch; None asks the clock.

    Raises:
        OSError: a file cannot be removed.
        AuditError: the trail takes no record of it; the segment stays.
    """
    check_owner(trail)
    with SystemRecords(trail) as records:
        for path in expirable(trail, days, now):
            with acting_as(trail):
                expired = _expire(path, records)
            if expired is not None:
                yield expired


def _expire(path: Path, records: SystemRecords) -> Expired | None:
    with lock_segment(path) as file:
        if file is None:
            return None
        expired = Expired(path, _maybe_facts(path))
        _tell(records, expired)
        _remove(path)

    return expired


def expirable(trail: Path, days: int, now: float | None = None) -> list[Path]:
    """Return the segments whose period ended `days` ago or earlier."""
    until = (time.time() if now is None else now) - days * _DAY

    return [
        path
        for stream in (*STREAMS, VALUES)
        for path in _but_active(segments(trail, stream))
        if _ended_by(path, until)
    ]


def _but_active(paths: list[Path]) -> list[Path]:
    plain = [path for path in paths if not SegmentName(path.name).is_packed]

    return [path for path in paths if path not in plain[-1:]]


def _ended_by(path: Path, until: float) -> bool:
    period = period_of(path.name)

    return period is not None and period.end <= until


def _maybe_facts(path: Path) -> Facts | None:
    try:
        index = read_index(path) if SegmentName(path.name).is_packed else None
        if index is not None:
            return index.facts
    except DamagedRecord:
        pass
    try:
        with open_segment(path) as file:
            return measure(file)
    except (*UNREADABLE, AuditError):
        return None


def _tell(records: SystemRecords, expired: Expired) -> None:
    facts = {} if expired.facts is None else facts_details(expired.facts)
    details = {"segment": name_in_trail(expired.segment), **facts}
    if not records.has("segment_expired", details):
        records.write("segment_expired", details)


def _remove(path: Path) -> None:
    # The index goes last: while it is there no writer takes the segment's name.
    index = index_path(path)
    path.unlink()
    if SegmentName(path.name).is_packed:
        index.unlink(missing_ok=True)
    sync_directory(path.parent)
