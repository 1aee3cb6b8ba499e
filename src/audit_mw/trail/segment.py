# One stream's segments: the file of today, and the append under its lock.
#
# Several processes append to one file. Each append takes the advisory lock, looks
# whether the path still names the file that it has open, mends a torn tail, and makes
# one write of whole lines. What does not go down whole is cut back.
#
# Rule 1: a segment is chosen by the clock at the append, under the lock, and never
#         behind the last name used: a clock that steps back must not write into a
#         closed segment.
# Rule 2: a name that is taken by something that is no file of ours, or whose segment
#         was closed, is passed over: NAME-2, NAME-3.
# Rule 3: whatever became of a file that we had open is told (`Loss`), but for rotation
#         by rename, which is legal.
#
# (Longer than 250 lines, since what is looked at and what is done under one lock are
# one thing.)
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from audit_mw.trail.directories import make_directory, sync_directory
from audit_mw.trail.losses import Loss, reason_of_loss
from audit_mw.trail.record import header_line

__all__ = ["Covering", "Noting", "SegmentFile"]

_NAMES = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
# Links are not followed: who can write to the directory must not choose where else
# records go. Reading is for the last byte; it also keeps a FIFO from blocking.
_DIRECTORY_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE_MODE = 0o640
_STEP = 1 << 16

# (device, inode, offset, length) of a write that is about to be made.
Noting = Callable[[int, int, int, int], None]
# Tells of (device, inode, size) whether a journal has the whole of a half line there,
# and from where on.
Covering = Callable[[int, int, int], int | None]


def _no_cover(_device: int, _inode: int, _size: int) -> int | None:
    return None


