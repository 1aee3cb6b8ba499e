# kill -9 at the system calls of who adopts, by strace: inside of a call too, where no
# line of ours stands.
import shutil
import signal
from pathlib import Path

import pytest
from tests.trail.crew import crew
from tests.trail.dead import (
    INSTANCE,
    adopt_one,
    dead_journal,
    keep,
    lines_of,
    note_append,
    slots_of,
)
from tests.trail.samples import damages, micros, nth, spill_of, whole_numbers

from audit_mw.trail.journal import Journal
from audit_mw.trail.reader import find_value
from audit_mw.trail.slots import DONE, OPEN, SENDING
from audit_mw.trail.writer import JOURNALS

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs Debian's strace"
)
CALLS = "write flock fdatasync fsync unlink pread64 ftruncate lseek close fcntl"
VALUE = spill_of(b"v" * 3000)
LINES = lines_of(range(3))


def fill(journal: Journal, trail: Path) -> None:
    """Leave an append that was broken off, and records of all states and streams."""
    slots = slots_of(journal)
    for number in range(3):
        keep(slots[number], DONE, number, seq=number + 1)
    keep(slots[3], OPEN, 3)
    keep(slots[16], SENDING, 3, origin=3)  # being moved
    keep(slots[4], DONE, 4, spills=[VALUE])
    keep(slots[5], OPEN, nth(5, stream="fault"))
    note_append(journal, trail, LINES, len(LINES) * 2 // 3)


@needs_strace
@pytest.mark.parametrize("call", CALLS.split())
@pytest.mark.parametrize(
    "most", [2, pytest.param(12, marks=pytest.mark.long)], ids=["some", "each"]
)
def test_adopter_killed(tmp_path: Path, call: str, most: int) -> None:
    """
    Wherever an adopter is killed, the next one leaves each record exactly once.
    """
    for number in range(1, most + 1):
        trail = tmp_path / str(number)
        trail.mkdir()
        path = dead_journal(trail, lambda journal, at=trail: fill(journal, at))
        is_killed = adopt_until_killed(trail, call, number)
        adopt_one(path)
        requests = list((trail / "request").iterdir())

        assert damages(requests) == []
        assert {INSTANCE: 5} == whole_numbers(requests)
        assert sorted(map(str, micros(requests))) == list("01234")
        assert micros((trail / "fault").iterdir()) == [5]
        assert find_value(trail, VALUE.sha256) == VALUE.value
        assert list((trail / JOURNALS).iterdir()) == []
        if not is_killed:
            break


def adopt_until_killed(trail: Path, call: str, number: int) -> bool:
    """Adopt in a process that dies at a call to the trail; tell whether it did."""
    files = [
        trail / JOURNALS / "dead.journal",
        *trail.glob("*"),
        *trail.glob("*/*.log"),
    ]
    watched = [word for path in files for word in ("-P", path)]
    under = [
        *("strace", "-f", "-qq", "-o", "/dev/null", *watched),
        *("-e", f"inject={call}:signal=KILL:when={number}"),
    ]
    with crew(1, "adopt_all", trail, under=under) as (worker,):
        worker.communicate(timeout=60)

    return worker.returncode == -signal.SIGKILL
