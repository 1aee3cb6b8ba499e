# What memory is taken: the table, and that it runs. What it finds is no matter of a
# test.
import subprocess
import sys

import pytest
from benchmarks.memory import Taken, lines, measured
from tests.serving import ROOT


def test_measured() -> None:
    """
    A worker that serves an upload, and several requests at a time, takes some memory.
    """
    taken = measured("with", requests=8, upload=1 << 20)

    assert taken.worker > 1 << 20
    assert taken.upload >= 0


@pytest.mark.long
def test_whole() -> None:
    """
    Both configurations are measured in each round.
    """
    options = ["--requests", "8", "--upload", "1MiB", "--rounds", "2"]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert "through an upload" in ran.stdout


def test_lines() -> None:
    """
    What is added is taken within a round; the median stands before its range.
    """
    rounds = [
        {"alone": Taken(32 << 20, 1024, 0), "with": Taken(40 << 20, 4096, 1 << 20)},
        {"alone": Taken(52 << 20, 1024, 0), "with": Taken(62 << 20, 4096, 1 << 20)},
    ]
    _, worker, request, upload = (line.split() for line in lines(rounds))

    assert worker[3:] == "42.00 51.00 9.00 (8.00 to 10.00)".split()
    assert request[5:] == "1.00 4.00 3.00 (3.00 to 3.00)".split()
    assert upload[4:] == "0.00 1.00 1.00 (1.00 to 1.00)".split()
