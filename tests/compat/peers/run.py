# Peers' own test suites, bare and with every application wrapped: same outcome, test by
# test, and a record of each request. `make test-peers` runs it.
#
# - workplace.py  downloads a suite's source distribution, makes it an environment
# - rewrite.py    has tests that call an application themselves call it wrapped
# - inside/       pytest plugins that run within the suites: outcomes, wraps, counts
# - compare.py    what is wrong
# - suites.py     the table: versions, how each is wrapped, known differences
# - page.py       docs/peers.md, drawn from the table
#
# It ends with 1 at any difference that is not listed, at a listed one that no longer
# occurs, and at any request that has no record or a damaged one.
import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.compat.peers.compare import Report, complaints, differing
from tests.compat.peers.page import write_page
from tests.compat.peers.suites import SUITES, Suite
from tests.compat.peers.workplace import Workplace, build_wheel

__all__ = ["main"]

_FEW = 20  # more differences than that are no accident


def main(arguments: Sequence[str]) -> int:
    """Run the suites that are named, or all; return the exit code."""
    parser = argparse.ArgumentParser(description="Run peers' suites bare and wrapped.")
    parser.add_argument("name", nargs="*", help="of a suite; all without one")
    parser.add_argument("--write", action="store_true", help="write docs/peers.md")
    options = parser.parse_args(arguments)
    if options.write:
        write_page()
        return 0
    chosen = [s for s in SUITES if not options.name or s.name in options.name]

    if not chosen:
        parser.error(f"no such suite: {options.name}")
    well = _run_all(chosen)
    print(f"{well.count(True)} passed, {well.count(False)} failed")

    return int(not all(well))


def _run_all(suites: Sequence[Suite]) -> list[bool]:
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor() as pool:
        wheel = build_wheel(Path(directory))
        places = [Path(directory) / suite.name for suite in suites]

        return list(pool.map(_run, suites, places, [wheel] * len(places)))


def _run(suite: Suite, directory: Path, wheel: Path) -> bool:
    began = time.monotonic()
    place = Workplace(suite, directory, wheel)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run) for run in (place.bare, place.wrapped)]
        bare, wrapped = (run.result() for run in runs)
    _run_again(suite, place, bare, wrapped)
    wrong = [*complaints(suite, bare, wrapped), *_not_anyones(suite, place)]
    _tell(suite, bare, wrapped, wrong, time.monotonic() - began)

    return not wrong


def _run_again(suite: Suite, place: Workplace, bare: Report, wrapped: Report) -> None:
    # A test with a deadline of its own may fail on a busy machine, in either run; a
    # difference of ours comes again.
    found = differing(bare, wrapped).keys() - suite.differences.keys()
    tests = [test for test in found if "[./" not in test]
    if 0 < len(tests) <= _FEW:
        bare.outcomes.update(place.bare(tests).outcomes)
        wrapped.outcomes.update(place.wrapped(tests).outcomes)


def _not_anyones(suite: Suite, place: Workplace) -> list[str]:
    tests = [test for test, found in suite.differences.items() if found.anyones]
    if not tests:
        return []
    outcomes = place.passed_on(tests).outcomes

    return [
        f"{test}: listed as anyone's, but passes with a middleware that passes on"
        for test in tests
        if outcomes.get(test) != "failed"
    ]


def _tell(
    suite: Suite, bare: Report, wrapped: Report, wrong: list[str], seconds: float
) -> None:
    failing = [test for test, how in bare.outcomes.items() if how == "failed"]
    print(
        f"{suite.name} {suite.version}: {bare.passed} of {len(bare.outcomes)} tests "
        f"pass bare, {wrapped.passed} wrapped; {wrapped.requests} requests of "
        f"{len(wrapped.recorded)} tests recorded; {len(suite.differences)} listed "
        f"differences, {len(wrong)} complaints; {seconds:.0f} s",
        *(f"fails bare: {test}" for test in failing),
        *wrong,
        sep="\n  ",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
