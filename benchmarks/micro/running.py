# A process for micro-benchmarks, with the sources of a revision and its own trail.
#
# The hash seed is fixed: it decides where things lie in sets and dicts, and so what a
# call costs.
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["ROOT", "BrokenRun", "python"]

ROOT = Path(__file__).parent.parent.parent
_UNWANTED = {"PYTHONDEVMODE", "PYTHONWARNINGS", "COVERAGE_PROCESS_START"}


class BrokenRun(Exception):
    """A process that measures has failed; the message has what it said."""


def python(
    arguments: Sequence[str],
    source: Path | None,
    before: Sequence[str] = (),
    trail: Path | None = None,
) -> str:
    """
    Run Python for a benchmark, and return what it printed.

    Args:
        arguments: of Python.
        source: the directory that has `audit_mw`; None for the one that is installed.
        before: a command that runs it, such as valgrind with its options.
        trail: where it records; else in a directory that is gone afterwards.

    Raises:
        BrokenRun: it failed, or it took `audit_mw` from elsewhere.
    """
    with tempfile.TemporaryDirectory() as own:
        ran = subprocess.run(
            [*before, sys.executable, *arguments],
            env=environment(source, trail or Path(own)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise BrokenRun(f"{' '.join(arguments)}:\n{ran.stderr[-2000:]}")

    return ran.stdout


def environment(source: Path | None, trail: Path) -> Mapping[str, str]:
    """Return the environment of a process that measures."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _UNWANTED and not name.startswith(("AUDIT_MW_", "COV"))
    }
    paths = [str(it) for it in (source, ROOT) if it is not None]
    paths += [inherited] if (inherited := os.environ.get("PYTHONPATH")) else []

    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": "0",
        "AUDIT_MW_TRAIL": str(trail),
    }
