# Many processes on one trail, while its files are renamed and the clock is moved.
#
# libfaketime gives the processes a clock that a file of ours moves: into the next hour,
# a segment each, and back by one. Only the wall clock: no process may need it to be
# right. Files are renamed as logrotate does it, with `create` off.
import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from pathlib import Path

from tests.torture.children import crew, judged, said
from tests.torture.judge import Trail

__all__ = ["FAKETIME", "moved_clock", "run_many", "set_clock"]

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
_PAUSE = 0.05
_SECOND = 20  # renames in a second
_EACH = 4  # renames until the clock is moved
# Seconds beside the true time: on, on, an hour back, and over midnight.
_CLOCKS = (0, 3600, 7200, 3600, 10_800, 86_400, 82_800, 90_000)


def moved_clock(file: Path, seconds: int = 0) -> dict[str, str]:
    """
    Return the environment of a process whose clock a file moves.

    Args:
        file: says by how much.
        seconds: how often it looks there; 0 is at each call, which costs more than the
            record.
    """
    often = ("CACHE_DURATION", f"{seconds}") if seconds else ("NO_CACHE", "1")

    return {
        f"FAKETIME_{often[0]}": often[1],
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def set_clock(file: Path, seconds: int) -> None:
    """Move the clock at once: whoever reads the file finds the whole of it."""
    new = file.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n")
    new.replace(file)


def run_many(
    directory: Path, processes: int, records: int, seconds: int = 0
) -> list[str]:
    """
    Let processes serve so many requests each; return what is wrong.

    Args:
        directory: of trail and witnesses.
        processes: how many; every other one speaks ASGI, the others WSGI.
        records: of each.
        seconds: how often they look for the clock.
    """
    file = directory / "clock"
    set_clock(file, 0)
    tasks = [
        ("serve", ("wsgi", "asgi")[number % 2], str(records))
        for number in range(processes)
    ]
    environ = moved_clock(file, seconds)
    with crew(
        directory, *tasks, options={"rotate": "hour"}, environ=environ
    ) as children:
        _disturb(children, directory / "trail", file, _EACH + seconds * _SECOND)
        ended = [said(child) for child in children]

    return [
        *(f"a child ended with {code}: {errors}" for code, _, errors in ended if code),
        *judged(directory),
        *_uncounted(directory / "trail", processes * records),
        *_gaps(directory / "trail"),
    ]


def _disturb(
    children: Sequence[subprocess.Popen[str]], trail: Path, file: Path, each: int
) -> None:
    clocks = cycle(_CLOCKS)
    for turn in count(1):
        if all(child.poll() is not None for child in children):
            return
        time.sleep(_PAUSE)
        _rename(trail, turn)
        if turn % each == 0:
            set_clock(file, next(clocks))


def _rename(trail: Path, turn: int) -> None:
    for stream in ("request", "values"):
        for path in (trail / stream).glob("*.log"):
            path.rename(path.with_name(f"{path.name}.{turn}"))


def _uncounted(trail: Path, due: int) -> Iterator[str]:
    lines = sum(
        path.read_bytes().count(b"\n") - 1
        for path in (trail / "request").iterdir()
        if path.stat().st_size
    )
    if lines != due:
        yield f"{lines} lines where {due} must stand"


def _gaps(trail: Path) -> Iterator[str]:
    # A file that is renamed is no gap, and a clock that is moved is none.
    for line in Trail(trail).of_type("log_gap"):
        yield f"a gap: {line.cells}"
