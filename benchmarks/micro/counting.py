# Instructions for each call, by valgrind's callgrind: the figure that is the same on a
# busy machine and on an idle one.
#
# It is no time: an instruction that misses a cache, or asks the kernel, counts as one.
# Only the thread that calls is counted: the writer of the trail wakes up by the clock,
# so its share of a request moves, and is seen in CPU time (`benchmarks.in_process`).
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.micro.cases import Case
from benchmarks.micro.running import BrokenRun, python

__all__ = ["Counted", "count", "has_counter"]

_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_MARKS = 3  # to a case
_VALGRIND = (
    "valgrind --quiet --tool=callgrind --separate-threads=yes --dump-before=getppid"
)


class Counted(NamedTuple):
    """Instructions of one call; 0 where it cannot run, and `reason` says why."""

    instructions: float = 0
    reason: str | None = None


def has_counter() -> bool:
    """Tell whether there is a valgrind."""
    return shutil.which("valgrind") is not None


def count(cases: Sequence[Case], source: Path | None = None) -> dict[str, Counted]:
    """
    Return what one call of each case takes.

    Args:
        cases: all of one process, one after the other.
        source: the directory that has `audit_mw`; None for the one that is installed.

    Raises:
        BrokenRun: the process failed, or callgrind did not see its markers.
    """
    with tempfile.TemporaryDirectory() as name:
        dumps = Path(name, "dump")
        said = python(
            ["-m", "benchmarks.micro.worker", *(case.name for case in cases)],
            source,
            [*_VALGRIND.split(), f"--callgrind-out-file={dumps}"],
        )
        reasons: dict[str, str | None] = json.loads(said)
        marks = iter(range(1, len(cases) * _MARKS, _MARKS))
        return {
            case.name: Counted(reason=reasons[case.name])
            if reasons[case.name]
            else _difference(dumps, next(marks), case.loops)
            for case in cases
        }


def _difference(dumps: Path, mark: int, loops: int) -> Counted:
    # The first mark ends the warming up; the next come after N calls, and 2N more.
    return Counted((_total(dumps, mark + 2) - _total(dumps, mark + 1)) / loops)


def _total(dumps: Path, mark: int) -> int:
    """Return what the first thread took from the mark before to this one."""
    try:
        found = _TOTALS.search(Path(f"{dumps}.{mark}-01").read_text())
    except FileNotFoundError:
        found = None
    if found is None:
        raise BrokenRun("callgrind did not see the markers in getppid")

    return int(found[1])
