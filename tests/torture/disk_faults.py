# System calls of a running server that fail: strace is put on it, and taken off again.
#
# Faults are injected into what a process does to the files of its trail, nothing else.
# The trace says which calls were hit: a fault that never came about proves nothing.
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Trace", "files_of", "tracing"]

_CALL = re.compile(r"^\d+ +(?:\.\.\. )?(\w+)\(", re.MULTILINE)
_HIT = re.compile(r"^\d+ +(\w+)\(.*\((?:INJECTED|DELAYED)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Trace:
    """What strace wrote of the calls on some files."""

    log: Path

    def calls(self) -> Counter[str]:
        """Return how often each system call was made."""
        return Counter(_CALL.findall(self.log.read_text(errors="replace")))

    def hits(self) -> Counter[str]:
        """Return how often a fault was put into each system call."""
        return Counter(_HIT.findall(self.log.read_text(errors="replace")))


@contextmanager
def tracing(
    traced: int | Sequence[int], paths: Iterable[Path], log: Path, *faults: str
) -> Iterator[Trace]:
    """
    Trace a running process, and put faults into its calls, for the time of a `with`.

    Args:
        traced: the pid of the process; or the ids of threads, to trace no others.
        paths: only calls on these files.
        log: where the trace goes.
        faults: as strace takes them, such as `write:error=ENOSPC:when=2..5`.
    """
    injected = [word for fault in faults for word in ("-e", f"inject={fault}")]
    only = [word for path in paths for word in ("-P", str(path))]
    names = sorted({fault.partition(":")[0] for fault in faults})
    trace = ["-e", f"trace={','.join(names)}"] if names else []
    whom = ["-f", "-p", str(traced)]
    if not isinstance(traced, int):
        whom = [word for thread in traced for word in ("-p", str(thread))]
    command = ["strace", *whom, "-o", str(log)]
    strace = subprocess.Popen(
        [*command, *trace, *only, *injected], stderr=subprocess.PIPE, text=True
    )
    try:
        _await_attached(strace)
        yield Trace(log)
    finally:
        strace.send_signal(signal.SIGINT)  # it lets go of the process, unharmed
        strace.communicate()


def _await_attached(strace: subprocess.Popen[str]) -> None:
    assert strace.stderr
    said = ""
    for line in strace.stderr:
        said += line
        if "attached" in line:
            return

    raise RuntimeError(f"strace does not attach: {said}")


def files_of(trail: Path) -> list[Path]:
    """Return the directories and files of a trail, for `tracing`."""
    return [trail, *sorted(trail.rglob("*"))]
