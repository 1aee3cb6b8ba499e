# How fast a trail is read, beside grep, ripgrep and DuckDB by hand.
#
#     python -m benchmarks.make_trail /tmp/trail 1000000 --closed 1
#     python -m benchmarks.reading /tmp/trail [WORD...] [--rounds 3]
#
# Each runs in a process of its own, one after the other in each round; a word chooses
# those that have it in their name. Shown are medians, and the most memory that one
# took. MB/s are those of the lines that a question is about, not compressed, so one
# that need not read all of them may be faster than memory. Those of a CPU second hold
# on a machine that others use, where those of a second do not.
import argparse
import base64
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

from benchmarks.reading_commands import Asked, commands

__all__ = ["Ran", "main", "run", "table"]

_ANSWERS = (0, 1)  # found, and not found: with grep as with ours
_KEY = base64.b64encode(bytes(32)).decode()  # of nobody: no digest is its
_HEAD = "| what | s | CPU s | MB/s | MB/CPU s | MiB |\n" + "| --- " * 6 + "|"


class Ran(NamedTuple):
    """One run: seconds by the clock and of the CPUs, the most memory in MiB."""

    seconds: float
    cpu: float
    mebibytes: float


def run(asked: Asked) -> Ran:
    """Put a question once; RuntimeError, if it is not answered."""
    begin = time.perf_counter()
    # Not to the null device: grep ends at the first line that it finds then.
    with TemporaryFile() as given, TemporaryFile() as said, TemporaryFile() as told:
        given.write(asked.given)
        given.seek(0)
        with subprocess.Popen(
            asked.command,
            stdin=given,
            stdout=said,
            stderr=told,
            env={**os.environ, "AUDIT_MW_KEY": _KEY},
        ) as process:
            # Of this child alone, and of those that it waited for.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        taken = time.perf_counter() - begin
        if process.returncode not in _ANSWERS:
            told.seek(0)
            words = told.read().decode(errors="backslashreplace")
            raise RuntimeError(f"{asked.name}: {process.returncode}\n{words}")

    return Ran(taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def table(asked: Sequence[Asked], runs: Mapping[str, Sequence[Ran]]) -> list[str]:
    """Return the table's lines: a question each, in the order of `asked`."""
    return [_HEAD, *(_row(each, runs[each.name]) for each in asked)]


def _row(asked: Asked, runs: Sequence[Ran]) -> str:
    seconds = statistics.median(each.seconds for each in runs)
    cpu = statistics.median(each.cpu for each in runs)
    most = max(each.mebibytes for each in runs)
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # Linux counts what this process has to one that it has started, for a moment.
    memory = f"{most:.0f}" if most > floor else f"< {floor:.0f}"
    rates = " | ".join(_rate(asked.size, taken) for taken in (seconds, cpu))

    return f"| {asked.name} | {seconds:.2f} | {cpu:.2f} | {rates} | {memory} |"


def _rate(size: int, seconds: float) -> str:
    return f"{size / seconds / 1e6:.0f}" if size else "-"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="how fast a trail is read")
    parser.add_argument("trail", type=Path)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for tool in ("grep", "rg"):
        if not shutil.which(tool):
            print(f"{tool} is not installed: its rows are missing")
    with TemporaryDirectory() as name:
        _measure(given.trail, given.words, given.rounds, Path(name) / "checkpoint")


def _measure(trail: Path, words: Sequence[str], rounds: int, checkpoint: Path) -> None:
    asked = [
        each
        for each in commands(trail, checkpoint)
        if not words or any(word in each.name for word in words)
    ]
    runs: dict[str, list[Ran]] = {each.name: [] for each in asked}
    for _ in range(rounds):
        checkpoint.unlink(missing_ok=True)
        for each in asked:
            runs[each.name].append(run(each))
            print(f"{each.name}: {runs[each.name][-1].seconds:.2f} s", file=sys.stderr)
    print(f"{trail.name}, {rounds} rounds\n")
    print("\n".join(table(asked, runs)))


if __name__ == "__main__":
    main()
