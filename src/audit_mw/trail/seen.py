# Segments as they were when somebody looked, and found again wherever they are by then.
#
# While a trail is read, writers go on, and segments are renamed, closed and expired.
#
# Rule 1: a listing is repeated until nothing moved, since one that is renamed at that
#         moment is in it twice, or not at all.
# Rule 2: a file is known again by its inode when it was renamed meanwhile, and by its
#         index when it was closed.
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audit_mw.errors import DamagedRecord
from audit_mw.trail.archive import is_archive, unpacked
from audit_mw.trail.index import read_index
from audit_mw.trail.listing import segments
from audit_mw.trail.names import SegmentName

__all__ = ["Seen", "look", "open_seen"]

_TRIES = 20
_BUFFER = 1 << 20  # lines come out of a small one at half the speed


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
        """Whether it is an archive, which does not grow; its name may not say so."""
        return SegmentName(self.path.name).is_packed or is_archive(self.path)

    @property
    def until(self) -> int | None:
        """Up to where it is judged; None: to its end."""
        return None if self.is_packed else self.size


def look(trail: Path, stream: str) -> list[Seen]:
    """
    Return the segments of a stream, the oldest first.

    Raises:
        OSError: the directory cannot be read.
    """
    for _ in range(_TRIES):
        seen = _look_once(trail, stream)
        again = _look_once(trail, stream)
        if [(each.path, each.inode) for each in seen] == [
            (each.path, each.inode) for each in again
        ]:
            break

    return seen


def _look_once(trail: Path, stream: str) -> list[Seen]:
    # The newest first: one that is renamed meanwhile gets an older name.
    seen = []
    for path in reversed(segments(trail, stream)):
        with suppress(FileNotFoundError):
            # Whoever names a console by a link knows what it leads to.
            status = path.stat() if path == trail else path.lstat()
            inode = status.st_dev, status.st_ino
            seen.append(Seen(path, stream, status.st_size, inode))

    return seen[::-1]


@contextmanager
def open_seen(seen: Seen) -> Iterator[tuple[Path, BinaryIO]]:
    """
    Open a segment again, wherever it is by now; give its path as well.

    Raises:
        FileNotFoundError: it is gone.
        OSError: it cannot be opened.
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
                file = opened.enter_context(_open(path))
                # Asked of what was opened: the path may name another one by now.
                if _is(path, os.fstat(file.fileno()), seen):
                    opened.pop_all()
                    return path, file

    raise FileNotFoundError(f"{seen.path} went away while the trail was read")


def _open(path: Path) -> BinaryIO:
    # A FIFO that is there by now would be waited for.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    return os.fdopen(fd, "rb", _BUFFER)


def _is(path: Path, status: os.stat_result, seen: Seen) -> bool:
    if not stat.S_ISREG(status.st_mode):  # an inode that is free is soon another's
        return False
    if (status.st_dev, status.st_ino) == seen.inode:
        return True
    if seen.is_packed or not SegmentName(path.name).is_packed:
        return False
    with suppress(DamagedRecord):
        index = read_index(path)
        return index is not None and (index.device, index.inode) == seen.inode

    return False
