# The journals in a directory: those of this process, and those of others.
#
# Rule: the lock of a journal is lost when its process closes ANY descriptor of the
#       file. So nobody opens a file of which `is_own` says that it is ours.
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from audit_mw.trail.journal_header import NOTES_AT
from audit_mw.trail.notes import NOTED, NOTES_BYTES, Note, read_note

__all__ = [
    "SUFFIX",
    "begin_child",
    "disown",
    "find_journals",
    "is_own",
    "own",
    "read_notes",
    "remove_stale",
]

SUFFIX = ".journal"
_STALE = 60.0  # seconds: nobody takes so long to make a journal

_own: set[tuple[int, int]] = set()  # device and inode


def own(inode: tuple[int, int]) -> None:
    """Remember that this process has a journal open."""
    _own.add(inode)


def disown(inode: tuple[int, int]) -> None:
    """Forget it again."""
    _own.discard(inode)


def is_own(status: os.stat_result) -> bool:
    """Tell whether a file is a journal that this process has open."""
    return (status.st_dev, status.st_ino) in _own


def begin_child() -> None:
    """Forget what the parent has open; its locks are its own."""
    _own.clear()


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
            status = path.lstat()
            if now - status.st_mtime > _STALE and not is_own(status):
                _remove_left(path)


def _remove_left(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # A clock that is set forward makes the newest file an old one, but somebody has
        # it then. The lock is held until it is gone: who was about to lock it looks
        # then whether it is there.
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(fd)


def read_notes(path: Path) -> Iterator[Note]:
    """Yield the notes of a journal of another process, whether it lives or not."""
    with suppress(OSError):
        if is_own(path.lstat()):
            return
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            page = os.pread(fd, NOTES_BYTES, NOTES_AT)
        finally:
            os.close(fd)
        if len(page) == NOTES_BYTES:
            for stream in NOTED:
                note = read_note(page, stream)
                if note is not None:
                    yield note
