# Several streams and trails read as one: their order, their damage, and going on later.
import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few
from tests.trail.samples import event, locked, open_files
from tests.upkeep.trails import FIRST, SECOND, TIME, add, numbered

from audit_mw.event import Event
from audit_mw.trail.closing import close_segment
from audit_mw.trail.index import read_index
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.reader import NO_FILE, Damage, Unreadable
from audit_mw.trail.record import draft_event, finish_line
from audit_mw.trail.seen import look, open_seen
from audit_mw.trail.span import Span

DAY, NEXT = "2026-11-20.log", "2026-11-21.log"
SECOND_LONG = 1_000_000


def told(items: Iterator[Found | Damage]) -> list[object]:
    """Return the path of each request, and the place and reason of each damage."""
    return [
        item.record.event.path
        if isinstance(item, Found)
        else (item.path.name, item.line, item.reason)
        for item in items
    ]


def at(second: int, **changes: object) -> tuple[int, Event]:
    """Return a record of a second, which its path tells."""
    given = {"time": TIME + second * SECOND_LONG, "path": b"%d" % second, **changes}

    return second + 1, event(**given)


def closed(path: Path) -> Path:
    done = close_segment(path, lambda _: None)
    assert done is not None

    return done.archive


# --- order


def test_by_time(tmp_path: Path) -> None:
    """
    Records of several segments, streams and trails come by their time.
    """
    first, other = tmp_path / "first", tmp_path / "other"
    closed(add(first, DAY, at(0), at(3), at(1)))
    add(first, NEXT, at(5), at(2))
    add(first, NEXT, at(4, stream="fault"), stream="fault")
    add(other, NEXT, at(6, instance=SECOND), at(7, instance=SECOND))
    found = list(TrailReader([first, other]).read())

    assert [b"%d" % second for second in range(8)] == told(iter(found))
    assert not any(isinstance(item, Found) and item.is_late for item in found)
    assert {item.trail for item in found if isinstance(item, Found)} == {first, other}


def test_sound(tmp_path: Path) -> None:
    """
    What is known to be sound is decoded when it is asked for; the rest before.
    """
    path = add(tmp_path, DAY, at(0), at(1), at(2))
    header, *lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + lines[0] + lines[1].replace(b"GET", b"PUT") + lines[2])
    found = list(TrailReader([tmp_path], is_sound=lambda text: text == lines[0]).read())
    records = [each for each in found if isinstance(each, Found)]

    damage = (DAY, 3, "the check does not fit the line")
    assert [damage, b"0", b"2"] == sorted(told(iter(found)), key=str)
    assert [each.decoded is None for each in records] == [True, False]
    assert [each.record.seq for each in records] == [1, 3]


def test_names_without_a_date(tmp_path: Path) -> None:
    """
    A segment whose name does not say of which time it is takes its place all the same.
    """
    add(tmp_path, DAY, at(0), at(2))
    add(tmp_path, "carried.log", at(1), at(3))

    assert told(TrailReader([tmp_path]).read()) == [b"0", b"1", b"2", b"3"]


def test_many_names_without_a_date(tmp_path: Path) -> None:
    """
    However many they are, all are read, and few are open at once.
    """
    for second in range(70):
        add(tmp_path, f"carried{second:03}.log", at(second))
    items = TrailReader([tmp_path]).read()
    next(items)

    assert len(open_files(tmp_path)) < 60
    assert len(list(items)) == 69


@few
@given(st.lists(st.integers(0, 99), unique=True), st.integers(1, 4))
def test_any_order(seconds: list[int], parts: int) -> None:
    """
    In whatever order they were appended, in however many segments, they come sorted.
    """
    with TemporaryDirectory() as name:
        for part in range(parts):
            records = map(at, seconds[part::parts])
            add(Path(name), f"2026-11-{part + 10}.log", *records)

        expected = [b"%d" % second for second in sorted(seconds)]
        assert expected == told(TrailReader([Path(name)]).read())


