# The servers, each started as a user starts it, with a contender in it.
#
# The server has a CPU of its own, and what asks it has the others, where there are two.
# A server of a `with` is ended with it, and whatever it started.
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.contenders import CONTENDERS

__all__ = ["SERVERS", "Server", "command", "pinned", "serving"]

_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parent.parent
_PATIENCE = 60  # seconds until a server that does not listen is an error


class Server(NamedTuple):
    """A stack of `contenders`, the command, and what switches its access log."""

    stack: str
    template: str
    log_off: str
    log_on: str


_GUNICORN = (
    "gunicorn {app} --worker-class {worker} --workers 1 --bind 127.0.0.1:{port}"
    " --no-control-socket"
)
_GTHREAD = _GUNICORN.replace("{worker}", "gthread --threads 4")
_FILE = "--access-logfile -"
SERVERS = {
    "uvicorn": Server(
        "asgi",
        "uvicorn {app} --http httptools --loop uvloop --port {port}"
        " --log-level info --no-proxy-headers",
        "--no-access-log",
        "--access-log",
    ),
    "gunicorn gthread": Server("wsgi", _GTHREAD, "", _FILE),
    "gunicorn gthread, Django": Server("django", _GTHREAD, "", _FILE),
    "gunicorn sync": Server("wsgi", _GUNICORN.replace("{worker}", "sync"), "", _FILE),
}


def command(server: str, contender: str, port: int) -> list[str]:
    """Return the command that starts a server with a contender."""
    stack, template, off, on = SERVERS[server]
    app = CONTENDERS[contender].apps[stack]
    log = on if contender == "access log" else off
    name, *words = f"{template} {log}".format(app=app, port=port).split()

    return [str(_BIN / name), *words]


@contextmanager
def serving(server: str, contender: str, directory: Path) -> Iterator[tuple[int, int]]:
    """
    Run a server; give its pid and its port.

    In the directory it has `log` (what it prints), `trail` and `records`; what is in
    the environment as BENCH_RECORDS goes before the last. RuntimeError, with what it
    printed, if it does not listen.
    """
    port = _free_port()
    env = {"BENCH_RECORDS": str(directory / "records")} | os.environ
    env["AUDIT_MW_TRAIL"] = str(directory / "trail")
    with (directory / "log").open("ab") as log, pinned(server_side=True):
        process = subprocess.Popen(
            command(server, contender, port),
            cwd=_ROOT,
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await(process, port, directory)
        yield process.pid, port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: "subprocess.Popen[bytes]", port: int, directory: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)

    raise RuntimeError(f"{process.args!r}:\n{(directory / 'log').read_text()[-2000:]}")


@contextmanager
def pinned(*, server_side: bool) -> Iterator[None]:
    """Keep what is started in a `with` on its side of the CPUs that we may use."""
    before = os.sched_getaffinity(0)
    first, *others = sorted(before)
    os.sched_setaffinity(0, {first} if server_side else others or {first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
