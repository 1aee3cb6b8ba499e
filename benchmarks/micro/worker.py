# The process in which micro-benchmarks run; `counting` and `timing` start it.
#
#     python -m benchmarks.micro.worker NAME...
#
# Each case is called `loops` times, and then twice as often. The difference is what
# `loops` calls cost, and nothing else: no start, no loop's begin, no marker. Callgrind
# is told to write what it counted whenever `getppid` is called, which nobody else does.
# On stdout stands, as JSON, what became of each case: null, or why it cannot run.
import gc
import json
import os
import sys

from benchmarks.micro.cases import CASES, Call, Case, ready

__all__ = ["call_of", "main"]

_BY_NAME = {case.name: case for case in CASES}


def call_of(name: str) -> Call:
    """Return the call of a case; see `ready` for what it raises."""
    call = ready(_BY_NAME[name])
    # What is there since the start would be walked by each full collection.
    gc.collect()
    gc.freeze()

    return call


def run(case: Case) -> str | None:
    """Run a case between three markers; return why it cannot, if so."""
    try:
        call = call_of(case.name)
    except Exception as error:  # noqa: BLE001 - an older revision fails as it likes
        return f"{type(error).__name__}: {error}"
    repeat(call, case.loops)  # caches fill
    os.getppid()
    repeat(call, case.loops)
    os.getppid()
    repeat(call, 2 * case.loops)
    os.getppid()

    return None


def repeat(call: Call, times: int) -> None:
    """Call it so often."""
    for _ in range(times):
        call()


def main(names: list[str]) -> None:
    """Run the cases of these names, and say what became of them."""
    json.dump({name: run(_BY_NAME[name]) for name in names}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
