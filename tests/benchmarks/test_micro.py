# The micro-benchmarks: their table, and that each runs. What they find is no matter of
# a test.
import json
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.costs import Spread
from benchmarks.micro.__main__ import table, write
from benchmarks.micro.cases import CASES, Case, chosen, ready
from benchmarks.micro.counting import Counted, count, has_counter
from benchmarks.micro.running import BrokenRun, python
from benchmarks.micro.timing import has_timer, time
from tests.benchmarks.sources import write_sources

IDS = chosen(["event id"])
READY = """
import json
from benchmarks.micro.cases import CASES, ready
wrong = {}
for case in CASES:
    try:
        ready(case)
    except Exception as error:
        wrong[case.name] = repr(error)
print(json.dumps(wrong))
"""

needs_counter = pytest.mark.skipif(not has_counter(), reason="no valgrind")


def test_each_runs() -> None:
    """
    Every case of the table can be called with this tree.
    """
    wrong = json.loads(python(["-c", READY], None))

    assert wrong == {}


def test_names() -> None:
    """
    A name stands for one case, and fits its column.
    """
    names = Counter(case.name for case in CASES)

    assert max(names.values()) == 1
    assert max(map(len, names)) < 34


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], list(CASES), id="no word"),
        pytest.param(["event id", "cookies"], [CASES[5], IDS[0]], id="any of two"),
        pytest.param(["nothing"], [], id="none has it"),
    ],
)
def test_chosen(words: list[str], expected: list[Case]) -> None:
    """
    A word chooses the cases that have it in their name, in the order of the table.
    """
    assert expected == chosen(words)


def test_not_there() -> None:
    """
    What a revision does not have is told by the lookup.
    """
    with pytest.raises(AttributeError, match="no_such_thing"):
        ready(Case("gone", "ids:no_such_thing", lambda gone: lambda: gone))


@needs_counter
@pytest.mark.long
def test_count(tmp_path: Path) -> None:
    """
    Twice the work is twice the instructions, and a start costs none.
    """
    little = count(IDS, write_sources(tmp_path / "little", 2_000))
    more = count(IDS, write_sources(tmp_path / "more", 4_000))
    ratio = more["event id"].instructions / little["event id"].instructions

    assert 1.8 < ratio < 2.2
    assert 10_000 < little["event id"].instructions < 1_000_000


@needs_counter
@pytest.mark.long
def test_count_of_what_is_missing(tmp_path: Path) -> None:
    """
    What the sources do not have gets the reason, and the others their count.
    """
    found = count(chosen(["event id", "cookies"]), write_sources(tmp_path, 10))
    (missing,) = (it for it in found.values() if it.reason)

    assert "audit_mw.wire" in str(missing.reason)
    assert found["event id"].instructions > 0


@pytest.mark.skipif(not has_timer(), reason="no pyperf")
@pytest.mark.long
def test_time(tmp_path: Path) -> None:
    """
    A call takes some time, the median between the quartiles.
    """
    found = time(IDS[0], write_sources(tmp_path, 10), processes=1)

    assert found is not None
    assert 0 < found.low <= found.median <= found.high


def test_process_fails() -> None:
    """
    A process that fails says what it said.
    """
    with pytest.raises(BrokenRun, match="no such luck"):
        python(["-c", "raise SystemExit('no such luck')"], None)


def test_sources_come_first(tmp_path: Path) -> None:
    """
    A process has the sources that it is given, not those that are installed.
    """
    source = write_sources(tmp_path, 1)
    said = python(["-c", "import audit_mw; print(audit_mw.__file__)"], source)

    assert Path(said.strip()).is_relative_to(source)


def test_table() -> None:
    """
    A line has both figures, or why there is none.
    """
    cases = chosen(["event id", "cookies"])
    counts = {cases[0].name: Counted(reason="gone"), "event id": Counted(1234)}
    _, first, second = table(cases, {"event id": Spread(1, 2, 3)}, counts)

    assert first.split() == "wire: cookies, typical cannot run: gone".split()
    assert second.split() == "event id 1,234 2.00 (1.00 to 3.00)".split()


def test_figures_as_json(tmp_path: Path) -> None:
    """
    The figures can be kept.
    """
    path = tmp_path / "figures.json"
    write(path, {"a": Spread(1, 2, 3)}, {"a": Counted(5), "b": Counted(reason="gone")})
    a = {
        "micros": {"low": 1, "median": 2, "high": 3},
        "instructions": 5,
        "reason": None,
    }
    b = {"micros": None, "instructions": 0, "reason": "gone"}

    assert json.loads(path.read_text()) == {"a": a, "b": b}
