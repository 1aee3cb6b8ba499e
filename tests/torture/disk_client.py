# Clients that ask without end while a disk is harmed, and remember what each saw.
#
# Each keeps its connection and asks one request after the other. A request is found
# again by its marker, `?n=CLIENT-NUMBER`. It counts as answered when the client holds
# the complete response, never before.
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from tests.serving import SECONDS, new_word
from tests.torture.disk_serving import Server, awaited, serving

__all__ = ["Answer", "Load", "loaded"]


class Answer(NamedTuple):
    """What a client saw of one request; times are those of the monotonic clock."""

    marker: str
    status: int  # 0: the connection broke off
    began: float
    ended: float


class Load:
    """
    Clients for the time of a `with`.

    Args:
        port: of the server, on loopback.
        clients: how many, each with a connection and a thread.
        pause: seconds that each rests between two requests.
        path: what they ask for.
        value: further bytes of the query; more than 256 make a record spill.
    """

    def __init__(
        self,
        port: int,
        clients: int = 4,
        pause: float = 0.01,
        path: str = "/",
        value: str = "",
    ) -> None:
        self.answers: list[Answer] = []
        self._port = port
        self._pause = pause
        self._target = f"GET {path}?n=%s&v={value}"
        self._stop = threading.Event()
        # Several loads on one trail stay apart. (Of letters: as for hands.py.)
        self._run = new_word()[:8]
        self._threads = [
            threading.Thread(target=self._ask_on, args=(number,))
            for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()

        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def answered(self, status: int = 200) -> set[str]:
        """Return the markers that were answered so."""
        return {answer.marker for answer in self.answers if answer.status == status}

    def wait(
        self, count: int = 1, status: int = 200, seconds: float = SECONDS
    ) -> Answer:
        """
        Wait until so many requests, each begun after now, are answered so.

        Args:
            count: how many.
            status: their status; 0 is a connection that broke off.
            seconds: until it gives up.

        Raises:
            AssertionError: there are not so many.
        """
        since = time.monotonic()
        first = len(self.answers)
        try:
            return awaited(
                lambda: self._nth(first, count, status, since), "answers", seconds
            )
        except AssertionError as error:
            seen = Counter(answer.status for answer in self.answers[first:])
            raise AssertionError(f"not {count} of {status}, but {seen}") from error

    def _nth(self, first: int, count: int, status: int, since: float) -> Answer | None:
        found = [
            answer
            for answer in self.answers[first:]
            if answer.status == status and answer.began >= since
        ]

        return found[count - 1] if len(found) >= count else None

    def _ask_on(self, client: int) -> None:
        connection: _Connection | None = None
        number = 0
        while not self._stop.is_set():
            number += 1
            marker = f"{self._run}-{client}-{number}"
            began = time.monotonic()
            status = 0
            with suppress(OSError, ValueError):
                connection = connection or _Connection(self._port)
                status = connection.ask(self._target % marker)
            self.answers.append(Answer(marker, status, began, time.monotonic()))
            if connection and (connection.closed or not status):
                connection.close()
                connection = None
            # One that finds no server would else fill the memory.
            self._stop.wait(self._pause if status else max(self._pause, 0.02))
        if connection:
            connection.close()


@contextmanager
def loaded(
    directory: Path,
    trail: Path,
    name: str = "uvicorn",
    options: Mapping[str, object] = MappingProxyType({}),
    *,
    clients: int = 4,
    pause: float = 0.01,
    value: str = "",
) -> Iterator[tuple[Server, Load]]:
    """Run a server that is asked; for the arguments see `serving` and `Load`."""
    with (
        serving(directory, trail, name, options) as server,
        Load(server.running.port, clients, pause, value=value) as load,
    ):
        yield server, load


class _Connection:
    def __init__(self, port: int) -> None:
        self.closed = False
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(self, first: str) -> int:
        """Return the status of a complete response; ValueError if it is not one."""
        self._socket.sendall(f"{first} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        _, status, *_ = self._file.readline().split()
        fields = dict(self._fields())
        length = int(fields.get(b"content-length", 0))
        if len(self._file.read(length)) < length:
            raise ValueError("broken off")
        if status == b"503" and b"retry-after" not in fields:
            raise ValueError("a refusal that does not say when to come again")
        self.closed = fields.get(b"connection") == b"close"

        return int(status)

    def _fields(self) -> Iterator[tuple[bytes, bytes]]:
        while (line := self._file.readline()) != b"\r\n":
            if not line:
                raise ValueError("broken off")
            name, _, value = line.partition(b":")
            yield name.lower(), value.strip().lower()

    def close(self) -> None:
        self._file.close()
        self._socket.close()
