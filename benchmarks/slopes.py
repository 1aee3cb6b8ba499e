# Points of a curve -> its slope, in one of two words; and the curve as a picture.
#
# `exponent`: the slope of a straight line through the logarithms of both: 0 is flat,
#     1 is as the input, 2 its square. What is fixed in a cost bends such a line, so it
#     is fitted to the points from `KNEE` on where there are three.
# `linear`: so much more for each one more of the input.
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Curve", "Point", "drawn", "exponent", "linear", "lines"]

KNEE = 100
_MARKS = "#4269d0 #efb118 #ff725c #6cc5b0 #3ca951 #ff8ab7 #a463f2".split()
_WIDE, _HIGH, _EDGE = 640, 400, 60


class Point(NamedTuple):
    """An input, and what it costs."""

    x: float
    y: float


class Curve(NamedTuple):
    """A name, the units of both axes, and the points."""

    name: str
    x: str
    y: str
    points: Sequence[Point]


def _slope(points: Sequence[Point]) -> float | None:
    if len({it.x for it in points}) < 2:
        return None
    mean_x = math.fsum(it.x for it in points) / len(points)
    mean_y = math.fsum(it.y for it in points) / len(points)
    across = math.fsum((it.x - mean_x) ** 2 for it in points)

    return math.fsum((it.x - mean_x) * (it.y - mean_y) for it in points) / across


def linear(points: Sequence[Point]) -> float | None:
    """Return what one more costs; None, if there are not two inputs."""
    return _slope(points)


def exponent(points: Sequence[Point]) -> float | None:
    """Return the slope of the logarithms; None, if there are not two inputs."""
    usable = [it for it in points if it.x > 0 and it.y > 0]
    far = [it for it in usable if it.x >= KNEE]
    chosen = far if len(far) > 2 else usable

    return _slope([Point(math.log(it.x), math.log(it.y)) for it in chosen])


def lines(curve: Curve) -> Iterator[str]:
    """Yield the table of a curve, its slope last."""
    yield f"{curve.name}: {curve.y} over {curve.x}"
    for point in curve.points:
        yield f"{point.x:16,.0f} {point.y:16,.2f}"
    power, more = exponent(curve.points), linear(curve.points)
    if power is not None:
        yield f"{'exponent':>16} {power:16.2f}   (log-log)"
    if more is not None:
        yield f"{'linear':>16} {more:16.4f}   {curve.y} for one more of {curve.x}"


# --- a picture


def drawn(title: str, curves: Sequence[Curve]) -> str:
    """Return an SVG with the curves of one pair of units, both axes logarithmic."""
    points = [it for curve in curves for it in curve.points if it.x > 0 and it.y > 0]
    if not points:
        raise ValueError("no point to draw")
    across = _Axis([it.x for it in points], _EDGE, _WIDE - _EDGE)
    up = _Axis([it.y for it in points], _HIGH - _EDGE, _EDGE)
    size = f'width="{_WIDE}" height="{_HIGH}" viewBox="0 0 {_WIDE} {_HIGH}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<g font-family="sans-serif" font-size="11">',
        _text(_EDGE, 20, f"{title}: {curves[0].y} over {curves[0].x}"),
        *_grid(across, up),
    ]
    for number, curve in enumerate(curves):
        parts += _line(curve, _MARKS[number % len(_MARKS)], number, across, up)

    return "\n".join([*parts, "</g>", "</svg>", ""])


class _Axis:
    """Whole powers of ten around the values -> pixels."""

    def __init__(self, values: Sequence[float], start: int, end: int) -> None:
        self._first = math.floor(math.log10(min(values)))
        last = math.ceil(math.log10(max(values)))
        self._last = max(last, self._first + 1)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        part = (math.log10(value) - self._first) / (self._last - self._first)

        return self._start + part * (self._end - self._start)

    def powers(self) -> Iterator[float]:
        return (10.0**each for each in range(self._first, self._last + 1))


def _grid(across: _Axis, up: _Axis) -> Iterator[str]:
    for power in across.powers():
        x = across(power)
        yield _stroke([(x, _EDGE), (x, _HIGH - _EDGE)], "#ddd")
        yield _text(x - 10, _HIGH - _EDGE + 16, f"{power:,g}")
    for power in up.powers():
        y = up(power)
        yield _stroke([(_EDGE, y), (_WIDE - _EDGE, y)], "#ddd")
        yield _text(6, y + 4, f"{power:,g}")


def _line(
    curve: Curve, colour: str, number: int, across: _Axis, up: _Axis
) -> Iterator[str]:
    usable = sorted(it for it in curve.points if it.x > 0 and it.y > 0)
    places = [(across(it.x), up(it.y)) for it in usable]
    yield _stroke(places, colour)
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    yield _text(_EDGE + 8, _EDGE + 12 + 14 * number, curve.name, colour)


def _stroke(places: Sequence[tuple[float, float]], colour: str) -> str:
    shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)

    return f'<polyline points="{shown}" fill="none" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, colour: str = "black") -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;")

    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{safe}</text>'
