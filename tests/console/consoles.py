# A console for tests: something that a process has as stdout, and what is read from it.
#
# What was printed is judged without any reader of ours: by its LFs, its lengths, and
# checks that are computed here.
import os
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash
from tests.edges.wsgi_server import environment

from audit_mw import AuditMiddleware
from audit_mw.trail.record import COLUMNS, VALUE_COLUMNS

__all__ = [
    "KEY",
    "OPTIONS",
    "Lines",
    "Pipe",
    "call",
    "fill",
    "judged",
    "on_console",
    "opened",
    "socket_pipe",
]

KEY = bytes(range(32))
OPTIONS: dict[str, Any] = {
    "trail": "stdout",
    "key": KEY,
    "service": "console",
    "min_free": "0,0,0",
    "max_slots": 64,
}
_SECONDS = 30  # until a test gives up on what hangs
_OURS = re.compile(rb"[0-9]+\t[0-9]{4}-[0-9]{2}-[0-9]{2}T")
_PLAIN = re.compile(rb"[\x20-\x7e\t]*\n")
_WORD = re.compile(rb'\["query","n","([^"]+)"\]')


@dataclass
class Lines:
    """What was printed: records by their columns, and all else."""

    records: list[dict[str, str]]
    values: list[dict[str, str]]
    foreign: list[bytes]
    torn: list[bytes]

    def of(self, stream: str) -> list[dict[str, str]]:
        """Return the records of a stream, each once."""
        known: dict[tuple[str, str], dict[str, str]] = {}
        for record in self.records:
            if record["stream"] == stream:
                known.setdefault((record["instance"], record["seq"]), record)

        return list(known.values())

    @property
    def words(self) -> list[str]:
        """The words of the requests on record."""
        found = (_WORD.search(each["params"].encode()) for each in self.of("request"))

        return [match[1].decode() for match in found if match]

    @property
    def gaps(self) -> list[str]:
        """The numbers that are missing."""
        last: Counter[tuple[str, str]] = Counter()
        seen = set()
        for record in self.records:
            whose = record["instance"], record["stream"]
            seen.add((*whose, int(record["seq"])))
            last[whose] = max(last[whose], int(record["seq"]))

        return [
            f"{whose} {seq}"
            for whose, most in last.items()
            for seq in range(1, most + 1)
            if (*whose, seq) not in seen
        ]


def judged(text: bytes) -> Lines:
    """Return what was printed, line by line."""
    found = Lines([], [], [], [])
    for line in text.splitlines(keepends=True):
        if not _OURS.match(line):
            found.foreign += [line] if line.strip() else []
        elif not _is_whole(line):
            found.torn.append(line)
        else:
            cells = line[:-1].decode().split("\t")
            columns = COLUMNS if len(cells) == len(COLUMNS) else VALUE_COLUMNS
            names = [column.name for column in columns]
            record = dict(zip(names, cells, strict=True))
            (found.records if columns is COLUMNS else found.values).append(record)

    return found


def _is_whole(line: bytes) -> bool:
    body, _, check = line[:-1].rpartition(b"\t")
    length = line.partition(b"\t")[0]
    fits = xxhash.xxh3_64_hexdigest(body + b"\t").encode() == check

    return bool(_PLAIN.fullmatch(line)) and length == b"%d" % len(line) and fits


class Pipe:
    """A pipe that is somebody's console; this end reads."""

    def __init__(self, ends: tuple[int, int] | None = None) -> None:
        self.out, self.into = ends or os.pipe()
        self.text = b""

    def read(self, until: int = 1) -> Lines:
        """Return all that was printed, when there are so many records of requests."""
        end = time.monotonic() + _SECONDS
        while len(judged(self.text).of("request")) < until:
            assert time.monotonic() < end, self.text[-2000:]
            self.take(0.1)

        return judged(self.text)

    def take(self, seconds: float = 0) -> None:
        """Read what is there."""
        while select.select([self.out], [], [], seconds)[0]:
            part = os.read(self.out, 1 << 16)
            self.text += part
            if not part:
                return
            seconds = 0

    def close(self) -> None:
        """Let go of both ends."""
        for fd in (self.out, self.into):
            if fd >= 0:
                os.close(fd)
        self.out = self.into = -1

    def hang_up(self) -> None:
        """Let go of the end that reads."""
        os.close(self.out)
        self.out = -1


@contextmanager
def on_console(fd: int, number: int = 1) -> Iterator[None]:
    """Let a file be the console of this process."""
    saved = os.dup(number)
    os.dup2(fd, number)
    try:
        yield
    finally:
        os.dup2(saved, number)
        os.close(saved)


@contextmanager
def opened(pipe: Pipe, directory: Path, app: Any, **options: Any) -> Iterator[Any]:
    """Wrap an application; its trail is a console of this process."""
    options = OPTIONS | {"journal_dir": str(directory)} | options
    number = 2 if options["trail"] == "stderr" else 1
    with on_console(pipe.into, number):
        middleware = AuditMiddleware(app, **options)
        try:
            yield middleware
        finally:
            middleware._auditor.close(at_exit=True)
            pipe.close()


def call(app: Any, word: str, body: bytes = b"") -> int:
    """Ask an application as a WSGI server does; return the status."""
    said: list[str] = []
    form = "application/x-www-form-urlencoded"
    environ = environment(
        body,
        QUERY_STRING=f"n={word}",
        REQUEST_METHOD="POST",
        CONTENT_TYPE=form,
        CONTENT_LENGTH=str(len(body)),
    )
    environ["wsgi.input"] = _Body(body)
    result = app(environ, lambda status, *_: said.append(status))
    try:
        b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()

    return int(said[-1].split()[0])


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        size = len(self._body) if size < 0 else size
        part, self._body = self._body[:size], self._body[size:]

        return part


def socket_pipe() -> Pipe:
    """Return a pipe that is a socket, as the journal of systemd gives one."""
    one, other = socket.socketpair()

    return Pipe((one.detach(), other.detach()))


def fill(pipe: Pipe) -> int:
    """Print until the pipe takes no more, as an application may; return how much."""
    os.set_blocking(pipe.into, False)
    size = 0
    try:
        while True:
            size += os.write(pipe.into, b"foreign text\n" * 300)
    except BlockingIOError:
        return size
    finally:
        os.set_blocking(pipe.into, True)
