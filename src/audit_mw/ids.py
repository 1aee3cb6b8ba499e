# Event ids: UUIDv7 (RFC 9562 5.7), which sort by the time that they were made.
#
# Of the 74 bits that may be random the first twelve hold the fraction of the
# millisecond (6.2, method 3), and an id is never at or behind the last one of its
# process, whatever the clock does. The other 62 come from a pool that one system call
# fills; a forked child drops it, else parent and child would make the same ids.
import os
import threading
import time
from weakref import WeakSet

from audit_mw.trail.forks import in_child

__all__ = ["EventIds"]

_POOL_BYTES = 4096
_VARIANT = 0x8000_0000_0000_0000  # RFC 9562 4.1
_RANDOM_BITS = 0x3FFF_FFFF_FFFF_FFFF

_makers: "WeakSet[EventIds]" = WeakSet()


class EventIds:
    """Makes the ids of one process, and tells the time that is in them."""

    def __init__(self) -> None:
        # A signal's handler may make one while this thread has the lock.
        self._lock = threading.RLock()
        self._pool = b""
        self._last = 0
        _makers.add(self)

    def begin_child(self) -> None:
        """Start anew in a forked child."""
        self._lock = threading.RLock()
        self._pool = b""

    def make(self) -> tuple[str, int]:
        """Return a new id, and its time in microseconds since the epoch."""
        now = time.time_ns()
        millis, nanos = divmod(now, 1_000_000)
        stamp = millis << 12 | nanos * 4096 // 1_000_000
        with self._lock:
            stamp = self._last = max(stamp, self._last + 1)
            if not self._pool:
                self._pool = os.urandom(_POOL_BYTES)
            random, self._pool = self._pool[:8], self._pool[8:]
        low = _VARIANT | int.from_bytes(random) & _RANDOM_BITS
        text = f"{stamp >> 12:012x}7{stamp & 0xFFF:03x}{low:016x}"
        shown = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

        return shown, now // 1000


def _begin_children() -> None:
    for maker in tuple(_makers):
        maker.begin_child()


in_child(_begin_children)
