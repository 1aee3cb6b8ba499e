# kill -9 at each system call in turn: of a process that serves, and of one that adopts.
#
# strace ends the process as it enters the Nth call of a name. A worker that is killed
# leaves its journal to the next one on the same trail, which adopts it, and is killed
# in its turn, a call later. So each instant between two calls is the last one once,
# of writing and of adopting alike.
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.serving import BIN
from tests.torture.children import run

__all__ = ["CALLS", "kill_at_each", "strace"]

_RECOVER = (BIN / "audit-mw", "recover", "--trail")

# What a writer and an adopter do to the disk. (A name that is not called costs one run.)
CALLS = (
    *("write", "pwrite64", "ftruncate", "fsync", "fdatasync", "flock", "fallocate"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat"),
    *("mkdir", "msync", "fchmod"),
)
_MOST = 40  # of one name; who makes more of them has shown what it does


def strace(call: str, number: int) -> list[str]:
    """Return a command that kills what it starts at a call."""
    return [
        *("strace", "-f", "-qq", "-o", "/dev/null"),
        *("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"),
    ]


def kill_at_each(
    directory: Path, calls: Sequence[str] = CALLS, every: int = 1
) -> Iterator[str]:
    """
    Kill workers, and who adopts, at each of these calls; yield which was killed where.

    Args:
        directory: of trail and witnesses.
        calls: names of system calls.
        every: take only each so many-th of a name.
    """
    for call in calls:
        for number in range(1, _MOST, every):
            killed = [*_killed(directory, call, number)]
            yield from killed
            if not killed:
                break


def _killed(directory: Path, call: str, number: int) -> Iterator[str]:
    under = strace(call, number)
    code, _, errors = run(directory, "serve_all", under=under)
    assert code in (0, -signal.SIGKILL), errors
    if code:
        yield f"worker at {call} {number}"
    if not (directory / "trail").exists():
        return
    adopter = subprocess.run([*under, *_RECOVER, directory / "trail"], check=False)
    assert adopter.returncode in (0, -signal.SIGKILL)
    if adopter.returncode:
        yield f"adopter at {call} {number}"
