# Many processes on one trail, while its files are renamed and the clock is moved.
#
# clock.c gives the processes a clock that a file of ours moves: into the next hour, a
# segment each, and back by one. Only the wall clock: no process may need it to be
# right. Files are renamed as logrotate does it, without its `create`.
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from pathlib import Path

from tests.torture.children import crew, judged, said
from tests.torture.judge import Trail

__all__ = ["moved_clock", "run_many", "set_clock"]

# Together much less than the shortest run takes: else its clock may never move.
_PAUSE = 0.02
_EACH = 2  # renames until the clock is moved
# Seconds beside the true time: on, on, an hour back, and over midnight.
_CLOCKS = (3600, 7200, 3600, 10_800, 86_400, 82_800, 90_000, 0)
_SOURCE = Path(__file__).with_name("clock.c")


def moved_clock(directory: Path) -> dict[str, str]:
    """Return the environment of processes whose clock is moved by `set_clock`."""
    set_clock(directory, 0)
    library = directory / "clock.so"
    build = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE)]
    subprocess.run(build, check=True)

    return {"LD_PRELOAD": str(library), "TORTURE_CLOCK": str(directory / "clock")}


def set_clock(directory: Path, seconds: int) -> None:
    """Move the clock at once, by so many seconds from the true time."""
    path = directory / "clock"
    path.touch()
    with path.open("r+b", buffering=0) as file:
        file.write(struct.pack("=q", seconds))


def run_many(directory: Path, processes: int, records: int) -> list[str]:
    """
    Let processes serve so many requests each; return what is wrong.

    Args:
        directory: of trail and witnesses.
        processes: how many; every other one speaks ASGI, the others WSGI.
        records: of each.
    """
    environ = moved_clock(directory)
    tasks = [
        ("serve", ("wsgi", "asgi")[number % 2], str(records))
        for number in range(processes)
    ]
    hourly = {"rotate": "hour"}
    with crew(directory, *tasks, options=hourly, environ=environ) as children:
        _disturb(children, directory)
        ended = [said(child) for child in children]

    return [
        *(f"a child ended with {code}: {errors}" for code, _, errors in ended if code),
        *judged(directory),
        *_uncounted(directory / "trail", processes * records),
        *_gaps(directory / "trail"),
    ]


def _disturb(children: Sequence[subprocess.Popen[str]], directory: Path) -> None:
    clocks = cycle(_CLOCKS)
    for turn in count(1):
        if all(child.poll() is not None for child in children):
            return
        time.sleep(_PAUSE)
        _rename(directory / "trail", turn)
        if turn % _EACH == 0:
            set_clock(directory, next(clocks))


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
