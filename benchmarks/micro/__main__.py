# The micro-benchmarks of this tree, as one table.
#
#     python -m benchmarks.micro [WORD...] [--processes 5] [--no-times] [--no-counts]
#
# Counts come first: each takes a while, but a busy machine does not move them.
import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.costs import Spread
from benchmarks.micro.cases import Case, chosen
from benchmarks.micro.counting import Counted, count, has_counter
from benchmarks.micro.running import BrokenRun
from benchmarks.micro.timing import PROCESSES, has_timer, time

__all__ = ["main"]

Times = Mapping[str, Spread | None]
Counts = Mapping[str, Counted]


def table(cases: Sequence[Case], times: Times, counts: Counts) -> Iterator[str]:
    """Yield the lines: name, time of a call with its quartiles, instructions."""
    yield f"{'':34}{'instructions':>14}{'us a call':>12}  (quartiles)"
    for case in cases:
        counted = counts.get(case.name, Counted())
        if counted.reason:
            yield f"{case.name:34}cannot run: {counted.reason}"
            continue
        number = (
            f"{counted.instructions:14,.0f}" if case.name in counts else f"{'-':>14}"
        )
        yield f"{case.name:34}{number}   {times.get(case.name) or '-'}"


def write(path: Path, times: Times, counts: Counts) -> None:
    """Write the figures as JSON."""
    names = {**counts, **times}
    figures = {
        name: {
            "micros": None if (it := times.get(name)) is None else it._asdict(),
            **counts.get(name, Counted())._asdict(),
        }
        for name in names
    }
    path.write_text(json.dumps(figures, indent=1) + "\n")


def maybe_times(cases: Sequence[Case], processes: int) -> Times:
    """Return the time of each case that runs; nothing without pyperf."""
    if not has_timer():
        print("no times: pyperf is not there (pip install audit-mw[bench])")
        return {}
    found: dict[str, Spread | None] = {}
    for case in cases:
        try:
            found[case.name] = time(case, processes=processes)
        except BrokenRun as error:
            print(f"{case.name}: {error}")

    return found


def maybe_counts(cases: Sequence[Case]) -> Counts:
    """Return the instructions of each case; nothing without valgrind."""
    if not has_counter():
        print("no instructions: valgrind is not there")
        return {}

    return count(cases)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.micro")
    parser.add_argument("words", nargs="*", help="only those with a word in their name")
    parser.add_argument(
        "--processes", type=int, default=PROCESSES, help="for the times"
    )
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--no-counts", action="store_true")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    cases = chosen(given.words)
    if not cases:
        parser.error("no benchmark has such a word in its name")
    counts = {} if given.no_counts else maybe_counts(cases)
    running = [it for it in cases if not counts.get(it.name, Counted()).reason]
    times = {} if given.no_times else maybe_times(running, given.processes)
    print(*table(cases, times, counts), sep="\n")
    if given.json:
        write(given.json, times, counts)


if __name__ == "__main__":
    main()
