# A segment whose period is over -> an archive and its index, in the segment's place.
#
# Rule 1: a segment is removed when its archive is in place, on the disk, was read back
#         and compared, and a record in `system` tells of it. Killed at any instant
#         before, the next run goes on: what is half done is told by what is there.
# Rule 2: it is done under the lock that the writers take. One that was held up for
#         longer than anybody waits finds that its path is gone, and opens another.
# Rule 3: nothing is mended. Half a line at the end stays half a line.
# Rule 4: nothing that is there is overwritten; where a name is taken, another is used.
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import BinaryIO

from audit_mw.errors import AuditError, DamagedRecord
from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.directories import sync_directory
from audit_mw.trail.facts import Measure, measure, parts
from audit_mw.trail.index import Facts, Frame, Index, encode_index, read_index
from audit_mw.trail.names import index_path
from audit_mw.trail.zstd import pack

__all__ = ["BadArchive", "Closed", "close_segment", "lock_segment"]

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAKE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE = 0o640
_STEP = 1 << 20


class BadArchive(AuditError):
    """What was compressed does not read back as it was; the segment stays."""


@dataclass(frozen=True, slots=True)
class Closed:
    """
    A segment that is closed.

    Args:
        segment: where it was.
        archive: where it is.
        facts: what is in it.
        resumed: the archive was made before, by one who did not come to the end.
    """

    segment: Path
    archive: Path
    facts: Facts
    resumed: bool


def close_segment(path: Path, tell: Callable[[Closed], None]) -> Closed | None:
    """
    Compress a segment.

    Args:
        path: the segment.
        tell: makes the record of it; when it returns, the record is safe.

    Returns:
        What was done; None if the segment is not there any more.

    Raises:
        OSError: the disk does not take it, or does not give it.
        BadArchive: what was compressed does not read back as it was.
        MissingExtra: there is no zstd.
    """
    with lock_segment(path) as file:
        if file is None:
            return None
        closed = _made_before(path, file) or _make(path, file)
        tell(closed)
        path.unlink()
        sync_directory(path.parent)

    return closed


@contextmanager
def lock_segment(path: Path) -> Iterator[BinaryIO | None]:
    """Hold the lock of a segment for the block; give None if it is gone."""
    try:
        fd = os.open(path, _OPEN)
    except FileNotFoundError:
        yield None
        return
    with os.fdopen(fd, "rb") as file:
        fcntl.flock(fd, fcntl.LOCK_EX)
        # While we waited somebody else may have closed it, or renamed it.
        yield file if _is_at(path, os.fstat(fd)) else None


def _is_at(path: Path, status: os.stat_result) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False

    return stat.S_ISREG(status.st_mode) and os.path.samestat(found, status)


# --- what an earlier run left


def _made_before(path: Path, file: BinaryIO) -> Closed | None:
    """Return what an earlier run made of this very segment, if it is right."""
    for archive in _candidates(path):
        if _is_free(path, archive):
            break
        index = _maybe_index(archive)
        if index and index.segment == path.name and _is_begun(index, file):
            return _resumed(path, archive, index, file)

    return None


def _resumed(path: Path, archive: Path, index: Index, file: BinaryIO) -> Closed | None:
    _on_its_way(archive).unlink(missing_ok=True)
    is_whole = os.fstat(file.fileno()).st_size == index.facts.bytes
    if is_whole and _reads_back(archive, index.facts):
        return Closed(path, archive, index.facts, resumed=True)
    # A writer that was held up came after it. The segment has all of it, and more.
    archive.unlink()
    sync_directory(path.parent)

    return None


def _maybe_index(archive: Path) -> Index | None:
    try:
        return read_index(archive)
    except DamagedRecord:
        return None


def _is_begun(index: Index, file: BinaryIO) -> bool:
    """Tell whether a segment has, at its begin, all that an archive was made of."""
    # An inode that is free is soon another file's, so it does not tell by itself.
    if not index.is_of(os.fstat(file.fileno())):
        return False
    digest, left = sha256(), index.facts.bytes
    file.seek(0)
    while left and (part := file.read(min(left, _STEP))):
        digest.update(part)
        left -= len(part)

    return digest.hexdigest() == index.facts.sha256


def _reads_back(archive: Path, facts: Facts) -> bool:
    try:
        with open_segment(archive) as file:
            return measure(file) == facts
    except UNREADABLE:
        return False


# --- making


def _make(path: Path, file: BinaryIO) -> Closed:
    archive = next(name for name in _candidates(path) if _is_free(path, name))
    new = _on_its_way(archive)
    try:
        with _made(new) as packed:
            facts, frames = _compress(file, packed)
        if not _reads_back(new, facts):
            raise BadArchive(f"{new} does not read back as {path}, which stays")
        # First: where there is an index no writer begins a segment of that name.
        status = os.fstat(file.fileno())
        inode = {"device": status.st_dev, "inode": status.st_ino}
        _write_index(
            archive, Index(segment=path.name, facts=facts, frames=frames, **inode)
        )
        os.link(new, archive)
    finally:
        new.unlink(missing_ok=True)
    sync_directory(path.parent)

    return Closed(path, archive, facts, resumed=False)


def _candidates(path: Path) -> Iterator[Path]:
    """Yield the names that the archive of a segment may get."""
    yield path.with_name(f"{path.name}.zst")
    stem, _, rest = path.name.partition(".log")
    for number in count(2):
        yield path.with_name(f"{stem}-{number}.log{rest}.zst")


def _is_free(path: Path, archive: Path) -> bool:
    plain = archive.with_suffix("")
    is_anothers = plain != path and os.path.lexists(plain)

    return not os.path.lexists(archive) and not is_anothers


def _on_its_way(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


@contextmanager
def _made(path: Path) -> Iterator[BinaryIO]:
    """Make a file, in the place of one that was begun; it is on the disk at the end."""
    path.unlink(missing_ok=True)
    fd = os.open(path, _MAKE, _MODE)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, _MODE)  # whatever the umask took away
        yield file
        file.flush()
        os.fsync(fd)


def _compress(file: BinaryIO, packed: BinaryIO) -> tuple[Facts, tuple[Frame, ...]]:
    found = Measure()
    frames = []
    file.seek(0)
    for part in parts(file):
        found.take(part)
        frame = pack(part)
        packed.write(frame)
        frames.append(Frame(len(frame), len(part), part.count(b"\n")))
    if not frames:
        packed.write(pack(b""))  # no byte at all is no archive

    return found.facts(), tuple(frames)


def _write_index(archive: Path, index: Index) -> None:
    path = index_path(archive)
    new = _on_its_way(path)
    try:
        with _made(new) as file:
            file.write(encode_index(index))
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)
