# Child processes that begin their work at the same time.
#
# Each says that it is ready, and begins when all are. None outlives its block.
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["Worker", "crew", "not_blocking", "outcome", "outcomes"]

ROOT = Path(__file__).parent.parent.parent
_SECONDS = 120  # until a test gives up on a child that hangs

Worker = subprocess.Popen[str]


@contextmanager
def crew(
    size: int,
    task: str,
    *arguments: object,
    under: Sequence[object] = (),
    environ: Mapping[str, str] | None = None,
) -> Iterator[list[Worker]]:
    """
    Start `size` workers on a task of `tests.trail.workers`.

    Args:
        size: how many.
        task: name of the function.
        arguments: of the function, as text.
        under: a command that starts them, such as strace with its options.
        environ: their environment.
    """
    command = (*under, sys.executable, "-m", "tests.trail.workers", task, *arguments)
    workers: list[Worker] = []
    try:
        for _ in range(size):
            worker = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=environ,
            )
            workers.append(worker)
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def outcomes(workers: Sequence[Worker]) -> list[Any]:
    """Wait for the workers to end well; return what each one's task returned."""
    said = [worker.communicate(timeout=_SECONDS)[0] for worker in workers]
    assert [0] * len(workers) == [worker.returncode for worker in workers]

    return [json.loads(text) for text in said]


def outcome(
    task: str,
    *arguments: object,
    under: Sequence[object] = (),
    environ: Mapping[str, str] | None = None,
) -> Any:
    """Run one worker; return what its task returned."""
    with crew(1, task, *arguments, under=under, environ=environ) as workers:
        return outcomes(workers)[0]


@contextmanager
def not_blocking() -> Iterator[None]:
    """Fail, instead of waiting for ever, when the block waits for something."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError("it blocks")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
