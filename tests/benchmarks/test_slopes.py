# Slopes of curves, and their picture.
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from benchmarks.slopes import Curve, Point, drawn, exponent, linear, lines

DECADES = [10**power for power in range(6)]


def points(cost: Callable[[int], float]) -> list[Point]:
    """Return a cost at each decade."""
    return [Point(x, cost(x)) for x in DECADES]


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        pytest.param(lambda _: 7, 0, id="flat"),
        pytest.param(lambda x: 3 * x, 1, id="linear"),
        pytest.param(lambda x: x * x / 9, 2, id="square"),
        pytest.param(lambda x: 3 * x if x >= 100 else 300, 1, id="fixed cost"),
    ],
)
def test_exponent(cost: Callable[[int], float], expected: float) -> None:
    """
    The exponent is that of the far points, where a fixed cost does not hide it.
    """
    assert exponent(points(cost)) == pytest.approx(expected)


def test_linear() -> None:
    """
    What one more costs is told without what all cost.
    """
    assert linear(points(lambda x: 40 + 3 * x)) == pytest.approx(3)


@pytest.mark.parametrize(
    "few",
    [
        pytest.param([], id="none"),
        pytest.param([Point(1, 1)], id="one"),
        pytest.param([Point(2, 1), Point(2, 9)], id="one input twice"),
    ],
)
def test_no_slope(few: list[Point]) -> None:
    """
    One input has no slope.
    """
    assert (exponent(few), linear(few)) == (None, None)


def test_no_logarithm() -> None:
    """
    What noise made negative is left out of an exponent.
    """
    noisy = [Point(1, -5), *points(lambda x: 2 * x)]

    assert exponent(noisy) == pytest.approx(1)


def test_lines() -> None:
    """
    A table ends with both slopes, each named.
    """
    curve = Curve("added", "params", "us", points(lambda x: 2 * x))
    first, *_, power, more = lines(curve)

    assert first == "added: us over params"
    assert power.split() == ["exponent", "1.00", "(log-log)"]
    assert more.split() == "linear 2.0000 us for one more of params".split()


def test_drawn() -> None:
    """
    A picture has a line for each curve, and a mark for each point that can be shown.
    """
    curves = [
        Curve("a < b", "params", "us", points(lambda x: x)),
        Curve("c", "params", "us", [Point(1, 5), Point(10, -1), Point(100, 5)]),
    ]
    picture = ET.fromstring(drawn("params", curves))
    marks = [it for it in picture.iter() if it.tag.endswith("circle")]
    words = [it.text for it in picture.iter() if it.tag.endswith("text")]

    assert len(marks) == len(DECADES) + 2
    assert {"a < b", "c"} <= set(words)


def test_nothing_to_draw() -> None:
    """
    Without a point there is no picture.
    """
    with pytest.raises(ValueError, match="no point"):
        drawn("params", [Curve("a", "x", "y", [])])