def test_late(tmp_path: Path) -> None:
    """
    One that stands behind more than is held says that it is late; none is lost.
    """
    details = {"reason": b"x" * 60_000}
    many = [at(second, details=details) for second in range(1, 160)]
    add(tmp_path, DAY, *many, at(0))
    found = [item for item in TrailReader([tmp_path]).read() if isinstance(item, Found)]

    assert len(found) == 160
    assert [item.record.event.path for item in found if item.is_late] == [b"0"]


def test_as_appended(tmp_path: Path) -> None:
    """
    In the order of appending they come stream by stream, as they stand there.
    """
    add(tmp_path, DAY, at(3), at(1))
    add(tmp_path, NEXT, at(2))

    assert told(TrailReader([tmp_path]).read_appended()) == [b"3", b"1", b"2"]


def test_equal_lines(tmp_path: Path) -> None:
    """
    A line that is there again is given once; one that only says so is not passed over.
    """
    path = add(tmp_path, DAY, at(0), at(1))
    add(tmp_path, NEXT, at(0))
    (tmp_path / "request" / f"{DAY}.bak").write_bytes(path.read_bytes())

    assert told(TrailReader([tmp_path, tmp_path]).read()) == [b"0", b"1"]


def test_compressed_under_another_name(tmp_path: Path) -> None:
    """
    What something else compressed is read to its end, though its name does not say so.
    """
    path = add(tmp_path, DAY, *map(at, range(20)))
    packed = path.with_name(f"{DAY}.2")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    (seen,) = look(tmp_path, "request")

    assert told(TrailReader([tmp_path]).read()) == [b"%d" % at for at in range(20)]
    assert seen.until is None


# --- what need not be read


def test_span(tmp_path: Path) -> None:
    """
    Of the records those of the time are given: its begin is in it, its end is not.
    """
    add(tmp_path, DAY, *map(at, range(5)))
    span = Span(TIME + SECOND_LONG, TIME + 3 * SECOND_LONG)

    assert told(TrailReader([tmp_path], span=span).read()) == [b"1", b"2"]


def test_segments_that_are_too_old(tmp_path: Path) -> None:
    """
    A segment of a day that was over long before is not opened.
    """
    path = add(tmp_path, "2026-11-01.log", at(0))
    path.write_bytes(b"what nobody looks at\n")
    add(tmp_path, NEXT, at(1))

    assert told(TrailReader([tmp_path], span=Span(since=TIME)).read()) == [b"1"]
    assert len(told(TrailReader([tmp_path]).read())) > 1


def test_segments_by_their_index(tmp_path: Path) -> None:
    """
    A closed segment of another day is opened only where its index has the time.

    One of that day is, unless its end shows that all of it was before. Without an
    index it always is.
    """
    archive = closed(add(tmp_path, DAY, at(5), at(3)))
    (seen,) = look(tmp_path, "request")
    spans = [
        Span(TIME, TIME + 3 * SECOND_LONG),
        Span(TIME, TIME + 4 * SECOND_LONG),
        Span(TIME + 5 * SECOND_LONG),
        Span(TIME + 6 * SECOND_LONG),
    ]

    assert [span.may_have(seen) for span in spans] == [True, True, True, False]
    assert read_index(archive)
    archive.with_name("2026-11-20.index").write_bytes(b"rubbish")
    assert [span.may_have(seen) for span in spans] == [True] * 4


def test_part(tmp_path: Path) -> None:
    """
    How much was read is known: nothing before, all at the end, and what is between.
    """
    add(tmp_path, DAY, at(0))
    add(tmp_path, NEXT, at(1))
    reader = TrailReader([tmp_path], ["request"])
    before = reader.part()
    parts = [reader.part() for _ in reader.read_appended()]

    assert before < 0
    assert parts[0] == 0
    assert 0 < parts[1] < 1
    assert reader.part() == 1


@given(st.integers(), st.integers())
def test_any_span(since: int, until: int) -> None:
    """
    Whatever the times, the cells that bound them are had.
    """
    low, high = Span(since, until).cells

    assert (low < high) or (low == high) or since > until


# --- damage


