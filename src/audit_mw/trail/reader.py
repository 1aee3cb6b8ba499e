# Segments -> events again, years later, on another machine.
#
# A damaged line is named with its file, line, offset and reason, and reading goes on
# behind it; nothing is skipped silently. Memory is flat: one line at a time, and a
# line longer than any that a writer makes is damage, not a reason to hold it. A value
# that is longer than any record is held by who wants it, and by nobody else.
#
# A captured console is a trail of one file, with all streams in it: what is neither in
# the directory of a stream nor begins with a header of ours (`captured`).
#
# (Longer than 250 lines, since segments and consoles are read by the same steps.)
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS, Event
from audit_mw.trail.archive import UNREADABLE, ArchiveFile, open_segment
from audit_mw.trail.captured import Captured
from audit_mw.trail.listing import NO_FILE, segments, strangers
from audit_mw.trail.long_lines import pass_line
from audit_mw.trail.record import (
    VALUES,
    Record,
    StoredValue,
    decode_line,
    decode_value_line,
    header_line,
    is_whole,
)
from audit_mw.trail.seen import Seen, look, open_seen

__all__ = [
    "NO_FILE",
    "Damage",
    "Line",
    "Position",
    "Unreadable",
    "Wanted",
    "find_value",
    "find_values",
    "read_events",
    "read_lines",
    "read_segment",
    "scan_lines",
    "segments",
    "strangers",
    "trail_of",
]

# The upper bounds of max_record, with room to spare, and of max_spill, in base64.
_RECORD_BYTES = 16 << 20
_VALUE_BYTES = 2 << 30
_LENGTH = re.compile(rb"[1-9][0-9]{0,9}")
_SHA256 = 5
_SHOWN = 20  # damaged lines that are named where a value is not found
_STEP = 1 << 16
_MAGIC = b"#audit_mw/"
# Says of a line, with its LF, whether anybody wants it.
Wanted = Callable[[bytes], bool]
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


@dataclass(frozen=True, slots=True)
class Unreadable(Damage):
    """A segment of which no more can be read, from a line on."""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


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


def scan_lines(  # noqa: PLR0913 - each says what need not be read
    file: BinaryIO,
    path: Path,
    at: Position,
    until: int | None = None,
    only: str | None = None,
    *,
    wanted: Wanted | None = None,
    whole: Wanted = is_whole,
    raw: bool = False,
) -> Iterator[Line]:
    """
    Yield each further line of an open segment, headers as well.

    Args:
        file, path, at, until, only: as those of `read_lines`. A line in which `until`
            lies is read to `until`.
        wanted: says of a line whether it is; one that is not, and whose length and
            check fit, is passed over and never decoded. None: all are.
        whole: says of what is not wanted whether they fit; for whose `wanted` has seen
            to that already.
        raw: those of a segment are not decoded either, which costs a twentieth; then
            `item` is None but for damage that their length and check tell.
    """
    # The header says what the lines are, wherever the file was carried; without one
    # the name of its directory has to do.
    stream = path.parent.name
    if at.captured is None and _is_captured(file, path):
        at.captured = Captured()
    is_there = False
    decode = _checked if raw else _decoded
    while until is None or at.offset < until:
        limit = _VALUE_BYTES if stream == VALUES else _RECORD_BYTES
        try:
            if not is_there:  # of an archive what stands before may be damaged by now
                file.seek(at.offset)
            is_there = True
            begin, text = _read_line(file, at, limit, until, wanted, whole)
        except UNREADABLE as error:
            begin = Position(at.line + 1, at.offset)
            reason = f"the archive cannot be read: {error}"
            yield Line(begin.line, begin.offset, b"", _damage(path, begin, reason))
            is_there = _skip_frame(file, at)
            if not is_there:
                break
            continue
        if not text:
            break
        if begin.line == 1:
            stream = _HEADERS.get(text, stream)
        items = (
            ((text, item) for item in _items(text, stream, limit, begin, decode))
            if at.captured is None
            else _captured(at.captured, text, limit, only, wanted)
        )
        for line, item in items:
            if isinstance(item, str):
                damage = _damage(path, begin, item)
                yield Line(begin.line, begin.offset, line, damage)
            else:
                yield Line(begin.line, begin.offset, line, item)


