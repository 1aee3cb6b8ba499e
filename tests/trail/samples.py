# Events and segments that the tests of the trail write and look at.
import fcntl
import hashlib
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from audit_mw.event import Event, Param, Spill
from audit_mw.trail.reader import Damage, read_segment
from audit_mw.trail.record import Record, StoredValue

__all__ = [
    "damages",
    "event",
    "items",
    "locked",
    "numbers",
    "open_files",
    "records",
    "spill_of",
    "threads",
    "umask",
    "wait_for_lock",
    "wait_until",
    "whole_numbers",
]

_EVENT = Event(
    time=1_795_238_767_123_456,
    event="019aa4f2-35c3-7a1b-8c4d-5e6f70819203",
    stream="request",
    type="request",
    outcome="SUCCESS",
    service=b"bank",
    instance="web1:4711:1eeb7084",
    client=b"192.0.2.7",
    method=b"GET",
    path=b"/search",
    status=200,
    params=(Param("query", b"q", b"100% \xff\n"),),
)


def event(**changes: Any) -> Event:
    """Return an event of the request stream, but for `changes`."""
    return replace(_EVENT, **changes)


def spill_of(value: bytes) -> Spill:
    """Return a value on its way to the values stream."""
    return Spill(hashlib.sha256(value).hexdigest(), value)


def items(paths: Iterable[Path]) -> Iterator[Record | StoredValue | Damage]:
    """Yield what stands in segments."""
    for path in paths:
        yield from read_segment(path)


def records(paths: Iterable[Path]) -> list[Record]:
    """Return the records of segments."""
    return [item for item in items(paths) if isinstance(item, Record)]


def damages(paths: Iterable[Path]) -> list[Damage]:
    """Return what is damaged in segments."""
    return [item for item in items(paths) if isinstance(item, Damage)]


def numbers(paths: Iterable[Path], *, damaged: bool = True) -> dict[str, list[int]]:
    """Return each instance's seq numbers, as they follow each other in segments."""
    found: dict[str, list[int]] = defaultdict(list)
    for item in items(paths):
        if isinstance(item, Record):
            found[item.event.instance].append(item.seq)
        else:
            assert damaged, item

    return dict(found)


def whole_numbers(paths: Iterable[Path]) -> dict[str, int]:
    """
    Return the last seq of each instance.

    Fails on damage, on a seq that is missing or there twice, and where seq does not
    rise with the position in a file.
    """
    found: dict[str, list[int]] = defaultdict(list)
    for path in paths:
        for instance, seqs in numbers([path], damaged=False).items():
            assert sorted(seqs) == seqs, path
            found[instance] += seqs
    for instance, seqs in found.items():
        assert list(range(1, len(seqs) + 1)) == sorted(seqs), instance

    return {instance: len(seqs) for instance, seqs in found.items()}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set the umask of this process for the block."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def locked(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of a file, as another process would; give what lets go of it."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.close


def wait_until(condition: Callable[[], object]) -> None:
    """Return when a condition holds; fail where it never will."""
    for _ in range(60_000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("waited in vain")


def wait_for_lock(path: Path) -> None:
    """Return when somebody waits for the lock of a file."""
    inode = f":{path.stat().st_ino} "
    locks = Path("/proc/locks")
    wait_until(
        lambda: any(
            "->" in lock and inode in lock
            for lock in locks.read_text(encoding="ascii").splitlines()
        )
    )


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def threads(*tasks: Callable[[], object]) -> Iterator[list[threading.Thread]]:
    """
    Run tasks beside the block, a thread for each, and switch between them all the time.

    Fails when one does not end, and ends all the same.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    started = [threading.Thread(target=task, daemon=True) for task in tasks]
    try:
        for thread in started:
            thread.start()
        yield started
        for thread in started:
            thread.join(60)
            assert not thread.is_alive(), "a thread hangs"
    finally:
        sys.setswitchinterval(interval)
