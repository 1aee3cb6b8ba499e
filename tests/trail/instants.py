# kill -9 before each line: of a process that serves, and of one that adopts what it left.
#
# It runs in a process with one thread, which forks those that are to die: each runs the
# same steps and is killed a line later than the one before. The writer's thread is not
# started; what it does is done in turn, so that each run is like the others. What a
# request was told is kept in memory that outlives its process.
#
# Rule 1: what had begun has exactly one record, and what was about to begin one at most.
# Rule 2: what was answered is not told as unanswered.
# Rule 3: seq is complete, no line is torn, no journal is left, no value is missing.
import mmap
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from tests.trail.dead import break_off, dead_journal, files_of
from tests.trail.samples import config, damages, nth, numbers, records, spill_of

from audit_mw import trail as trail_package
from audit_mw.event import Event
from audit_mw.ids import EventIds
from audit_mw.system_notes import SystemNotes
from audit_mw.trail.adoption import adopt
from audit_mw.trail.journals import find_journals
from audit_mw.trail.place import Place
from audit_mw.trail.pump import Pump
from audit_mw.trail.reader import find_value
from audit_mw.trail.receipt import Receipt
from audit_mw.trail.writer import JOURNALS, Writer

__all__ = ["WATCHED", "Serving", "kill_adopters", "kill_menders", "kill_writers"]

# All that a trail is made of, but for what only computes.
_PURE = {"encoding.py", "params.py", "record.py"}
WATCHED = {
    str(path)
    for path in Path(trail_package.__path__[0]).glob("*.py")
    if path.name not in _PURE
}
_BEGUN, _ANSWERED = 1, 2
_DIED = {"reason": b"process_died"}
_LONG = b"/" + b"a" * 9000
_VALUE = b"v" * 3000
_HUGE = b"w" * 90_000

_told = mmap.mmap(-1, mmap.PAGESIZE)


class Serving:
    """
    A process that serves, with its writer's thread taken in turn.

    Args:
        trail: the directory.
        durability: `process` or `disk`.
    """

    def __init__(self, trail: Path, durability: str) -> None:
        options = config(trail, max_slots=16, durability=durability)
        writer = Writer(options, SystemNotes("bank", EventIds()), "bank")
        trail.mkdir(exist_ok=True)
        # Its thread is not started, so it is made as the writer makes it, by hand.
        make = writer._make_journal
        self.pump = Pump(options, writer._notes, make, {})
        self.pump.accepting = True
        self.instance = writer.instance
        self._places: list[Place] = []

    def look(self) -> None:
        """Do what the writer's thread does when it is woken."""
        self.pump._look(time.monotonic() + 1)

    def die(self) -> None:
        """Let go of all files, as the kernel does for a process that is killed."""
        for each in (*self.pump.files.journals, self.pump.journal):
            each.close()
        self.pump.files.close()

    def _wait(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            while not receipt.answered:
                self.look()
            receipt.check()

    def begin(self, number: int, **changes: Any) -> Place:
        """Begin a request."""
        place = self.pump.place()
        assert place
        self._places.append(place)  # what nobody has would come back
        told: dict[str, Any] = {"outcome": "ABORTED", "details": _DIED}
        self._wait(place.open(self._nth(number, **(told | changes))))
        _told[number] = _BEGUN

        return place

    def answer(self, place: Place, number: int, **changes: Any) -> None:
        """Bring a request to its last message, and hand that over."""
        self._wait(place.send(self._nth(number, **changes)))
        _told[number] = _ANSWERED

    def serve(self, number: int, **changes: Any) -> None:
        """Serve a request."""
        place = self.begin(number)
        self.answer(place, number, **changes)
        place.sent()

    def _nth(self, number: int, **changes: Any) -> Event:
        return nth(number, instance=self.instance, **changes)


def serve_all(trail: Path, durability: str) -> None:
    """Serve requests of all kinds, and leave some of them in the middle."""
    serving = Serving(trail, durability)
    serving.serve(1)
    serving.serve(2, path=_LONG)  # moved at its end
    long = serving.begin(3, path=_LONG)  # moved at its begin
    serving.look()
    serving.answer(long, 3, path=_LONG)
    long.sent()
    serving.serve(4, spills=(spill_of(_VALUE),))
    serving.serve(5, spills=(spill_of(_HUGE),))  # longer than a slot
    failed = serving.begin(6)
    serving.answer(failed, 6)
    failed.finish(nth(6, instance=serving.instance, status=500, details={}))
    serving.look()
    serving.begin(7)
    again = serving.begin(8)  # into a slot that had another record
    serving.answer(again, 8, path=_LONG)
    dropped = serving.begin(9)
    _told[9] = 0
    dropped.drop()
    serving.look()


def adopt_all(trail: Path) -> None:
    """Adopt what there is."""
    files = files_of(trail)
    for path in find_journals(trail / JOURNALS):
        adopt(path, files)


# --- killing


def killed_at(line: int, run: Callable[..., None], *arguments: object) -> bool:
    """Run in a child that is killed before a line; tell whether it got there."""
    child = os.fork()
    if not child:
        _die_at(line, run, *arguments)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)

    return code != 0


