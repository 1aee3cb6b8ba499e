# The benchmark of real servers: its arithmetic, and that it runs. What it finds is no
# matter of a test.
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks.costs import Measured, Round, Spread, added, ratio, spread
from benchmarks.load import answered
from benchmarks.processes import children, cpu_micros, descriptors, resident
from benchmarks.servers import SERVERS
from benchmarks.typical import REQUESTS
from tests.serving import ROOT

WRK = """Running 1s test @ http://127.0.0.1:8000/
  1 threads and 8 connections
  14603 requests in 1.10s, 2.19MB read
Requests/sec:  13275.45
"""


def one(alone: float, log: float, middleware: float) -> Round:
    """Return a round of these CPU times."""
    return {
        "alone": Measured(alone, 1),
        "access log": Measured(log, 1),
        "middleware": Measured(middleware, 1),
    }


def test_ratio_is_paired() -> None:
    """Both sides of a ratio are of the same round, which noise moves as a whole."""
    rounds = [one(10, 20, 15), one(110, 120, 115)]

    assert added(rounds, "middleware") == [5, 5]
    assert ratio(rounds) == [0.5, 0.5]


def test_no_ratio_to_nothing() -> None:
    """A round in which the access log seems to cost nothing has no ratio."""
    assert ratio([one(10, 10, 15), one(10, 9, 15), one(10, 20, 30)]) == [2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([3], Spread(3, 3, 3), id="one"),
        pytest.param([5, 1, 4, 2, 3], Spread(2, 3, 4), id="quartiles"),
    ],
)
def test_spread(values: list[float], expected: Spread | None) -> None:
    """The median stands between the quartiles."""
    assert spread(values) == expected


def test_answered() -> None:
    """The number of requests is read from what wrk says."""
    assert answered(WRK) == 14603


def test_processes() -> None:
    """CPU, memory, children and descriptors are those of the process that is asked for."""
    code = "b = b'x' * (64 << 20); f = open('/dev/null'); sum(range(10**6)); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code + "; print()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        while "/dev/null" not in descriptors(process.pid) or not cpu_micros(
            process.pid
        ):
            assert process.poll() is None
        held, listed = resident(process.pid), children(os.getpid())
        process.communicate(b"\n")

    assert 64 << 20 < held < 256 << 20
    assert process.pid in listed


def measured(
    tmp_path: Path, *arguments: str, path: str | None = None
) -> Mapping[str, Any]:
    """Run the benchmark, as little as it can be, and return its numbers."""
    written = tmp_path / "numbers.json"
    command = [sys.executable, "-m", "benchmarks.servers", "--rounds", "1"]
    options = ["--seconds", "1", "--json", str(written), *arguments]
    clean = {key: it for key, it in os.environ.items() if key != "PYTHONDEVMODE"}
    ran = subprocess.run(
        command + options,
        cwd=ROOT,
        env=clean | ({} if path is None else {"PATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )

    print(ran.stdout, ran.stderr)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "middleware adds" in ran.stdout
    numbers: Mapping[str, Any] = json.loads(written.read_text())
    return numbers


@pytest.mark.parametrize("server", SERVERS)
def test_benchmark(tmp_path: Path, server: str) -> None:
    """Each server is measured in each configuration."""
    numbers = measured(tmp_path, "--server", server)
    (only,) = numbers["servers"][server]

    assert sorted(only) == ["access log", "alone", "middleware"]
    assert all(it["per_second"] > 0 for it in only.values())


@pytest.mark.parametrize("request_", REQUESTS)
def test_own_client(tmp_path: Path, request_: str) -> None:
    """Where there is no wrk, a client of our own sends each of the requests."""
    server = {"get": "uvicorn", "form": "gunicorn sync", "json": "gunicorn gthread"}
    arguments = "--server", server[request_], "--request", request_
    numbers = measured(tmp_path, *arguments, path=str(tmp_path))

    assert numbers["facts"]["load"] == "own client"
