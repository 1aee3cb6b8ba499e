# A journal of which every slot is in use, for real.
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["no_slot_left"]


@contextmanager
def no_slot_left(middleware: Any) -> Iterator[None]:
    """Hold all slots of a middleware, so that nothing more can be said."""
    middleware._auditor.flush()  # or else the writer gives some back meanwhile
    pump = middleware._auditor._writer.pump
    held = []
    try:
        while (place := pump.outside()).is_safe:
            held.append(place)
        place.drop()
        yield
    finally:
        for each in held:
            each.drop()
