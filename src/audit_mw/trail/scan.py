# Which records of one instance stand in the segments at all: read from the lines.
#
# It is asked after a loss of power only, when the notes of a journal may be older than
# what they are about. It reads whole segments, of the days that can matter.
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.entry import Entry
from audit_mw.trail.landed import lines_of
from audit_mw.trail.reader import segments
from audit_mw.trail.zstd import MissingExtra

__all__ = ["scan"]

_TIME, _EVENT, _SEQ = 1, 2, 4
_STEP = 4 << 20


def scan(
    trail: Path, entries: Iterable[Entry], instance: str
) -> tuple[dict[str, set[bytes]], dict[str, int]]:
    """
    Return stream -> stamps (time and event) that stand in it; stream -> last seq.

    Args:
        trail: the directory.
        entries: what is looked for.
        instance: whose records they are.

    Raises:
        OSError: a segment cannot be read.
    """
    found: dict[str, set[bytes]] = {}
    last: dict[str, int] = {}
    for stream in {entry.stream for entry in entries}:
        found[stream] = set()
        for path in segments(trail, stream):
            for cells in _lines(path, instance):
                found[stream].add(b"\t".join(cells[_TIME : _EVENT + 1]))
                last[stream] = max(last.get(stream, 0), int(cells[_SEQ]))

    return found, last


def _lines(path: Path, instance: str) -> Iterator[list[bytes]]:
    rest = b""
    # What cannot be read is damage, which is for `verify` to tell.
    with suppress(*UNREADABLE, MissingExtra), open_segment(path) as file:
        while block := file.read(_STEP):
            whole, _, rest = (rest + block).rpartition(b"\n")
            yield from lines_of(whole + b"\n", instance)
