# Real servers with two workers whose console is collected, under load, and a worker
# killed meanwhile: every request that was answered, or began, has its record.
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from tests.console.consoles import Lines, Pipe, judged
from tests.console.worker import began_and_answered, start
from tests.serving import BIN, SECONDS, Running, free_port, serving

_SERVERS = {
    "uvicorn": "uvicorn tests.console.served:asgi --workers 2 --port {port}",
    "gunicorn": "gunicorn tests.console.served:wsgi -w 2 -k gthread --threads 4 "
    "--no-control-socket --limit-request-line 8190 --bind 127.0.0.1:{port}",
}
_CLIENTS = 4


class Load:
    """Asks a server, by several clients at once."""

    def __init__(self, running: Running, each: int) -> None:
        self.answered: set[str] = set()
        self._running = running
        self._each = each
        self._clients = [
            threading.Thread(target=self._ask, args=(number,))
            for number in range(_CLIENTS)
        ]

    def start(self) -> None:
        """Begin."""
        for client in self._clients:
            client.start()

    def end(self) -> None:
        """Wait for the last answer."""
        for client in self._clients:
            client.join()

    def _ask(self, client: int) -> None:
        for number in range(self._each):
            word = f"{client}-{number}"
            connection = HTTPConnection("127.0.0.1", self._running.port, SECONDS)
            # A worker that is killed takes its connections along.
            with suppress(OSError, HTTPException):
                # Longer than what a pipe keeps apart from other writes.
                more = "".join(f"&p{at}={'v' * 200}" for at in range(23))
                connection.request("GET", f"/?n={word}{more}")
                response = connection.getresponse()
                if response.status == 200 and response.read() == b"ok":
                    self.answered.add(word)
            connection.close()


@contextmanager
def served(name: str, directory: Path) -> Iterator[Running]:
    """Run a server; its console goes to a file, among what it prints itself."""
    port = free_port()
    command, *words = _SERVERS[name].format(port=port).split()
    environ = {"CONSOLE_DIRECTORY": str(directory)}
    with serving([BIN / command, *words], port, directory, env=environ) as running:
        yield running


def adopted(directory: Path) -> bytes:
    """Let a new process print what was left; return what it printed."""
    pipe = Pipe()
    try:
        last = start(pipe, directory, "last", 1)
        while last.poll() is None:
            pipe.take(0.05)
        pipe.take()
        return pipe.text
    finally:
        pipe.close()


@pytest.mark.parametrize("name", _SERVERS)
def test_worker_is_killed(tmp_path: Path, name: str) -> None:
    """Whatever was answered is on the console, though a worker is killed under load."""
    with served(name, tmp_path) as running:
        load = Load(running, 40)
        load.start()
        victim = first_worker(tmp_path)
        os.kill(victim, signal.SIGKILL)
        load.end()
    lines: Lines = judged(running.log.read_bytes() + adopted(tmp_path))
    began, _ = began_and_answered(tmp_path)

    assert load.answered - set(lines.words) == set()
    assert began - set(lines.words) == set()
    assert lines.gaps == []
    assert len(lines.torn) <= 1
    assert lines.foreign  # what the server printed
    assert len(load.answered) > 100
    assert min(int(each["len"]) for each in lines.of("request")[:9]) > 4096


def first_worker(directory: Path) -> int:
    """Return a worker that has served some requests."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for path in directory.glob("*.words"):
            if path.stat().st_size > 50:
                return int(path.stem)
        time.sleep(0.01)

    raise TimeoutError("nobody serves")
