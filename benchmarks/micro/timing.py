# Time for each call, by pyperf: several processes, each warmed up, calibrated by it.
#
# pyperf and not pytest-benchmark: each value comes from a process of its own, so that
# where things happen to lie in memory is part of the spread, and not of the figure; and
# it can be handed the sources of another revision. It is run as a command, so that
# nothing of ours imports it: it is needed only where times are wanted (extra `bench`).
import json
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks.costs import Spread, spread
from benchmarks.micro.cases import Case
from benchmarks.micro.running import python

__all__ = ["PROCESSES", "has_timer", "time"]

PROCESSES = 5
_INHERITED = "PYTHONPATH,PYTHONHASHSEED,AUDIT_MW_TRAIL"
_SETUP = "from benchmarks.micro.worker import call_of; call = call_of({name!r})"


def has_timer() -> bool:
    """Tell whether pyperf is installed."""
    return find_spec("pyperf") is not None


def time(
    case: Case, source: Path | None = None, processes: int = PROCESSES
) -> Spread | None:
    """
    Return the microseconds of one call: the median over all values, and its quartiles.

    Args:
        case: what is called; it runs with this revision.
        source: the directory that has `audit_mw`; None for the one that is installed.
        processes: how many measure it, one after the other.

    Raises:
        BrokenRun: pyperf failed.
    """
    with tempfile.TemporaryDirectory() as name:
        written = Path(name, "values.json")
        options = f"--quiet --processes {processes} --values 3 --warmups 1"
        setup = _SETUP.format(name=case.name)
        named = ["--inherit-environ", _INHERITED, "--output", str(written)]
        python(
            ["-m", "pyperf", "timeit", *options.split(), *named, "-s", setup, "call()"],
            source,
        )
        return spread([value * 1e6 for value in _values(written)])


def _values(written: Path) -> list[float]:
    (benchmark,) = json.loads(written.read_text())["benchmarks"]

    return [value for run in benchmark["runs"] for value in run.get("values", ())]
