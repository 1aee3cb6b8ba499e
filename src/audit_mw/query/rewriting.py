# Segments that DuckDB would misread -> segments of their whole lines, in a temporary
# directory. Our reader says what is wrong with each of the others.
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

from audit_mw.trail.archive import UNREADABLE
from audit_mw.trail.reader import Damage, Line, Position, scan_lines
from audit_mw.trail.record import VALUES, Record, header_line
from audit_mw.trail.seen import Seen, open_seen
from audit_mw.trail.whole import count_whole

__all__ = ["Rewritten", "is_sound", "rewrite"]

# A larger step costs more: its memory is the kernel's each time anew.
_STEP, _MOST = 1 << 16, 16 << 20
Tell = Callable[[int], object]


class Rewritten(NamedTuple):
    """
    What became of a segment.

    Args:
        paths: a file for each stream that was in it.
        damages: the lines that are in none.
        longest: bytes of the longest line.
        recovered: streams that have records which may be there twice.
    """

    paths: dict[str, Path]
    damages: list[Damage]
    longest: int
    recovered: set[str]


def is_sound(seen: Seen, stream: str, tell: Tell) -> bool:
    """
    Tell whether a segment has its header, and then lines alone that fit their check.

    A line of more than 16 MiB is not looked at, and so is none.

    Args:
        seen: the segment.
        stream: whose header it is to have.
        tell: is told of bytes that were read.

    Raises:
        OSError: the file cannot be read.
        MissingExtra: it is closed, and there is no zstd.
    """
    header = header_line(stream)
    with open_seen(seen) as (_, file):
        try:
            rest = b"" if file.read(len(header)) == header else b"no header"
            # More of a long line each time: it is not to be gone over without end.
            while len(rest) < _MOST and (text := file.read(max(_STEP, len(rest)))):
                tell(len(text))
                rest += text
                rest = rest[count_whole(rest)[1] :]
                if b"\n" in rest:
                    return False
        except UNREADABLE:
            return False

    return not rest


def rewrite(
    seen: Seen, streams: Iterable[str] | str, target: Path, tell: Tell
) -> Rewritten:
    """
    Write the whole lines of a segment to files of their own.

    Args:
        seen: a segment, or a captured console.
        streams: that of a segment; of a console, those that are wanted.
        target: what the names of the files begin with.
        tell: is told of bytes that were read.

    Raises:
        OSError: a file cannot be read or written.
        MissingExtra: it is closed, and there is no zstd.
    """
    own = streams if isinstance(streams, str) else None
    wanted = (streams,) if isinstance(streams, str) else streams
    paths = {it: target.with_name(f"{target.name}-{it}.log") for it in wanted}
    damages, longest = [], 0
    recovered = set[str]()
    with ExitStack() as stack:
        files = {it: stack.enter_context(paths[it].open("xb")) for it in paths}
        for stream, file in files.items():
            file.write(header_line(stream))
        for line in _lines(seen, tell):
            if isinstance(line.item, Damage):
                damages.append(line.item)
            elif line.item is not None:
                _put(files, own or _stream_of(line.item), line)
                longest = max(longest, len(line.text))
                if _is_recovered(line.item):
                    recovered.add(own or _stream_of(line.item))

    return Rewritten(paths, damages, longest, recovered)


def _is_recovered(item: object) -> bool:
    return isinstance(item, Record) and "recovered" in item.event.details


def _put(files: Mapping[str, BinaryIO], stream: str, line: Line) -> None:
    if stream in files:
        files[stream].write(line.text)


def _stream_of(item: object) -> str:
    if isinstance(item, Record):
        return item.event.stream

    return VALUES


def _lines(seen: Seen, tell: Tell) -> Iterator[Line]:
    at = Position()
    told = 0
    with open_seen(seen) as (path, file):
        for line in scan_lines(file, path, at):
            if at.offset - told >= 1 << 20:
                tell(at.offset - told)
                told = at.offset
            if at.captured is None or not at.captured.is_again(line.item):
                yield line
    tell(at.offset - told)
