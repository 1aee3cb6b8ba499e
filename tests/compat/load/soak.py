# Mixed load for minutes, constant after a warm-up, while memory and descriptors of each
# worker are noted every second: both must be flat.
#
#     python -m tests.compat.load.soak --minutes 10 [--server uvicorn] [--bare]
#
# --bare serves without the middleware: what then grows is not ours.
import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.processes import descriptors, resident
from tests.chance import seed_of
from tests.compat.load.client import Client
from tests.compat.load.flat import MIB, Sample, growth, unflat
from tests.compat.load.judge import await_records, complaints
from tests.compat.load.mix import Case, plan
from tests.compat.load.servers import SERVERS, Loaded, loading

__all__ = ["Soaked", "soak"]

_CONNECTIONS = 8
_PER_SECOND = 60  # batches for each server
# A thread of gunicorn opens an epoll for as long as it waits, with us and without.
_PASSING = ("socket:", "anon_inode:[eventpoll]")
_ENDLESS = 10**7  # requests


class Soaked:
    """One server under load: what was sent, and the samples of each worker."""

    def __init__(self, loaded: Loaded, seconds: float) -> None:
        self.loaded = loaded
        self.samples: dict[int, list[Sample]] = {}
        self._until = time.monotonic() + seconds
        chance = random.Random(seed_of("LOAD_SEED"))
        batches = self._batches(plan(_ENDLESS, loaded.server.left_out, chance))
        # The first third is as fast as it goes: it is to fill all that has a bound.
        fast, pause = time.monotonic() + seconds / 3, _PER_SECOND / _CONNECTIONS
        self.client = Client(
            loaded.running.port,
            batches,
            chance,
            lambda: chance.expovariate(pause) if time.monotonic() > fast else 0,
        )

    def _batches(self, batches: Iterator[list[Case]]) -> Iterator[list[Case]]:
        for batch in batches:
            if time.monotonic() > self._until:
                return
            yield batch

    async def run(self) -> None:
        """Send, and take a sample every second."""
        sampling = asyncio.create_task(self._sample())
        try:
            await self.client.run(_CONNECTIONS)
        finally:
            sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(1)
            for pid, count in self.loaded.counted().items():
                targets = descriptors(pid)
                files = [it for it in targets if not it.startswith(_PASSING)]
                sockets = sum(target.startswith("socket:") for target in targets)
                sample = Sample(count, resident(pid), tuple(sorted(files)), sockets)
                self.samples.setdefault(pid, []).append(sample)

    def wrong(self) -> Iterator[str]:
        """Yield what is wrong with the trail."""
        witnessed = [word for it in self.loaded.witnessed().values() for word in it]
        yield from complaints(self.loaded.trail, self.client.sent, witnessed)


def soak(
    names: list[str], seconds: float, directory: Path, *, bare: bool = False
) -> dict[str, Soaked]:
    """Put servers under load, all at once, and return what was seen."""
    with ExitStack() as stack:
        soaked = {}
        for name in names:
            (directory / name).mkdir()
            loaded = stack.enter_context(loading(name, directory / name, bare=bare))
            soaked[name] = Soaked(loaded, seconds)
        asyncio.run(_all(list(soaked.values())))
        if not bare:
            for it in soaked.values():
                await_records(it.loaded)

    return soaked


async def _all(soaked: list[Soaked]) -> None:
    async with asyncio.TaskGroup() as group:
        for it in soaked:
            group.create_task(it.run())


def report(soaked: dict[str, Soaked]) -> Iterator[str]:
    """Yield a line for each worker, and what is not flat."""
    for name, it in soaked.items():
        for pid, samples in it.samples.items():
            grown = growth(samples)
            yield (
                f"{name} worker {pid}: {samples[-1].requests} requests,"
                f" {samples[-1].resident / MIB:.1f} MiB,"
                f" median {grown.median / MIB:+.3f} MiB,"
                f" {grown.slope:+.1f} bytes a request, {len(samples[-1].files)} files,"
                f" {max(sample.sockets for sample in samples)} sockets at most"
            )
            yield from (f"  NOT FLAT: {said}" for said in unflat(samples))


def main() -> int:
    """Run as a command; 1 where something is not flat."""
    parser = argparse.ArgumentParser(description="memory and descriptors under load")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--server", choices=SERVERS)
    parser.add_argument("--bare", action="store_true", help="without the middleware")
    options = parser.parse_args()
    names = [options.server] if options.server else list(SERVERS)
    with tempfile.TemporaryDirectory() as directory:
        seconds = options.minutes * 60
        soaked = soak(names, seconds, Path(directory), bare=options.bare)
        lines = list(report(soaked))
        if not options.bare:
            lines += [
                f"NOT RIGHT: {said}" for it in soaked.values() for said in it.wrong()
            ]
    print(*lines, sep="\n")

    return int(any("NOT " in line for line in lines))


if __name__ == "__main__":
    sys.exit(main())
