# The text of a console, read again: records between whatever else was printed there.
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.trail.samples import nth, spill_of

from audit_mw.cli import main
from audit_mw.event import Param, Spilled
from audit_mw.trail.follow import Follower
from audit_mw.trail.reader import (
    Damage,
    Position,
    find_value,
    read_segment,
    segments,
    trail_of,
)
from audit_mw.trail.record import (
    Record,
    StoredValue,
    draft_event,
    finish_line,
    finish_value_parts,
)

STAMP = b"2026-11-21T05:26:07.000000Z\t019aa4f2-35c3-7a1b-8c4d-000000000001"
LONG = spill_of(b"0123456789" * 3000)


def line(number: int, seq: int | None = None, stream: str = "request") -> bytes:
    """Return the line of a record."""
    draft = draft_event(nth(number, stream=stream))

    return finish_line(draft, number if seq is None else seq, "taken")


ONE, TWO = line(1), line(2)
PARTS = finish_value_parts(STAMP, LONG).splitlines(keepends=True)


def read(path: Path, text: bytes) -> tuple[list[int], list[str], int]:
    """Return the numbers of the records of a console, what is wrong, what was skipped."""
    path.write_bytes(text)
    at = Position()
    items = list(read_segment(path, at))
    numbers = [item.seq for item in items if isinstance(item, Record)]

    return numbers, [i.reason for i in items if isinstance(i, Damage)], at.skipped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(ONE + TWO, ([1, 2], [], 0), id="nothing else"),
        pytest.param(b"hello\n" + ONE + b"\n\nyou\n", ([1], [], 2), id="other text"),
        pytest.param(ONE + TWO + ONE, ([1, 2], [], 0), id="there twice"),
        pytest.param(ONE[:-1] + b"\r\n" + TWO, ([1, 2], [], 0), id="of a terminal"),
        pytest.param(b"web-1  | " + ONE + b"db-1 | x\n", ([1], [], 1), id="compose"),
        pytest.param(
            b"2026-11-21T05:26:07.123456789Z stdout F " + ONE, ([1], [], 0), id="CRI"
        ),
        pytest.param(
            b"2026-11-21T05:26:07.123456789Z " + ONE, ([1], [], 0), id="docker logs -t"
        ),
        pytest.param(b"", ([], [], 0), id="empty"),
        pytest.param(
            b"half" + ONE,
            ([1], ["a record behind 4 bytes of other text on its line"], 0),
            id="behind half a line",
        ),
        pytest.param(
            b"7" + ONE,
            ([1], ["a record behind 1 bytes of other text on its line"], 0),
            id="behind a digit",
        ),
        pytest.param(
            ONE[:200] + b"\n" + ONE,
            ([1], ["a record of which 201 bytes are left"], 0),
            id="torn",
        ),
        pytest.param(
            ONE.replace(b"\t192", b"\t193") + TWO,
            ([2], ["the check does not fit the line"], 0),
            id="rotten",
        ),
        pytest.param(
            ONE + TWO[:-1], ([1], [f"a record of which {len(TWO) - 1} bytes are left"], 0),
            id="on its way",
        ),
    ],
)  # fmt: skip
def test_text(
    tmp_path: Path, text: bytes, expected: tuple[list[int], list[str], int]
) -> None:
    """Each record is found, what is damaged is told, what is foreign is counted."""
    assert expected == read(tmp_path / "console.txt", text)


def test_same_number_of_another_event(tmp_path: Path) -> None:
    """A line with the number of a record takes nothing from it: it is another event."""
    text = line(1, seq=1) + line(2, seq=1)

    assert read(tmp_path / "console.txt", text) == ([1, 1], [], 0)


def test_parts(tmp_path: Path) -> None:
    """A value that came in parts is whole again, whatever stood between them."""
    path = tmp_path / "console.txt"
    path.write_bytes(b"x\n".join(PARTS))

    assert len(PARTS) == 4
    assert find_value(path, LONG.sha256) == LONG.value


