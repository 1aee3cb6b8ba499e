# No request costs more than what it weighs: twice the input takes twice the work.
#
# Work is counted, not timed: calls and returns of Python and C functions in the thread
# that serves. What a pattern does within one call is not seen by that; so a long test
# has the processor's time of each request, at a size and at four times that. A square
# takes sixteen times as long and what is linear four: the bound stands between them, and
# must be passed in one of several tries. Patterns are looked at as they are used, for
# most are anchored at a place or a border, which alone makes them linear.
import time
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks.hostile import audited, serve
from benchmarks.hostile_requests import HOSTILE
from tests.driving import calls

SMALL = 1_000
LARGE = 60_000
# Calls that come with a limit which only the double reaches: waiting for the writer, a
# rest that begins, findings that are told.
BESIDE = 2_000
TRIES = 3


@pytest.fixture(scope="module")
def application() -> Iterator[Any]:
    """Give an application with the middleware."""
    with audited() as wrapped:
        serve(wrapped, HOSTILE["form: a&"](64))
        yield wrapped


@pytest.mark.parametrize("size", [SMALL, pytest.param(LARGE, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", HOSTILE)
def test_calls(application: Any, name: str, size: int) -> None:
    """
    A request of twice the size takes at most twice the calls.

    Of a size and its double one may go the short road, and the other the long one,
    which has a price of its own; then both of the next ones go that. And where a memory
    is full, it knows half of the next size, and little of the one behind.
    """
    sizes = size, 2 * size, 4 * size
    assert any(_at_most_doubles(application, name, each) for each in sizes)


def _at_most_doubles(application: Any, name: str, size: int) -> bool:
    once, twice = (_calls(application, HOSTILE[name](it)) for it in (size, 2 * size))

    return twice <= 2.2 * once + BESIDE


def _calls(application: Any, request: Any) -> int:
    serve(application, request)  # what is remembered of it costs nothing afterwards

    return calls(lambda: serve(application, request))


@pytest.mark.long
@pytest.mark.parametrize("name", HOSTILE)
def test_processor_time(application: Any, name: str) -> None:
    """
    A request of four times the size takes far less than sixteen times the time.
    """
    whole, larger = HOSTILE[name](LARGE), HOSTILE[name](4 * LARGE)

    assert any(_grows_little(application, whole, larger) for _ in range(TRIES))


def _grows_little(application: Any, whole: Any, larger: Any) -> bool:
    # What costs less than this has no square in it that anyone would notice.
    return _seconds(application, larger) < max(10 * _seconds(application, whole), 0.02)


def _seconds(application: Any, request: Any) -> float:
    start = time.thread_time()
    serve(application, request)

    return time.thread_time() - start
