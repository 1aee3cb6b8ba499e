# Samples of a worker under constant load -> whether its memory and descriptors are flat.
#
# The first third is warm-up: threads start, caches fill, the allocators take what they
# need. After it nothing may grow with the number of requests.
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["MIB", "Growth", "Sample", "growth", "unflat"]

MIB = 1 << 20


class Sample(NamedTuple):
    """A worker at one moment; `files` are what is open and is no socket."""

    requests: int
    resident: int
    files: tuple[str, ...]
    sockets: int


class Growth(NamedTuple):
    """Bytes from the median of the second third to the last's; and for each request."""

    median: float
    slope: float


# Python takes memory from the system in arenas of 1 MiB. One more or one less, by how
# objects of different lives happen to lie, is no leak; what leaks goes on for ever.
_ARENA = MIB
# The least that could be left of a request is an object of 16 bytes and a place for it
# in a container that grows by the half: 32 bytes. A short run says less than that: there
# an arena more, spread over its requests, is allowed.
_LEFT_OVER = 32
# Each worker can have all connections of the client, its listener and a pair to wake up.
_SOCKETS = 16


def growth(samples: Sequence[Sample]) -> Growth:
    """Return how memory grew after the warm-up."""
    third = len(samples) // 3
    second, last = samples[third : 2 * third], samples[2 * third :]
    median = _median(last) - _median(second)
    requests = [sample.requests for sample in samples[third:]]
    memory = [sample.resident for sample in samples[third:]]

    return Growth(median, statistics.linear_regression(requests, memory).slope)


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.resident for sample in samples)


def unflat(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield what is not flat, in words."""
    steady = samples[len(samples) // 3 :]
    grown = growth(samples)
    if grown.median >= _ARENA:
        yield f"the median of memory grew by {grown.median:.0f} bytes"
    served = steady[-1].requests - steady[0].requests
    if grown.slope >= max(_LEFT_OVER, _ARENA / served):
        yield f"memory grows by {grown.slope:.1f} bytes a request"
    usual, often = Counter(sample.files for sample in steady).most_common(1)[0]
    if often < len(steady):
        others = Counter(
            name
            for sample in steady
            for name in (Counter(sample.files) - Counter(usual)).elements()
        )
        yield f"not the same files are open: {dict(others)} beside {len(usual)}"
    sockets = max(sample.sockets for sample in steady)
    if sockets > _SOCKETS:
        yield f"{sockets} sockets are open"
