# Event ids: UUIDv7 (RFC 9562 5.7), which sort by the time that they were made.
#
# Of the 74 bits that may be random the first twelve hold the fraction of the
# millisecond (6.2, method 3), and an id is never at or behind the last one of its
# process, whatever the clock does. The other 62 come from a pool that one system call
# fills; a forked child drops it, else parent and child would make the same ids.
import os
import struct
import threading
import time
from typing import Protocol
from weakref import WeakSet

from audit_mw.trail.forks import in_child

__all__ = ["EventIds", "IdMaker", "begin_in_children"]

_POOL_BYTES = 4096
_VERSION = 0x7000
_VARIANT = 0x8000_0000_0000_0000  # RFC 9562 4.1
_RANDOM_BITS = 0x3FFF_FFFF_FFFF_FFFF


class IdMaker(Protocol):
    """Makes the ids of one process, and tells the time that is in them."""

    def make(self) -> tuple[str, int]:
        """Return a new id, and its time in microseconds since the epoch."""

    def begin_child(self) -> None:
        """Start anew in a forked child."""


_makers: "WeakSet[IdMaker]" = WeakSet()


def begin_in_children(maker: IdMaker) -> None:
    """Let a maker start anew in each forked child."""
    _makers.add(maker)


class EventIds:
    """Makes the ids of one process, and tells the time that is in them."""

    def __init__(self) -> None:
        # A signal's handler may make one while this thread has the lock.
        self._lock = threading.RLock()
        self._pool: list[str] = []
        self._last = 0
        begin_in_children(self)

    def begin_child(self) -> None:
        """Start anew in a forked child."""
        self._lock = threading.RLock()
        self._pool = []

    def make(self) -> tuple[str, int]:
        """Return a new id, and its time in microseconds since the epoch."""
        now = time.time_ns()
        millis, nanos = divmod(now, 1_000_000)
        stamp = millis << 12 | nanos * 4096 // 1_000_000
        with self._lock:
            if stamp <= self._last:
                stamp = self._last + 1
            self._last = stamp
            if not self._pool:
                self._pool = _random_halves()
            low = self._pool.pop()
        high = (stamp >> 12 << 16 | _VERSION | stamp & 0xFFF).to_bytes(8).hex()

        return f"{high[:8]}-{high[8:12]}-{high[12:]}-{low}", now // 1000


def _random_halves() -> list[str]:
    """Return the latter halves of many ids, as they are written."""
    numbers = struct.unpack(f">{_POOL_BYTES // 8}Q", os.urandom(_POOL_BYTES))
    halves = (f"{_VARIANT | number & _RANDOM_BITS:016x}" for number in numbers)

    return [f"{half[:4]}-{half[4:]}" for half in halves]


def _begin_children() -> None:
    for maker in tuple(_makers):
        maker.begin_child()


in_child(_begin_children)
