# A trail that has grown, without the time that it takes to grow one.
#
# Its newest segments of each kind are as long as is asked for: a header, a hole, which
# takes no disk, and a last line that is whole. Whoever reads all of it would find the
# hole; what appends must not look there. Beside them lie a year of older segments.
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from audit_mw.event import STREAMS, Event
from audit_mw.trail.record import VALUES, draft_event, finish_line, header_line

__all__ = ["fill"]

_YEAR = 365
_FULL = ("request", VALUES, "system")


def fill(trail: Path, size: int) -> None:
    """
    Make a trail.

    Args:
        trail: the directory, which is made.
        size: bytes of each of its newest segments; less than a line is none at all.
    """
    today = datetime.now(UTC).date()
    for stream in (*STREAMS, VALUES):
        directory = trail / stream
        directory.mkdir(parents=True, mode=0o750)
        if size > len(header_line(stream)) and stream in _FULL:
            _fill_stream(directory, stream, today, size)


def _fill_stream(directory: Path, stream: str, today: date, size: int) -> None:
    for before in range(1, _YEAR):
        _write(directory, stream, today - timedelta(before), 0)
    _write(directory, stream, today, size)


def _write(directory: Path, stream: str, day: date, size: int) -> None:
    path = directory / f"{day:%Y-%m-%d}.log"
    line = _line(stream)
    with path.open("xb") as segment:
        segment.write(header_line(stream))
        segment.seek(max(size - len(line), segment.tell()))
        segment.write(line)
    path.chmod(0o640)


def _line(stream: str) -> bytes:
    event = Event(
        time=1_795_238_767_123_456,
        event="019aa4f2-35c3-7a1b-8c4d-5e6f70819203",
        stream="request" if stream == VALUES else stream,
        type="request",
        outcome="SUCCESS",
        service=b"bench",
        instance="earlier:1:00000000",
    )

    return finish_line(draft_event(event), 1)
