# What of an append stands in a file, and which records of an instance there are at all.
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trail.dead import INSTANCE, lines_of
from tests.trail.samples import nth

from audit_mw.trail.entry import Entry
from audit_mw.trail.landed import has_segment, landed
from audit_mw.trail.landed import lines_of as whole_lines
from audit_mw.trail.notes import Note
from audit_mw.trail.record import draft_event, finish_line, header_line
from audit_mw.trail.scan import scan

few = settings(max_examples=60)
BEFORE = header_line("request") + lines_of([7, 8, 9], 1)
BATCH = lines_of(range(4), 4)
OTHER = finish_line(draft_event(nth(5, instance="web1:9:aa")), 4, "taken")


def ids(numbers: range) -> dict[int, bytes]:
    """Return seq -> event id of the records of a batch that begins with 4."""
    return {4 + number: nth(number).event.encode() for number in numbers}


def note_of(path: Path, length: int = len(BATCH)) -> Note:
    status = path.stat()

    return Note(status.st_dev, status.st_ino, len(BEFORE), length, 4, 7, path.name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A segment of the stream."""
    return tmp_path / "2026-11-21.log"


@given(st.integers(0, len(BATCH)), st.sampled_from([b"", b"\n", OTHER, b"\n" + OTHER]))
@few
def test_each_prefix(
    tmp_path_factory: pytest.TempPathFactory, written: int, behind: bytes
) -> None:
    """
    Of however much of an append is there, whatever came behind it, the whole lines are
    found, and nothing else.
    """
    path = tmp_path_factory.mktemp("stream") / "2026-11-21.log"
    path.write_bytes(BEFORE + BATCH[:written] + behind)
    count = BATCH[:written].count(b"\n")
    # A line that only lacks its LF is whole with the one that was put behind it.
    is_whole = written < len(BATCH) and BATCH[written : written + 1] == b"\n"
    count += is_whole and behind.startswith(b"\n")

    assert ids(range(count)) == landed(path.parent, note_of(path), INSTANCE)


@pytest.mark.parametrize("name", ["2026-11-21.log.1", "x", ".hidden"])
def test_renamed(path: Path, name: str) -> None:
    """
    A file is found by its inode, whatever its name is now, also where another has its.
    """
    path.write_bytes(BEFORE + BATCH)
    note = note_of(path)
    path.rename(path.with_name(name))
    path.write_bytes(b"another")

    assert has_segment(path.parent, note)
    assert ids(range(4)) == landed(path.parent, note, INSTANCE)


def test_gone(path: Path) -> None:
    """
    A file that is gone has nothing; neither has one that never was.
    """
    path.write_bytes(BEFORE + BATCH)
    note = note_of(path)
    kept = path.with_name("kept").open("wb")
    os.link(path, path.with_name("link"))
    path.with_name("link").rename(path.parent.parent / f"{path.parent.name}-elsewhere")
    path.unlink()
    kept.close()
    for each in (note, Note(0, 0, 0, 0, 1, 0, "")):
        assert not has_segment(path.parent, each)
        assert landed(path.parent, each, INSTANCE) == {}
    assert landed(path.parent / "no such directory", note, INSTANCE) == {}
    (path.parent.parent / f"{path.parent.name}-elsewhere").unlink()


def test_not_followed(path: Path) -> None:
    """
    A FIFO or a link that has the name is not waited for, and not followed.
    """
    path.write_bytes(BEFORE + BATCH)
    note = note_of(path)
    path.rename(path.with_name("moved"))
    os.mkfifo(path)
    assert ids(range(4)) == landed(path.parent, note, INSTANCE)
    path.unlink()
    path.symlink_to("moved")

    assert ids(range(4)) == landed(path.parent, note, INSTANCE)


@given(st.integers(0, len(BATCH) - 1), st.integers(1, 255))
@few
def test_rotten(at: int, flip: int) -> None:
    """
    A line of which a byte changed is none; those beside it are.
    """
    text = bytearray(BATCH)
    text[at] ^= flip
    found = list(whole_lines(bytes(text), INSTANCE))

    # The LF of a line may become one that parts two.
    assert len(found) in (2, 3)


def test_scan(tmp_path: Path) -> None:
    """
    All records of an instance are found, in segments of any name, and the last number.
    """
    (tmp_path / "request").mkdir()
    first, second = tmp_path / "request" / "a.log", tmp_path / "request" / "b.log.1"
    first.write_bytes(BEFORE + OTHER + b"half a li\n")
    second.write_bytes(BATCH + BATCH[:40])
    entries = [Entry(draft_event(nth(number))) for number in range(12)]
    found, last = scan(tmp_path, entries, INSTANCE)
    there = [entry.stamp in found["request"] for entry in entries]

    assert last == {"request": 7}
    assert there == [*[True] * 4, False, False, False, True, True, True, False, False]
