# What Linux says of a process: its children, CPU time, memory and descriptors.
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["children", "cpu_micros", "descriptors", "resident", "workers"]

_PROC = Path("/proc")
_TICK = 1_000_000 // os.sysconf("SC_CLK_TCK")  # microseconds
_PARENT, _USER, _SYSTEM = 1, 11, 12  # fields of stat, counted behind the name


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
    """Return the CPU time that a process has taken, in microseconds."""
    stat = _stat(pid)

    return (int(stat[_USER]) + int(stat[_SYSTEM])) * _TICK


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
