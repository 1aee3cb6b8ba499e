# Lines that are no records: named, never dropped and never taken for a record, though
# DuckDB's own reader is silent about several of them.
import gzip
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.query.asking import answer, ask, damages
from tests.trail.samples import event
from tests.upkeep.trails import add, add_values, build

from audit_mw.trail.closing import close_segment
from audit_mw.trail.names import index_path
from audit_mw.trail.reader import Damage, read_segment
from audit_mw.trail.record import Record, header_line

DAY = "2026-11-21.log"
HEADER = header_line("request")
Change = Callable[[list[bytes]], list[bytes]]


def _put(line: bytes) -> Change:
    return lambda lines: [*lines[:2], line, *lines[2:]]


def _changed(old: bytes, new: bytes) -> Change:
    return lambda lines: [*lines[:2], lines[2].replace(old, new, 1), *lines[3:]]


CHANGES = {
    "half a line at the end": lambda lines: [*lines, lines[1][:50]],
    "a line without its LF": lambda lines: [*lines, lines[1][:-1]],
    "a line that lacks the end of its check": lambda lines: [*lines, lines[1][:-5]],
    "too few columns": _put(b"a\tb\n"),
    "too many columns": _changed(b"\n", b"\tmore\n"),
    "an empty line": _put(b"\n"),
    "a header that is not the first": _put(HEADER),
    "no header": lambda lines: lines[1:],
    "half a header": lambda lines: [lines[0][:30], *lines[1:]],
    "a mark of Unicode before it": lambda lines: [
        b"\xef\xbb\xbf" + lines[0],
        *lines[1:],
    ],
    "CR": _changed(b"\t/", b"\t/\r"),
    "CR before LF": _changed(b"\n", b"\r\n"),
    "another length": _changed(b"\tGET\t", b"\tGETS\t"),
    "no number": _changed(b"\t200\t", b"\t2x0\t"),
    "a line cut out of": _changed(b"192.0.2.7", b""),
    "two lines that are one": _changed(b"\n", b""),
}


def trail_with(tmp_path: Path, change: Change) -> Path:
    """Write a segment, its lines changed."""
    path = add(tmp_path, DAY, *((seq, event(status=200)) for seq in range(1, 7)))
    lines = change(path.read_bytes().splitlines(keepends=True))
    path.write_bytes(b"".join(lines))

    return path


def read(path: Path) -> tuple[list[int], list[str]]:
    """Return what our reader has: numbers of records, and damage."""
    items = list(read_segment(path))
    numbers = [item.seq for item in items if isinstance(item, Record)]

    return numbers, [str(item) for item in items if isinstance(item, Damage)]


@pytest.mark.parametrize(
    "verify", [False, pytest.param(True, marks=pytest.mark.long)], ids=["", "verified"]
)
@pytest.mark.parametrize("name", CHANGES)
def test_damage(tmp_path: Path, name: str, verify: bool) -> None:
    """What our reader names as damage is named, and the other lines are records."""
    path = trail_with(tmp_path, CHANGES[name])
    numbers, named = read(path)
    sql = "SELECT seq, status FROM request ORDER BY seq"
    rows, found = ask(tmp_path, sql, verify=verify)

    assert named
    assert sorted(numbers) == [row[0] for row in rows]
    if verify or "no number" not in name:
        assert named == [str(each) for each in found]
    assert [each.split(":")[1] for each in named] == [str(it.line) for it in found]


def test_header_of_another(tmp_path: Path) -> None:
    """A header of another stream is a header, and the records are records."""
    trail_with(tmp_path, lambda lines: [header_line("fault"), *lines[1:]])

    assert answer(tmp_path, "SELECT count(*) FROM request") == [(6,)]


@pytest.mark.long
def test_long_line(tmp_path: Path) -> None:
    """A value that is longer than DuckDB's buffers is there all the same."""
    long = b"x" * (18 << 20)
    add_values(tmp_path, DAY, b"short", long)
    rows = answer(tmp_path, "SELECT octet_length(value) FROM spilled ORDER BY 1")

    assert rows == [(5,), (18 << 20,)]


def test_lines_of_any_length(tmp_path: Path) -> None:
    """A segment with a long line is read whole, and its damage is named once."""
    long = b"x" * (2 << 20)
    add_values(tmp_path, DAY, b"short")
    path = add_values(tmp_path, "2026-11-22.log", b"shorter", long)
    sizes = "SELECT octet_length(value) FROM spilled ORDER BY 1"

    assert answer(tmp_path, sizes) == [(5,), (7,), (2 << 20,)]
    with path.open("ab") as file:
        file.write(b"nobody wrote this\n")
    rows, found = ask(tmp_path, sizes)
    assert rows == [(5,), (7,), (2 << 20,)]
    assert [(each.path, each.line) for each in found] == [(path, 4)]


def test_number_that_is_none(tmp_path: Path) -> None:
    """A cell that its column cannot have is named where it is asked for."""
    trail_with(tmp_path, CHANGES["no number"])

    assert damages(tmp_path, "SELECT status FROM request") == [
        f"request/{DAY}:3: at byte 391: a value that the column cannot have: status"
    ]


