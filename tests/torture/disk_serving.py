# Servers whose disk gets harmed: how each starts, which process of it writes, and what
# its application was called for.
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from tests.serving import BIN, SECONDS, Running, free_port, started
from tests.torture.disk_app import CALLS

__all__ = ["COMMANDS", "Server", "awaited", "serving"]

Found = TypeVar("Found")

_GUNICORN = (
    "gunicorn tests.torture.disk_app:wsgi --bind 127.0.0.1:{port} --log-level warning "
    "--graceful-timeout 25 --no-control-socket --keep-alive 30"
)
COMMANDS = {
    "uvicorn": "uvicorn tests.torture.disk_app:asgi --http httptools --port {port} "
    "--log-level warning --timeout-keep-alive 30 --timeout-graceful-shutdown 5",
    "gunicorn gthread": f"{_GUNICORN} -k gthread --threads 8",
    "gunicorn sync": f"{_GUNICORN} -k sync",
    "gunicorn workers": f"{_GUNICORN} -k gthread --threads 4 --workers 3",
}


@dataclass(frozen=True)
class Server:
    """A server that runs on a trail of its own."""

    running: Running
    trail: Path
    calls: Path

    @property
    def worker(self) -> int:
        """The pid of the process that serves and writes."""
        pid = self.running.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")

        return int((children.split() or [str(pid)])[0])

    def called(self) -> Counter[str]:
        """Return how often the application was called, by marker."""
        lines = self.calls.read_text().splitlines()

        return Counter(line.partition("n=")[2].partition("&")[0] for line in lines)

    def segment(self, stream: str = "request") -> Path:
        """Return the file that the stream's records go to; it is there."""
        return awaited(lambda: self._newest(stream), f"a segment of {stream}")

    def _newest(self, stream: str) -> Path | None:
        return max((self.trail / stream).glob("*.log"), default=None)


@contextmanager
def serving(
    directory: Path,
    trail: Path,
    name: str = "uvicorn",
    options: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[Server]:
    """
    Run a server for the time of a `with`.

    Args:
        directory: gets its log and the calls; not on the disk that is harmed.
        trail: its trail.
        name: a key of COMMANDS.
        options: of the middleware, as AUDIT_MW_<NAME> in its environment.
    """
    port = free_port()
    words = COMMANDS[name].format(port=port).split()
    calls = directory / "calls"
    environ = {f"AUDIT_MW_{key.upper()}": str(value) for key, value in options.items()}
    environ |= {"AUDIT_MW_TRAIL": str(trail), CALLS: str(calls)}
    running = started([BIN / words[0], *words[1:]], port, directory, env=environ)
    try:
        yield Server(running, trail, calls)
    finally:
        running.end()


def awaited(
    look: Callable[[], Found | None], what: str, seconds: float = SECONDS
) -> Found:
    """
    Return what `look` finds as soon as it finds anything.

    Raises:
        AssertionError: it found nothing for so long that something hangs.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.01)

    raise AssertionError(f"waited in vain for {what}")
