# kill -9 before each line, of who writes and of who adopts: nothing is lost, nothing is
# there twice, and no number is missing.

import pytest
from tests.effort import EFFORT
from tests.trail.crew import outcome

DURABILITY = ["process", "disk"]
STEP = 97  # lines; `make nightly` takes each


def kills(who: str, durability: str, first: int, step: int) -> int:
    """Kill at lines; fail with what was wrong; return how many were killed."""
    *wrong, count = outcome("die_at_each_line", who, durability, first, step)
    assert wrong == []

    return int(count.partition(" ")[0])


@pytest.mark.parametrize("durability", DURABILITY)
def test_some_writers(durability: str) -> None:
    """
    A process that is killed at some line of its requests leaves all that they promise.
    """
    assert kills("writer", durability, 7, STEP) > 12


@pytest.mark.parametrize("durability", DURABILITY)
def test_some_adopters(durability: str) -> None:
    """
    So does one that is killed while it adopts, and the next one too.
    """
    assert kills("adopter", durability, 7, STEP) > 3


@pytest.mark.parametrize("durability", DURABILITY)
def test_some_menders(durability: str) -> None:
    """
    So does one that adopts what a process left that was killed inside of `write`.
    """
    assert kills("mender", durability, 7, STEP) > 3


@pytest.mark.long
@pytest.mark.parametrize("part", range(8) if EFFORT > 1 else [3])
@pytest.mark.parametrize("durability", DURABILITY)
@pytest.mark.parametrize("who", ["writer", "adopter", "mender"])
def test_each_line(who: str, durability: str, part: int) -> None:
    """
    The same at each single line; in parts, so that one that hangs is given up soon.
    """
    assert kills(who, durability, 1 + part, 8) > 30
