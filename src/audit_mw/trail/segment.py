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

__all__ = ["SegmentFile", "make_directory"]

_NAMES = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
# Links are not followed: who can write to the directory must not choose where else
# records go. Reading is for the last byte; it also keeps a FIFO from blocking.
_DIRECTORY_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
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
        self._size = 0
        self._opened = 0
        self.appends = 0  # that worked

    def current(self) -> int:
        """
        Return a number for the file that an append would go to now.

        Another file has another number. (An inode will not do: once its file is gone,
        the next one may get it.)

        Raises:
            OSError: it cannot be opened.
        """
        self._choose()

        return self._opened

    def append(self, lines: bytes) -> int:
        """
        Append whole lines with one write; return the number of the file.

        Raises:
            OSError: nothing of `lines` is in the file.
        """
        while True:
            self._choose()
            with self._locked():
                # Between the open and the lock it may have been rotated away.
                if self._is_named():
                    self._write(lines)
                    return self._opened
            self.close()

    def close(self) -> None:
        """Let go of the file; the next append opens it again."""
        # Forgotten first: a child that is forked meanwhile must not close it again.
        fd, self._fd = self._fd, -1
        self._inode = None
        if fd >= 0:
            os.close(fd)

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
        make_directory(self._directory.parent)
        make_directory(self._directory)
        directory = os.open(self._directory, _DIRECTORY_FLAGS)
        try:
            fd = os.open(self.path.name, _FLAGS, _FILE_MODE, dir_fd=directory)
        finally:
            os.close(directory)
        try:
            status = self._check(fd)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        self._inode = status.st_dev, status.st_ino
        self._size = 0
        self._opened += 1

    def _check(self, fd: int) -> os.stat_result:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(self.path))
        if not status.st_size and stat.S_IMODE(status.st_mode) != _FILE_MODE:
            os.fchmod(fd, _FILE_MODE)  # whatever the umask took away

        return status

    def _is_named(self) -> bool:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return False
        # One that shrank was truncated: what we wrote is no longer in it.
        is_ours = self._inode == (status.st_dev, status.st_ino)

        return is_ours and status.st_size >= self._size

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            # Inside: a signal's handler may raise as soon as the lock is ours.
            fcntl.flock(self._fd, fcntl.LOCK_EX)
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
        length = len(lines)
        whole = False
        try:
            whole = os.write(self._fd, lines) == length
        finally:
            # A signal's handler may raise behind any call: what is down is counted
            # without one between, and what is not counted is not down.
            if whole:
                self.appends += 1
                self._size = size + length
            elif os.fstat(self._fd).st_size > size:
                os.ftruncate(self._fd, size)
        if not whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))


def make_directory(path: Path) -> None:
    """Make a directory of the trail, with its mode, if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(_DIRECTORY_MODE)
    except FileExistsError:
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode | _DIRECTORY_MODE != mode:
        path.chmod(mode | _DIRECTORY_MODE)  # whatever the umask took away
