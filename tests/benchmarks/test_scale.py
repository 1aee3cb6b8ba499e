# How cost grows: what is measured, and that it runs. What it finds is no matter of a
# test.
import subprocess
import sys
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from benchmarks.scale import plan, size
from benchmarks.trails import fill
from benchmarks.uvicorn_workers import raise_limit
from tests.serving import ROOT

from audit_mw.trail.record import decode_line, header_line


def ran(*options: str) -> str:
    """Run it, and return what it printed."""
    command = [sys.executable, "-m", "benchmarks.scale", "--short", *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("17", 17, id="bytes"),
        pytest.param("3KiB", 3072, id="KiB"),
        pytest.param("10GiB", 10 << 30, id="GiB"),
    ],
)
def test_size(text: str, expected: int) -> None:
    """
    A size has a binary unit, or none.
    """
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "GiB", "1GB", "1KiBs", "-"])
def test_no_size(text: str) -> None:
    """
    What is no size is refused.
    """
    with pytest.raises(ValueError):  # noqa: PT011 - of int, or ours
        size(text)


def test_plan() -> None:
    """
    The most that is asked for is the last point of its curve.
    """
    given = {"short": False, "connections": 500, "trail": 10 << 30, "seconds": 1}
    found = plan(Namespace(**given))

    assert list(found.connections) == [10, 100, 500]
    assert list(found.workers) == [1, 2, 4, 8]
    assert (min(found.params), max(found.params)) == (1, 10_000)
    assert (min(found.trail), max(found.trail)) == (4096, 10 << 30)


def test_fill(tmp_path: Path) -> None:
    """
    The newest segment is as long as is asked for, and takes no room for it.
    """
    trail = tmp_path / "trail"
    days = {f"{datetime.now(UTC):%Y-%m-%d}"}
    fill(trail, 1 << 30)
    days.add(f"{datetime.now(UTC):%Y-%m-%d}")
    newest = max((trail / "request").iterdir())
    assert newest.stem in days  # two, where midnight comes in between
    with newest.open("rb") as segment:
        head = segment.readline()
        segment.seek(-2000, 2)
        last = segment.read().rpartition(b"\0")[2]

    assert newest.stat().st_size == 1 << 30
    assert newest.stat().st_blocks * 512 < 1 << 20
    assert head == header_line("request")
    assert decode_line(last).event.service == b"bench"


def test_limit() -> None:
    """
    A limit that is high enough stays, and one beyond all reach is told.
    """
    assert raise_limit(1)
    assert not raise_limit(1 << 60)


def test_params(tmp_path: Path) -> None:
    """
    A curve is measured, printed with its slope, and drawn.
    """
    said = ran("params", "--svg", str(tmp_path / "svg"))
    (picture,) = (tmp_path / "svg").iterdir()

    assert "added, query: us CPU a request over params" in said
    assert "exponent" in said
    assert picture.read_text().startswith("<svg")


@pytest.mark.long
@pytest.mark.parametrize("name", ["workers", "connections", "trail"])
def test_curve(name: str) -> None:
    """
    Each curve is measured, and printed with its slope.
    """
    assert "linear" in ran(name)
