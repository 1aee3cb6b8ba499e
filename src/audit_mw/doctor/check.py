# What a check says: a state, what was seen, and the mend where there is one.
#
# Rule: only what was seen is said. What cannot be told from here is UNKNOWN, never OK.
from typing import NamedTuple

__all__ = ["BAD", "OK", "UNKNOWN", "WARNING", "Check"]

OK, UNKNOWN, WARNING, BAD = "ok", "unknown", "warning", "bad"


class Check(NamedTuple):
    """
    One thing that was looked at.

    Args:
        name: of the check; several results may have one.
        state: OK, UNKNOWN, WARNING or BAD.
        said: what was seen.
        mend: what to do; empty where nothing is to be done.
    """

    name: str
    state: str
    said: str
    mend: str = ""
