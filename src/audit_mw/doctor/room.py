# How much room is left, and for how many days at the present rate.
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from audit_mw.config import Config
from audit_mw.doctor.check import BAD, OK, UNKNOWN, WARNING, Check
from audit_mw.event import STREAMS
from audit_mw.trail.names import SegmentName, period_of
from audit_mw.trail.reader import segments
from audit_mw.trail.record import VALUES
from audit_mw.trail.space import Level, level_of

__all__ = ["look_at_retention", "look_at_room"]

_DAY = 86_400
_SAMPLE = 7  # days from which the rate is taken
_FEW, _SOME = 7, 30  # days left that are an error, that are a warning
_YEAR = 365
_OPEN = 3  # days after which a segment should have been closed


def look_at_room(config: Config, now: float) -> Iterator[Check]:
    """Judge the free space, and how long it will do; `now` in seconds."""
    trail = Path(config.trail)
    told = os.statvfs(trail)
    free = told.f_bavail * told.f_frsize
    level = level_of(told, config.min_free)
    said = f"{free} bytes are free, {_percent(told)} of its file system"
    if level is Level.OK:
        yield Check("room", OK, said)
    else:
        state = WARNING if level is Level.WARN else BAD
        yield Check("room", state, f"{said}: {_FOLLOWS[level]}", "make room")
    yield _days_left(trail, free, now)


_FOLLOWS = {
    Level.WARN: "below the first threshold of min_free",
    Level.NO_DEBUG: "the debug stream has stopped",
    Level.REFUSE: "requests are refused",
}


def _percent(told: os.statvfs_result) -> str:
    return (
        f"{told.f_bavail * 100 // told.f_blocks} percent" if told.f_blocks else "some"
    )


def _days_left(trail: Path, free: int, now: float) -> Check:
    rate = _rate(trail, now)
    if not rate:
        return Check("days left", UNKNOWN, "nothing was written in the last days")
    days = int(free // rate)
    state = BAD if days < _FEW else WARNING if days < _SOME else OK
    mend = "" if state == OK else "close and expire segments, or make room"
    said = f"{days} days at {int(rate)} bytes a day, the mean of the last {_SAMPLE}"

    return Check("days left", state, said, mend)


def _rate(trail: Path, now: float) -> float:
    """Return bytes a day, of the days of the last week that have segments."""
    sizes: defaultdict[int, int] = defaultdict(int)
    for path, start in _dated(trail):
        age = int(now // _DAY) - start // _DAY
        if 0 <= age <= _SAMPLE:
            sizes[age] += path.lstat().st_size
    # Today is not over, so it counts only where there is no other.
    whole = {age: size for age, size in sizes.items() if age > 0} or sizes

    return sum(whole.values()) / max(1, *whole) if whole else 0


def _dated(trail: Path) -> Iterator[tuple[Path, int]]:
    for stream in (*STREAMS, VALUES):
        for path in segments(trail, stream):
            period = period_of(path.name)
            if period is not None:
                yield path, period.start


def look_at_retention(trail: Path, now: float) -> Iterator[Check]:
    """Tell how far back the trail goes, and whether segments are closed."""
    dated = list(_dated(trail))
    if not dated:
        yield Check("retention", UNKNOWN, "there is no segment yet")
        return
    days = int(now - min(start for _, start in dated)) // _DAY
    said = f"the oldest segment is {days} days old"
    yield Check("retention", OK if days >= _YEAR else UNKNOWN, said, _kept(days))
    waiting = [
        path
        for path, start in dated
        if not SegmentName(path.name).is_packed and now - start > _OPEN * _DAY
    ]
    if waiting:
        said = f"{len(waiting)} segments are over and not closed"
        yield Check("closing", WARNING, said, "run audit-mw close each day")
    else:
        yield Check("closing", OK, "no segment waits to be closed")


def _kept(days: int) -> str:
    return "" if days >= _YEAR else "keep them for a year at least"
