# Measurements of rounds -> medians, quartiles, and the ratio that is aimed at.
#
# All contenders are measured in each round, so what disturbs a machine for a while
# disturbs all of a round: differences and ratios are taken within one, and the median
# is over the rounds.
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Measured", "Round", "Spread", "added", "of", "ratio", "spread"]


class Measured(NamedTuple):
    """
    One contender in one round: CPU of the server in us a request, answers a second,
    latencies in us, and the share of the requests that its records tell of.
    """

    micros: float
    per_second: float
    p50: float = 0
    p99: float = 0
    recorded: float = 0


Round = Mapping[str, Measured]


class Spread(NamedTuple):
    """The median, and the quartiles around it."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:9.2f}  ({self.low:.2f} to {self.high:.2f})"


def spread(values: Sequence[float]) -> Spread | None:
    """Return the median and the quartiles of values; None, if there are none."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")

    return Spread(low, median, high)


def added(rounds: Sequence[Round], name: str) -> list[float]:
    """Return the CPU that a contender adds to the application alone, by round."""
    both = [it for it in rounds if name in it and "alone" in it]

    return [it[name].micros - it["alone"].micros for it in both]


def ratio(rounds: Sequence[Round], name: str = "middleware") -> list[float]:
    """
    Return what a contender adds to what the access log adds, by round.

    A round in which noise made the access log cost nothing has no ratio.
    """
    present = [it for it in rounds if name in it and "access log" in it]
    both = zip(added(present, name), added(present, "access log"), strict=True)

    return [ours / theirs for ours, theirs in both if theirs > 0]


def of(rounds: Sequence[Round], name: str, what: Callable[[Measured], float]) -> Spread:
    """Return the spread of one figure of one contender; ValueError, if it has none."""
    found = spread([what(it[name]) for it in rounds if name in it])
    if found is None:
        raise ValueError(f"no rounds of {name}")

    return found
