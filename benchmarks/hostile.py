# What hostile requests cost: how that grows with their size, and beside it what it
# costs the framework to parse the same.
#
#     python -m benchmarks.hostile [--size 1048576] [--only WORD] [--worst 10]
#         [--memory] [--instructions] [--json FILE]
#
# It is in process: ASGI messages through the middleware around an application that only
# reads, the writer's thread counted. The figure is the least CPU time of some runs, at
# the size and at its quarter; the exponent is that of the growth from one to the other:
# 1 is linear. The framework is Starlette with its own limits lifted; where it parses
# nothing (a body that is read as it is), there is none. `--instructions` counts in
# place of time, by callgrind, which is slow; `--memory` adds the peak that tracemalloc
# sees, at the size and at its half.
import argparse
import asyncio
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.frameworks import PARSERS
from benchmarks.hostile_requests import HOSTILE, Hostile

from audit_mw import AuditMiddleware

__all__ = ["audited", "main", "serve"]

CHUNK = 1 << 16  # as servers hand bodies over
TRIES = 3
ENOUGH = 3.0  # seconds of one try, after which there is no second


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read all that comes, and parse none of it."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def audited() -> Iterator[Any]:
    """Give the application with the middleware, its trail in a directory of its own."""
    with tempfile.TemporaryDirectory() as trail:
        wrapped = AuditMiddleware(app, trail=trail, service="bench", min_free="0,0,0")
        try:
            yield wrapped
        finally:
            wrapped._auditor.close()  # noqa: SLF001 - as a server's end would


def serve(application: Any, hostile: Hostile) -> None:
    """Have a request served, to the end of its record."""
    asyncio.run(_serve(application, hostile))


async def _serve(application: Any, hostile: Hostile) -> None:
    messages = _messages(hostile)

    async def receive() -> Any:
        return next(messages)

    async def send(_message: Any) -> None:
        pass

    await application(_scope(hostile), receive, send)


def _messages(hostile: Hostile) -> Iterator[dict[str, Any]]:
    if hostile.messages:
        yield {"type": "websocket.connect"}
        for message in hostile.messages:
            yield {"type": "websocket.receive", "bytes": message}
        yield {"type": "websocket.disconnect", "code": 1000}
    for at in range(0, len(hostile.body), CHUNK):
        chunk = hostile.body[at : at + CHUNK]
        more = at + CHUNK < len(hostile.body)
        yield {"type": "http.request", "body": chunk, "more_body": more}
    yield {"type": "http.request", "body": b"", "more_body": False}


def _scope(hostile: Hostile) -> dict[str, Any]:
    media = [(b"content-type", hostile.media)] if hostile.media else []
    length = str(len(hostile.body)).encode()

    return {
        "type": "websocket" if hostile.messages else "http",
        "method": "POST" if hostile.body else "GET",
        "path": hostile.path.decode("latin-1"),
        "raw_path": hostile.path,
        "query_string": hostile.query,
        "headers": [
            (b"host", b"shop.example"),
            *media,
            *([(b"content-length", length)] if hostile.body else ()),
            *hostile.fields,
        ],
        "scheme": "http",
        "http_version": "1.1",
        "client": ("192.0.2.7", 41522),
    }


class Cost(NamedTuple):
    """
    What one request costs.

    `ours` and `theirs` are in milliseconds or millions of instructions, `memory` is
    the peak in MiB, at the size and at its half.
    """

    name: str
    ours: float
    exponent: float
    theirs: float | None
    memory: tuple[float, float] | None

    @property
    def ratio(self) -> float | None:
        """What it costs us to what it costs the framework."""
        return self.ours / self.theirs if self.theirs else None


def least_millis(work: Callable[[], object]) -> float:
    """Return the least CPU time of some runs, in milliseconds."""
    found: list[float] = []
    while len(found) < TRIES and sum(found) < ENOUGH * 1000:
        start = time.process_time_ns()
        work()
        found.append((time.process_time_ns() - start) / 1e6)

    return min(found)


def _peak(work: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / (1 << 20)
    finally:
        tracemalloc.stop()


def _counted(name: str, size: int, whose: str) -> float:
    """Return the instructions of one run, in millions, start and imports taken off."""
    return _callgrind(name, size, whose) - _callgrind(name, size, "nobody")


def _callgrind(name: str, size: int, whose: str) -> float:
    command = [shutil.which("valgrind") or "valgrind", "--tool=callgrind"]
    command += ["--callgrind-out-file=/dev/null", sys.executable, "-m"]
    command += ["benchmarks.hostile", "--run", whose, "--only", name]
    command += ["--size", str(size)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    (collected,) = (it for it in ran.stderr.splitlines() if "Collected" in it)

    return int(collected.rpartition(":")[2]) / 1e6


@contextmanager
def _work(name: str, size: int, whose: str) -> Iterator[Callable[[], object]]:
    hostile = HOSTILE[name](size)
    if whose == "ours":
        with audited() as application:
            serve(application, HOSTILE[name](64))  # what is made once is made
            yield lambda: serve(application, hostile)
    elif whose == "theirs":
        parse = PARSERS[hostile.kind]
        yield lambda: parse(hostile)
    else:
        yield lambda: None


def measure(name: str, size: int, *, memory: bool, instructions: bool) -> Cost:
    """Return what a request of the table costs."""

    def cost(size: int, whose: str) -> float:
        if instructions:
            return _counted(name, size, whose)
        with _work(name, size, whose) as work:
            return least_millis(work)

    def peak(size: int) -> float:
        with _work(name, size, "ours") as work:
            return _peak(work)

    ours, quarter = cost(size, "ours"), cost(size // 4, "ours")
    is_parsed = HOSTILE[name](64).kind in PARSERS
    theirs = cost(size, "theirs") if is_parsed else None
    peaks = (peak(size), peak(size // 2)) if memory else None
    exponent = math.log(ours / quarter, 4) if quarter > 0 < ours else 0.0

    return Cost(name, ours, exponent, theirs, peaks)


def table(costs: Iterable[Cost], unit: str) -> Iterator[str]:
    """Yield the lines of a table for people."""
    yield f"{'request':34} {unit:>8} exponent framework  ratio  peak MiB (half)"
    for it in costs:
        theirs = "" if it.theirs is None else f"{it.theirs:9.1f}"
        ratio = "" if it.ratio is None else f"{it.ratio:6.2f}"
        peak = f"{it.memory[0]:6.1f} ({it.memory[1]:.1f})" if it.memory else ""
        figures = f"{it.ours:8.1f} {it.exponent:8.2f} {theirs:>9} {ratio:>6}  {peak}"
        yield f"{it.name:34} {figures}"


def main() -> None:
    """Measure, and print: the dearest first."""
    parser = argparse.ArgumentParser(prog="benchmarks.hostile")
    parser.add_argument("--size", type=int, default=1_000_000)  # within max_body
    parser.add_argument("--only", default="", help="names with this in them")
    parser.add_argument("--worst", type=int, default=0, help="so many lines; 0: all")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="file for the numbers")
    given = parser.parse_args()
    if given.run:
        with _work(given.only, given.size, given.run) as work:
            work()
        return
    costs = [
        measure(name, given.size, memory=given.memory, instructions=given.instructions)
        for name in HOSTILE
        if given.only in name
    ]
    costs.sort(key=lambda it: -it.ours)
    unit = "Minstr" if given.instructions else "ms"
    print(*table(costs[: given.worst or None], unit), sep="\n")
    if given.json:
        given.json.write_text(json.dumps([it._asdict() for it in costs], indent=1))


if __name__ == "__main__":
    main()
