# Forks after the first use, wherever they come from.
from pathlib import Path

import pytest
from tests.torture.app import witnessed
from tests.torture.children import judged, run
from tests.torture.judge import Trail, complaints, verify
from tests.torture.kills import loaded

FORKS = [
    "os.fork",
    "os.fork, no request",
    "multiprocessing fork",
    "multiprocessing spawn",
    "subprocess",
]


@pytest.mark.parametrize("how", FORKS)
def test_fork_in_a_handler(tmp_path: Path, how: str) -> None:
    """A fork inside of a request leaves each record once, in the right process."""
    code, _, errors = run(tmp_path, "forks", how)

    assert code == 0, errors
    assert judged(tmp_path) == []


@pytest.mark.parametrize("name", ["gunicorn sync"])
def test_preloaded(tmp_path: Path, name: str) -> None:
    """What an arbiter recorded before it forked is its own, and its workers' theirs."""
    load = loaded(
        name, tmp_path, lambda prey: prey.stop(), environ={"TORTURE_EARLY": "1"}
    )
    trail = tmp_path / "trail"
    known = {**load.sent, "w-early": 200}

    assert complaints(trail, known, witnessed(tmp_path)) == []
    assert verify(trail) == []
    assert len({line["instance"] for line in Trail(trail).of("request")}) > 1


def test_two_applications(tmp_path: Path) -> None:
    """Two applications of one process share a trail, each under its own service."""
    code, _, errors = run(tmp_path, "two_applications")

    assert code == 0, errors
    assert judged(tmp_path) == []
    requests = Trail(tmp_path / "trail").of("request")
    assert {line["service"] for line in requests} == {"torture", "other"}
