# The journal of one process: a mapped file of slots, preallocated, owned by its lock.
#
# Rule 1: the owner is known by its lock (fcntl.lockf), which the kernel gives back when
#         the process dies and which a forked child does not inherit.
# Rule 2: no process opens its own journal twice: see `journals`.
# Rule 3: a journal appears under its name only when it is whole, locked and
#         preallocated: a store into a page that has no disk behind it is a SIGBUS.
#
# (Longer than 250 lines, since making and taking over are read side by side.)
import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOENT
from pathlib import Path

from audit_mw.trail.journal_header import (
    COUNT,
    COUNT_AT,
    HEADER_BYTES,
    NOTES_AT,
    Facts,
    encode_header,
    read_checked_facts,
)
from audit_mw.trail.journals import disown, is_own, own
from audit_mw.trail.notes import Note, read_note, write_note
from audit_mw.trail.slots import Block, Slot, let_go

__all__ = ["Journal"]

_MODE = 0o640
_ATTEMPTS = 100
_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


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
        for _ in range(COUNT.unpack_from(self._header, COUNT_AT)[0]):
            self._map()
        own(self.inode)

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
        fd = _make_locked(new)
        inode = _inode_of(fd)
        try:
            os.fchmod(fd, _MODE)  # whatever the umask took away
            os.posix_fallocate(fd, 0, HEADER_BYTES)
            os.pwrite(fd, encode_header(facts), 0)
            journal = cls(path, fd, facts)
        except BaseException:
            disown(inode)
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
                    return cls(path, fd, read_checked_facts(fd))
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
            COUNT.pack_into(self._header, COUNT_AT, len(self.blocks))

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
            with memoryview(self._header) as header, header[NOTES_AT:] as page:
                write_note(page, stream, note)

    def _page(self) -> bytes:
        return b"" if self._header is None else self._header[NOTES_AT:HEADER_BYTES]

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
        disown(self.inode)
        self.forget()

    def forget(self) -> None:
        """Let go of the memory and the descriptor, as a forked child must."""
        header, self._header = self._header, None
        if header is not None:
            let_go(header)
        for block in self.blocks:
            block.forget()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _make_locked(new: Path) -> int:
    """Return the descriptor of a file that is new, and ours."""
    for _ in range(_ATTEMPTS):
        fd = os.open(new, _OPEN | os.O_CREAT | os.O_EXCL, _MODE)
        inode = _inode_of(fd)
        try:
            own(inode)
            # By a clock that is set forward it is stale before it is locked.
            fcntl.lockf(fd, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if _inode_at(new) == inode:
                    return fd
        except BaseException:
            disown(inode)
            os.close(fd)
            new.unlink()
            raise
        disown(inode)
        os.close(fd)
    raise FileNotFoundError(ENOENT, "it is removed as soon as it is made", str(new))


def _inode_of(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)

    return status.st_dev, status.st_ino


def _inode_at(path: Path) -> tuple[int, int]:
    status = path.lstat()

    return status.st_dev, status.st_ino