def _damage(path: Path, at: Position, reason: str) -> Damage:
    return Damage(path, at.line, at.offset, reason)


def _read_line(  # noqa: PLR0913, PLR0917 - as `scan_lines` has them
    file: BinaryIO,
    at: Position,
    limit: int,
    until: int | None,
    wanted: Wanted | None,
    whole: Wanted,
) -> tuple[Position, bytes]:
    """
    Return the next line that is to be looked at, or as much of it as may be held.

    Gives where it begins as well; moves on behind it.
    """
    room = min(limit, sys.maxsize if until is None else until - at.offset)
    step = min(room, _RECORD_BYTES)
    # What was found on a console so far stays known there.
    if wanted is None or at.captured is not None:
        text = file.readline(step)
    else:
        text = _pass_over(file, at, _RECORD_BYTES, until, wanted, whole)
        room = min(limit, sys.maxsize if until is None else until - at.offset)
        while len(text) == _RECORD_BYTES < _says(text) <= room and not wanted(text):
            begin = Position(at.line + 1, at.offset)
            size, fits = pass_line(file, text, _says(text))
            at.line, at.offset = at.line + 1, at.offset + size
            if not fits:
                return begin, text
            text = _pass_over(file, at, _RECORD_BYTES, until, wanted, whole)
            room = min(limit, sys.maxsize if until is None else until - at.offset)
    begin = Position(at.line + 1, at.offset)
    # Of what is longer than a record no more is held than a value says that it has.
    if len(text) == _RECORD_BYTES < room and (more := _says(text) - len(text)) > 0:
        text += file.readline(min(room - len(text), more))
    is_long = len(text) >= _RECORD_BYTES and (len(text) < room or room == limit)
    skipped = _skip_line(file, text) if is_long else 0
    if text:
        at.line, at.offset = at.line + 1, at.offset + len(text) + skipped

    return begin, text


def _says(text: bytes) -> int:
    """Return how long a line says that it is; 0: it does not."""
    cell = text[: text.find(b"\t") + 1][:-1]

    return int(cell) if _LENGTH.fullmatch(cell) else 0


def _pass_over(  # noqa: PLR0913, PLR0917 - as `scan_lines` has them
    file: BinaryIO,
    at: Position,
    limit: int,
    until: int | None,
    wanted: Wanted,
    whole: Wanted,
) -> bytes:
    """Move on behind lines that nobody wants; return the one behind them."""
    # Most lines of most searches come through here, so no call is made that need not
    # be. Nothing is passed over but what is whole: damage is told, wanted or not.
    readline, line, offset = file.readline, at.line, at.offset
    end = sys.maxsize if until is None else until
    try:
        while True:
            text = readline(limit)
            behind = offset + len(text)
            if behind > end:
                return text[: end - offset]
            if not text or wanted(text) or not whole(text):
                return text
            line += 1
            offset = behind
    finally:  # also where an archive ends in the midst
        at.line, at.offset = line, offset


_Item = Record | StoredValue | str | None


def _items(
    text: bytes,
    stream: str,
    limit: int,
    begin: Position,
    decode: Callable[[bytes, str], _Item],
) -> Iterator[_Item]:
    """Yield what a line is; a text is what is wrong with it."""
    if len(text) in (limit, _RECORD_BYTES):
        # Nobody wanted it, so it was not held.
        is_passed = stream == VALUES and not text.endswith(b"\n") and _says(text)
        more = " that fits its length and check" if is_passed else ""
        yield f"longer than any line{more}: {len(text)} bytes"
        return
    if begin.line == 1 and text in _HEADERS:
        yield None
        return
    if begin.line == 1:
        yield _foreign(text)
    if not text.startswith(b"#"):
        yield decode(text, stream)
    elif begin.line > 1:
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
    captured: Captured,
    text: bytes,
    limit: int,
    only: str | None,
    wanted: Wanted | None,
) -> Iterator[tuple[bytes, Record | StoredValue | str]]:
    if len(text) == limit:
        yield text, f"longer than any line: {limit} bytes"
        return
    for stream, line, item in captured.items(text):
        if only not in (None, stream):
            continue
        if isinstance(item, str) or wanted is None or wanted(line):
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


