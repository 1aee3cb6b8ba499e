# How tests drive what they test: every way at once, and with the work counted.
import gc
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType
from typing import Protocol, TypeVar

import pytest

__all__ = ["any_size", "calls", "chunkings", "cpu_bound", "pieces", "pieces_every_way"]

Piece_co = TypeVar("Piece_co", covariant=True)
Piece = TypeVar("Piece")

# Kilobytes always, megabytes in the long run.
any_size = pytest.mark.parametrize(
    "size", [2_000, pytest.param(10_000_000, marks=pytest.mark.long)]
)


class Parser(Protocol[Piece_co]):
    """Anything that takes a body as it streams by."""

    def feed(self, chunk: bytes) -> Iterator[Piece_co]:
        """Yield what `chunk` completes."""
        ...

    def finish(self) -> Iterator[Piece_co]:
        """Yield what is left."""
        ...


def pieces(parser: Parser[Piece], chunks: Iterable[bytes]) -> list[Piece]:
    """Return all that `parser` makes of `chunks`."""
    found = [piece for chunk in chunks for piece in parser.feed(chunk)]

    return [*found, *parser.finish()]


def chunkings(body: bytes) -> list[list[bytes]]:
    """Return `body` whole, byte by byte, in threes, and with empty chunks between."""
    single = [body[at : at + 1] for at in range(len(body))]
    threes = [body[at : at + 3] for at in range(0, len(body), 3)]
    halves = [b"", body[: len(body) // 2], b"", body[len(body) // 2 :], b""]

    return [[body], single, threes, halves]


def pieces_every_way(
    make: Callable[[], Parser[Piece]], body: bytes, *more: list[bytes]
) -> list[Piece]:
    """Return the pieces of `body`, the same whichever way it is cut."""
    whole, *others = [pieces(make(), cut) for cut in (*chunkings(body), *more)]
    for other in others:
        assert whole == other

    return whole


def calls(function: Callable[[], object]) -> int:
    """Return how many calls and returns `function` takes, C functions counted."""
    ticks = count()
    before = sys.getprofile()
    collects = gc.isenabled()
    gc.disable()  # what others left, and their finalizers, would be counted here
    sys.setprofile(lambda *_: next(ticks))
    try:
        function()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()

    return next(ticks)


@contextmanager
def cpu_bound(seconds: float) -> Iterator[None]:
    """Fail when the block takes more processor time: for tests marked long only."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"more than {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
