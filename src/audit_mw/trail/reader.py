# Segments -> events again, years later, on another machine.
#
# A damaged line is named with its file, line, offset and reason, and reading goes on
# behind it; nothing is skipped silently. Memory is flat: one line at a time, and a
# line longer than any that a writer makes is damage, not a reason to hold it.
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS, Event
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
    "Position",
    "find_value",
    "read_events",
    "read_lines",
    "read_segment",
    "segments",
]

# The upper bounds of max_record, with room to spare, and of max_spill, in base64.
_RECORD_BYTES = 16 << 20
_VALUE_BYTES = 2 << 30
_STEP = 1 << 16
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
    """How far a segment was read: lines, and bytes."""

    line: int = 0
    offset: int = 0


def segments(trail: Path, stream: str) -> list[Path]:
    """Return the segments of a stream, the oldest first."""
    return sorted((trail / stream).glob("*.log"))


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a segment; whoever needs to know of damage reads records."""
    for item in read_segment(path):
        if isinstance(item, Record):
            yield item.event


def read_segment(path: Path) -> Iterator[Record | StoredValue | Damage]:
    """
    Yield what stands on each line of a segment behind its header.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        yield from read_lines(file, path, Position())


def read_lines(
    file: BinaryIO, path: Path, at: "Position", until: int | None = None
) -> Iterator[Record | StoredValue | Damage]:
    """
    Yield what stands on each further line of an open segment.

    Args:
        file: open in binary mode.
        path: names it in damage.
        at: where to begin, at the start of a line; moves on with each line.
        until: the offset at which to stop; None: the end of the file.
    """
    # The header says what the lines are, wherever the file was carried; without one
    # the name of its directory has to do.
    stream = path.parent.name
    file.seek(at.offset)
    while until is None or at.offset < until:
        limit = _VALUE_BYTES if stream == VALUES else _RECORD_BYTES
        text = file.readline(limit)
        if not text:
            break
        offset, at.offset, at.line = at.offset, at.offset + len(text), at.line + 1
        if len(text) == limit:
            at.offset += _skip_line(file, text)
            yield Damage(path, at.line, offset, f"longer than any line: {limit} bytes")
            continue
        if at.line == 1:
            stream = _HEADERS.get(text, stream)
            if text not in _HEADERS:
                yield Damage(path, at.line, offset, _foreign(text))
        if not text.startswith(b"#"):
            try:
                yield decode_value_line(text) if stream == VALUES else decode_line(text)
            except DamagedRecord as error:
                yield Damage(path, at.line, offset, error.reason)
        elif at.line > 1:
            yield Damage(path, at.line, offset, "a header that is not the first line")


def _skip_line(file: BinaryIO, text: bytes) -> int:
    skipped = 0
    while text and not text.endswith(b"\n"):
        text = file.readline(_STEP)
        skipped += len(text)

    return skipped


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
