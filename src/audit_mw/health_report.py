# What the open trails of this process say of themselves, for an endpoint, a metric, or
# a look from a debugger.
#
# Rule: it is read from memory. A disk that stalls must not stall the question whether
#       it does.
from dataclasses import asdict
from typing import Any, TypedDict

from audit_mw.trail.state import WriterState
from audit_mw.trail.writer import open_writers

__all__ = ["Health", "health"]


class Health(TypedDict):
    """
    Whether all is well.

    Args:
        healthy: each trail takes records, and its journal has room for a request.
        trails: how each is, with the keys of `WriterState`. A trail that is not open,
            since nothing used it yet or its application was shut down, is not among
            them.
    """

    healthy: bool
    trails: list[dict[str, Any]]


def health() -> Health:
    """Return how the open trails of this process are."""
    states = [writer.state() for writer in open_writers()]
    shown = sorted(filter(_is_open, states), key=lambda state: state.trail)

    return {
        "healthy": all(map(_is_well, shown)),
        "trails": [asdict(state) for state in shown],
    }


def _is_well(state: WriterState) -> bool:
    return state.state == "ok" and state.free_slots > 0


def _is_open(state: WriterState) -> bool:
    # One that stopped by itself still has slots, and one that could not be opened has
    # refused requests: that is no healthy end, and no healthy start.
    return state.state != "stopped" or any(
        (state.slots, state.refused, state.unrecorded)
    )