def test_damage_is_told(tmp_path: Path) -> None:
    """
    A damaged line is told, be it wanted or not; what is around it is read.
    """
    path = add(tmp_path, DAY, at(0), at(1), at(2))
    text = path.read_bytes()
    path.write_bytes(text.replace(b"\t1\t", b"\t2\t", 1).replace(b"bank", b"tank", 1))
    reader = TrailReader([tmp_path], wanted=lambda text: b"\t2\t" in text)
    reasons = [item.reason for item in reader.read() if isinstance(item, Damage)]

    assert reasons == ["the check does not fit the line"]


def test_line_that_does_not_decode(tmp_path: Path) -> None:
    """
    A line with a check that fits, and no meaning, is damage.
    """
    path = add(tmp_path, DAY, at(0))
    draft = draft_event(at(1)[1])
    forged = finish_line(draft._replace(after=b"x" + draft.after), 2)
    forged_stream = finish_line(draft._replace(before=b"-\t-\t-"), 3)
    with path.open("ab") as file:
        file.write(forged + forged_stream)
    found = told(TrailReader([tmp_path]).read())

    assert (DAY, 4, "a time that is not like 2026-11-21T05:26:07.123456Z") in found


def test_torn_tail(tmp_path: Path) -> None:
    """
    Half a line at the end is torn, unless a writer is at it or somebody asks again.
    """
    path = add(tmp_path, DAY, at(0))
    with path.open("ab") as file:
        file.write(b"half a")
    torn = (DAY, 3, "it does not end with LF")

    assert [torn, b"0"] == told(TrailReader([tmp_path]).read())
    assert told(TrailReader([tmp_path]).read(ends=False)) == [b"0"]
    with locked(path):
        assert told(TrailReader([tmp_path]).read()) == [b"0"]


def test_no_records(tmp_path: Path) -> None:
    """
    A file with no record, and a header that is none of ours, is told.
    """
    path = add(tmp_path, DAY)
    path.write_bytes(b"#audit_mw/9 request\n")

    assert told(TrailReader([tmp_path]).read())[0][:2] == (DAY, 1)  # type: ignore[index]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_not_permitted(tmp_path: Path) -> None:
    """
    A segment that may not be read is told; the others are read.
    """
    add(tmp_path, DAY, at(0)).chmod(0)
    add(tmp_path, NEXT, at(1))
    first, second = TrailReader([tmp_path]).read()

    assert isinstance(first, Unreadable)
    assert "Permission denied" in str(first)
    assert isinstance(second, Found)


def test_nothing_is_written(tmp_path: Path) -> None:
    """
    Reading leaves a trail as it is, also one in which nothing may be written.
    """
    add(tmp_path, DAY, at(0))
    before = sorted(tmp_path.rglob("*"))
    for path in before:
        path.chmod(0o500 if path.is_dir() else 0o400)

    assert told(TrailReader([tmp_path]).read()) == [b"0"]
    assert before == sorted(tmp_path.rglob("*"))
    for path in before:
        path.chmod(0o700)


# --- while somebody rotates


def test_rotated_meanwhile(tmp_path: Path) -> None:
    """
    Beside one who renames and closes all the time, each record is read, once.
    """
    for day in range(10, 25):
        add(tmp_path, f"2026-11-{day}.log", at(day))

    def rotate() -> None:
        for day in range(10, 25):
            path = tmp_path / "request" / f"2026-11-{day}.log"
            closed(path) if day % 2 else path.rename(path.with_suffix(".log.1"))

    thread = threading.Thread(target=rotate)
    thread.start()
    expected = [b"%d" % day for day in range(10, 25)]
    for _ in range(20):
        assert expected == told(TrailReader([tmp_path]).read())
    thread.join()


