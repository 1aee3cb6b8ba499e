# How fast a trail is read: what is asked, the table, and that it runs. What it finds is
# no matter of a test.
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from benchmarks.make_trail import make
from benchmarks.reading import Ran, run, table
from benchmarks.reading_commands import Asked, commands, size_of, sought
from tests.serving import ROOT

from audit_mw.trail.reader import read_events, segments


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail of some days, the first of them closed."""
    make(tmp_path / "trail", 300, days=3, closed=1)

    return tmp_path / "trail"


def test_closed(trail: Path) -> None:
    """
    A day that is closed is one of the trail still, and its size is that of its lines.
    """
    first, *others = segments(trail, "request")
    open_sizes = {path.stat().st_size for path in others}

    assert first.suffix == ".zst"
    assert size_of(first) > min(open_sizes) / 2
    assert {size_of(path) for path in others} == open_sizes


def test_sought(trail: Path) -> None:
    """
    What is looked for is there, in the last day.
    """
    wanted = sought(trail)
    last = segments(trail, "request")[-1].read_text()

    assert f"\t{wanted.event}\t" in last
    assert f"\t{wanted.user}\t" in last
    assert f'["query","q","{wanted.param}"]' in last


def test_asked(trail: Path, tmp_path: Path) -> None:
    """
    Each question has a name of its own, and says what it is about.
    """
    asked = list(commands(trail, tmp_path / "checkpoint"))
    whole = max(each.size for each in asked)

    assert len({each.name for each in asked}) == len(asked)
    assert [each.name for each in asked if not each.size] == ["start: --version"]
    assert whole == sum(
        size_of(path)
        for stream in trail.iterdir()
        for path in segments(trail, stream.name)
    )


@pytest.mark.parametrize("tool", ["grep", "rg"])
def test_text(trail: Path, tmp_path: Path, tool: str) -> None:
    """
    What is asked by text is asked of closed segments as well.
    """
    asked = {each.name: each for each in commands(trail, tmp_path / "checkpoint")}
    wanted = asked.get(f"{tool} -c, filter")
    if wanted is None:
        pytest.skip(f"{tool} is not installed")
    said = subprocess.run(wanted.command, capture_output=True, text=True, check=False)
    counts = [int(line.rpartition(":")[2]) for line in said.stdout.splitlines()]
    user = sought(trail).user.encode()
    events = chain(*map(read_events, segments(trail, "request")))
    expected = [event for event in events if event.user == user]

    assert sum(counts) == len(expected)


def test_run() -> None:
    """
    A process is measured; what it finds or does not find is an answer.
    """
    found = run(
        Asked("it", [sys.executable, "-c", "input(); raise SystemExit(1)"], 0, b"a")
    )

    assert found.cpu > 0
    assert found.mebibytes > 1


def test_no_answer() -> None:
    """
    A command that fails is told, with what it said.
    """
    failing = Asked("it", [sys.executable, "-c", "raise SystemExit('no trail')"], 0)
    wrong = Asked("it", [sys.executable, "-c", "import sys; sys.exit(2)"], 0)

    run(failing)
    with pytest.raises(RuntimeError, match="it: 2"):
        run(wrong)


def test_table() -> None:
    """
    The table has medians, the most memory, and a rate where there are bytes.
    """
    asked = [Asked("all", (), 300_000_000), Asked("start", (), 0)]
    runs = {
        "all": [Ran(1, 2, 99_998), Ran(3, 2, 99_999), Ran(2, 1, 99_997)],
        "start": [Ran(1, 1, 0)],
    }
    _, first, second = table(asked, runs)

    assert first == "| all | 2.00 | 2.00 | 150 | 150 | 99999 |"
    assert second.startswith("| start | 1.00 | 1.00 | - | - | < ")


@pytest.mark.long
def test_whole(trail: Path) -> None:
    """
    All that is asked is answered.
    """
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.reading", str(trail), "--rounds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert "| verify, going on from it |" in ran.stdout


def test_some(trail: Path) -> None:
    """
    A word chooses what is asked.
    """
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.reading",
            str(trail),
            "version",
            "--rounds",
            "1",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert "| start: --version |" in ran.stdout
    assert "verify" not in ran.stdout
