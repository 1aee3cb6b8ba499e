# The arithmetic of the benchmarks: medians, quartiles, and ratios within a round.
import pytest
from benchmarks.costs import Measured, Round, Spread, added, of, ratio, spread


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
    assert ratio(rounds, "access log") == [1, 1]


def test_no_ratio_to_nothing() -> None:
    """A round in which the access log seems to cost nothing has no ratio."""
    assert ratio([one(10, 10, 15), one(10, 9, 15), one(10, 20, 30)]) == [2]


@pytest.mark.parametrize("missing", ["alone", "access log", "middleware"])
def test_who_was_not_measured(missing: str) -> None:
    """A round that lacks one side of a ratio has none, and the others keep theirs."""
    partly = {name: it for name, it in one(1, 2, 3).items() if name != missing}

    assert ratio([one(10, 20, 15), partly]) == [0.5]


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


def test_of() -> None:
    """A figure is that of the contender that is asked for, and of nobody else."""
    rounds = [one(1, 10, 100), one(3, 30, 300), {"alone": Measured(1, 1)}]

    assert of(rounds, "access log", lambda it: it.micros) == Spread(15, 20, 25)
    with pytest.raises(ValueError, match="loguru"):
        of(rounds, "loguru", lambda it: it.micros)
