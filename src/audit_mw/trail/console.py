# The console as a trail: each record is one line of stdout or stderr, and one write.
#
# Who collects a console takes lines, from many processes and from the application's own
# printing, so a line must come whole. A pipe keeps writes apart up to 4,096 bytes only.
#
# Rule 1: writers take turns by a lock file beside their journals. Who holds it ends the
#         line that it began, or leaves word in the lock file that it has no end; then
#         who comes next begins with a LF.
# Rule 2: no write waits for the reader for long: the writer's thread has more to do. A
#         reader that stalls is an error (`Stalled`) that is tried again, and no reason
#         to refuse requests as long as the journal has room.
# Rule 3: nobody can look into a console. What a process handed over it knows itself;
#         what another did it does not, and writes again (`landed` gives None).
# Rule 4: the flags of stdout are the application's as well, so none is changed: where
#         writes must not block we have a description of our own, by /proc/self/fd.
#
# (Longer than 250 lines, since which file it is, and what is written to it under one
# lock, are one thing.)
import errno
import fcntl
import os
import secrets
import select
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audit_mw.config import CONSOLES
from audit_mw.trail.landed import lines_of
from audit_mw.trail.losses import Loss
from audit_mw.trail.notes import Note
from audit_mw.trail.segment import Noting

__all__ = ["Console", "ConsoleStream", "Stalled"]

_NUMBER = dict(zip(CONSOLES, (1, 2), strict=True))
_LOCK_NAME = "console.lock"
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_LOCK_MODE = 0o640
_FLAGS = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_TOKEN = 8
_ENDED = bytes(_TOKEN)  # in the lock file: the last line is whole
_PATIENCE = 1000  # milliseconds for which a reader may take nothing
_PIECE = select.PIPE_BUF  # after POLLOUT so many bytes are taken without a wait
_KEPT = 60  # seconds for which readers need not look back for a spilled value
_NULL = os.makedev(1, 3)
_EVENT, _SEQ = 2, 4


class Stalled(BlockingIOError):
    """Whoever reads the console takes nothing now."""


class Console:
    """
    stdout or stderr, as this process has it when it first writes a record.

    Args:
        name: one of CONSOLES.
        directory: of the journals; gets the lock file.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.path = Path(name)
        self._number = _NUMBER[name]
        self._lock_path = directory / _LOCK_NAME
        self._token = secrets.token_bytes(_TOKEN)
        self._half = b"", 0  # a line that we left unended, and how much of it is out
        self._fd = self._lock = -1
        self._send: Callable[[bytes], int] = self._write
        self._is_regular = self._is_named = self._is_gone = False
        self._size = 0
        self._opened = 0
        self.losses: list[Loss] = []

    def open(self) -> None:
        """
        Take the console, and the lock, if that was not done yet.

        Raises:
            OSError: it is closed, nobody would ever read it, or there is no lock.
        """
        if self._lock < 0:
            self._lock = os.open(self._lock_path, _LOCK_FLAGS, _LOCK_MODE)
        if self._fd < 0:
            self._take()
            self._opened += 1

    @property
    def number(self) -> int:
        """Another one where values must be written again: later, or elsewhere."""
        return self._opened << 32 | int(time.monotonic() / _KEPT)

    def write(self, lines: list[bytes], begin: Noting, taken: list[bytes]) -> None:
        """
        Write whole lines, each with one write if the console takes it.

        Args:
            lines: each with its LF.
            begin: is told before the first is written.
            taken: gets each line that is out.

        Raises:
            OSError: the others are not; a part of the next one may be.
        """
        self.open()
        try:
            with self._locked(), _without_sigpipe():
                self._look()
                begin(0, 0, secrets.randbits(62) + 1, sum(map(len, lines)))
                self._write_lines(lines, taken)
        except Stalled:
            raise
        except OSError:
            # It may be another pipe by the next time: a FIFO with a new reader.
            self.close()
            raise

    def sync(self) -> None:
        """Make durable what can be: a file that the console was redirected to."""
        if self._fd >= 0 and self._is_regular:
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Let go of it; the next write takes it again."""
        # Forgotten first: a child that is forked meanwhile must not close them again.
        fds, self._fd, self._lock = (self._fd, self._lock), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    # --- which file

    def _take(self) -> None:
        number = self._number
        status = os.fstat(number)
        if fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
            # A process that began without stdout gives its number to the next file: a
            # database, or our own journal. What was inherited has no such flag.
            other = "its number is that of a file which this process opened"
            raise OSError(errno.EBADF, other, str(self.path))
        if status.st_rdev == _NULL and stat.S_ISCHR(status.st_mode):
            # Nothing would ever be refused, and nothing kept.
            raise OSError(errno.ENODEV, "nobody reads /dev/null", str(self.path))
        self._is_regular = stat.S_ISREG(status.st_mode)
        # A file that never had a name is read by who made it; one that lost it is not.
        self._is_named = self._is_named or bool(status.st_nlink)
        self._size = 0
        if stat.S_ISSOCK(status.st_mode):
            self._fd, self._send = _duplicate(number), self._send_socket
        elif self._is_regular:  # a description of our own had an offset of its own
            self._fd, self._send = _duplicate(number), self._write
        else:
            try:
                self._fd = os.open(f"/proc/self/fd/{number}", _FLAGS)
                self._send = self._write
            except OSError:  # it is root's, and we no longer are; or nobody reads it
                self._fd, self._send = _duplicate(number), self._write_piece

    def _look(self) -> None:
        """
        Tell what became of a file that the console was redirected to.

        Raises:
            FileNotFoundError: it was removed; nobody would find what we write.
        """
        if not self._is_regular:
            return
        status = os.fstat(self._fd)
        if status.st_size < self._size:
            self._lose("truncated", status)
        self._size = status.st_size
        was_gone, self._is_gone = self._is_gone, self._is_named and not status.st_nlink
        if self._is_gone:
            if not was_gone:
                self._lose("unlinked", status)
            # It is taken again by the next try: the application may open another.
            gone = "the file that it goes to was removed"
            raise FileNotFoundError(errno.ENOENT, gone, str(self.path))

    def _lose(self, reason: str, status: os.stat_result) -> None:
        self.losses.append(Loss(reason, self.path, status.st_ino, self._size))

    # --- under the lock

    @contextmanager
    def _locked(self) -> Iterator[None]:
        while True:
            try:
                # Inside: a signal's handler may raise as soon as the lock is ours.
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                if self._is_lock_named():
                    yield
                    return
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)
            # Removed: who comes next makes another, and would not wait for us.
            os.close(self._lock)
            self._lock = -1
            self.open()

    def _is_lock_named(self) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._lock), self._lock_path.lstat())

        return False

    def _write_lines(self, lines: list[bytes], taken: list[bytes]) -> None:
        offset = self._begin(lines[0])
        for line in lines:
            self._write_line(line, offset)
            taken.append(line)
            offset = 0
        self._leave(_ENDED)
        if self._is_regular:
            self._size = os.fstat(self._fd).st_size

    def _begin(self, line: bytes) -> int:
        """Let the console be at the start of a line; return what is out of this one."""
        left = os.pread(self._lock, _TOKEN, 0)
        (half, offset), self._half = self._half, (b"", 0)
        if left == self._token and half == line:
            return offset  # nobody came between
        if left == self._token and half:
            self._write_line(half, offset)  # it comes again, and is then there twice
        else:
            while left not in (b"", _ENDED) and not self._send(b"\n"):
                self._await_reader()
        self._leave(self._token)

        return 0

    def _write_line(self, line: bytes, offset: int) -> None:
        try:
            while offset < len(line):
                sent = self._send(line[offset:] if offset else line)
                offset += sent
                if not sent:
                    self._await_reader()
        except Stalled:
            self._half = line, offset
            raise
        finally:
            if not offset:
                self._leave(_ENDED)  # nothing of it is out

    def _leave(self, state: bytes) -> None:
        os.pwrite(self._lock, state, 0)

    # --- one write; 0 is "not now"

    def _write(self, piece: bytes) -> int:
        try:
            return os.write(self._fd, piece)
        except BlockingIOError:
            return 0

    def _write_piece(self, piece: bytes) -> int:
        return self._write(piece[:_PIECE]) if self._is_ready(0) else 0

    def _send_socket(self, piece: bytes) -> int:
        console = socket.socket(fileno=self._fd)
        try:
            return console.send(piece, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        finally:
            console.detach()

    def _await_reader(self) -> None:
        if not self._is_ready(_PATIENCE):
            stalls = "whoever reads it takes nothing"
            raise Stalled(errno.EAGAIN, stalls, str(self.path))

    def _is_ready(self, milliseconds: int) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)

        return bool(poll.poll(milliseconds))


