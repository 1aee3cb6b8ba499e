# The servers of the load tests, two workers each, with a directory for trail and witness.
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.edges.audited import KEY
from tests.serving import BIN, Running, free_port, started

__all__ = ["SERVERS", "Loaded", "loading"]


_LINE = 17  # bytes of a word and its LF


@dataclass(frozen=True)
class Server:
    """How a server starts on a port, and which kinds of requests it does not serve."""

    command: str
    left_out: frozenset[str] = frozenset()


# No connection is to end because a slow machine let it wait.
SERVERS = {
    "uvicorn": Server(
        "uvicorn tests.compat.load.app:asgi --workers 2 --port {port}"
        " --timeout-keep-alive 600 --log-level warning --no-proxy-headers"
    ),
    "gunicorn": Server(
        "gunicorn tests.compat.load.app:wsgi --workers 2 --bind 127.0.0.1:{port}"
        " --worker-class gthread --threads 16 --keep-alive 600 --timeout 600"
        " --log-level critical --no-control-socket",
        frozenset({"websocket", "lost websocket"}),
    ),
}


@dataclass(frozen=True)
class Loaded:
    """A server that runs, and its directory."""

    server: Server
    running: Running
    directory: Path

    @property
    def trail(self) -> Path:
        """Return the directory of the trail."""
        return self.directory / "trail"

    def witnessed(self) -> dict[int, list[str]]:
        """Return the words of the requests that each worker was handed, by its pid."""
        return {
            int(path.suffix[1:]): path.read_text().split("\n")[:-1]
            for path in self.directory.glob("witness.*")
        }

    def counted(self) -> dict[int, int]:
        """Return how many requests each worker was handed, by its pid."""
        return {
            int(path.suffix[1:]): path.stat().st_size // _LINE
            for path in self.directory.glob("witness.*")
        }


@contextmanager
def loading(name: str, directory: Path, *, bare: bool = False) -> Iterator[Loaded]:
    """Run a server; `bare`, without the middleware."""
    server, port = SERVERS[name], free_port()
    command, *words = server.command.format(port=port).split()
    env = {
        "LOAD_DIRECTORY": str(directory),
        # Else glibc gives threads heaps of their own, each of which fills slowly.
        "MALLOC_ARENA_MAX": "1",
        "AUDIT_MW_KEY": base64.b64encode(KEY).decode(),
        **({"LOAD_BARE": "1"} if bare else {}),
    }
    running = started([BIN / command, *words], port, directory, env=env)
    try:
        yield Loaded(server, running, directory)
    finally:
        running.end()
