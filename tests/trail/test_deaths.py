# kill -9 at the system calls of who adopts, by strace: inside of a call too, where no
# line of ours stands.
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest
from tests.trail.crew import crew
from tests.trail.dead import INSTANCE, VALUE, adopt_one, break_off, dead_journal
from tests.trail.samples import damages, micros, whole_numbers

from audit_mw.trail.reader import find_value
from audit_mw.trail.writer import JOURNALS

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs Debian's strace"
)
CALLS = "write flock fdatasync fsync unlink pread64 ftruncate close fcntl"


@needs_strace
@pytest.mark.parametrize("call", CALLS.split())
@pytest.mark.parametrize(
    "most", [1, pytest.param(12, marks=pytest.mark.long)], ids=["first", "each"]
)
def test_adopter_killed(tmp_path: Path, call: str, most: int) -> None:
    """
    Wherever an adopter is killed, the next one leaves each record exactly once.
    """
    for number in range(1, most + 1):
        trail = tmp_path / str(number)
        trail.mkdir()
        path = dead_journal(trail, partial(break_off, trail=trail))
        is_killed = adopt_until_killed(trail, call, number)
        assert is_killed or number > 1  # else nobody was killed at all
        adopt_one(path)
        requests = list((trail / "request").iterdir())

        assert damages(requests) == []
        assert whole_numbers(requests) == {INSTANCE: 5}
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
        # Not with --seccomp-bpf: strace 6.1 then injects errors, but no signals.
        *("strace", "-f", "-qq", "-o", "/dev/null", *watched),
        *("-e", f"inject={call}:signal=KILL:when={number}"),
    ]
    with crew(1, "adopt_all", trail, under=under) as (worker,):
        worker.communicate(timeout=60)

    return worker.returncode == -signal.SIGKILL
