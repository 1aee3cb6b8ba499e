# What Linux says of a process: its children, CPU time, memory and descriptors.
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["children", "cpu_micros", "descriptors", "resident", "workers"]

_PROC = Path("/proc")
_PARENT = 1  # field of stat, counted behind the name
_ALL_THREADS = 2  # what the id of a process's clock ends with, as Linux makes it


def _stat(pid: int) -> list[bytes]:
    # The name stands in parentheses and may hold anything.
    return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()


def children(pid: int) -> list[int]:
    """Return the processes that `pid` started and that run."""
    found = []
    for directory in _PROC.iterdir():
        if directory.name.isdigit():
            with suppress(OSError):  # it may end meanwhile
                if int(_stat(int(directory.name))[_PARENT]) == pid:
                    found.append(int(directory.name))

    return found


def workers(pid: int) -> list[int]:
    """Return the processes that serve for a server: its children, else itself."""
    return children(pid) or [pid]


def cpu_micros(pid: int) -> int:
    """
    Return the CPU time that a process has taken, in microseconds; OSError, if it ended.

    User and system time of all its threads, also of those that have ended. It is what
    clock_getcpuclockid(3) is for: stat has the same in steps of 10 ms only.
    """
    return time.clock_gettime_ns((~pid << 3) | _ALL_THREADS) // 1_000


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    # Not statm: its counters lag behind by up to some hundred pages.
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024

    raise ValueError(f"no Rss of process {pid}")


def descriptors(pid: int) -> list[str]:
    """Return what each open descriptor of a process leads to."""
    found = []
    for link in (_PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):  # it may be closed meanwhile
            found.append(str(link.readlink()))

    return found
