# What the middleware costs under real servers, against what their access log costs.
#
#     python -m benchmarks.servers [--server uvicorn] [--request form] [--rounds 7]
#
# In each round each configuration runs once, in random order, in a server of its own:
# the application alone, with the server's access log to a file, with the middleware.
# The CPU of the worker is what counts: it depends less on what else runs than a rate.
# Server and load generator are kept on CPUs of their own where there are two.
import argparse
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from benchmarks.costs import Measured, Round, Spread, added, of, ratio, spread
from benchmarks.load import generator, load
from benchmarks.processes import cpu_micros, workers
from benchmarks.typical import REQUESTS, Request

CONFIGURATIONS = ("alone", "access log", "middleware")
_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parent.parent
_PATIENCE = 60  # seconds until a server that does not listen is an error
_WARM = 1  # seconds

_UVICORN = (
    "uvicorn benchmarks.served:asgi{audited} --http httptools --loop uvloop"
    " --port {port} --log-level info --no-proxy-headers"
)
_GUNICORN = (
    "gunicorn benchmarks.served:wsgi{audited} --worker-class {worker} --workers 1"
    " --bind 127.0.0.1:{port} --no-control-socket"
)
# The command, and what switches the access log off and on.
SERVERS = {
    "uvicorn": (_UVICORN, "--no-access-log", "--access-log"),
    "gunicorn sync": (_GUNICORN.replace("{worker}", "sync"), "", "--access-logfile -"),
    "gunicorn gthread": (
        _GUNICORN.replace("{worker}", "gthread --threads 4"),
        "",
        "--access-logfile -",
    ),
}


# --- a server


def command(server: str, configuration: str, port: int) -> list[str]:
    """Return the command that starts a server in a configuration."""
    template, off, on = SERVERS[server]
    audited = "_audited" if configuration == "middleware" else ""
    log = on if configuration == "access log" else off
    name, *words = f"{template} {log}".format(audited=audited, port=port).split()

    return [str(_BIN / name), *words]


@contextmanager
def serving(
    server: str, configuration: str, directory: Path
) -> Iterator[tuple[int, int]]:
    """Run a server; give its pid and its port. It prints to `log`."""
    port = _free_port()
    env = os.environ | {"AUDIT_MW_TRAIL": str(directory / "trail")}
    with (directory / "log").open("wb") as log, pinned(server_side=True):
        process = subprocess.Popen(
            command(server, configuration, port),
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


# --- measuring


def measure(
    server: str, configuration: str, request: Request, seconds: int
) -> Measured:
    """Return what one configuration costs."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with (
            serving(server, configuration, directory) as (pid, port),
            pinned(server_side=False),
        ):
            load(port, request, _WARM)
            (worker,) = workers(pid)  # a server listens before it has any
            cpu, start = cpu_micros(worker), time.monotonic()
            answers = 0
            while not answers:  # a machine may be so busy that none comes in time
                answers = load(port, request, seconds)
            taken, passed = cpu_micros(worker) - cpu, time.monotonic() - start
        _check(configuration, directory, answers)

    return Measured(taken / answers, answers / passed)


def _check(configuration: str, directory: Path, answers: int) -> None:
    # A configuration that did not do what it is called would be cheap.
    printed = (directory / "log").read_bytes().count(b" HTTP/1.1")
    trail = directory.glob("trail/request/*.log")
    recorded = sum(path.read_bytes().count(b"\n") for path in trail)
    done = {"access log": printed, "middleware": recorded}
    wrong = [name for name, lines in done.items() if lines and name != configuration]
    if wrong or done.get(configuration, answers) < answers:
        raise RuntimeError(f"{configuration}: {answers} answers, lines: {done}")


def run(server: str, request: Request, rounds: int, seconds: int) -> list[Round]:
    """Return the measurements of all rounds."""
    return [
        {
            name: measure(server, name, request, seconds)
            for name in random.sample(CONFIGURATIONS, len(CONFIGURATIONS))
        }
        for _ in range(rounds)
    ]


# --- telling


def facts() -> dict[str, str]:
    """Return what is to be known of the machine."""
    packages = ("uvicorn", "httptools", "uvloop", "gunicorn")

    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "load": generator(),
        **{package: version(package) for package in packages},
    }


def table(server: str, rounds: list[Round]) -> Iterator[str]:
    """Yield the lines that tell of a server: medians, with their quartiles."""
    yield f"{server}: median (quartiles) of {len(rounds)} rounds"
    for name in CONFIGURATIONS:
        micros = of(rounds, name, lambda it: it.micros)
        rate = of(rounds, name, lambda it: it.per_second)
        yield f"  {name:24} us CPU a request {micros}   requests/s {rate}"
    for name in CONFIGURATIONS[1:]:
        yield f"  {name + ' adds':24} us CPU a request {spread(added(rounds, name))}"
    found: Spread | None = spread(ratio(rounds))
    yield f"  {'middleware / access log':24}          ratio {found or 'none'}"


def write(path: Path, servers: dict[str, list[Round]], **more: object) -> None:
    """Write the numbers as JSON."""
    named = {
        server: [
            {name: it._asdict() for name, it in measured.items()} for measured in rounds
        ]
        for server, rounds in servers.items()
    }
    path.write_text(json.dumps({**more, "servers": named}, indent=1) + "\n")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="the middleware against access logs")
    parser.add_argument("--server", choices=SERVERS, action="append")
    parser.add_argument("--request", choices=REQUESTS, default="get")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()
    said = facts()
    print(f"{options.request}: " + ", ".join(f"{it} {said[it]}" for it in said))
    numbers: dict[str, list[Round]] = {}
    for server in options.server or ("uvicorn", "gunicorn sync", "gunicorn gthread"):
        request = REQUESTS[options.request]
        numbers[server] = run(server, request, options.rounds, options.seconds)
        print(*table(server, numbers[server]), sep="\n", flush=True)
    if options.json:
        write(options.json, facts=said, request=options.request, servers=numbers)


if __name__ == "__main__":
    main()
