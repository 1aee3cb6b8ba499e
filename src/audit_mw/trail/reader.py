# Segments -> events again, years later, on another machine.
#
# A damaged line is named with its file, line, offset and reason, and reading goes on
# behind it; nothing is skipped silently. Memory is flat: one line at a time, and a
# line longer than any that a writer makes is damage, not a reason to hold it.
#
# A captured console is a trail of one file, with all streams in it: what is neither in
# the directory of a stream nor begins with a header of ours (`captured`).
#
# (Longer than 250 lines, since segments and consoles are read by the same steps.)
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS, Event
from audit_mw.trail.archive import UNREADABLE, ArchiveFile, open_segment
from audit_mw.trail.captured import Captured
from audit_mw.trail.listing import segments
from audit_mw.trail.record import (
    VALUES,
    Record,
    StoredValue,
    decode_line,
    decode_value_line,
    header_line,
)

__all__ = [
    "Damage",
    "Line",
    "Position",
    "find_value",
    "read_events",
    "read_lines",
    "read_segment",
    "scan_lines",
    "segments",
    "trail_of",
]

# The upper bounds of max_record, with room to spare, and of max_spill, in base64.
_RECORD_BYTES = 16 << 20
_VALUE_BYTES = 2 << 30
_STEP = 1 << 16
_MAGIC = b"#audit_mw/"
_HEADERS = {header_line(stream): stream for stream in (*STREAMS, VALUES)}


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is not what the writer wrote: where, and what is wrong with it."""

    path: Path
    line: int
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: at byte {self.offset}: {self.reason}"


@dataclass(slots=True)
class Position:
    """
    How far a segment was read.

    Args:
        line, offset: lines, and bytes.
        captured: what was found so far, if it is a captured console.
    """

    line: int = 0
    offset: int = 0
    captured: Captured | None = None

    @property
    def skipped(self) -> int:
        """How many lines of a console were none of ours."""
        return self.captured.skipped if self.captured else 0


class Line(NamedTuple):
    """
    A line of a segment: where it is, its bytes, and what they mean.

    `item` is None for a header. Of a line too long to be one, and of an archive that
    does not decompress, `text` has not all. Of a console `text` is what a segment would
    have, and lines that are none of ours are passed over.
    """

    number: int
    offset: int
    text: bytes
    item: Record | StoredValue | Damage | None


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a segment; whoever needs to know of damage reads records."""
    for item in read_segment(path):
        if isinstance(item, Record):
            yield item.event


def read_segment(
    path: Path, at: Position | None = None
) -> Iterator[Record | StoredValue | Damage]:
    """
    Yield what stands on each line of a segment behind its header.

    Args:
        path: of a segment, or of a captured console.
        at: where to begin; moves on with each line. None: the start.

    Raises:
        OSError: the file cannot be read.
        MissingExtra: it is closed, and there is no zstd.
    """
    with open_segment(path) as file:
        yield from read_lines(file, path, at or Position())


def read_lines(
    file: BinaryIO,
    path: Path,
    at: Position,
    until: int | None = None,
    only: str | None = None,
) -> Iterator[Record | StoredValue | Damage]:
    """
    Yield what stands on each further line of an open segment.

    A record that is on a console twice, as one may be, is there once.

    Args:
        file: open in binary mode.
        path: names it in damage.
        at: where to begin, at the start of a line; moves on with each line.
        until: the offset at which to stop; None: the end of the file.
        only: of a captured console, which has them all, this stream.
    """
    for line in scan_lines(file, path, at, until, only):
        is_again = at.captured is not None and at.captured.is_again(line.item)
        if line.item is not None and not is_again:
            yield line.item


