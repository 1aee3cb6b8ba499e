# What changed since a revision: the same micro-benchmarks, with the sources of both.
#
#     python -m benchmarks.compare BASE [WORD...] [--rounds 3]
#
# The benchmarks are those of this tree; only `src` is of the revision, from a worktree
# that is gone afterwards. What the revision cannot run is listed as new.
#
# Instructions are compared as they are. Times are taken in rounds, in each of which
# both have their turn, in random order; the ratio is taken within a round.
import argparse
import random
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.costs import Spread, spread
from benchmarks.micro.cases import Case, chosen
from benchmarks.micro.counting import Counted, count, has_counter
from benchmarks.micro.running import ROOT, BrokenRun
from benchmarks.micro.timing import has_timer, time

__all__ = ["Change", "compared", "lines", "main", "worktree"]


class Change(NamedTuple):
    """
    One benchmark at both revisions: instructions, and the ratio of both figures.

    `reason` says why the base (or, after `now:`, this tree) cannot run it.
    """

    name: str
    before: float = 0
    after: float = 0
    times: Spread | None = None
    reason: str | None = None

    @property
    def ratio(self) -> float | None:
        """Instructions now to those before; without them, time to time."""
        if self.before:
            return self.after / self.before

        return self.times.median if self.times else None


@contextmanager
def worktree(repository: Path, revision: str) -> Iterator[Path]:
    """
    Have a revision checked out for the time of a `with`.

    Raises:
        subprocess.CalledProcessError: there is no such revision.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name, "base")
        git = ["git", "-C", str(repository), "worktree"]
        options = ["--quiet", "--detach", str(directory), revision]
        subprocess.run([*git, "add", *options], check=True)
        try:
            yield directory
        finally:
            subprocess.run([*git, "remove", "--force", str(directory)], check=True)


def compared(cases: Sequence[Case], base: Path, now: Path, rounds: int) -> list[Change]:
    """
    Return what became of each case, what costs more first, and what is new last.

    Args:
        cases: what is run.
        base: directory with the `audit_mw` of the revision.
        now: directory with that of this tree.
        rounds: of times; 0 for instructions only.
    """
    counts = _counts(cases, base, now)
    changes = [_change(case, counts, base, now, rounds) for case in cases]

    return sorted(changes, key=lambda it: -1 if it.ratio is None else -it.ratio)


_Counts = tuple[Mapping[str, Counted], Mapping[str, Counted]]


def _counts(cases: Sequence[Case], base: Path, now: Path) -> _Counts:
    if not has_counter():
        print("no instructions: valgrind is not there")
        return {}, {}
    # Side by side: what else runs moves no count.
    with ThreadPoolExecutor(2) as pool:
        before, after = pool.map(lambda source: count(cases, source), (base, now))

    return before, after


def _change(case: Case, counts: _Counts, base: Path, now: Path, rounds: int) -> Change:
    before, after = (it.get(case.name, Counted()) for it in counts)
    if after.reason:
        return Change(case.name, reason=f"now: {after.reason}")
    if before.reason:
        return Change(case.name, after=after.instructions, reason=before.reason)
    try:
        times = _times(case, base, now, rounds)
    except BrokenRun as error:
        return Change(case.name, reason=str(error).splitlines()[-1])

    return Change(case.name, before.instructions, after.instructions, times)


def _times(case: Case, base: Path, now: Path, rounds: int) -> Spread | None:
    ratios = []
    for _ in range(rounds if has_timer() else 0):
        taken = {
            source: time(case, source, processes=1)
            for source in random.sample((base, now), 2)
        }
        before, after = taken[base], taken[now]
        if before and after:
            ratios.append(after.median / before.median)

    return spread(ratios)


def lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield the table."""
    yield f"{'':34}{'before':>14}{'now':>14}{'ratio':>8}   time, ratio (quartiles)"
    for it in changes:
        if it.ratio is None:
            yield f"{it.name:34}{'new' if it.after else 'no'}: {it.reason}"
            continue
        instructions = f"{'-':>14}{'-':>14}{'-':>8}"
        if it.before:
            instructions = f"{it.before:14,.0f}{it.after:14,.0f}{it.ratio:8.3f}"
        yield f"{it.name:34}{instructions}   {it.times or '-'}"


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.compare")
    parser.add_argument("base", help="a revision, as git knows it")
    parser.add_argument("words", nargs="*", help="only those with a word in their name")
    parser.add_argument("--rounds", type=int, default=3, help="of times; 0 for none")
    given = parser.parse_args()
    cases = chosen(given.words)
    if not cases:
        parser.error("no benchmark has such a word in its name")
    if given.rounds and not has_timer():
        print("no times: pyperf is not there (pip install audit-mw[bench])")
    with worktree(ROOT, given.base) as base:
        changes = compared(cases, base / "src", ROOT / "src", given.rounds)
    print(*lines(changes), sep="\n")


if __name__ == "__main__":
    main()
