# Histories that nobody thought of: requests of two processes, and faults between them.
#
# The processes are two writers whose threads are not started but taken in turn, so that
# each history is like itself. One dies by letting go of its files: what is in its
# journal is all that is left of it, as after a kill.
#
# Rule 1: what had begun has exactly one record in the end.
# Rule 2: what a fault took away by itself, with a deleted file, may be there or not.
# Rule 3: seq is complete but for what was deleted, and rises within a file.
import resource
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.trail.instants import Serving
from tests.trail.samples import damages, nth, numbers, records, spill_of

from audit_mw.errors import AuditUnavailable
from audit_mw.event import Event
from audit_mw.trail.place import Place
from audit_mw.trail.receipt import Receipt

which = st.integers(0, 1)
streams = st.sampled_from(["request", "request", "values", "system"])
KINDS: dict[str, dict[str, Any]] = {
    "small": {},
    "long": {"path": b"/" + b"a" * 9000},
    "spilling": {"spills": (spill_of(b"v" * 3000),)},
    "huge": {"spills": (spill_of(b"w" * 90_000), spill_of(b"v" * 3000))},
}
kinds = st.sampled_from([*KINDS])
_LOOKS = 20

Running = tuple[int, Place, str, bool]


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Let no file grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Histories(RuleBasedStateMachine):
    """Requests, faults, deaths, and what must be on record in the end."""

    durability = "process"

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.trail = self.directory / "trail"
        self.moved: dict[str, Path] = {}
        self.running: dict[int, Running] = {}
        self.due: set[int] = set()
        self.maybe: set[int] = set()
        self.torn = 0
        self.next = 1
        self.now = time.monotonic()
        self.processes = [self._start(), self._start()]

    def _start(self) -> Serving:
        return Serving(self.trail, self.durability)

    def _look(self, process: int) -> None:
        self.now += 10  # behind any back-off
        self.processes[process].pump._look(self.now)

    def _wait(self, process: int, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            for _ in range(_LOOKS):
                if not receipt.answered:
                    self._look(process)
            receipt.check()

    def _event(self, process: int, number: int, kind: str) -> Event:
        instance = self.processes[process].instance

        return nth(number, instance=instance, **KINDS[kind])

    # --- requests

    @rule(process=which, kind=kinds)
    def begin(self, process: int, kind: str) -> None:
        """Begin a request, unless it is refused."""
        pump = self.processes[process].pump
        place = pump.place() if pump.refusal is None else None
        if place is None:
            return
        number, self.next = self.next, self.next + 1
        try:
            self._wait(process, place.open(self._event(process, number, kind)))
        except AuditUnavailable:
            place.drop()
            return
        self.running[number] = process, place, kind, False
        self.due.add(number)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), kind=kinds)
    def answer(self, data: st.DataObject, kind: str) -> None:
        """Bring a request to its last message."""
        number = data.draw(st.sampled_from([*self.running]))
        process, place, _, is_sent = self.running[number]
        if is_sent:
            return
        whole = self._event(process, number, kind)
        self.running[number] = process, place, kind, True
        try:
            self._wait(process, place.send(whole))
        except AuditUnavailable:
            place.finish(whole)
            del self.running[number]
            if kind != "small":
                self.maybe.add(number)  # its values were not down; it may be in no slot

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """Hand over the last message; or drop a request that had not got so far."""
        number = data.draw(st.sampled_from([*self.running]))
        _, place, _, is_sent = self.running.pop(number)
        if is_sent:
            place.sent()
        else:
            place.drop()
            self.due.discard(number)
            self.maybe.discard(number)

    @rule(process=which)
    def commit(self, process: int) -> None:
        """Take an event that happened outside of a request."""
        pump = self.processes[process].pump
        number, self.next = self.next, self.next + 1
        (self.due if pump.pool.free_small else self.maybe).add(number)
        pump.outside().finish(self._event(process, number, "small"))

    @rule(process=which)
    def look(self, process: int) -> None:
        """Let a writer's thread do its work."""
        self._look(process)

    # --- faults

    @rule(process=which)
    def die(self, process: int) -> None:
        """Kill a process, and start another."""
        self._doubt(process)
        self.processes[process].die()
        for number in [n for n, it in self.running.items() if it[0] == process]:
            del self.running[number]
        self.processes[process] = self._start()

    @rule(process=which, bytes_=st.integers(0, 3000))
    def write_short(self, process: int, bytes_: int) -> None:
        """Let a look find a disk that takes a few bytes more."""
        sizes = [path.stat().st_size for path in self._segments("request")]
        with limited(max(sizes, default=0) + bytes_):
            self._look(process)

    @rule(stream=streams)
    def rename(self, stream: str) -> None:
        """Rotate by rename."""
        for path in self._segments(stream):
            if path.suffix == ".log":
                path.rename(path.with_name(f"{path.name}.{self.next}"))
                self.next += 1

    @rule(stream=streams)
    def block(self, stream: str) -> None:
        """Put a file in the place of a stream's directory."""
        path = self.trail / stream
        if stream not in self.moved and path.is_dir():
            self.moved[stream] = path.rename(self.directory / stream)
            path.touch()

    @rule()
    def mend(self) -> None:
        """Put the directories back."""
        for stream, path in self.moved.items():
            (self.trail / stream).unlink()
            path.rename(self.trail / stream)
        self.moved.clear()

    @rule(tail=st.sampled_from([b"x", b"233\t2026-11-21T05:26:07.123456Z"]))
    def tear(self, tail: bytes) -> None:
        """Leave half a line of somebody that no journal knows of."""
        for path in self._segments("request")[:1]:
            self.torn += 1
            with path.open("ab") as file:
                file.write(tail)

    @rule(process=which)
    def lose_journal(self, process: int) -> None:
        """Unlink a journal; what ran then is safe for as long as its process lives."""
        pump = self.processes[process].pump
        pump.journal.path.unlink(missing_ok=True)
        pump._next_adoption = 0
        self._look(process)

    def _doubt(self, process: int) -> None:
        """Expect nothing of what only a journal has that nobody can find."""
        pump = self.processes[process].pump
        slots = {
            number: place._slot
            for number, (whose, place, *_) in self.running.items()
            if whose == process
        }
        for entry in (*pump.queue, *pump._again, *pump._unsynced):
            if entry.stream == "request":
                slots[_number(entry.draft.before)] = entry.slot
        is_named = pump.journal.is_named()
        for number, slot in slots.items():
            if not is_named or slot is None or slot.block not in pump.journal.blocks:
                self.maybe.add(number)

    def _segments(self, stream: str) -> list[Path]:
        directory = self.trail / stream

        return [*directory.iterdir()] if directory.is_dir() else []

    # --- what must be there in the end

    def teardown(self) -> None:
        """Let all end, and look what is there."""
        try:
            self.mend()
            for number, (_, place, _, is_sent) in self.running.items():
                if is_sent and number % 2:
                    place.sent()
            for process in (0, 1, 0, 1):
                self._look(process)
            for process, serving in enumerate(self.processes):
                self._doubt(process)
                serving.die()
            self._adopt()
            self._judge()
        finally:
            for serving in self.processes:
                serving.die()
            shutil.rmtree(self.directory)

    def _adopt(self) -> None:
        last = self._start()
        self.processes.append(last)
        for _ in range(3):
            self._look(2)
        assert last.pump.refusal is None
        assert not last.pump.waiting

    def _judge(self) -> None:
        paths = self._segments("request")
        counts = Counter(record.event.micros for record in records(paths))
        assert set(counts.values()) <= {1}
        assert self.due - self.maybe <= counts.keys()
        assert counts.keys() <= set(range(1, self.next))
        # Where a header should stand half a line is no header either.
        assert len(damages(paths)) <= 2 * self.torn
        self._judge_numbers(paths)

    def _judge_numbers(self, paths: list[Path]) -> None:
        found: dict[str, list[int]] = defaultdict(list)
        for path in paths:
            for instance, seqs in numbers([path]).items():
                assert sorted(seqs) == seqs
                found[instance] += seqs
        for seqs in found.values():
            assert [*range(1, len(seqs) + 1)] == sorted(seqs)


def _number(before: bytes) -> int:
    return int(before.split(b"\t")[1][-12:], 16)


@pytest.mark.parametrize("durability", ["process", "disk"])
@pytest.mark.parametrize(
    "most", [25, pytest.param(400, marks=pytest.mark.long)], ids=str
)
def test_histories(durability: str, most: int) -> None:
    """
    Whatever happens in whatever order, nothing is lost, and nothing is there twice.
    """
    machine = type("Histories", (Histories,), {"durability": durability})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=most, stateful_step_count=40, print_blob=True),
    )
