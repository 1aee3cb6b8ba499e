# uvicorn with the application alone or with the middleware, and any number of workers:
# what `scale` and `memory` look at.
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["APPS", "raise_limit", "served"]

APPS = {"alone": "benchmarks.served:asgi", "with": "benchmarks.contenders.audited:asgi"}
_COMMAND = (
    "{python} -m uvicorn {app} --http httptools --loop uvloop --port {port} --workers"
    " {workers} --no-access-log --log-level warning --no-proxy-headers --backlog 16384"
    " --timeout-keep-alive 300"
)
_ROOT = Path(__file__).parent.parent
_PATIENCE = 60  # seconds until a server that does not listen is an error


def raise_limit(descriptors: int) -> bool:
    """Allow so many descriptors, here and in what is started; tell if that may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < descriptors <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))

    return descriptors <= max(soft, hard)


@contextmanager
def served(app: str, directory: Path, workers: int = 1) -> Iterator[tuple[int, int]]:
    """
    Run uvicorn; give its pid and its port. It prints to `log`; `trail` is its trail.

    Args:
        app: a name of APPS.
        directory: for both.
        workers: how many processes serve.

    Raises:
        RuntimeError: it does not listen; the message has what it printed.
    """
    port = _free_port()
    command = _COMMAND.format(
        python=sys.executable, app=APPS[app], port=port, workers=workers
    )
    env = os.environ | {"AUDIT_MW_TRAIL": str(directory / "trail")}
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            command.split(),
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
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
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
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 1) as asks,
        ):
            asks.settimeout(_PATIENCE)
            asks.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            if asks.recv(65536):  # a worker answers, not only the kernel
                return
        time.sleep(0.05)

    raise RuntimeError(f"{process.args!r}:\n{(directory / 'log').read_text()[-2000:]}")