@pytest.mark.parametrize(
    ("parts", "found", "wrong"),
    [
        pytest.param([1, 2, 3], False, 3, id="the first is missing"),
        pytest.param([0, 2, 3], False, 2, id="the second is missing"),
        pytest.param([0, 1, 2], False, 0, id="the last is still to come"),
        pytest.param([0, 1, 0, 1, 2, 3], True, 0, id="begun again"),
        pytest.param([0, 1, 2, 3, 0, 1, 2, 3], True, 0, id="twice"),
    ],
)
def test_some_parts(tmp_path: Path, parts: list[int], found: bool, wrong: int) -> None:
    """A part that does not follow the one before is told; a value may come again."""
    path = tmp_path / "console.txt"
    path.write_bytes(b"".join(PARTS[part] for part in parts))
    items = list(read_segment(path))

    assert any(isinstance(item, StoredValue) for item in items) is found
    assert sum(isinstance(item, Damage) for item in items) == wrong


def test_segments_are_no_consoles(tmp_path: Path) -> None:
    """A file in the directory of a stream is a segment, even without its header."""
    path = tmp_path / "request" / "2026-11-21.log"
    path.parent.mkdir()
    path.write_bytes(b"hello\n" + ONE)

    assert any(isinstance(item, Damage) for item in read_segment(path))
    assert trail_of(path) == tmp_path


def test_is_a_trail(tmp_path: Path) -> None:
    """A captured console is a trail of one file, which has all streams."""
    path = tmp_path / "console.txt"
    path.write_bytes(ONE)

    assert segments(path, "request") == segments(path, "fault") == [path]
    assert trail_of(path) == path


def test_follow(tmp_path: Path) -> None:
    """A follower tells what is new of one stream, once."""
    path = tmp_path / "console.txt"
    path.write_bytes(b"hello\n" + ONE + line(1, stream="fault") + TWO[:99])
    follower = Follower(path, "request")
    first = [item.seq for item in follower.poll() if isinstance(item, Record)]
    with path.open("ab") as file:
        file.write(TWO[99:] + ONE + line(3))
    second = [item.seq for item in follower.poll() if isinstance(item, Record)]

    assert (first, second, follower.skipped) == ([1], [2, 3], 1)


def named(text: bytes) -> bytes:
    """Return the line of a record that names the long value."""
    params = (Param("form", b"a", Spilled(len(LONG.value), LONG.sha256)),)
    draft = draft_event(nth(1, params=params))

    return text + finish_line(draft, 1, "taken")


def test_commands(tmp_path: Path) -> None:
    """`tail` and `decode` read a captured console, and say what they skipped."""
    path = tmp_path / "console.txt"
    path.write_bytes(b"hello\n" + named(b"".join(PARTS)) + b"web: started\n")
    run = CliRunner()
    tail = run.invoke(main, ["tail", str(path), "--short"])
    decode = run.invoke(main, ["decode", str(path), "--param", "a", "--raw"])

    skipped = "2 lines that are no records were skipped"
    assert (tail.exit_code, decode.exit_code) == (0, 0)
    assert (skipped in tail.stderr, skipped in decode.stderr) == (True, True)
    assert "GET" in tail.stdout
    assert LONG.value in decode.stdout_bytes


def test_verify(tmp_path: Path) -> None:
    """`verify` judges a captured console: values, numbers, lines, repeats."""
    path = tmp_path / "console.txt"
    path.write_bytes(b"hello\n" + named(b"".join(PARTS)) + TWO + TWO + line(4))
    run = CliRunner().invoke(main, ["verify", "--trail", str(path)])

    assert run.exit_code == 1
    assert "seq 3 of" in run.stdout
    assert "skipped      1 lines" in run.stdout
    assert run.stdout.endswith("1 findings\n")
    assert "repeated     1," in run.stdout


@pytest.mark.parametrize("command", ["close", "expire --keep 400d", "verify"])
def test_commands_that_need_files(command: str) -> None:
    """A command about files says that a console has none."""
    run = CliRunner().invoke(main, command.split(), env={"AUDIT_MW_TRAIL": "stdout"})

    assert run.exit_code == 2
    assert "the trail stdout is the console; name" in run.stderr
