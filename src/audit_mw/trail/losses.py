# What became of a segment that was open: told as a loss, but for what is legal.
#
# Rotation by rename is, and so is closing, which leaves all of it in an archive.
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from audit_mw.trail.index import was_closed

__all__ = ["Loss", "reason_of_loss"]


@dataclass(slots=True)
class Loss:
    """
    What became of a file that records were appended to.

    Args:
        reason: unlinked, truncated, replaced, ...
        path: where it was.
        inode: which it was.
        size: bytes that it had when it was last appended to.
        offset: where half a line stands, if that is what it is about.
        last_seq: number of the last record of this process in it.
    """

    reason: str
    path: Path
    inode: int
    size: int
    offset: int | None = None
    last_seq: int | None = None


def reason_of_loss(
    path: Path, fd: int, home: tuple[int, int] | None, status: os.stat_result | None
) -> str | None:
    """
    Return what took the place of an open segment; None where that is legal.

    Args:
        path: where it was.
        fd: open.
        home: device and inode of the directory that it was in.
        status: of what is in its place now, if anything.
    """
    was = os.fstat(fd)
    if not was.st_nlink:
        # One that is over and was compressed is in its archive.
        return None if was_closed(path, was.st_dev, was.st_ino) else "unlinked"
    try:
        parent = path.parent.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "the directory is gone"
    if (parent.st_dev, parent.st_ino) != home:
        return "another directory stands in its place"
    if status is None:
        return None
    if not stat.S_ISREG(status.st_mode):
        return f"replaced by {_KINDS.get(stat.S_IFMT(status.st_mode), 'a device')}"

    return "replaced by a hard link of another file" if status.st_nlink > 1 else None


_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
}
