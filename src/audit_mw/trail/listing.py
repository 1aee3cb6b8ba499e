# Which segments a stream has: active, closed, renamed and compressed ones alike.
#
# Rule: a segment is there once. While it is being closed, and where that was cut short,
#       it stands beside its archive; then it is the segment that counts, since a writer
#       that was held up may have appended to it after.
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.index import read_index
from audit_mw.trail.names import SegmentName

__all__ = ["NO_FILE", "segments", "strangers"]

# What is said of a stranger.
NO_FILE = "it is not read, for it is no regular file; put the segment back in its place"

_DATE = len("2026-11-21")
_STEP = 1 << 16


def segments(trail: Path, stream: str) -> list[Path]:
    """
    Return the segments of a stream, the oldest first.

    Active, closed, renamed and compressed ones alike. One that is being closed, or
    whose closing was cut short, is there once. A captured console has all streams.
    """
    if trail.is_file():
        return [trail]
    try:
        paths = [path for path in (trail / stream).iterdir() if _is_segment(path)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    paths.sort(key=lambda path: SegmentName(path.name).order)
    archives = set(_unfinished(paths))

    return [path for path in paths if path not in archives]


def strangers(trail: Path, stream: str) -> list[Path]:
    """
    Return what stands where a segment is to stand, or all of them, and is not read.

    That is a link, a FIFO, a device, or a directory; for the directory of the stream,
    whatever is none. Who looks for something is to know that it may have been there.
    """
    directory = trail / stream
    if trail.is_file():
        return []
    try:
        paths = [path for path in directory.iterdir() if _is_stranger(path)]
    except FileNotFoundError:
        return [directory] if directory.is_symlink() else []
    except NotADirectoryError:
        return [directory]

    return sorted(paths)


def _is_stranger(path: Path) -> bool:
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:  # renamed since
        return False

    return SegmentName(path.name).is_segment and not is_file


def _is_segment(path: Path) -> bool:
    # A FIFO would be waited for, and a link leads to what is no part of the trail.
    if not SegmentName(path.name).is_segment:
        return False
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:  # renamed since, or closed: it is there as that
        return False


def _unfinished(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the archives of segments that are there as well: those may have grown."""
    # An index is read only where it can matter: of years of archives nearly none.
    names = {path.name for path in paths if not SegmentName(path.name).is_packed}
    begins = {name[:_DATE] for name in names}
    for path in paths:
        may_be = path.name not in names and path.name[:_DATE] in begins
        if may_be and _is_archive_of_one(path, names):
            yield path


def _is_archive_of_one(archive: Path, names: Iterable[str]) -> bool:
    try:
        index = read_index(archive)
        if index is None or index.segment not in names:
            return False
        segment = archive.with_name(index.segment)
        return index.is_of(segment.stat()) and _begin_alike(archive, segment)
    except (*UNREADABLE, OSError):
        return False


def _begin_alike(archive: Path, segment: Path) -> bool:
    # An inode that is free is soon another file's.
    with open_segment(archive) as closed, segment.open("rb") as file:
        begin = closed.read(_STEP)

        return begin == file.read(len(begin))
