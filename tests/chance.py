# What tests draw at random: the same in each run, so that what fails tells of the
# change, and not of the day. EXPLORE=1 draws anew: `make explore` does for properties,
# `make nightly` for all.
import os
import random

__all__ = ["EXPLORES", "seed_of"]

EXPLORES = os.environ.get("EXPLORE") == "1"
_FIXED = 4711


def seed_of(variable: str) -> int:
    """Return the seed of a generator of random numbers: what `variable` says, if set."""
    said = os.environ.get(variable)
    if said:
        return int(said)

    return random.SystemRandom().getrandbits(30) if EXPLORES else _FIXED
