# What a request costs under uvicorn, with any number of workers and connections: CPU
# time of all workers for each answer, from idle to idle.
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.load import load
from benchmarks.processes import cpu_micros, workers
from benchmarks.slopes import Point
from benchmarks.typical import BROWSER, PATH, QUERY, REQUESTS
from benchmarks.uvicorn_workers import served

__all__ = ["server_micros"]

_EACH = 2  # requests of each connection, at least
_PACE = 1000  # requests for each second that is asked for
_REST = 0.1  # seconds between two looks at whether workers are idle
_IDLE = 10_000  # us CPU in that time: their loops tick
_LOOKS = 1000


def server_micros(app: str, processes: int, connections: int, seconds: float) -> Point:
    """Return answers a second, and the CPU time of all workers for each."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with served(app, directory, processes) as (pid, port):
            _answers(port, min(connections, 8 * processes), seconds / 4)
            before, start = _idle(pid), time.monotonic()
            answers = _answers(port, connections, seconds)
            passed = time.monotonic() - start
            taken = _idle(pid) - before
        _check(app, directory / "trail", answers)

    return Point(answers / passed, taken / answers)


def _check(app: str, trail: Path, answers: int) -> None:
    # What records nothing would be cheap.
    found = sum(path.read_bytes().count(b"\n") for path in trail.glob("request/*"))
    if found < answers if app == "with" else found:
        raise RuntimeError(f"{app}: {answers} answers, {found} lines")


def _answers(port: int, connections: int, seconds: float) -> int:
    # h2load asks a number of times, and waits for all: with many connections what is
    # cut off at the end of a time would cost, and be no answer.
    if not shutil.which("h2load"):
        return max(1, load(port, REQUESTS["get"], max(1, round(seconds)), connections))
    number = max(_EACH * connections, round(_PACE * seconds))
    command = f"h2load --h1 -t1 -c{connections} -n{number}".split()
    for name, value in BROWSER.items():
        command += ["-H", f"{name}: {value}"]
    url = f"http://127.0.0.1:{port}{PATH}?{QUERY}"
    patience = 60 + number / 20
    ran = subprocess.run(
        [*command, url], capture_output=True, text=True, check=True, timeout=patience
    )
    if f"{number} succeeded" not in ran.stdout:
        raise RuntimeError(f"not all was answered:\n{ran.stdout}")

    return number


def _idle(pid: int) -> int:
    """Return the CPU time of all workers, as soon as they have nothing left to do."""
    before = sum(map(cpu_micros, workers(pid)))
    for _ in range(_LOOKS):
        time.sleep(_REST)
        taken = sum(map(cpu_micros, workers(pid)))
        if taken - before < _IDLE:
            return taken
        before = taken

    raise RuntimeError("the workers have no end of what they do")
