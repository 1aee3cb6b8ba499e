# What was recorded of late: the end of the newest segments, as much as may be read in a
# moment.
#
# Of `system` that is a week, in closed segments as well: a gap of yesterday is in one.
# Of `request` it is a sample of what is not closed; `verify` reads all.
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from audit_mw.errors import DamagedRecord
from audit_mw.event import Event
from audit_mw.trail.archive import UNREADABLE
from audit_mw.trail.reader import strangers
from audit_mw.trail.record import decode_line
from audit_mw.trail.seen import Seen, look, open_seen
from audit_mw.trail.span import Span

__all__ = ["Recent", "read_recent"]

_BYTES = {"request": 4 << 20, "system": 16 << 20}
_DAYS = 7
_FILES = 2  # of the requests


@dataclass(slots=True)
class Recent:
    """
    The last records of a stream.

    Args:
        events: the oldest first.
        damaged: lines among them that are not what a writer wrote.
        unread: segments that could not be read.
        cut: segments that were too long to be read in a moment.
        strangers: what is no file where a segment is to stand.
    """

    events: list[Event] = field(default_factory=list)
    damaged: int = 0
    unread: int = 0
    cut: int = 0
    strangers: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all was read that there is of the time that is looked at."""
        return not (self.damaged or self.unread or self.cut or self.strangers)


def read_recent(trail: Path, stream: str, now: float) -> Recent:
    """
    Return the last records of `request` or `system`.

    Args:
        trail: the directory.
        stream: which of the two.
        now: seconds since the epoch.

    Raises:
        OSError: the directory of the stream cannot be read.
        MissingExtra: a segment is closed, and there is no zstd.
    """
    recent = Recent(strangers=len(strangers(trail, stream)))
    since = Span(int((now - _DAYS * 86_400) * 1_000_000))
    found = look(trail, stream)
    if stream == "request":
        chosen = [each for each in found if not each.is_packed][-_FILES:]
    else:
        chosen = [each for each in found if since.may_have(each)]
    for seen in chosen:
        try:
            for line in _last_lines(seen, recent, _BYTES[stream] // _FILES):
                _take(recent, line)
        except (OSError, *UNREADABLE):
            recent.unread += 1

    return recent


def _last_lines(seen: Seen, recent: Recent, most: int) -> Iterator[bytes]:
    with open_seen(seen) as (_, file):
        size = 0
        if not seen.is_packed:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - most, 0))
        text = file.read(most)
        recent.cut += size > most or bool(seen.is_packed and file.read(1))
    # Half a line before, and behind, where a writer is at it.
    yield from text.split(b"\n")[1 if size > most else 0 : -1]


def _take(recent: Recent, line: bytes) -> None:
    if line.startswith(b"#"):
        return
    try:
        recent.events.append(decode_line(line + b"\n").event)
    except DamagedRecord:
        recent.damaged += 1
