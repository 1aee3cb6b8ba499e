# `make torture`: the torture at length, one part after the other, from one seed.
#
# Part 1 kills servers, part 2 is each test that is marked `torture`. A part that fails
# does not keep the next one from running; the exit code tells of all. What is random
# comes from the seed, but instants never come twice: run it again to see it again.
import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chance import seed_of

__all__ = ["main"]

_HERE = Path(__file__).parent


def _parts(kills: int, seed: int, workers: int) -> dict[str, list[str]]:
    counted = ["--count", str(kills), "--seed", str(seed)]

    return {
        "kills": ["-m", "tests.torture.kills", *counted],
        "tests": [
            *("-m", "pytest", "-q", "-m", "torture", "--durations", "12"),
            *("-n", str(workers), str(_HERE)),
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts; return an exit code."""
    parser = argparse.ArgumentParser(prog="tests.torture.run")
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=seed_of("TORTURE_SEED"))
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    print(f"torture: --seed {given.seed}", flush=True)
    environ = {**os.environ, "TORTURE_SEED": str(given.seed)}
    codes = {}
    for name, words in _parts(given.kills, given.seed, given.workers).items():
        start = time.monotonic()
        ended = subprocess.run([sys.executable, *words], check=False, env=environ)
        codes[name] = ended.returncode
        seconds = time.monotonic() - start
        print(f"{name}: exit code {ended.returncode}, {seconds:.0f} s", flush=True)

    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main())
