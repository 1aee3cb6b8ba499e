# What it costs that a record outlives a loss of power, not only its process.
#
#     python -m benchmarks.durability [--rounds 5] [--seconds 3] [--clients 64]
#
# uvicorn with the middleware is served with durability `process` and `disk` in each
# round, in random order, under the same load. What counts is the rate, for what is
# waited for is a disk.
import argparse
import os
import random
import statistics
import tempfile
from pathlib import Path

from benchmarks.load import load
from benchmarks.servers import pinned, serving
from benchmarks.typical import REQUESTS

__all__ = ["main"]

DURABILITIES = ("process", "disk")


def rate(durability: str, seconds: int, clients: int) -> float:
    """Return the answers a second."""
    os.environ["AUDIT_MW_DURABILITY"] = durability
    with (
        tempfile.TemporaryDirectory() as directory,
        serving("uvicorn", "middleware", Path(directory)) as (_, port),
        pinned(server_side=False),
    ):
        load(port, REQUESTS["get"], 1, clients)
        answers = load(port, REQUESTS["get"], seconds, clients)

    return answers / seconds


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.durability")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64)
    given = parser.parse_args()
    rounds = [
        {
            each: rate(each, given.seconds, given.clients)
            for each in random.sample(DURABILITIES, len(DURABILITIES))
        }
        for _ in range(given.rounds)
    ]
    for each in DURABILITIES:
        rates = sorted(it[each] for it in rounds)
        print(f"{each:8} {statistics.median(rates):8.0f} requests/s", end="")
        print(f"  ({rates[0]:.0f} to {rates[-1]:.0f})")
    ratios = sorted(it["disk"] / it["process"] for it in rounds)
    print(f"ratio    {statistics.median(ratios):8.2f}", end="")
    print(f"  ({ratios[0]:.2f} to {ratios[-1]:.2f} in {given.rounds} rounds)")


if __name__ == "__main__":
    main()
