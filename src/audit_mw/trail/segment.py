# One stream's segments: the file of today, and the append under its lock.
#
# Several processes append to one file. Each append takes the advisory lock, looks
# whether the path still names the file that it has open, mends a torn tail, and makes
# one write of whole lines. What does not go down whole is cut back.
#
# A segment is chosen by the clock at the append, under the lock, and never behind the
# last name used: a clock that steps back must not write into a closed segment.
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit_mw.trail.record import header_line

__all__ = ["SegmentFile"]

_NAMES = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
# Links are not followed: who can write to the directory must not choose where else
# records go. Reading is for the last byte; it also keeps a FIFO from blocking.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE_MODE = 0o640
_DIRECTORY_MODE = 0o750


class SegmentFile:
    """
    The active segment of one stream.

    Args:
        trail: the directory of the trail.
        stream: a name of STREAMS, or `values`.
        rotate: `day` or `hour`.
    """

    def __init__(self, trail: Path, stream: str, rotate: str) -> None:
        self._directory = trail / stream
        self._header = header_line(stream)
        self._format = _NAMES[rotate]
        self._name = ""
        self._fd = -1
        self._inode: tuple[int, int] | None = None

    def current(self) -> tuple[int, int] | None:
        """
        Return device and inode of the segment that an append would go to now.

        Raises:
            OSError: it cannot be opened.
        """
        self._choose()

        return self._inode

    def append(self, lines: bytes) -> tuple[int, int] | None:
        """
        Append whole lines with one write; return device and inode of where.

        Raises:
            OSError: nothing of `lines` is in the file.
        """
        while True:
            self._choose()
            with self._locked():
                # Between the open and the lock it may have been rotated away.
                if self._is_named():
                    self._write(lines)
                    return self._inode
            self.close()

    def close(self) -> None:
        """Let go of the file; the next append opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._inode = None

    @property
    def path(self) -> Path:
        """Where the segment is that was chosen last."""
        return self._directory / f"{self._name}.log"

    def _choose(self) -> None:
        name = time.strftime(self._format, time.gmtime())
        if name > self._name:
            self.close()
            self._name = name
        if self._fd >= 0 and not self._is_named():
            self.close()
        if self._fd < 0:
            self._open()

    def _open(self) -> None:
        self._directory.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
        fd = os.open(self.path, _FLAGS, _FILE_MODE)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", str(self.path))
        if not status.st_size and stat.S_IMODE(status.st_mode) != _FILE_MODE:
            os.fchmod(fd, _FILE_MODE)  # whatever the umask took away
        self._fd = fd
        self._inode = status.st_dev, status.st_ino

    def _is_named(self) -> bool:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return False

        return self._inode == (status.st_dev, status.st_ino)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _write(self, lines: bytes) -> None:
        size = os.fstat(self._fd).st_size
        if not size:
            lines = self._header + lines
        elif os.pread(self._fd, 1, size - 1) != b"\n":
            # A process was killed inside of its write. Without this LF its half line
            # would swallow ours.
            lines = b"\n" + lines
        whole = False
        try:
            whole = os.write(self._fd, lines) == len(lines)
        finally:
            if not whole and os.fstat(self._fd).st_size > size:
                os.ftruncate(self._fd, size)
        if not whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
