# The journal of one process: a mapped file of slots, preallocated, owned by its lock.
#
# Rule 1: the owner is known by its lock (fcntl.lockf), which the kernel gives back when
#         the process dies and which a forked child does not inherit.
# Rule 2: such a lock is lost when its process closes ANY descriptor of the file. So no
#         process opens its own journal twice: `is_own` is asked before each open.
# Rule 3: a journal appears under its name only when it is whole, locked and
#         preallocated: a store into a page that has no disk behind it is a SIGBUS.
import errno
import fcntl
import json
import mmap
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audit_mw.errors import AuditError
from audit_mw.trail.notes import NOTED, NOTES_BYTES, Note, read_note, write_note
from audit_mw.trail.slots import Block, Geometry, Slot

__all__ = [
    "HEADER_BYTES",
    "SUFFIX",
    "Facts",
    "Journal",
    "JournalError",
    "begin_child",
    "find_journals",
    "is_own",
    "read_facts",
    "read_notes",
    "remove_stale",
]

FORMAT = 1
SUFFIX = ".journal"
_MAGIC = b"#audit_mw journal "
_TEXT_BYTES = 3 * 4096
HEADER_BYTES = _TEXT_BYTES + NOTES_BYTES
_COUNT = struct.Struct("<I")  # of blocks; in the space that the notes leave
_COUNT_AT = _TEXT_BYTES + 8
_LARGEST = 1 << 32
_MODE = 0o640
_STALE = 60.0  # seconds: nobody takes so long to make a journal
_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_own: set[tuple[int, int]] = set()


class JournalError(AuditError):
    """A file is no journal, or one that this version does not read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What the header of a journal says.

    Args:
        trail: the directory that its records belong to; empty where it lies in it.
        service: name of the service.
        instance: the process that it is of.
        boot: the boot of the machine that it was made in.
        durability: `process` or `disk`.
        geometry: how its blocks are laid out.
    """

    trail: str
    service: str
    instance: str
    boot: str
    durability: str
    geometry: Geometry


def is_own(status: os.stat_result) -> bool:
    """Tell whether a file is a journal that this process has open."""
    return (status.st_dev, status.st_ino) in _own


def begin_child() -> None:
    """Forget what the parent has open; its locks are its own."""
    _own.clear()


class Journal:
    """
    An open journal; made by `create` or `take_over`.

    Args:
        path: where it is.
        fd: open and locked.
        facts: of its header.
    """

    def __init__(self, path: Path, fd: int, facts: Facts) -> None:
        status = os.fstat(fd)
        self.path = path
        self.facts = facts
        self.inode = status.st_dev, status.st_ino
        self.last: dict[str, int] = {}
        self.blocks: list[Block] = []
        self._is_suspect = False
        self._fd = fd
        self._header: mmap.mmap | None = mmap.mmap(fd, HEADER_BYTES)
        for _ in range(_COUNT.unpack_from(self._header, _COUNT_AT)[0]):
            self._map()
        _own.add(self.inode)

    # --- making and taking

    @classmethod
    def create(cls, path: Path, facts: Facts, last: dict[str, int]) -> "Journal":
        """
        Make a journal of one block.

        Args:
            path: where; its name ends with SUFFIX.
            facts: what its header says.
            last: the last seq of each stream so far.

        Raises:
            OSError: there is no room for it, or no right to.
        """
        new = path.with_suffix(".new")
        fd = os.open(new, _OPEN | os.O_CREAT | os.O_EXCL, _MODE)
        try:
            os.fchmod(fd, _MODE)  # whatever the umask took away
            os.posix_fallocate(fd, 0, HEADER_BYTES)
            os.pwrite(fd, _encode_header(facts), 0)
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            journal = cls(path, fd, facts)
        except BaseException:
            os.close(fd)
            new.unlink()
            raise
        try:
            journal.grow()
            for stream, seq in last.items():
                journal.set_note(stream, Note(0, 0, 0, 0, seq + 1, seq, ""))
            journal.last = dict(last)
            new.rename(path)
        except BaseException:
            journal.close()
            new.unlink()
            raise

        return journal

    @classmethod
    def take_over(cls, path: Path) -> "Journal | None":
        """
        Return the journal of a process that died, locked; None if somebody has it.

        Raises:
            JournalError: it is none, or of another version.
            OSError: it cannot be opened.
        """
        with suppress(FileNotFoundError):
            if is_own(path.lstat()):
                return None
            fd = os.open(path, _OPEN)
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Who had it before us may have adopted and unlinked it meanwhile.
                if _inode_of(fd) == _inode_at(path):
                    return cls(path, fd, _checked_facts(fd))
            except BlockingIOError:
                pass
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

        return None

    def hold_lock(self) -> None:
        """
        Take the lock again, should somebody in this process have closed it away.

        Raises:
            OSError: somebody else has it: its records are being adopted.
        """
        fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_named(self) -> bool:
        """Tell whether the file is still where it was made, whole."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return self.inode == _inode_at(self.path) and self.is_whole()

        return False

    def is_whole(self) -> bool:
        """Tell whether the file is as long as it was made."""
        size = HEADER_BYTES + len(self.blocks) * self.facts.geometry.size

        return os.fstat(self._fd).st_size >= size

    # --- blocks

    def grow(self) -> Block:
        """
        Add a block.

        Raises:
            OSError: there is no room for it.
        """
        size = self.facts.geometry.size
        os.posix_fallocate(self._fd, HEADER_BYTES + len(self.blocks) * size, size)
        try:
            block = self._map()
        finally:
            # A map that fails closes a descriptor of the file, and so the lock is lost.
            self.hold_lock()
        if self._header is not None:
            _COUNT.pack_into(self._header, _COUNT_AT, len(self.blocks))

        return block

    def _map(self) -> Block:
        geometry = self.facts.geometry
        before = len(self.blocks)
        memory = mmap.mmap(
            self._fd, geometry.size, offset=HEADER_BYTES + before * geometry.size
        )
        block = Block(memory, geometry, before * geometry.slots)
        self.blocks.append(block)

        return block

    def slots(self) -> Iterator[Slot]:
        """Yield all slots."""
        for block in self.blocks:
            yield from block.slots

    # --- notes

    def note(self, stream: str) -> Note | None:
        """Return the note of a stream."""
        return None if self._header is None else read_note(self._page(), stream)

    def set_note(self, stream: str, note: Note) -> None:
        """Keep a note of a stream."""
        if self._header is not None:
            with memoryview(self._header) as header, header[_TEXT_BYTES:] as page:
                write_note(page, stream, note)

    def _page(self) -> bytes:
        return b"" if self._header is None else self._header[_TEXT_BYTES:HEADER_BYTES]

    # --- the end

    def sync(self) -> None:
        """
        Make what is in the slots durable.

        Raises:
            OSError: the disk does not.
        """
        if self._is_suspect:
            # After a write-back that failed the kernel takes the pages for clean, and
            # the next sync would say that all is well though nothing is on the disk.
            self._touch()
        try:
            os.fdatasync(self._fd)
        except OSError:
            self._is_suspect = True
            raise
        self._is_suspect = False

    def _touch(self) -> None:
        if self._header is not None:
            for at in range(0, HEADER_BYTES, mmap.PAGESIZE):
                self._header[at] = self._header[at]  # as in Block.touch
        for block in self.blocks:
            block.touch()

    def remove(self) -> None:
        """Unlink the file; its records are in their segments."""
        if self.is_named():
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let go of it; who looks for journals will find what is in it."""
        _own.discard(self.inode)
        self.forget()

    def forget(self) -> None:
        """Let go of the memory and the descriptor, as a forked child must."""
        header, self._header = self._header, None
        if header is not None:
            header.close()
        for block in self.blocks:
            block.forget()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _inode_of(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)

    return status.st_dev, status.st_ino