def test_gone_meanwhile(tmp_path: Path) -> None:
    """
    A segment that is removed after it was listed is told; the others are read.
    """
    add(tmp_path, DAY, at(0), at(1))
    path = add(tmp_path, NEXT, at(2))
    items = TrailReader([tmp_path]).read_appended()
    next(items)
    path.unlink()
    _, lost = items

    assert isinstance(lost, Unreadable)
    assert str(lost) == f"{path}: it went away while the trail was read"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_another_in_its_place(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """
    What is put in the place of a segment is named, and not waited for, nor followed.
    """
    path = add(tmp_path, DAY, at(0))
    (seen,) = look(tmp_path, "request")
    path.unlink()
    make(path)

    with pytest.raises(FileNotFoundError), open_seen(seen):
        pass
    reader = TrailReader([tmp_path])
    assert list(reader.read()) == [Unreadable(path, 0, 0, NO_FILE)]
    assert list(reader.read()) == []


# --- going on later


def test_going_on(tmp_path: Path) -> None:
    """
    What was appended since is read, by the same reader and by one with its checkpoint.
    """
    reader = TrailReader([tmp_path])
    add(tmp_path, DAY, at(0))
    assert told(reader.read()) == [b"0"]
    kept = json.loads(json.dumps(reader.checkpoint()))
    path = add(tmp_path, DAY, at(1))
    closed(path)
    add(tmp_path, NEXT, at(2))

    assert told(TrailReader([tmp_path], checkpoint=kept).read()) == [b"1", b"2"]
    assert told(reader.read()) == [b"1", b"2"]
    assert told(reader.read()) == []


@few
@given(st.integers(0, 6), st.booleans())
def test_broken_off_anywhere(after: int, is_closed: bool) -> None:
    """
    In the order of appending a checkpoint is right after each record.
    """
    with TemporaryDirectory() as name:
        trail = Path(name)
        path = add(trail, DAY, at(0), at(1), at(2))
        add(trail, NEXT, at(3), at(4))
        add(trail, NEXT, at(5, stream="fault"), stream="fault")
        reader = TrailReader([trail])
        items = reader.read_appended()
        begun = list(islice(items, after))
        kept = reader.checkpoint()
        if is_closed:
            closed(path)
        rest = TrailReader([trail], checkpoint=kept).read_appended()

        expected = [b"0", b"1", b"2", b"3", b"4", b"5"]
        assert expected == told(iter(begun)) + told(rest)


def test_no_checkpoint_in_the_midst(tmp_path: Path) -> None:
    """
    While records are held back there is no checkpoint, and another's is none.
    """
    add(tmp_path, DAY, at(0), at(1))
    reader = TrailReader([tmp_path])
    next(reader.read())

    with pytest.raises(ValueError, match="when all was read"):
        reader.checkpoint()
    with pytest.raises(ValueError, match="no checkpoint"):
        TrailReader([tmp_path], checkpoint={"format": 9})


# --- a captured console


def test_captured(tmp_path: Path) -> None:
    """
    The text of a console is a trail with all streams, of which the wanted are read.
    """
    path = tmp_path / "captured.txt"
    lines = [
        finish_line(draft_event(event(**changes, path=path_)), seq)
        for seq, (path_, changes) in enumerate(
            [(b"0", {}), (b"1", {"stream": "fault"}), (b"2", {})], 1
        )
    ]
    path.write_bytes(b"hello\n" + b"".join(lines) + lines[0])
    reader = TrailReader([path], ["request"])

    assert told(reader.read()) == [b"0", b"2"]
    assert reader.skipped == 1
    assert told(TrailReader([path]).read()) == [b"0", b"1", b"2"]


def test_captured_behind_a_link(tmp_path: Path) -> None:
    """
    A console may be named by a link: whoever names it knows what it is.
    """
    path = tmp_path / "captured.txt"
    path.write_bytes(finish_line(draft_event(event(path=b"0")), 1))
    (tmp_path / "link").symlink_to(path)

    assert told(TrailReader([tmp_path / "link"]).read()) == [b"0"]


def test_other_instances(tmp_path: Path) -> None:
    """
    Records of two instances with the same number are two.
    """
    add(tmp_path, DAY, numbered(1, FIRST), numbered(1, SECOND))

    assert len(told(TrailReader([tmp_path]).read())) == 2
