# What is drawn from a `Random`: one of several by weight, some, and cuts of bytes.
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = ["cut", "pick", "some"]


def pick(rng: Random, **weights: int) -> str:
    """Return one of the names."""
    return rng.choices(list(weights), list(weights.values()))[0]


def some(rng: Random, most: int, draw: Callable[[Random], Any]) -> list[Any]:
    """Return none to `most` of what `draw` gives."""
    return [draw(rng) for _ in range(rng.randint(0, most))]


def cut(rng: Random, whole: bytes) -> list[bytes]:
    """Return `whole` in pieces, which may be empty."""
    places = sorted(rng.randint(0, len(whole)) for _ in range(rng.randint(0, 5)))
    starts, ends = [0, *places], [*places, len(whole)]

    return [whole[start:end] for start, end in zip(starts, ends, strict=True)]
