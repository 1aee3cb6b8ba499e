# How much is tried by the tests that are marked as long.
#
# CI has some minutes for all of them. `make nightly` has eight times as much tried.
import os

from hypothesis import settings

__all__ = ["EFFORT", "at_length"]

EFFORT = int(os.environ.get("EFFORT", "1"))


def at_length(examples: int) -> settings:
    """Return the settings of a property test that is long; `examples` are CI's."""
    return settings(max_examples=examples * EFFORT)