def _checked(text: bytes, stream: str) -> _Item:
    """Return what is wrong with a line, as far as its length and check tell."""
    return None if is_whole(text) else _decoded(text, stream)


def _skip_line(file: BinaryIO, text: bytes) -> int:
    skipped = 0
    while text and not text.endswith(b"\n"):
        text = file.readline(_STEP)
        skipped += len(text)

    return skipped


def _skip_frame(file: BinaryIO, at: Position) -> bool:
    """Go on behind a frame of an archive that is damaged, if that can be found."""
    behind = file.skip_frame() if isinstance(file, ArchiveFile) else None
    if behind is None:
        return False
    at.line, at.offset = behind

    return True


def _foreign(header: bytes) -> str:
    shown = header[:60].decode("ascii", "backslashreplace").rstrip("\n")

    return f"no header of a format that this reader knows: {shown!r}"


def find_value(trail: Path, sha256: str) -> bytes | None:
    """Return the spilled value with this digest, or None if no segment has it."""
    return find_values(trail, [sha256]).get(sha256)


def find_values(
    trail: Path, digests: Collection[str], damages: list[Damage] | None = None
) -> dict[str, bytes]:
    """
    Return the spilled values with these digests, as far as a segment has them.

    Args:
        trail: the directory, or a captured console.
        digests: SHA-256, in hexadecimal.
        damages: gets what is wrong with segments that may have had what is not found.

    Raises:
        OSError: a segment cannot be read, and there are no `damages` to say so.
    """
    missing = {each.encode() for each in digests}
    found: dict[str, bytes] = {}
    met: list[Damage] = []
    try:
        for item in _values(trail, missing, met if damages is not None else None):
            if isinstance(item, StoredValue):
                found[item.sha256] = item.value
                missing.discard(item.sha256.encode())
            elif len(met) < _SHOWN:
                met.append(item)
            if not missing:
                return found
    except OSError as error:
        if damages is None:
            raise
        met.append(_unreadable(trail / VALUES, error))
    if damages is not None and missing:
        damages += met

    return found


def _values(
    trail: Path, missing: Collection[bytes], met: list[Damage] | None
) -> Iterator[StoredValue | Damage]:
    """Yield those that are missing, and what is damaged, the newest segment first."""

    def is_missing(text: bytes) -> bool:
        cells = text.split(b"\t", _SHA256 + 1)

        return len(cells) > _SHA256 and cells[_SHA256] in missing

    for path in strangers(trail, VALUES):
        yield Unreadable(path, 0, 0, NO_FILE)
    for seen in reversed(look(trail, VALUES)):
        with _going_on(seen, met), open_seen(seen) as (path, file):
            for line in scan_lines(
                file, path, Position(), None, VALUES, wanted=is_missing
            ):
                if isinstance(line.item, Damage):
                    yield line.item
                # A long one is given, whether it is wanted or not.
                if isinstance(line.item, StoredValue) and is_missing(line.text):
                    yield line.item


@contextmanager
def _going_on(seen: Seen, met: list[Damage] | None) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # expired meanwhile
        return
    except OSError as error:
        if met is None:
            raise
        met.append(_unreadable(seen.path, error))


def _unreadable(path: Path, error: OSError) -> Unreadable:
    return Unreadable(path, 0, 0, f"cannot be read: {error.strerror or error}")
