# kill -9 of loaded servers at random instants, and the judgement over their trail.
#
# Several servers write to one trail at once, and each is killed on its own: while it
# starts, adopts, serves, or writes. A round has a trail of its own; at its end what the
# dead left is adopted in one of the ways there are, and the files are judged.
#
# `python -m tests.torture.kills --count 2000 --seed 1` runs rounds until that many
# processes are killed; a trail that is wrong is kept, and named.
import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.chance import seed_of
from tests.torture.app import witnessed
from tests.torture.judge import complaints, orphans, recover, verify
from tests.torture.load import Load, ask
from tests.torture.prey import Prey

__all__ = ["ENDINGS", "Round", "loaded", "main", "rounds", "run_round"]

_SECONDS = 60  # until a test gives up on a server that does not come back
_ROUND = 100  # kills; so what is wrong stands in a trail that can be looked at
_IDLE = 1.5  # seconds that a process is given to serve
_LIFE = 0.3  # seconds at most from the first request of a process to its end


@dataclass
class Round:
    """
    One trail, and what is to be done to it.

    Args:
        names: the servers; a name may come twice.
        kills: how many processes are killed in all.
        seed: of all that is random.
        ending: a key of ENDINGS.
    """

    names: Sequence[str]
    kills: int
    seed: int
    ending: str
    killed: int = 0
    requests: int = 0
    answered: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = f"seed {self.seed}, {self.killed} kills, then {self.ending}: "

        return f"{said}{self.requests} requests, {self.answered} answered whole"


def run_round(plan: Round, directory: Path) -> Round:
    """Kill, let adopt, judge; what is wrong stands in the result."""
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        prey = [Prey(name, directory) for name in plan.names]
        for each in prey:
            stack.callback(each.close)
        load = asyncio.run(_attack(plan, prey))
        ENDINGS[plan.ending](prey, directory / "trail")
    plan.requests = len(load.sent)
    plan.answered = sum(status is not None for status in load.sent.values())
    plan.wrong = complaints(
        directory / "trail",
        load.sent,
        witnessed(directory),
        witnessed(directory, "said"),
    )
    plan.wrong += verify(directory / "trail")

    return plan


def loaded(
    name: str,
    directory: Path,
    end: Callable[[Prey], object],
    environ: Mapping[str, str] | None = None,
) -> Load:
    """
    Load a server, and end it under the load.

    Args:
        name: a key of PREY.
        directory: of trail and witnesses.
        end: ends it.
        environ: more of its environment.
    """
    prey = Prey(name, directory, environ=environ, patient=True)
    try:
        return asyncio.run(_loaded(prey, end))
    finally:
        prey.close()


async def _loaded(prey: Prey, end: Callable[[Prey], object]) -> Load:
    load = Load(0)
    load.add(prey.port, clients=6)
    await load.requests(200)
    await asyncio.to_thread(end, prey)
    await load.end()

    return load


async def _attack(plan: Round, prey: Sequence[Prey]) -> Load:
    load = Load(plan.seed)
    for each in prey:
        sync = each.name == "gunicorn sync"
        load.add(each.port, clients=4 if sync else 8, hanging=0 if sync else 2)
    async with asyncio.TaskGroup() as group:
        for number, each in enumerate(prey):
            chance = random.Random(plan.seed * 1000 + number)
            group.create_task(_hunt(plan, each, chance))
    await load.end()

    return load


async def _hunt(plan: Round, prey: Prey, chance: random.Random) -> None:
    while plan.killed < plan.kills:
        pid = await _found(prey, chance)
        plan.killed += 1
        prey.kill(pid)


async def _found(prey: Prey, chance: random.Random) -> int:
    """Return whom to kill, at the moment when it is to be killed."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        pid = prey.pick(chance)
        if pid is None:
            await asyncio.sleep(0.005)
        elif chance.random() < 0.15:  # while it starts, and adopts
            await asyncio.sleep(chance.random())
            return pid
        elif await _served(prey, pid):
            await asyncio.sleep(chance.random() * _LIFE)
            return pid

    raise AssertionError(f"{prey.name} does not start:\n{prey.said()[-4000:]}")


async def _served(prey: Prey, pid: int) -> bool:
    # A worker may get no connection, where others have them all: it is killed idle.
    until = time.monotonic() + _IDLE
    while time.monotonic() < until and not prey.is_up(pid):
        if pid not in prey.serving():
            return False
        await asyncio.sleep(0.005)

    return True


# --- how what the dead left gets into the trail


def _by_command(prey: Sequence[Prey], trail: Path) -> None:
    for each in prey:
        each.stop(signal.SIGKILL)
    recover(trail)


def _by_start(prey: Sequence[Prey], trail: Path) -> None:
    for each in prey:
        each.stop(signal.SIGKILL)
    prey[0].start()
    _await_adoption(prey[0], trail)


def _by_the_living(prey: Sequence[Prey], trail: Path) -> None:
    for each in prey[1:]:
        each.stop(signal.SIGKILL)
    _await_adoption(prey[0], trail)


def _await_adoption(living: Prey, trail: Path) -> None:
    # Most open the trail at their first request.
    assert ask(living.port, "/quick") == 200
    until = time.monotonic() + _SECONDS
    while orphans(trail) and time.monotonic() < until:
        time.sleep(0.05)
    assert not orphans(trail), living.said()[-4000:]
    living.stop()
    if orphans(trail):  # of workers whose requests hung, and that their master killed
        recover(trail)


ENDINGS = {
    "recover": _by_command,
    "a new process": _by_start,
    "the living": _by_the_living,
}


# --- at length


_MIXES = [
    ("uvicorn", "uvicorn", "gunicorn sync"),
    ("uvicorn", "gunicorn gthread", "gunicorn asgi"),
    ("uvicorn", "gunicorn sync", "gunicorn sync"),
    ("uvicorn workers", "gunicorn gthread", "gunicorn sync"),
]


def rounds(count: int, seed: int) -> Iterator[Round]:
    """Yield the rounds of `count` kills."""
    chance = random.Random(seed)
    for start in range(0, count, _ROUND):
        yield Round(
            names=_MIXES[start // _ROUND % len(_MIXES)],
            kills=min(_ROUND, count - start),
            seed=chance.randrange(1 << 30),
            ending=chance.choice([*ENDINGS]),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run rounds until so many processes are killed; return an exit code."""
    parser = argparse.ArgumentParser(prog="tests.torture.kills")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=seed_of("TORTURE_SEED"))
    options = parser.parse_args(arguments)
    print(f"kills: --count {options.count} --seed {options.seed}", flush=True)
    bad = 0
    for plan in rounds(options.count, options.seed):
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        print(run_round(plan, directory), flush=True)
        if plan.wrong:
            bad += 1
            print(f"WRONG, kept in {directory}", *plan.wrong, sep="\n  ", flush=True)
        else:
            shutil.rmtree(directory)

    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