def test_damage_is_a_table(tmp_path: Path) -> None:
    """A question can ask for what was damaged."""
    path = trail_with(tmp_path, _put(b"a\tb\n"))
    sql = 'SELECT file, line, "offset", reason FROM damaged, (SELECT count(*) FROM request)'
    rows, _ = ask(tmp_path, sql)

    begin = len(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert rows == [(str(path), 3, begin, "2 columns where 25 must stand")]


def test_check(tmp_path: Path) -> None:
    """With `verify` a changed byte is found; without it a line is believed."""
    trail_with(tmp_path, _changed(b"192.0.2.7", b"192.0.2.8"))
    sql = "SELECT count(*) FROM request"

    assert ask(tmp_path, sql) == ([(6,)], [])
    rows, found = ask(tmp_path, sql, verify=True)
    assert rows == [(5,)]
    assert [each.reason for each in found] == ["the check does not fit the line"]


@settings(max_examples=10)
@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    """Whatever a segment became: a line is a record or damage, as our reader has it."""
    with TemporaryDirectory() as name:
        trail = build(Path(name))
        path = trail / "request" / "2026-11-20.log"
        text = path.read_bytes()
        at = data.draw(st.integers(0, len(text)), label="at")
        cut = data.draw(st.integers(0, 40), label="cut")
        more = data.draw(
            st.sampled_from([b"", b"\n", b"\r", b"\0", b"\t", b"#", b'"', b"\xff"])
            | st.binary(max_size=4),
            label="more",
        )
        path.write_bytes(text[:at] + more + text[at + cut :])
        numbers, named = read(path)
        sql = "SELECT seq FROM request WHERE strftime(time, '%d') IS NOT NULL"
        rows, found = ask(trail, sql, verify=True)
        behind, _ = read(trail / "request" / "2026-11-21.log")

        assert sorted(numbers + behind) == sorted(row[0] for row in rows)
        assert named == [str(each) for each in found]


def _archive(tmp_path: Path) -> Path:
    path = add(tmp_path, DAY, *((seq, event()) for seq in range(1, 15_000)))
    close_segment(path, lambda _: None)

    return path.with_name(f"{DAY}.zst")


def test_archive_cut(tmp_path: Path) -> None:
    """An archive that was cut short is damaged; DuckDB alone would not say so."""
    path = _archive(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    numbers, named = read(path)
    rows, found = ask(tmp_path, "SELECT count(*) FROM request")

    assert named == [str(each) for each in found]
    assert rows == [(len(numbers),)]
    assert "archive" in named[0]


@pytest.mark.long
def test_archive_changed(tmp_path: Path) -> None:
    """Of an archive with a damaged frame the others are read."""
    path = _archive(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 4] ^= 1
    path.write_bytes(whole)
    numbers, named = read(path)
    rows, found = ask(tmp_path, "SELECT count(*) FROM request")

    assert 0 < len(numbers) < 14_999
    assert (rows, named) == ([(len(numbers),)], [str(each) for each in found])


def test_archive_without_index(tmp_path: Path) -> None:
    """An index is a help: without it an archive is read from its start."""
    path = _archive(tmp_path)
    index_path(path).unlink()

    assert answer(tmp_path, "SELECT count(*) FROM request") == [(14_999,)]


def test_compressed_by_others(tmp_path: Path) -> None:
    """A segment that gzip made smaller, and one of a name that says nothing of it."""
    path = add(tmp_path, DAY, (1, event()), (2, event()))
    text = path.read_bytes()
    path.with_name(f"{DAY}.1.gz").write_bytes(gzip.compress(text))
    path.with_name(f"{DAY}.2").write_bytes(gzip.compress(text[:400]))
    path.unlink()
    rows, found = ask(tmp_path, "SELECT count(*) FROM request")

    assert rows == [(3,)]
    assert [each.reason for each in found] == ["it does not end with LF"]


def test_console(tmp_path: Path) -> None:
    """The captured text of a console has all streams in it."""
    trail = build(tmp_path / "trail")
    lines = [
        line
        for path in sorted(trail.glob("*/*.log"))
        for line in path.read_bytes().splitlines(keepends=True)[1:]
    ]
    console = tmp_path / "console.txt"
    console.write_bytes(b"Listening on 8000\n" + b"".join(lines) + b"bye\n")

    assert answer(console, "SELECT count(*) FROM events") == [(17,)]
    assert answer(console, "SELECT count(*) FROM spilled") == [(4,)]


def test_strange_names(tmp_path: Path) -> None:
    """Names of directories and segments are names, whatever DuckDB makes of such."""
    trail = tmp_path / "a*[b] 'c'=1"
    path = add(trail, DAY, (1, event()))
    path.rename(path.with_name("2026-11-21.log.*=?[x] 'y\n"))
    add(trail, DAY, (2, event()))

    assert answer(trail, "SELECT seq FROM request ORDER BY seq") == [(1,), (2,)]
