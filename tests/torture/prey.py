# Servers that are killed: how each starts on a listening socket that is not its own,
# which of its processes serve, and how what was killed comes back.
#
# The socket is held by the harness, so that it outlives each server. A server that is
# one process is started again by us, workers by their own master.
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.serving import BIN, ROOT, SECONDS

__all__ = ["PREY", "Prey"]

_QUIET = (
    "--log-level critical --no-control-socket --graceful-timeout 1 --timeout 600"
    " --limit-request-line 8190"
)
# A crowd of websockets that stays answers no pings, which uvicorn sends after 20 s.
_UVICORN = (
    "uvicorn tests.torture.app:asgi --log-level warning --ws-ping-interval 3600"
    " --timeout-keep-alive 3600 --timeout-graceful-shutdown 1 --fd {fd}"
)
_GUNICORN = f"gunicorn tests.torture.app:wsgi {_QUIET} --bind fd://{{fd}}"

# name -> (command, whether a master starts the workers)
PREY = {
    "uvicorn": (_UVICORN, False),
    "uvicorn workers": (f"{_UVICORN} --workers 2", True),
    "gunicorn gthread": (f"{_GUNICORN} -k gthread --threads 8 --workers 2", True),
    "gunicorn sync": (f"{_GUNICORN} -k sync --workers 2 --preload", True),
    "gunicorn asgi": (
        f"{_GUNICORN} -k asgi --workers 2".replace("app:wsgi", "app:asgi"),
        True,
    ),
}


class Prey:
    """
    A server to be killed.

    Args:
        name: a key of PREY.
        directory: of the trail and the witnesses; gets the log of the server.
        options: of the middleware, as JSON.
        environ: more of the environment.
        under: a command that starts it, such as strace with its options.
        patient: let gunicorn wait for its workers however slow the machine is.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        options: str = "{}",
        environ: Mapping[str, str] | None = None,
        under: Sequence[object] = (),
        *,
        patient: bool = False,
    ) -> None:
        self.name = name
        self.directory = directory
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        # Handed down to connections: uvicorn takes an inherited socket for a local one,
        # and would wait 40 ms for each answer to be acknowledged.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self.socket.getsockname()[1]
        text, self._has_master = PREY[name]
        if patient:  # a worker that its arbiter kills leaves its journal
            text = text.replace("--graceful-timeout 1", f"--graceful-timeout {SECONDS}")
        command, *words = text.format(fd=self.socket.fileno()).split()
        self._command = [*under, BIN / command, *words]
        self._log = (directory / f"{name.replace(' ', '-')}.log").open("ab")
        self._environ = {
            **{key: it for key, it in os.environ.items() if key not in _LOUD},
            "TORTURE_DIRECTORY": str(directory),
            "TORTURE_OPTIONS": options,
            **(environ or {}),
        }
        self.start()

    def start(self) -> None:
        """Start it, again."""
        self.process = subprocess.Popen(
            [str(word) for word in self._command],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[self.socket.fileno()],
            cwd=ROOT,
            env=self._environ,
            start_new_session=True,
        )

    def serving(self) -> list[int]:
        """Return the processes that serve, or will."""
        if not self._has_master:
            return [self.process.pid]
        return [child for child in self.children() if _is_worker(child)]

    def children(self) -> list[int]:
        """Return the processes that it started itself."""
        pid = self.process.pid
        with suppress(OSError):
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            return [int(word) for word in text.split()]
        return []

    def kill(self, pid: int, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill one of those that serve, and start it again if nobody else does."""
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        if pid == self.process.pid:
            self.process.wait(SECONDS)
            self.start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End all of it, and return its exit code."""
        served = self.serving()
        with suppress(ProcessLookupError):
            if how == signal.SIGKILL:
                os.killpg(self.process.pid, how)
            else:
                self.process.send_signal(how)
        try:
            return self.process.wait(SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            _await_death(served)

    def close(self) -> None:
        """End it in any case, and let go of its socket."""
        try:
            self.stop(signal.SIGKILL)
        finally:
            self.socket.close()
            self._log.close()

    def said(self) -> str:
        """Return what it printed."""
        return Path(self._log.name).read_text(errors="replace")

    def is_up(self, pid: int) -> bool:
        """Tell whether a process has begun a request."""
        return any(self.directory.glob(f"witness.{pid}.*"))

    def pick(self, chance: random.Random) -> int | None:
        """Return one of those that serve."""
        pids = self.serving()

        return chance.choice(pids) if pids else None


# They make Python slow, or a worker talk.
_LOUD = ("PYTHONDEVMODE", "PYTHONWARNINGS", "COVERAGE_PROCESS_START")


def _await_death(pids: Sequence[int]) -> None:
    # A worker may die later than its master, and holds its journal until then.
    until = time.monotonic() + SECONDS
    while any(map(_lives, pids)) and time.monotonic() < until:
        time.sleep(0.002)


def _lives(pid: int) -> bool:
    # Threads may outlive a leader that is a zombie already. A zombie itself holds no
    # file; in a container nobody may reap it.
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                stat = (task / "stat").read_text()
                if stat.rpartition(")")[2].split()[0] not in "ZX":
                    return True

    return False


def _is_worker(pid: int) -> bool:
    # multiprocessing has a process that watches over semaphores.
    with suppress(OSError):
        return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()

    return False