def _die_at(line: int, run: Callable[..., None], *arguments: object) -> None:
    reached = 0

    def trace(frame: FrameType, what: str, _argument: object) -> Any:
        nonlocal reached
        if frame.f_code.co_filename not in WATCHED:
            return None
        reached += what == "line"
        if reached == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    code = 1
    try:
        sys.settrace(trace)
        run(*arguments)
        code = 0
    finally:
        os._exit(code)


@contextmanager
def _fresh() -> Iterator[Path]:
    _told[:] = bytes(len(_told))
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def kill_writers(durability: str, first: int, step: int) -> Iterator[str]:
    """Kill who serves, at each so many-th line; yield what is wrong, and how many."""
    for line in count(first, step):
        with _fresh() as trail:
            is_killed = killed_at(line, serve_all, trail, durability)
            adopt_all(trail)
            yield from (f"line {line}: {wrong}" for wrong in complaints(trail))
        if not is_killed:
            yield f"{(line - first) // step} kills"
            return


def kill_adopters(durability: str, first: int, step: int) -> Iterator[str]:
    """Kill who adopts, and the next, at so many-th lines; yield the same."""
    killed = 0
    for line in range(first, _MOST, step):
        with _fresh() as trail:
            killed_at(_late(line), serve_all, trail, durability)
            killed += killed_at(line, adopt_all, trail)
            killed += killed_at(line // 2, adopt_all, trail)
            adopt_all(trail)
            yield from (f"line {line}: {wrong}" for wrong in complaints(trail))
    yield f"{killed} kills"


def kill_menders(durability: str, first: int, step: int) -> Iterator[str]:
    """Do the same to who adopts an append that was broken off; yield the same."""
    killed = 0
    for line in range(first, _MOST, step):
        with _fresh() as trail:
            leave = partial(break_off, trail=trail, written=line * 53 % 700)
            dead_journal(trail, leave, durability=durability)
            _told[1:5] = bytes([_BEGUN]) * 4
            killed += killed_at(line, adopt_all, trail)
            killed += killed_at(line // 2, adopt_all, trail)
            adopt_all(trail)
            yield from (f"line {line}: {wrong}" for wrong in complaints(trail))
    yield f"{killed} kills"


_MOST = 1800  # lines of an adoption; few are that long


def _late(line: int) -> int:
    # Somewhere in what is served, but for its begin: another place each time.
    return 300 + line * 37 % 1900


# --- judging


def complaints(trail: Path) -> Iterator[str]:
    """Yield what is wrong with a trail."""
    paths = [*(trail / "request").glob("*"), *(trail / "system").glob("*")]
    found = records((trail / "request").glob("*"))
    counts = Counter(record.event.micros for record in found)
    yield from map(str, damages([*paths, *(trail / "values").glob("*")]))
    yield from (path.name for path in (trail / JOURNALS).glob("*.journal"))
    for stream in ("request", "system"):
        for seqs in numbers((trail / stream).glob("*")).values():
            if seqs != [*range(1, len(seqs) + 1)]:
                yield f"{stream}: {seqs}"
    for number in range(1, 10):
        if counts[number] > 1 or (_told[number] and not counts[number]):
            yield f"{number}: {counts[number]} records"
    for record in found:
        if record.event.outcome == "ABORTED" and _told[record.event.micros or 0] > 1:
            yield f"{record.event.micros}: answered, and told as unanswered"
    yield from _missing(trail, counts)


def _missing(trail: Path, counts: Counter[int | None]) -> Iterator[str]:
    for number, value in ((4, _VALUE), (5, _HUGE)):
        is_due = _told[number] == _ANSWERED and counts[number]
        if is_due and find_value(trail, spill_of(value).sha256) != value:
            yield f"{number}: its value is missing"