class ConsoleStream:
    """
    What is written of one stream; to the appender it is what a segment is.

    Args:
        console: that all streams go to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._append = 0
        self._taken: list[bytes] = []
        self.losses: list[Loss] = []

    @property
    def path(self) -> Path:
        """The name of the console."""
        return self._console.path

    def current(self) -> int:
        """
        Return a number that is another when what was written may be out of sight.

        Raises:
            OSError: the console cannot be had.
        """
        self._console.open()

        return self._console.number

    def append(self, lines: bytes, noting: Noting | None = None) -> int:
        """
        Write whole lines; return the number that `current` does.

        Args:
            lines: each with its LF.
            noting: is told of the append before it begins; not of a file, but of a
                number that `landed` knows it by.

        Raises:
            OSError: not all of them are out; `landed` knows which are.
        """

        def begin(device: int, inode: int, append: int, length: int) -> None:
            if noting is not None:
                self._append, self._taken = append, []
                noting(device, inode, append, length)

        taken: list[bytes] = []
        number = self.current()
        try:
            self._console.write(lines.splitlines(keepends=True), begin, taken)
        finally:
            self._taken += taken if noting is not None else []
            told, self._console.losses = self._console.losses, []
            self.losses += told

        return number

    def landed(self, note: Note, instance: str) -> dict[int, bytes] | None:
        """
        Return seq -> event id of the lines of an append that are out.

        Returns:
            None where that was the append of another process: nobody knows.
        """
        if not note.offset or note.offset != self._append:
            return None
        found = lines_of(b"".join(self._taken), instance)

        return {int(cells[_SEQ]): cells[_EVENT] for cells in found}

    def sync(self) -> None:
        """Make durable what can be."""
        self._console.sync()

    def close(self) -> None:
        """Let go of the console; the next append takes it again."""
        self._console.close()


def _duplicate(number: int) -> int:
    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)


@contextmanager
def _without_sigpipe() -> Iterator[None]:
    """Let a write to a broken pipe be an error, whatever the application does then."""
    # Python ignores the signal, but an application may have put back its default,
    # which ends the process. It is sent to the thread that writes, and to no other.
    broken = {signal.SIGPIPE}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, broken)
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            signal.sigtimedwait(broken, 0)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, broken)
