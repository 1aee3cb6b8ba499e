# How cost grows: with workers, connections, params, and the trail that is there.
#
#     python -m benchmarks.scale [workers|connections|params|trail ...] [--short]
#         [--trail 10GiB] [--connections 10000] [--seconds 2] [--svg DIRECTORY]
#
# What is shown is what the middleware adds to the application alone, in CPU time: it
# depends less on what else runs than a rate. Each curve ends with its slope.
import argparse
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.micro.running import python
from benchmarks.scale_server import server_micros
from benchmarks.slopes import Curve, Point, drawn, lines
from benchmarks.trails import fill
from benchmarks.uvicorn_workers import APPS, raise_limit

__all__ = ["Plan", "connections_curves", "main", "params_curves", "plan", "size"]

_SOURCES = ("query", "form", "json", "multipart", "cookies")
_MICROS = "us CPU a request"
_SPARE = 200  # descriptors beside those of the connections
_SMALL = 4096  # bytes of the smallest segment
_FEW = 200  # connections that our own client can have, a thread to each


class Plan(NamedTuple):
    """The inputs of all curves, and how long each point is measured."""

    workers: Sequence[int]
    connections: Sequence[int]
    params: Sequence[int]
    sources: Sequence[str]
    trail: Sequence[int]
    seconds: float


def plan(given: argparse.Namespace) -> Plan:
    """Return what is to be measured."""
    if given.short:
        return Plan((1, 2), (2, 4), (1, 100), ("query",), (_SMALL, 1 << 20), 0.1)
    decades = [10**power for power in range(1, 5)]
    connections = [it for it in decades if it < given.connections]

    return Plan(
        (1, 2, 4, 8),
        (*connections, given.connections),
        (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000),
        _SOURCES,
        [_SMALL, *(it for it in _sizes(given.trail) if it > _SMALL)],
        given.seconds,
    )


def _sizes(most: int) -> Sequence[int]:
    return most // 1000, most // 30, most


# --- under a server


def _server_curves(
    axis: str, inputs: Sequence[int], measure: Callable[[str, int], Point]
) -> Iterator[Curve]:
    added, rates = [], []
    for number in inputs:
        found = {app: measure(app, number) for app in random.sample([*APPS], len(APPS))}
        added.append(Point(number, found["with"].y - found["alone"].y))
        rates.append(Point(number, found["with"].x))
    yield Curve("added", axis, _MICROS, added)
    yield Curve("with the middleware", axis, "requests a second", rates)


def workers_curves(what: Plan) -> Iterator[Curve]:
    """Yield what is added, and the rate, for each number of workers."""
    return _server_curves(
        "workers",
        what.workers,
        lambda app, number: server_micros(app, number, 8 * number, what.seconds),
    )


def connections_curves(what: Plan) -> Iterator[Curve]:
    """Yield what is added, and the rate, for each number of connections."""
    possible = [
        it
        for it in what.connections
        if raise_limit(it + _SPARE) and (it <= _FEW or shutil.which("h2load"))
    ]
    left_out = sorted({*what.connections} - {*possible})
    if left_out:
        print(f"left out: {left_out} connections (needs h2load, and `ulimit -n`)")

    return _server_curves(
        "connections",
        possible,
        lambda app, number: server_micros(app, 1, number, what.seconds),
    )


# --- in a process of its own


def params_curves(what: Plan) -> Iterator[Curve]:
    """Yield what is added for each number of params, from each source."""
    for source in what.sources:
        points = []
        for number in what.params:
            options = [source, str(number), str(what.seconds)]
            said = python(["-m", "benchmarks.scale_worker", "params", *options], None)
            found = json.loads(said)
            points.append(Point(number, found["with"] - found["alone"]))
        yield Curve(f"added, {source}", "params", _MICROS, points)


def trail_curves(what: Plan) -> Iterator[Curve]:
    """Yield what a start, a request and an adoption cost, by the trail's size."""
    found = []
    for number in what.trail:
        with tempfile.TemporaryDirectory() as name:
            trail = Path(name, "trail")
            fill(trail, number)
            # The first has nothing to adopt, and leaves its journal to the second.
            for _ in range(2):
                options = ["trail", str(what.seconds)]
                said = python(
                    ["-m", "benchmarks.scale_worker", *options], None, trail=trail
                )
            found.append((number, json.loads(said)))
            if not found[-1][1]["adopted"]:
                raise RuntimeError("no journal was left to adopt")
    for name in ("start", "request", "recover"):
        points = [Point(number, figures[name]) for number, figures in found]
        yield Curve(name, "bytes of the trail", "us CPU", points)


_CURVES = {
    "workers": workers_curves,
    "connections": connections_curves,
    "params": params_curves,
    "trail": trail_curves,
}
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def size(text: str) -> int:
    """Return the bytes of `10GiB`; ValueError, if it is none."""
    digits = text.rstrip("BGKMi")
    unit = text.removeprefix(digits)
    if unit not in _UNITS:
        raise ValueError(text)

    return int(digits) * _UNITS[unit]


def _save(directory: Path, name: str, curves: Sequence[Curve]) -> None:
    # Curves of other units have a picture of their own.
    directory.mkdir(parents=True, exist_ok=True)
    for unit in dict.fromkeys(curve.y for curve in curves):
        alike = [curve for curve in curves if curve.y == unit]
        path = directory / f"{name}-{unit.replace(' ', '-')}.svg"
        path.write_text(drawn(name, alike))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale")
    parser.add_argument("curves", nargs="*", help=f"of {', '.join(_CURVES)}; else all")
    parser.add_argument("--trail", type=size, default="64MiB", help="the largest one")
    parser.add_argument("--connections", type=int, default=10_000, help="the most")
    parser.add_argument("--seconds", type=float, default=2, help="of each point")
    parser.add_argument("--short", action="store_true", help="two points to a curve")
    parser.add_argument("--svg", type=Path, help="directory for pictures")
    given = parser.parse_args()
    unknown = {*given.curves} - {*_CURVES}
    if unknown:
        parser.error(f"no such curve: {', '.join(sorted(unknown))}")
    for name in given.curves or _CURVES:
        curves = list(_CURVES[name](plan(given)))
        for curve in curves:
            print(*lines(curve), "", sep="\n", flush=True)
        if given.svg:
            _save(given.svg, name, curves)


if __name__ == "__main__":
    main()
