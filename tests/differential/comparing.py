# Bare against wrapped: the same requests served twice, and what differs; and how what
# is found is made smaller.
import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.differential.notes import Story

__all__ = [
    "Batch",
    "Difference",
    "Interface",
    "batches",
    "every_point",
    "find_difference",
    "shrink",
]

Batch = tuple[Any, ...]
Serve = Callable[[Any, Batch], list[Story]]
Wrap = Callable[[Any], Any]


@dataclass(frozen=True)
class Interface:
    """
    How requests of one interface are drawn, served and made smaller.

    Args:
        app: calls the application of each call.
        draw: returns any request.
        smaller: gives what has one thing less.
        serve: serves a batch of requests at once.
    """

    app: Any
    draw: Callable[[Random, int], Batch]
    smaller: Callable[[Any], Iterator[Any]]
    serve: Serve


@dataclass(frozen=True)
class Difference:
    """Requests that are not served alike, and where the first stories part."""

    number: int
    batch: Batch
    bare: list[Any]
    wrapped: list[Any]

    def __str__(self) -> str:
        lines = [f"batch {self.number}:"]
        lines += [f"  {request}" for request in self.batch]
        for name, steps in (("bare", self.bare), ("wrapped", self.wrapped)):
            lines += [f"{name}:", *(f"  {step}" for step in steps)]

        return "\n".join(lines)


def batches(interface: Interface, seed: int, count: int) -> Iterator[Batch]:
    """Give batches of one to three requests, `count` requests in all."""
    rng = Random(seed)
    while count > 0:
        size = min(count, rng.choice([1, 1, 2, 3]))
        count -= size
        yield interface.draw(rng, size)


def find_difference(
    interface: Interface, wrap: Wrap, requests: Iterable[Batch]
) -> Difference | None:
    """Return the first difference that `wrap` makes, as it is found."""
    wrapped = wrap(interface.app)
    for number, batch in enumerate(requests):
        if parting := _parting(interface, wrapped, batch):
            return Difference(number, batch, *parting)

    return None


def shrink(interface: Interface, wrap: Wrap, found: Difference) -> Difference:
    """Return the difference with as little as shows it."""
    wrapped = wrap(interface.app)
    smaller = True
    while smaller:
        smaller = False
        for batch in _smaller(interface, found.batch):
            if parting := _parting(interface, wrapped, batch):
                found = Difference(found.number, batch, *parting)
                smaller = True
                break

    return found


def every_point(
    interface: Interface, requests: Iterable[Any], troubles: Iterable[tuple[str, str]]
) -> Iterator[Batch]:
    """
    Give each request with each trouble at each point where it can come.

    Args:
        interface: serves them.
        requests: as they are without trouble.
        troubles: what comes, and what is noted wherever it can come.
    """
    for request in requests:
        ((*story,),) = interface.serve(interface.app, (request,))
        noted = [what for what, *_ in story]
        for what, where in troubles:
            for at in range(sum(each.startswith(where) for each in noted)):
                trouble = replace(request.trouble, what=what, at=at)
                yield (replace(request, trouble=trouble),)


def _parting(
    interface: Interface, wrapped: Any, batch: Batch
) -> tuple[list[Any], list[Any]] | None:
    with _no_collector():
        bare = interface.serve(interface.app, batch)
        other = interface.serve(wrapped, batch)
    for this, that in zip(bare, other, strict=True):
        if this != that:
            return _where(this, that)

    return None


@contextmanager
def _no_collector() -> Iterator[None]:
    # It would end a generator that is part of a cycle now in one story, then in another.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _where(this: Story, that: Story) -> tuple[list[Any], list[Any]]:
    same = 0
    while this[same : same + 1] == that[same : same + 1]:
        same += 1
    shown = slice(max(same - 2, 0), same + 2)

    return list(this[shown]), list(that[shown])


def _smaller(interface: Interface, batch: Batch) -> Iterator[Batch]:
    for at, request in enumerate(batch):
        before, after = batch[:at], batch[at + 1 :]
        if before or after:
            yield before + after
        for smaller in interface.smaller(request):
            yield (*before, smaller, *after)
