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
# objects of different lives happen to lie, is no leak; what leaks goes on for ever. In
# ten minutes this finds about 50 bytes that are left of each request.
_ARENA = MIB
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


def _fewest(samples: Sequence[Sample]) -> tuple[str, ...]:
    return min((sample.files for sample in samples), key=len)


def unflat(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield what is not flat, in words."""
    third = len(samples) // 3
    grown = growth(samples)
    if grown.median >= _ARENA:
        yield f"the median of memory grew by {grown.median:.0f} bytes"
    # A file that is open for a moment is none that is left open: the fewest count.
    before, after = map(_fewest, (samples[third : 2 * third], samples[2 * third :]))
    if len(after) > len(before):
        left = Counter(after) - Counter(before)
        yield f"files are left open: {dict(left)} beside {len(before)}"
    sockets = max(sample.sockets for sample in samples[third:])
    if sockets > _SOCKETS:
        yield f"{sockets} sockets are open"