def scan_lines(
    file: BinaryIO,
    path: Path,
    at: Position,
    until: int | None = None,
    only: str | None = None,
) -> Iterator[Line]:
    """
    Yield each further line of an open segment, headers as well.

    Args:
        file, path, at, until, only: as those of `read_lines`. A line in which `until`
            lies is read to `until`.
    """
    # The header says what the lines are, wherever the file was carried; without one
    # the name of its directory has to do.
    stream = path.parent.name
    if at.captured is None and _is_captured(file, path):
        at.captured = Captured()
    file.seek(at.offset)
    while until is None or at.offset < until:
        limit = _VALUE_BYTES if stream == VALUES else _RECORD_BYTES
        begin = Position(at.line + 1, at.offset)
        try:
            text = _read_line(file, at, limit, until)
        except UNREADABLE as error:
            reason = f"the archive cannot be read: {error}"
            yield Line(begin.line, begin.offset, b"", _damage(path, begin, reason))
            if not _skip_frame(file, at):
                break
            continue
        if not text:
            break
        if begin.line == 1:
            stream = _HEADERS.get(text, stream)
        items = (
            ((text, item) for item in _items(text, stream, limit, begin.line))
            if at.captured is None
            else _captured(at.captured, text, limit, only)
        )
        for line, item in items:
            if isinstance(item, str):
                damage = _damage(path, begin, item)
                yield Line(begin.line, begin.offset, line, damage)
            else:
                yield Line(begin.line, begin.offset, line, item)


def _damage(path: Path, at: Position, reason: str) -> Damage:
    return Damage(path, at.line, at.offset, reason)


def _read_line(file: BinaryIO, at: Position, limit: int, until: int | None) -> bytes:
    """Return the next line, or as much of it as may be held; move on behind it."""
    size = limit if until is None else min(limit, until - at.offset)
    text = file.readline(size)
    skipped = _skip_line(file, text) if len(text) == limit else 0
    if text:
        at.line, at.offset = at.line + 1, at.offset + len(text) + skipped

    return text


def _items(
    text: bytes, stream: str, limit: int, line: int
) -> Iterator[Record | StoredValue | str | None]:
    """Yield what a line is; a text is what is wrong with it."""
    if len(text) == limit:
        yield f"longer than any line: {limit} bytes"
        return
    if line == 1 and text in _HEADERS:
        yield None
        return
    if line == 1:
        yield _foreign(text)
    if not text.startswith(b"#"):
        yield _decoded(text, stream)
    elif line > 1:
        yield "a header that is not the first line"


def _is_captured(file: BinaryIO, path: Path) -> bool:
    if path.parent.name in (*STREAMS, VALUES):
        return False
    try:
        file.seek(0)
        return not file.read(len(_MAGIC)).startswith(_MAGIC)
    except UNREADABLE:  # told where it is read
        return False


def _captured(
    captured: Captured, text: bytes, limit: int, only: str | None
) -> Iterator[tuple[bytes, Record | StoredValue | str]]:
    if len(text) == limit:
        yield text, f"longer than any line: {limit} bytes"
        return
    for stream, line, item in captured.items(text):
        if only in (None, stream):
            yield line, item


def trail_of(path: Path) -> Path:
    """Return the trail of a segment; a captured console is its own."""
    with open_segment(path) as file:
        return path if _is_captured(file, path) else path.parent.parent


def _decoded(text: bytes, stream: str) -> Record | StoredValue | str:
    try:
        return decode_value_line(text) if stream == VALUES else decode_line(text)
    except DamagedRecord as error:
        return error.reason


def _skip_line(file: BinaryIO, text: bytes) -> int:
    skipped = 0
    while text and not text.endswith(b"\n"):
        text = file.readline(_STEP)
        skipped += len(text)

    return skipped


def _skip_frame(file: BinaryIO, at: Position) -> bool:
    """Go on behind a frame of an archive that is damaged, if that can be found."""
    behind = file.next_frame(at.offset) if isinstance(file, ArchiveFile) else None
    if behind is None:
        return False
    at.line, at.offset = behind
    file.seek(at.offset)

    return True


def _foreign(header: bytes) -> str:
    shown = header[:60].decode("ascii", "backslashreplace").rstrip("\n")

    return f"no header of a format that this reader knows: {shown!r}"


def find_value(trail: Path, sha256: str) -> bytes | None:
    """Return the spilled value with this digest, or None if no segment has it."""
    for path in reversed(segments(trail, VALUES)):
        for item in read_segment(path):
            if isinstance(item, StoredValue) and item.sha256 == sha256:
                return item.value

    return None
