# What changed since a revision: the worktree, and the table.
import os
import subprocess
from pathlib import Path

import pytest
from benchmarks.compare import Change, compared, lines, worktree
from benchmarks.costs import Spread
from benchmarks.micro.cases import chosen
from benchmarks.micro.counting import has_counter
from benchmarks.micro.timing import has_timer
from tests.benchmarks.sources import write_sources

CASES = chosen(["event id", "coder: time"])
TIME = "def encode_time(micros):\n    return b'%d' % micros\n"


def git(repository: Path, *words: str) -> str:
    """Run git as somebody, whatever the machine knows of users; return what it said."""
    who = ["-c", "user.name=a", "-c", "user.email=a@a.example"]
    ours = {key: it for key, it in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", *who, "-C", str(repository), *words]

    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=ours
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of two revisions, of which the first knows less."""
    repository = tmp_path / "repository"
    source = write_sources(repository / "src", 1_000)
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=first")
    git(repository, "tag", "base")
    write_sources(source, 3_000)
    trail = source / "audit_mw" / "trail"
    trail.mkdir()
    (trail / "encoding.py").write_text(TIME)

    return repository


def test_worktree(repository: Path) -> None:
    """
    The revision is there for the time of the block, and nothing is left behind.
    """
    with worktree(repository, "base") as base:
        assert (base / "src/audit_mw/ids.py").exists()
        assert not (base / "src/audit_mw/trail").exists()

    assert not base.exists()
    assert git(repository, "worktree", "list").count("\n") == 1


def test_worktree_after_a_failure(repository: Path) -> None:
    """
    A failure within the block leaves nothing behind, either.
    """
    with pytest.raises(KeyError), worktree(repository, "base"):
        raise KeyError

    assert git(repository, "worktree", "list").count("\n") == 1


def test_no_such_revision(repository: Path) -> None:
    """
    A revision that is none is an error.
    """
    with pytest.raises(subprocess.CalledProcessError), worktree(repository, "nothing"):
        pass


@pytest.mark.skipif(not has_counter(), reason="no valgrind")
@pytest.mark.long
def test_compared(repository: Path) -> None:
    """
    What became dearer has its ratio, and what was not there before is new.
    """
    with worktree(repository, "base") as base:
        dearer, new = compared(CASES, base / "src", repository / "src", 0)

    assert (dearer.name, new.name) == ("event id", "coder: time")
    assert dearer.ratio is not None
    assert 2 < dearer.ratio < 4
    assert new.after > 0
    assert "audit_mw.trail" in str(new.reason)


@pytest.mark.skipif(not has_timer(), reason="no pyperf")
@pytest.mark.long
def test_compared_times(repository: Path) -> None:
    """
    Times are compared within a round.
    """
    with worktree(repository, "base") as base:
        (found,) = compared(chosen(["event id"]), base / "src", repository / "src", 1)

    assert found.times is not None
    assert found.times.median > 0


def test_lines() -> None:
    """
    A line has both counts and both ratios, or says what is new or cannot run.
    """
    changes = [
        Change("dearer", 100, 150, Spread(1, 2, 3)),
        Change("timed only", times=Spread(1, 2, 3)),
        Change("fresh", after=5, reason="no such thing"),
        Change("broken", reason="now: it fails"),
    ]
    _, *shown = (" ".join(line.split()) for line in lines(changes))

    assert shown == [
        "dearer 100 150 1.500 2.00 (1.00 to 3.00)",
        "timed only - - - 2.00 (1.00 to 3.00)",
        "fresh new: no such thing",
        "broken no: now: it fails",
    ]