def _inode_at(path: Path) -> tuple[int, int]:
    status = path.lstat()

    return status.st_dev, status.st_ino


# --- the header


def _encode_header(facts: Facts) -> bytes:
    header = b"%s%d\n%s\n" % (_MAGIC, FORMAT, json.dumps(asdict(facts)).encode())
    if len(header) > _TEXT_BYTES:
        raise OSError(errno.ENAMETOOLONG, "the trail's path is too long", facts.trail)

    return header


def read_facts(fd: int) -> Facts:
    """
    Return what the header of an open journal says.

    Raises:
        JournalError: it is none, or of another version.
    """
    magic, _, rest = os.pread(fd, _TEXT_BYTES, 0).partition(b"\n")
    if not magic.startswith(_MAGIC):
        raise JournalError("it does not begin as a journal does")
    if magic != b"%s%d" % (_MAGIC, FORMAT):
        said = magic.removeprefix(_MAGIC)[:20].decode("ascii", "replace")
        raise JournalError(
            f"it is of format {said}, and this version reads {FORMAT}: "
            "run the version that wrote it, or `audit-mw recover` of that version"
        )
    try:
        told: dict[str, Any] = json.loads(rest.partition(b"\n")[0])
        return _facts(told.pop("geometry"), told)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalError(f"its header cannot be read: {error}") from error


def _facts(sizes: dict[str, Any], told: dict[str, Any]) -> Facts:
    if not all(type(size) is int and 0 < size < _LARGEST for size in sizes.values()):
        raise ValueError("a size that no journal has")
    if not all(isinstance(text, str) for text in told.values()):
        raise ValueError("a fact that is no text")

    return Facts(**told, geometry=Geometry(**sizes))


def _checked_facts(fd: int) -> Facts:
    # Asked before it is mapped: a look behind the end of a file is a SIGBUS.
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise JournalError("it is no regular file")
    facts = read_facts(fd)
    size = status.st_size
    count = os.pread(fd, _COUNT.size, _COUNT_AT).ljust(_COUNT.size, b"\0")
    whole = HEADER_BYTES + _COUNT.unpack(count)[0] * facts.geometry.size
    if size < whole:
        raise JournalError(f"it was cut off: {size} of {whole} bytes are left")

    return facts


def find_journals(directory: Path) -> list[Path]:
    """Return the journals in a directory that are not of this process."""
    found = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError):
            if not is_own(path.lstat()):
                found.append(path)

    return found


def remove_stale(directory: Path, now: float) -> None:
    """
    Remove what processes left that were killed while they made their journal.

    Args:
        directory: of the journals.
        now: seconds since the epoch.
    """
    for path in directory.glob("*.new"):
        with suppress(OSError):
            if now - path.lstat().st_mtime > _STALE:
                path.unlink()


def read_notes(path: Path) -> Iterator[Note]:
    """Yield the notes of a journal of another process, whether it lives or not."""
    with suppress(OSError):
        if is_own(path.lstat()):
            return
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            page = os.pread(fd, NOTES_BYTES, _TEXT_BYTES)
        finally:
            os.close(fd)
        if len(page) == NOTES_BYTES:
            for stream in NOTED:
                note = read_note(page, stream)
                if note is not None:
                    yield note