class SegmentFile:
    """
    The active segment of one stream.

    Args:
        trail: the directory of the trail.
        stream: a name of STREAMS, or `values`.
        rotate: `day` or `hour`.
        covering: tells whether a journal has the whole of a half line.
        sync: make new names in directories durable.
    """

    def __init__(
        self,
        trail: Path,
        stream: str,
        rotate: str,
        covering: Covering = _no_cover,
        *,
        sync: bool = False,
    ) -> None:
        self._directory = trail / stream
        self._header = header_line(stream)
        self._format = _NAMES[rotate]
        self._covering = covering
        self._sync = sync
        self._period = ""
        self._name = ""
        self._fd = -1
        self._inode: tuple[int, int] | None = None
        self._home: tuple[int, int] | None = None
        self._mode = 0
        self._size = 0
        self._opened = 0
        self._unsynced: list[tuple[int, bytes]] = []
        self._is_suspect = self._is_dirty = False
        self.losses: list[Loss] = []

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

    def append(self, lines: bytes, noting: Noting | None = None) -> int:
        """
        Append whole lines with one write; return the number of the file.

        Args:
            lines: each with its LF.
            noting: is told of the write before it is made.

        Raises:
            OSError: nothing of `lines` is in the file, or what is could not be cut.
        """
        while True:
            self._choose()
            with self._locked():
                # Between the open and the lock it may have been rotated away.
                if self._is_ours():
                    self._write(lines, noting)
                    return self._opened
            self._sync_before_close()
            self.close()

    def sync(self) -> None:
        """
        Make what was appended durable.

        Raises:
            OSError: the disk does not.
        """
        if self._fd < 0 or not self._is_dirty:
            return
        if self._is_suspect:
            self._write_again()
        try:
            os.fdatasync(self._fd)
        except OSError:
            self._is_suspect = True
            raise
        self._is_suspect = self._is_dirty = False
        self._unsynced.clear()

    def _write_again(self) -> None:
        # After a write-back that failed the kernel takes the pages for clean, and the
        # next sync would say that all is well though nothing of them is on the disk.
        fd = os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            for offset, lines in self._unsynced:
                os.pwrite(fd, lines, offset)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of the file; the next append opens it again."""
        self._unsynced.clear()
        self._is_dirty = False
        # Forgotten first: a child that is forked meanwhile must not close it again.
        fd, self._fd = self._fd, -1
        self._inode = None
        if fd >= 0:
            os.close(fd)

    @property
    def path(self) -> Path:
        """Where the segment is that was chosen last."""
        return self._directory / f"{self._name}.log"

    # --- which file

    def _choose(self) -> None:
        period = time.strftime(self._format, time.gmtime())
        if period > self._period:
            if self._fd >= 0:
                self._is_ours()  # what became of the last one is told
                self._sync_before_close()
            self.close()
            self._period = period
        if self._fd >= 0 and not self._is_ours():
            self._sync_before_close()
            self.close()
        if self._fd < 0:
            self._open()

    def _sync_before_close(self) -> None:
        """
        Make durable what nobody could once the file is closed.

        Raises:
            OSError: the disk does not.
        """
        if self._sync and self._is_dirty:
            self.sync()

    def _open(self) -> None:
        make_directory(self._directory.parent, sync=self._sync)
        make_directory(self._directory, sync=self._sync)
        directory = os.open(self._directory, _DIRECTORY_FLAGS)
        try:
            self._name = self._free_name()
            fd = os.open(self.path.name, _FLAGS, _FILE_MODE, dir_fd=directory)
            try:
                status = self._check(fd)
            except OSError:
                os.close(fd)
                raise
            self._home = _identity(os.fstat(directory))
        finally:
            os.close(directory)
        self._fd = fd
        self._inode = _identity(status)
        self._mode = stat.S_IMODE(os.fstat(fd).st_mode)
        self._size = 0
        self._opened += 1
        if self._sync and not status.st_size:
            sync_directory(self._directory)

    def _free_name(self) -> str:
        """Return the first name of the period that is free, or a segment in use."""
        for number in count(1):
            name = self._period if number == 1 else f"{self._period}-{number}"
            path = self._directory / f"{name}.log"
            closed = path.with_suffix(".index"), path.with_suffix(".log.zst")
            if any(os.path.lexists(each) for each in closed):
                continue
            with suppress(FileNotFoundError):
                status = path.lstat()
                if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                    continue
            break

        return name

    def _check(self, fd: int) -> os.stat_result:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(self.path))
        if status.st_nlink > 1:
            # It may be any file of this disk, under a name that we would write to.
            raise OSError(errno.EMLINK, "a hard link of another file", str(self.path))
        if not status.st_size and stat.S_IMODE(status.st_mode) != _FILE_MODE:
            os.fchmod(fd, _FILE_MODE)  # whatever the umask took away

        return status

    # --- what became of it

    def _is_ours(self) -> bool:
        """Tell whether the path names the file that is open; note what else is so."""
        try:
            status: os.stat_result | None = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            status = None
        if status is None or self._inode != _identity(status):
            reason = reason_of_loss(self.path, self._fd, self._home, status)
            if reason is not None:
                self._lose(reason)
            return False
        if status.st_size < self._size:
            # What we wrote is no longer in it.
            self._lose("truncated")
            self._size = status.st_size
            self._opened += 1  # another file, to whoever remembers what is in it
        mode = stat.S_IMODE(status.st_mode)
        if mode != self._mode:
            self._lose(f"mode changed from {self._mode:04o} to {mode:04o}")
            self._mode = mode

        return True

    def _lose(self, reason: str, offset: int | None = None) -> None:
        inode = self._inode[1] if self._inode else 0
        self.losses.append(Loss(reason, self.path, inode, self._size, offset))

    # --- under the lock

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            # Inside: a signal's handler may raise as soon as the lock is ours.
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _write(self, lines: bytes, noting: Noting | None) -> None:
        size = self._mended(os.fstat(self._fd).st_size)
        if not size:
            lines = self._header + lines
        elif os.pread(self._fd, 1, size - 1) != b"\n":
            # Without this LF half a line that could not be cut would swallow ours.
            lines = b"\n" + lines
        length = len(lines)
        if noting is not None and self._inode is not None:
            noting(*self._inode, size, length)
        whole, self._is_dirty = False, True
        try:
            whole = os.write(self._fd, lines) == length
        finally:
            if whole:
                self._size = size + length
                if self._sync:
                    self._unsynced.append((size, lines))
            elif os.fstat(self._fd).st_size > size:
                os.ftruncate(self._fd, size)
        if not whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def _mended(self, size: int) -> int:
        """Return the size without half a line that a journal has the whole of."""
        if not size or self._inode is None:
            return size
        if os.pread(self._fd, 1, size - 1) == b"\n":
            return size
        begin = self._covering(*self._inode, size)
        end = self._end_of_lines(begin or 0, size)
        if begin is not None:
            try:
                os.ftruncate(self._fd, max(end, begin))
            except OSError:  # it is append-only
                self._lose("torn line", end)
                return size
            self._size = min(self._size, end)
            return max(end, begin)
        self._lose("torn line", end)

        return size

    def _end_of_lines(self, start: int, size: int) -> int:
        end = size
        while end > start:
            begin = max(start, end - _STEP)
            at = os.pread(self._fd, end - begin, begin).rfind(b"\n")
            if at >= 0:
                return begin + at + 1
            end = begin

        return start


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
