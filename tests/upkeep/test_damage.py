# Damage of every kind, in plain and in compressed segments: it is found and named, by
# verify and by the reader, and all else is still readable.
#
# Each case is one of KINDS, done to one line or file of a whole trail, then looked for
# twice: in the segment as it was written, and in the archive that `close` makes of it.
# What is done to the archive itself is at the end.
import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few
from tests.upkeep.trails import FIRST, add, build, numbered

from audit_mw.cli import main
from audit_mw.trail.archive import is_archive
from audit_mw.trail.closing import close_segment
from audit_mw.trail.reader import Damage, read_segment, segments
from audit_mw.trail.record import Record
from audit_mw.verify import Report, verify_trail

DAY, NEXT = "2026-11-20.log", "2026-11-21.log"
COUNT = 8


def whole(trail: Path) -> Path:
    """Return a trail of two days in which nothing is wrong."""
    records = [numbered(seq, FIRST) for seq in range(1, 2 * COUNT + 1)]
    add(trail, DAY, *records[:COUNT])
    add(trail, NEXT, *records[COUNT:])

    return trail / "request" / DAY


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of a plain segment."""
    return path.read_bytes().splitlines(keepends=True)


def flip(lines: list[bytes]) -> list[bytes]:
    """Turn one bit of the fourth record."""
    at = len(lines[4]) // 2
    flipped = lines[4][:at] + bytes([lines[4][at] ^ 1]) + lines[4][at + 1 :]

    return [*lines[:4], flipped, *lines[5:]]


def cut(lines: list[bytes]) -> list[bytes]:
    """Take ten bytes out of the fourth record."""
    return [*lines[:4], lines[4][:-50] + lines[4][-40:], *lines[5:]]


def insert(lines: list[bytes]) -> list[bytes]:
    """Put a line that nobody wrote behind the third record."""
    return [*lines[:4], b"nobody wrote this\n", *lines[4:]]


def insert_end(lines: list[bytes]) -> list[bytes]:
    """Put a line end into the fourth record: two lines, neither of them whole."""
    return [*lines[:4], lines[4][:60] + b"\n" + lines[4][60:], *lines[5:]]


def join(lines: list[bytes]) -> list[bytes]:
    """Take the line end of the fourth record away."""
    return [*lines[:4], lines[4].rstrip(b"\n"), *lines[5:]]


def swap(lines: list[bytes]) -> list[bytes]:
    """Put the fourth record behind the fifth."""
    return [*lines[:4], lines[5], lines[4], *lines[6:]]


def drop(lines: list[bytes]) -> list[bytes]:
    """Take the fourth record away whole."""
    return [*lines[:4], *lines[5:]]


def tear(lines: list[bytes]) -> list[bytes]:
    """End in the midst of the last record."""
    return [*lines[:-1], lines[-1][:200]]


def zero(lines: list[bytes]) -> list[bytes]:
    """Leave zeros where the fourth record was, as a file system may."""
    return [*lines[:4], b"\x00" * (len(lines[4]) - 1) + b"\n", *lines[5:]]


def behead(lines: list[bytes]) -> list[bytes]:
    """Take the header away."""
    return lines[1:]


class Kind(NamedTuple):
    """What is done, what it is called, at which line, and which records it costs."""

    harm: Callable[[list[bytes]], list[bytes]]
    said: str
    line: int
    lost: tuple[int, ...]


MISSING = f"seq 4 of {FIRST} in request is missing before this one"
KINDS = {
    "bit flip": Kind(flip, "the check does not fit the line", 5, (4,)),
    "cut": Kind(cut, "bytes long, but says", 5, (4,)),
    "insertion": Kind(insert, "1 columns where 25 must stand", 5, ()),
    "line end inserted": Kind(insert_end, "columns where 25 must stand", 5, (4,)),
    "line end lost": Kind(join, "columns where 25 must stand", 5, (4, 5)),
    "swapped lines": Kind(swap, f"seq 4 of {FIRST} stands behind 5", 6, ()),
    "lost line": Kind(drop, MISSING, 5, (4,)),
    "torn tail": Kind(tear, "it does not end with LF", COUNT + 1, (COUNT,)),
    "zeros": Kind(zero, "1 columns where 25 must stand", 5, (4,)),
    "no header": Kind(behead, "no header of a format that this reader knows", 1, ()),
}


def harmed(trail: Path, kind: Kind, *, packed: bool) -> Path:
    """Return the segment to which it was done, closed where that is asked for."""
    path = whole(trail)
    path.write_bytes(b"".join(kind.harm(lines_of(path))))

    return closed(path) if packed else path


def read_seqs(trail: Path) -> list[int]:
    """Return the numbers of the records that a reader finds, in all segments."""
    return sorted(
        item.seq
        for path in segments(trail, "request")
        for item in read_segment(path)
        if isinstance(item, Record)
    )


def without(*lost: int) -> list[int]:
    """Return all numbers but those that are lost."""
    return [seq for seq in range(1, 2 * COUNT + 1) if seq not in lost]


def said(report: Report) -> list[str]:
    """Return what is found, with file and line."""
    return [f"{f.path.name}:{f.line}: {f.what}" for f in report.findings]


packed = pytest.mark.parametrize("packed", [False, True], ids=["plain", "closed"])
each_kind = pytest.mark.parametrize("name", list(KINDS))


@packed
@each_kind
def test_found(tmp_path: Path, name: str, *, packed: bool) -> None:
    """Verify names it with its file and line; what it costs is named, and no more."""
    kind = KINDS[name]
    path = harmed(tmp_path, kind, packed=packed)
    report = verify_trail(tmp_path)
    found = said(report)

    assert any(
        each.startswith(f"{path.name}:{kind.line}: ") and kind.said in each
        for each in found
    ), found
    assert report.missing == len(kind.lost)
    assert report.records["request"] == 2 * COUNT - len(kind.lost)
    # Nothing is said of the other day but that a number before it is missing.
    assert all(each.startswith((path.name, f"{NEXT}:2: seq")) for each in found)


@packed
@each_kind
def test_read(tmp_path: Path, name: str, *, packed: bool) -> None:
    """A reader gives all else, and names the line, unless each line is whole."""
    kind = KINDS[name]
    path = harmed(tmp_path, kind, packed=packed)
    damage = [item for item in read_segment(path) if isinstance(item, Damage)]

    assert read_seqs(tmp_path) == without(*kind.lost)
    if name in ("swapped lines", "lost line"):  # numbers are verify's to judge
        assert damage == []
    else:
        assert damage[0].line == kind.line
        assert kind.said in damage[0].reason


@packed
@pytest.mark.parametrize(
    ("name", "seq"), [("bit flip", "4"), ("cut", "4"), ("torn tail", str(COUNT))]
)
def test_touched(tmp_path: Path, name: str, seq: str, *, packed: bool) -> None:
    """What a damaged line still says of itself tells which record it touches."""
    path = harmed(tmp_path, KINDS[name], packed=packed)
    shown = CliRunner().invoke(main, ["verify", "--trail", str(tmp_path)])
    (touched,) = verify_trail(tmp_path).touched

    assert (touched.place.line, touched.seq) == (KINDS[name].line, seq)
    assert f"event {touched.event}, seq {seq} of " in shown.stdout
    assert f"{path.name}:{touched.place.line}\n" in shown.stdout
    assert f"relied on    {2 * COUNT - 1} lines that are whole" in shown.stdout
    assert "complete     0 of 1 streams of instances" in shown.stdout


def test_lost_segment(tmp_path: Path) -> None:
    """A segment that is gone shows in the numbers that were in it."""
    path = whole(tmp_path)
    add(tmp_path, "2026-11-22.log", numbered(2 * COUNT + 1, FIRST))
    (path.parent / NEXT).unlink()
    what = f"seq {COUNT + 1} to {2 * COUNT} of {FIRST} in request is missing"

    assert said(verify_trail(tmp_path)) == [f"2026-11-22.log:2: {what} before this one"]
    assert read_seqs(tmp_path) == [*range(1, COUNT + 1), 2 * COUNT + 1]


@pytest.mark.parametrize("name", ["2026-11-19.log", "2026-11-22.log"])
@pytest.mark.parametrize("content", [b"\x7fELF\x00" * 99, b"GIF89a", b"a\tb\n" * 9])
def test_foreign_file(tmp_path: Path, name: str, content: bytes) -> None:
    """A file of another kind, under the name of a segment, is told as what it is."""
    path = whole(tmp_path)
    (path.parent / name).write_bytes(content)
    found = said(verify_trail(tmp_path))

    no_header = f"{name}:1: no header of a format that this reader"
    assert any(each.startswith(no_header) for each in found)
    assert all(each.startswith(f"{name}:") for each in found)
    assert read_seqs(tmp_path) == without()


def test_foreign_name(tmp_path: Path) -> None:
    """A file that has no name of a segment is counted."""
    (whole(tmp_path).parent / "core").write_bytes(b"x")

    assert verify_trail(tmp_path).unread == 1


# --- the archive itself


def closed(path: Path) -> Path:
    """Close a segment; return its archive."""
    done = close_segment(path, lambda _: None)
    assert done is not None

    return done.archive


def archived(trail: Path) -> Path:
    """Return the archive of the first day."""
    return closed(whole(trail))


def test_archive_cut(tmp_path: Path) -> None:
    """An archive that ends early is named; the other days are whole."""
    path = archived(tmp_path)
    os.truncate(path, path.stat().st_size - 9)
    report = verify_trail(tmp_path)

    assert any("archive" in what and path.name in what for what in said(report))
    assert set(read_seqs(tmp_path)) >= set(range(COUNT + 1, 2 * COUNT + 1))


def test_archive_swapped(tmp_path: Path) -> None:
    """An archive that is another one's is told by its index."""
    path = archived(tmp_path)
    other = closed(path.parent / NEXT)
    shutil.copyfile(other, path)

    assert any(
        "its index says something else" in what for what in said(verify_trail(tmp_path))
    )


