# Which bytes are judged: those that are there when it begins, though writers go on.
#
# Rule 1: what names something is looked at before what it names. `system` comes first,
#         since it tells where each stream ended; values come last, since a record names
#         them; and of a stream the newest file comes first. So what a writer, or who
#         rotates, does meanwhile makes no gap.
# Rule 2: a file is known again by its inode when it was renamed meanwhile, or closed.
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS
from audit_mw.trail.archive import unpacked
from audit_mw.trail.index import read_index
from audit_mw.trail.names import SegmentName
from audit_mw.trail.reader import segments
from audit_mw.trail.record import VALUES

__all__ = ["Seen", "is_being_written", "open_seen", "take_snapshot", "unread"]

_TRIES = 20
_ORDER = ("system", *(stream for stream in STREAMS if stream != "system"), VALUES)


@dataclass(frozen=True, slots=True)
class Seen:
    """
    A segment as it was when it was looked at.

    Args:
        path: where it was.
        stream: whose directory it was in.
        size: its bytes then.
        inode: device and inode.
    """

    path: Path
    stream: str
    size: int
    inode: tuple[int, int]

    @property
    def is_packed(self) -> bool:
        """Whether it is an archive, which does not grow."""
        return SegmentName(self.path.name).is_packed

    @property
    def until(self) -> int | None:
        """Up to where it is judged; None: to its end."""
        return None if self.is_packed else self.size


def take_snapshot(trail: Path) -> dict[str, list[Seen]]:
    """Return the segments of each stream, the oldest first; values are the last."""
    return {stream: _look(trail, stream) for stream in _ORDER}


def _look(trail: Path, stream: str) -> list[Seen]:
    # What is renamed between the listing and the look would be missed, or another file
    # taken for it; so it is looked at until nothing moved.
    for _ in range(_TRIES):
        seen = _look_once(trail, stream)
        again = _look_once(trail, stream)
        if [(each.path, each.inode) for each in seen] == [
            (each.path, each.inode) for each in again
        ]:
            break

    return seen


def _look_once(trail: Path, stream: str) -> list[Seen]:
    seen = []
    for path in reversed(segments(trail, stream)):
        with suppress(FileNotFoundError):
            status = path.lstat()
            inode = status.st_dev, status.st_ino
            seen.append(Seen(path, stream, status.st_size, inode))

    return seen[::-1]


def unread(trail: Path) -> int:
    """Return how many files stand among the segments that are none of ours."""
    count = 0
    for stream in _ORDER:
        with suppress(FileNotFoundError, NotADirectoryError):
            names = [path.name for path in (trail / stream).iterdir()]
            known = {path.name for path in segments(trail, stream)}
            count += sum(
                name not in known and not name.endswith((".index", ".new", ".zst"))
                for name in names
            )

    return count


@contextmanager
def open_seen(seen: Seen) -> Iterator[tuple[Path, BinaryIO]]:
    """
    Open a segment again, wherever it is by now; give its path as well.

    Raises:
        FileNotFoundError: it is gone.
        MissingExtra: it is closed, and there is no zstd.
    """
    path, file = _find(seen)
    with file, unpacked(path, file) as lines:
        yield path, lines


def _find(seen: Seen) -> tuple[Path, BinaryIO]:
    # A listing may miss a file that is renamed at that moment.
    for _ in range(_TRIES):
        for path in (seen.path, *segments(seen.path.parent.parent, seen.stream)):
            with suppress(FileNotFoundError), ExitStack() as opened:
                file = opened.enter_context(path.open("rb"))
                # Asked of what was opened: the path may name another one by now.
                if _is(path, os.fstat(file.fileno()), seen):
                    opened.pop_all()
                    return path, file

    raise FileNotFoundError(f"{seen.path} went away while the trail was read")


def _is(path: Path, status: os.stat_result, seen: Seen) -> bool:
    if (status.st_dev, status.st_ino) == seen.inode:
        return True
    if seen.is_packed or not SegmentName(path.name).is_packed:
        return False
    with suppress(DamagedRecord):
        index = read_index(path)
        return index is not None and (index.device, index.inode) == seen.inode

    return False


def is_being_written(path: Path, size: int) -> bool:
    """Tell whether a segment that had `size` bytes is, or was since, appended to."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return os.fstat(file.fileno()).st_size != size

    return True  # renamed meanwhile: whoever rotates does so with one that is written
