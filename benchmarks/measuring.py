# One contender in one round: a server of its own, a warm-up, the load, and then a look
# at what it recorded. A contender that did not do what it is called would be cheap.
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import BASES, CONTENDERS
from benchmarks.costs import Measured, Round
from benchmarks.load import Load, loaded
from benchmarks.processes import cpu_micros, workers
from benchmarks.servers import pinned, serving
from benchmarks.typical import Request

__all__ = ["FAILURES", "measure", "reason", "recorded", "rounds_of"]

# What a server that does not start, does not answer or is not there ends in.
FAILURES = (OSError, RuntimeError, ValueError, subprocess.SubprocessError)
_WARM, _PATIENCE = 1, 30  # seconds


def measure(server: str, contender: str, request: Request, seconds: float) -> Measured:
    """Return what one contender costs; RuntimeError, if it does not serve."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with (
            serving(server, contender, directory) as (pid, port),
            pinned(server_side=False),
        ):
            warm = loaded(port, request, min(_WARM, seconds)).answers
            (worker,) = workers(pid)  # a server listens before it has any
            cpu, start = cpu_micros(worker), time.monotonic()
            found = _answered(port, request, seconds)
            taken, passed = cpu_micros(worker) - cpu, time.monotonic() - start
        share = recorded(contender, directory) / (warm + found.answers)

    # What is on its way when a load ends is answered, but counted by nobody.
    return Measured(
        taken / found.answers,
        found.answers / passed,
        found.p50,
        found.p99,
        min(1.0, _checked(contender, share)),
    )


def _answered(port: int, request: Request, seconds: float) -> Load:
    # Where none came in time there are still those to answer that were given up: with
    # the same time again it would be none for ever.
    while not (found := loaded(port, request, seconds)).answers:
        if seconds > _PATIENCE:
            raise RuntimeError(f"no answer in {seconds:g} s")
        seconds *= 4

    return found


def _checked(contender: str, share: float) -> float:
    # Peers may lose what they like, and the report says so.
    if contender in BASES[1:] and share < 1:
        raise RuntimeError(f"{contender}: records of {share:.1%} of the requests")

    return share


def recorded(contender: str, directory: Path) -> int:
    """Return how many requests its records tell of, once its server has ended."""
    evidence, mark = CONTENDERS[contender].evidence, CONTENDERS[contender].mark
    files = directory.glob(evidence) if evidence else ()

    return sum(path.read_bytes().count(mark) for path in files)


def reason(error: BaseException) -> str:
    """Return what a failure says, as one line."""
    lines = str(error).strip().splitlines()

    return f"{type(error).__name__}: {lines[-1] if lines else ''}"


def rounds_of(
    server: str, request: Request, names: Sequence[str], rounds: int, seconds: float
) -> tuple[list[Round], dict[str, str]]:
    """
    Return the measurements of all rounds, and what is wrong with whom.

    In each round each contender runs once, in random order. Who fails is not asked
    again, and the others go on: a run is an hour.
    """
    broken: dict[str, str] = {}
    done: list[Round] = []
    for _ in range(rounds):
        found = {}
        for name in random.sample(names, len(names)):
            if name not in broken:
                try:
                    found[name] = measure(server, name, request, seconds)
                except FAILURES as error:
                    broken[name] = reason(error)
        done.append(found)

    return done, broken