def test_archive_of_another(tmp_path: Path) -> None:
    """A line that was damaged within an archive that somebody else made is named."""
    path = whole(tmp_path)
    path.with_name(f"{DAY}.gz").write_bytes(
        gzip.compress(b"".join(flip(lines_of(path))))
    )
    path.unlink()
    found = said(verify_trail(tmp_path))

    assert found[0] == f"{DAY}.gz:5: the check does not fit the line"
    assert read_seqs(tmp_path) == without(4)


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.95])
def test_archive_flipped(tmp_path: Path, at: float) -> None:
    """A bit that turns in an archive is found, wherever it is."""
    path = archived(tmp_path)
    exact = bytearray(path.read_bytes())
    exact[int(at * len(exact))] ^= 1
    path.write_bytes(exact)

    assert not verify_trail(tmp_path).is_well
    assert set(read_seqs(tmp_path)) >= set(range(COUNT + 1, 2 * COUNT + 1))


# --- any damage at all


@few
@given(st.data())
def test_any_damage(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever is changed in a segment is found, and all lines that are whole are read."""
    trail = tmp_path_factory.mktemp("trail")
    path = whole(trail)
    exact = path.read_bytes()
    at = data.draw(st.integers(0, len(exact) - 1))
    length = data.draw(st.integers(0, 400))
    put = data.draw(
        st.binary(max_size=8) | st.sampled_from([b"\n", b"\t", b"\x00" * 50])
    )
    changed = exact[:at] + put + exact[at + length :]
    path.write_bytes(changed)
    left = set(exact.splitlines(keepends=True)) & set(changed.splitlines(keepends=True))
    seqs = {int(line.split(b"\t")[4]) for line in left if not line.startswith(b"#")}

    assert changed == exact or not verify_trail(trail).is_well
    # What begins as an archive does is read as one: then no line of it is.
    assert is_archive(path) or set(read_seqs(trail)) >= seqs
    shutil.rmtree(trail)


def test_several_trails(tmp_path: Path) -> None:
    """Several trails are judged one by one; one that is damaged decides."""
    build(tmp_path / "a")
    harmed(tmp_path / "b", KINDS["bit flip"], packed=False)
    names = ["--trail", str(tmp_path / "a"), "--trail", str(tmp_path / "b")]
    shown = CliRunner().invoke(main, ["verify", *names])
    told = CliRunner().invoke(main, ["verify", "--json", *names])

    assert shown.exit_code == told.exit_code == 1
    assert "all is well" in shown.stdout
    assert "2 findings" in shown.stdout
    assert [line[0] for line in told.stdout.splitlines()] == ["{", "{"]
