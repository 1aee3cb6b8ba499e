# Real servers for tests: started as a user starts them, on loopback, each ended by us.
#
# A server is a process in a session of its own, so that its workers end with it. Its
# port comes from outside of the range that the kernel takes for connections: between
# the look and the start nobody else gets it.
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

__all__ = [
    "BIN",
    "ROOT",
    "SECONDS",
    "Running",
    "free_port",
    "new_word",
    "serving",
    "started",
]

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent  # the commands of the packages that we test with
SECONDS = 30  # until a test gives up on a server that hangs

# Each worker of a test run has ports of its own, and begins anywhere among them.
_WORKERS, _EACH = 16, 750
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw15")[2:]) % _WORKERS
_PORTS = range(20_000 + _worker * _EACH, 20_000 + (_worker + 1) * _EACH)
_next_port = random.Random(os.getpid()).randrange(_EACH)


def new_word() -> str:
    """Return a word that nobody had before, and that no card and no name is in."""
    return uuid4().hex.translate(_LETTERS)


# Of these letters no word is made that announces a secret, as `pin` does at an end.
_LETTERS = str.maketrans("0123456789abcdef", "bdfghjklmnqrvxyz")


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port of `host` that nobody listens on."""
    global _next_port  # noqa: PLW0603 - one sequence for the process
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in _PORTS:
        _next_port = (_next_port + 1) % len(_PORTS)
        port = _PORTS[_next_port]
        with socket.socket(family) as probe, suppress(OSError):
            probe.bind((host, port))
            return port

    raise OSError(f"no port is free on {host}")


@dataclass
class Running:
    """A server that runs: its process, where it listens, and what it printed."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    host: str = "127.0.0.1"
    unix: Path | None = None

    def connect(self, seconds: float = SECONDS) -> socket.socket:
        """Return a connection."""
        if self.unix is None:
            return socket.create_connection((self.host, self.port), seconds)
        client = socket.socket(socket.AF_UNIX)
        try:
            client.settimeout(seconds)
            client.connect(str(self.unix))
        except OSError:
            client.close()
            raise
        return client

    def exchange(self, request: bytes) -> bytes:
        """Send bytes as they are; return all that comes until the server closes."""
        with self.connect() as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def ask(
        self, method: str, path: str, **options: object
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Return the response to a request, and its body."""
        connection = http.client.HTTPConnection(self.host, self.port, SECONDS)
        try:
            connection.request(method, path, **options)  # type: ignore[arg-type] # its own
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def said(self) -> str:
        """Return what the server printed so far."""
        return self.log.read_text(errors="replace")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and whatever it started."""
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Workers that outlive their master, or a master that hangs.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def await_port(self) -> None:
        """Return as soon as it takes connections; raise with its log if it does not."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with suppress(OSError):
                self.connect(1).close()
                if self.process.poll() is None:  # else it was another's
                    return
            time.sleep(0.02)

        raise RuntimeError(f"{self.process.args!r} does not listen:\n{self.said()}")


def started(
    command: Sequence[str | Path],
    port: int,
    directory: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    host: str = "127.0.0.1",
    unix: Path | None = None,
) -> Running:
    """
    Start a server and return it when it listens; the caller must end it.

    Args:
        command: as a user types it, with the port in it.
        port: where it will listen.
        directory: gets its log, and is made if need be.
        env: added to our environment, of which what makes Python loud is left out.
        cwd: where it starts; the root of the project, so that it finds `tests`.
        host: the address that it will listen on.
        unix: the socket that it will listen on, in the place of host and port.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "log"
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONDEVMODE", "PYTHONWARNINGS")
    }
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=cwd,
            env=inherited | {"PYTHONUNBUFFERED": "1"} | dict(env or {}),
            start_new_session=True,
        )
    running = Running(process, port, log, host, unix)
    try:
        running.await_port()
    except BaseException:
        running.end()
        raise

    return running


@contextmanager
def serving(
    command: Sequence[str | Path],
    port: int,
    directory: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    host: str = "127.0.0.1",
) -> Iterator[Running]:
    """Run a server for the time of a `with`; see `started`."""
    running = started(command, port, directory, env=env, cwd=cwd, host=host)
    try:
        yield running
    finally:
        running.end()
