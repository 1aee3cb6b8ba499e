# What a disk that stalls does to the answers of a server: `python -m
# tests.torture.disk_stalls` prints a table.
#
# Two stalls: writes to the segment that take two seconds each, by strace on the threads
# that do not serve; and a file system that is frozen for two seconds. Each with the
# journal on the disk that stalls, and with the journal on a tmpfs. The first rows are
# the same server with nothing stalled.
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tests.torture.disk_client import Load, loaded
from tests.torture.disk_faults import tracing
from tests.torture.disk_judge import find, flaws
from tests.torture.disk_mounts import Disk, ext4, frozen, tmpfs
from tests.torture.disk_serving import Server

__all__ = ["JOURNALS", "delayed_writes", "stage"]

JOURNALS = ("on the disk", "on a tmpfs")
_SECONDS = 2
_BEFORE, _AFTER = 0.5, 1.5
# How the application alone is answered, in the same table, costs no journal.
_SHARES = {"p50": 0.50, "p99": 0.99, "p99.9": 0.999}


@contextmanager
def stage(
    directory: Path, journal: str, size: str = "64m"
) -> Iterator[tuple[Disk, Server, Load]]:
    """
    Run a server that is asked, with its trail on an ext4 of its own.

    Args:
        directory: for all that it needs.
        journal: where that is, one of JOURNALS.
        size: of the tmpfs.
    """
    memory = directory / "memory"
    with ext4(directory / "disk") as disk, tmpfs(memory, size):
        places = {
            "on the disk": disk.path / "journal",
            "on a tmpfs": memory / "journal",
        }
        options = {"journal_dir": places[journal]}
        trail = disk.path / "trail"
        with loaded(directory, trail, options=options, pause=0.002) as (server, load):
            load.wait(50)
            yield disk, server, load


@contextmanager
def delayed_writes(server: Server, log: Path) -> Iterator[None]:
    """Let each write to the segment of requests take two seconds."""
    pids = [
        int(thread.name)
        for thread in Path(f"/proc/{server.worker}/task").iterdir()
        if int(thread.name) != server.worker  # serves, and is to have no tracer
    ]
    fault = f"write:delay_enter={_SECONDS}s"
    with tracing(pids, [server.segment()], log, fault):
        yield


Stall = Callable[[Disk, Server, Path], AbstractContextManager[None]]
_STALLS: dict[str, Stall] = {
    "none": lambda _disk, _server, _log: nullcontext(),
    "writes": lambda _disk, server, log: delayed_writes(server, log),
    "frozen": lambda disk, _server, _log: frozen(disk.path),
}


def _measure(directory: Path, journal: str, stall: str) -> str:
    with stage(directory, journal) as (disk, server, load):
        time.sleep(_BEFORE)
        begin = time.monotonic()
        with _STALLS[stall](disk, server, directory / "strace"):
            time.sleep(_SECONDS)
        time.sleep(_AFTER)
        end = time.monotonic()
        answers = [a for a in load.answers if begin <= a.ended and a.began <= end]
        server.running.end()
        wrong = flaws(find(server.trail), load.answered(200), server.called())
    times = sorted(1000 * (a.ended - a.began) for a in answers if a.status == 200)
    shown = [f"{times[int(share * len(times))]:9.2f}" for share in _SHARES.values()]
    refused = sum(answer.status != 200 for answer in answers)

    return "".join(
        [
            f"{stall:8}{journal:14}{len(times):8}{refused:9}",
            *shown,
            f"{times[-1]:9.2f}  {'; '.join(wrong[:3]) or 'all on record'}",
        ]
    )


def main() -> None:
    """Print a row for each stall and each place of the journal."""
    heads = "".join(f"{head:>9}" for head in (*_SHARES, "max"))
    print(f"{'stall':8}{'journal':14}{'answers':>8}{'refused':>9}{heads}  (ms)")
    for stall in _STALLS:
        for journal in JOURNALS:
            with tempfile.TemporaryDirectory() as directory:
                print(_measure(Path(directory), journal, stall), flush=True)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("needs root: it mounts and freezes a file system")
    main()
