# Events and segments that the tests of the trail write and look at.
import fcntl
import hashlib
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from audit_mw.config import Config
from audit_mw.errors import AuditUnavailable
from audit_mw.event import DELIVERY, Event, Param, Spill
from audit_mw.ids import EventIds
from audit_mw.option_readers import read_min_free
from audit_mw.system_notes import SystemNotes
from audit_mw.trail.place import Place
from audit_mw.trail.reader import Damage, read_segment
from audit_mw.trail.record import Record, StoredValue
from audit_mw.trail.writer import Writer

__all__ = [
    "begin",
    "config",
    "damages",
    "event",
    "items",
    "locked",
    "make_writer",
    "micros",
    "nth",
    "numbers",
    "of_type",
    "open_files",
    "put_on_record",
    "records",
    "send",
    "settled",
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


def nth(number: int, **changes: Any) -> Event:
    """Return an event of its own: its id, its micros and its delivery say which."""
    own = f"019aa4f2-35c3-7a1b-8c4d-{number:012x}"
    told = {"details": {"delivery": DELIVERY}} | changes

    return event(event=own, micros=number, **told)


def config(trail: Path, **options: Any) -> Config:
    """Return options: a small journal, and no free space that is too little."""
    small: dict[str, Any] = {"max_slots": 64, "min_free": read_min_free("0,0,0")}

    return Config(trail=str(trail), **(small | options))


def make_writer(trail: Path, **options: Any) -> Writer:
    """Return a writer of this process."""
    notes = SystemNotes("bank", EventIds())

    return Writer(config(trail, **options), notes, "bank")


def begin(writer: Writer, opening: Event) -> Place:
    """Take a place for a request, as an edge does before it calls the application."""
    place = writer.place()
    for receipt in place.open(opening):
        receipt.wait()

    return place


def send(place: Place, whole: Event) -> None:
    """Keep a record, as an edge does before it hands over the last message."""
    for receipt in place.send(whole):
        receipt.wait()


def put_on_record(writer: Writer, whole: Event) -> None:
    """Record a request from its begin to its end; wait where no slot is free."""
    place = None
    while place is None:
        with suppress(AuditUnavailable):
            place = writer.place()
    for receipt in place.open(whole):
        receipt.wait()
    send(place, whole)
    place.sent()


def settled(writer: Writer) -> None:
    """Return when a writer has nothing left to write; it fails until it does not."""

    def is_flushed() -> bool:
        with suppress(AuditUnavailable):
            writer.flush()
            return True
        return False

    wait_until(is_flushed)


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


def of_type(trail: Path, kind: str) -> list[Event]:
    """Return the events of a type in the stream `system`."""
    found = records((trail / "system").iterdir())

    return [record.event for record in found if record.event.type == kind]


def micros(paths: Iterable[Path]) -> list[int | None]:
    """Return which events of `nth` stand in segments, in their order."""
    return [record.event.micros for record in records(paths)]


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


def open_files(directory: Path = Path("/")) -> list[str]:
    """
    Return which files below a directory this process has open.

    In the process of the tests ask for the test's own: what others left to the garbage
    collector, or to a thread, is closed at any time.
    """
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of this very listing, or just closed
            found.append(str(link.readlink()))

    return sorted(path for path in found if path.startswith(str(directory.resolve())))


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
