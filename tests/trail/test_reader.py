import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import events, few
from tests.trail.crew import outcome
from tests.trail.samples import event, items, spill_of, threads

from audit_mw.event import Event
from audit_mw.trail.archive import is_archive, open_segment
from audit_mw.trail.closing import close_segment
from audit_mw.trail.names import index_path
from audit_mw.trail.reader import (
    Damage,
    Position,
    find_value,
    read_events,
    read_lines,
    read_segment,
    segments,
    strangers,
)
from audit_mw.trail.record import (
    VALUES,
    Draft,
    Record,
    StoredValue,
    draft_event,
    encode_value_line,
    finish_line,
    header_line,
)
from audit_mw.trail.zstd import MissingExtra

HEADER = header_line("request")
VALUES_HEADER = header_line(VALUES)


def line(seq: int, event_: Event | None = None) -> bytes:
    return finish_line(draft_event(event_ or event()), seq)


def value_line(value: bytes) -> bytes:
    return encode_value_line(event().time, event().event, spill_of(value))


def write(trail: Path, stream: str, *lines: bytes, day: int = 21) -> Path:
    path = trail / stream / f"2026-11-{day}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))

    return path


def shown(path: Path) -> list[object]:
    """Return seq of each record, value of each stored value, and each damage."""
    return [
        item.seq
        if isinstance(item, Record)
        else item.value
        if isinstance(item, StoredValue)
        else (item.line, item.offset, item.reason)
        for item in read_segment(path)
    ]


Way = Callable[[Path], Path]


def as_it_is(path: Path) -> Path:
    return path


def renamed(path: Path) -> Path:
    return path.rename(path.with_name(f"{path.name}.1"))


def closed(path: Path) -> Path:
    done = close_segment(path, lambda _: None)
    assert done is not None

    return done.archive


def gzipped(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.2.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()

    return packed


WAYS = (as_it_is, renamed, closed, gzipped)
ways = st.sampled_from(WAYS)


# --- what was written


@few
@given(st.lists(events, min_size=1, max_size=5), ways)
def test_round_trip(written: list[Event], way: Way) -> None:
    """
    Every event that was written comes back equal, in its order, however it is kept.
    """
    with TemporaryDirectory() as name:
        for stream in {each.stream for each in written}:
            expected = [each for each in written if each.stream == stream]
            lines = [line(seq, each) for seq, each in enumerate(expected, 1)]
            path = way(write(Path(name), stream, header_line(stream), *lines))

            assert segments(Path(name), stream) == [path]
            assert expected == list(read_events(path))
            assert list(range(1, len(expected) + 1)) == shown(path)


@few
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), ways)
def test_values_round_trip(written: list[bytes], way: Way) -> None:
    """
    Every value that was spilled is found by its digest, exactly.
    """
    with TemporaryDirectory() as name:
        way(write(Path(name), VALUES, VALUES_HEADER, *map(value_line, written)))

        assert written == [
            find_value(Path(name), spill_of(value).sha256) for value in written
        ]


NAMES = [
    "2026-11-21-20261120.log",
    "2026-11-21.log-20261120",
    "2026-11-21.log-20261121.gz",
    "2026-11-21.log.10.gz",
    "2026-11-21.log.2.zst",
    "2026-11-21.log.1",
    "2026-11-21.log",
    "2026-11-21-2.log.1",
    "2026-11-21-2.log",
    "2026-11-21-10.log.zst",
    "2026-11-21T09.log.zst",
    "2026-11-21T10.log",
    "2026-11-22.log",
    "2026-11-22T09.log",
    "2026-11-30.log",
]


@given(st.permutations(NAMES))
@few
def test_segments_in_order(names: list[str]) -> None:
    """
    Segments of a stream come the oldest first: days and hours, renamed and closed.
    """
    with TemporaryDirectory() as name:
        (Path(name) / "request").mkdir()
        for each in names:
            (Path(name) / "request" / each).touch()

        assert [path.name for path in segments(Path(name), "request")] == NAMES
        assert segments(Path(name), "fault") == []


@pytest.mark.parametrize(
    "name",
    ["2026-11-21.index", "2026-11-21.log.zst.new", ".2026-11-21.log.swp", "readme.txt"],
)
def test_no_segment(tmp_path: Path, name: str) -> None:
    """
    An index, what is on its way to another name, and what is hidden is no segment.
    """
    path = write(tmp_path, "request", HEADER)
    path.rename(path.with_name(name))

    assert segments(tmp_path, "request") == []
    assert strangers(tmp_path, "request") == []


@pytest.mark.parametrize("name", ["2026-02-30T24.log", "old.log", "2026-11-21.log~"])
def test_name_says_nothing(tmp_path: Path, name: str) -> None:
    """
    A segment with a name that says nothing is not passed over.
    """
    path = write(tmp_path, "request", HEADER, line(1))
    path = path.rename(path.with_name(name))

    assert segments(tmp_path, "request") == [path]
    assert shown(path) == [1]


def test_renamed_meanwhile(tmp_path: Path) -> None:
    """
    A file that is renamed while the directory is read hides no other.
    """
    kept = write(tmp_path, "request", HEADER, day=20)
    moving = write(tmp_path, "request", HEADER)
    stop = threading.Event()

    def move() -> None:
        while not stop.is_set():
            moving.rename(moving.with_name(f"{moving.name}.1")).rename(moving)

    with threads(move):
        found = [segments(tmp_path, "request") for _ in range(300)]
        stop.set()

    assert all(paths[:1] == [kept] for paths in found)


@pytest.mark.parametrize("kind", ["directory", "fifo", "link"])
def test_no_regular_file(tmp_path: Path, kind: str) -> None:
    """
    What has the name of a segment, but is no file, is neither waited for nor followed.
    """
    path = tmp_path / "request" / "2026-11-21.log"
    path.parent.mkdir()
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(write(tmp_path, "fault", header_line("fault")))

    assert segments(tmp_path, "request") == []
    assert strangers(tmp_path, "request") == [path]


def test_two_segments(tmp_path: Path) -> None:
    """
    Records of two segments follow each other as they were written.
    """
    write(tmp_path, "request", HEADER, line(3), day=22)
    write(tmp_path, "request", HEADER, line(1), line(2), day=21)

    found = list(items(segments(tmp_path, "request")))
    assert [item.seq for item in found if isinstance(item, Record)] == [1, 2, 3]


def test_empty(tmp_path: Path) -> None:
    """
    A segment without a byte, or with its header alone, has nothing, and no damage.
    """
    assert shown(write(tmp_path, "request")) == []
    assert shown(write(tmp_path, "request", HEADER)) == []


def test_unreadable(tmp_path: Path) -> None:
    """
    A file that is not there is an OSError, not an empty segment.
    """
    with pytest.raises(FileNotFoundError):
        list(read_segment(tmp_path / "no.log"))


@pytest.mark.parametrize("name", ["evidence.txt", "2026-11-21.log.1"])
def test_carried_elsewhere(tmp_path: Path, name: str) -> None:
    """
    A copy reads by its header, whatever its name and its directory are.
    """
    (tmp_path / "request").mkdir()
    path = tmp_path / "request" / name
    path.write_bytes(VALUES_HEADER + value_line(b"a"))
    other = tmp_path / name
    other.write_bytes(HEADER + line(1))

    assert shown(path) == [b"a"]
    assert shown(other) == [1]


# --- values by digest


def test_find_value(tmp_path: Path) -> None:
    """
    A value is found in any segment of its stream, and None where there is none.
    """
    write(tmp_path, VALUES, VALUES_HEADER, value_line(b"a"), value_line(b"b"), day=21)
    write(tmp_path, VALUES, VALUES_HEADER, value_line(b"c"), value_line(b"c"), day=22)

    wanted = (b"a", b"b", b"c")
    assert list(wanted) == [
        find_value(tmp_path, spill_of(value).sha256) for value in wanted
    ]
    assert find_value(tmp_path, spill_of(b"d").sha256) is None
    assert find_value(tmp_path / "elsewhere", spill_of(b"a").sha256) is None


def test_find_value_behind_damage(tmp_path: Path) -> None:
    """
    Damage before a value does not hide it; a damaged value is not given.
    """
    rotten = value_line(b"a").replace(b"\tYQ==\t", b"\tYg==\t")
    write(tmp_path, VALUES, b"rubbish\n", rotten, value_line(b"b"))

    assert find_value(tmp_path, spill_of(b"b").sha256) == b"b"
    assert find_value(tmp_path, spill_of(b"a").sha256) is None


# --- damage

SECOND = line(2)


def signed(before: bytes, after: bytes) -> bytes:
    """Return the second line, changed and signed again, as a forger would."""
    draft = draft_event(event())
    first, last = draft.before, draft.after
    changed = first.replace(before, after), last.replace(before, after)

    return finish_line(Draft("request", *changed), 2)


DAMAGES = [
    pytest.param(SECOND[:-1] + b"0\n", "26 columns|long, but says", id="longer"),
    pytest.param(SECOND[:40] + b"\n", "3 columns where 25", id="torn, then ended"),
    pytest.param(b"\n", "1 columns where 25", id="empty line"),
    pytest.param(SECOND.replace(b"/search", b"/Search"), "check", id="one bit"),
    pytest.param(SECOND.replace(b"bank", b"banks"), "but says", id="one byte more"),
    pytest.param(SECOND[:-1] + b"\r\n", "but says", id="CRLF"),
    pytest.param(b"\x00" * 300 + b"\n", "1 columns", id="NULs, as after a crash"),
    pytest.param(SECOND[:-17] + b"0" * 16 + b"\n", "check", id="another check"),
    pytest.param(SECOND.upper(), "check", id="upper-case"),
    pytest.param(value_line(b"a"), "8 columns where 25", id="a value"),
    pytest.param(HEADER, "not the first line", id="header again"),
    pytest.param(b"# a comment\n", "not the first line", id="comment"),
    pytest.param(signed(b"/search", b"/\x1b[2J"), "0x20..0x7E", id="signed, alphabet"),
    pytest.param(signed(b"request", b"no"), "'no' is no stream", id="signed, stream"),
    pytest.param(signed(b"SUCCESS", b"-"), "outcome absent", id="signed, absent"),
    pytest.param(signed(b"2026-", b"2026-2"), "time", id="signed, time"),
    pytest.param(signed(b"\t200\t", b"\t0200\t"), "decimal", id="signed, number"),
    pytest.param(signed(b'["query"', b'["query'), "JSON", id="signed, params"),
]


@pytest.mark.parametrize(("damaged", "reason"), DAMAGES)
def test_damage(tmp_path: Path, damaged: bytes, reason: str) -> None:
    """
    A damaged line is named with file, line, offset and reason, and reading goes on.
    """
    path = write(tmp_path, "request", HEADER, line(1), damaged, line(3))
    first, found, last = read_segment(path)

    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert isinstance(found, Damage)
    assert (path, 3, len(HEADER + line(1))) == (found.path, found.line, found.offset)
    assert any(word in found.reason for word in reason.split("|"))
    assert f"{path}:3: at byte {found.offset}: {found.reason}" == str(found)


def test_torn_tail(tmp_path: Path) -> None:
    """
    Wherever the last line is torn, that is the damage, and all before it is read.
    """
    torn = (3, len(HEADER + line(1)), "it does not end with LF")
    for cut in range(1, len(SECOND)):
        path = write(tmp_path, "request", HEADER, line(1), SECOND[:cut])

        assert [1, torn] == shown(path)


@pytest.mark.parametrize("way", [closed, gzipped])
def test_damage_in_an_archive(tmp_path: Path, way: Way) -> None:
    """
    Damage in an archive is named as in the segment that it is of: by its exact bytes.
    """
    path = write(tmp_path, "request", HEADER, line(1), b"rubbish\n", line(3), b"torn")
    before = shown(path)

    assert before == shown(way(path))


def test_rotten_frame(tmp_path: Path) -> None:
    """
    Behind a frame of an archive that is rotten, reading goes on at the next.
    """
    noise = [line(seq, event(action=os.urandom(3000))) for seq in range(1, 1300)]
    archive = closed(write(tmp_path, "request", HEADER, *noise))
    text = bytearray(archive.read_bytes())
    text[len(text) // 2] ^= 1
    archive.write_bytes(text)
    found = list(read_segment(archive))
    seqs = [item.seq for item in found if isinstance(item, Record)]
    rotten = [at for at, item in enumerate(found) if isinstance(item, Damage)]
    first, last = rotten[0], found[rotten[-1]]

    # What a rotten frame still gives may be lines that are damaged themselves.
    assert isinstance(last, Damage)
    assert last.reason.startswith("the archive cannot be read: ")
    assert seqs[:first] == list(range(1, first + 1))
    behind = len(found) - rotten[-1] - 1
    assert behind > 0
    assert seqs[-behind:] == list(range(1300 - behind, 1300))


def test_rotten_frame_without_index(tmp_path: Path) -> None:
    """
    Without an index nobody knows where the next frame begins: that is said, once.
    """
    archive = closed(write(tmp_path, "request", HEADER, line(1), SECOND))
    index_path(archive).unlink()
    archive.write_bytes(archive.read_bytes()[:-6])
    found = list(read_segment(archive))

    assert [type(item) for item in found[-1:]] == [Damage]
    assert sum(isinstance(item, Damage) for item in found) == 1


@pytest.mark.parametrize("index", [b"", b"{}", b"[]", b"\xff", b'{"format":2}'])
def test_index_is_no_evidence(tmp_path: Path, index: bytes) -> None:
    """
    With an index that is none, an archive reads all the same.
    """
    archive = closed(write(tmp_path, "request", HEADER, line(1), SECOND))
    index_path(archive).write_bytes(index)

    assert segments(tmp_path, "request") == [archive]
    assert shown(archive) == [1, 2]


def test_index_of_another(tmp_path: Path) -> None:
    """
    The index of another archive does not lead into the middle of a frame.
    """
    one = closed(write(tmp_path, "request", HEADER, line(1), SECOND))
    other = closed(write(tmp_path, "request", HEADER, line(1), line(2), day=22))
    other.write_bytes(one.read_bytes() + one.read_bytes())
    with open_segment(other) as file:
        file.seek(len(HEADER))
        assert file.readline() == line(1)


def test_without_zstd(tmp_path: Path) -> None:
    """
    Where there is no zstd, a closed segment names the extra that brings it.
    """
    archive = closed(write(tmp_path, "request", HEADER, line(1)))
    code = (
        "import sys; sys.modules['zstandard'] = None; from pathlib import Path; "
        "from audit_mw.trail.reader import read_segment; "
        "list(read_segment(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, archive],
        capture_output=True,
        check=False,
        text=True,
    )

    assert MissingExtra.__name__ in done.stderr
    assert "install audit-mw[zstd]" in done.stderr


@pytest.mark.parametrize("cut", range(1, len(HEADER) - 1, 7))
def test_torn_header(tmp_path: Path, cut: int) -> None:
    """
    Without a whole header the directory says which stream it is, and all is read.
    """
    torn = (
        f"no header of a format that this reader knows: {HEADER[:cut][:60].decode()!r}"
    )
    requests = write(tmp_path, "request", HEADER[:cut], b"\n", line(1))
    values = write(tmp_path, VALUES, HEADER[:cut], b"\n", value_line(b"a"))

    assert [(1, 0, torn), 1] == shown(requests)
    assert [(1, 0, torn), b"a"] == shown(values)


def test_no_header(tmp_path: Path) -> None:
    """
    A header that is missing is damage, and hides no record.
    """
    first, second = read_segment(write(tmp_path, "request", line(1)))

    assert isinstance(first, Damage)
    assert (first.line, first.offset) == (1, 0)
    assert isinstance(second, Record)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(HEADER.replace(b"/1 ", b"/2 "), id="format 2"),
        pytest.param(HEADER.replace(b"\tcheck", b"\tmore\tcheck"), id="a column more"),
        pytest.param(HEADER.replace(b"request ", b"orders "), id="unknown stream"),
        pytest.param(b"\xff\x1b[2J" + HEADER, id="hostile"),
    ],
)
def test_foreign_header(tmp_path: Path, header: bytes) -> None:
    """
    A header of another format is named, in characters that a terminal may show.
    """
    damage, *_ = read_segment(write(tmp_path, "request", header, line(1)))

    assert isinstance(damage, Damage)
    assert "no header of a format" in damage.reason
    assert str(damage).isprintable()


VALUE_DAMAGES = [
    pytest.param(lambda line: line.replace(b"YQ==", b"Y*=="), id="check"),
    pytest.param(lambda line: line[:-1], id="torn"),
    pytest.param(lambda line: line.replace(b"values", b"Values"), id="stream"),
    pytest.param(lambda _: SECOND, id="record among values"),
]


@pytest.mark.parametrize("change", VALUE_DAMAGES)
def test_damaged_value(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """
    A damaged line of the values stream is named as any other.
    """
    path = write(tmp_path, VALUES, VALUES_HEADER, change(value_line(b"a")))
    (damage,) = read_segment(path)

    assert isinstance(damage, Damage)
    assert (2, len(VALUES_HEADER)) == (damage.line, damage.offset)


@few
@given(st.data())
def test_never_raises(data: st.DataObject) -> None:
    """
    Whatever bytes a segment holds, reading ends, and no line of it is passed in silence.
    """
    parts: Sequence[bytes] = [HEADER, VALUES_HEADER, line(1), SECOND, value_line(b"a")]
    part = st.sampled_from(parts) | st.binary(max_size=40)
    text = b"".join(data.draw(st.lists(part, max_size=6)))
    if text:
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.binary(max_size=3)) + text[at + 1 :]
    with TemporaryDirectory() as name:
        path = write(Path(name), "request", text)
        found = list(read_segment(path))
        packed = is_archive(path)

    if packed:  # by its first bytes: what cannot be unpacked is told, but not by lines
        assert any(isinstance(each, Damage) for each in found)
        return
    lines = text.count(b"\n") + (not text.endswith(b"\n") and bool(text))
    headed = text.startswith((HEADER, VALUES_HEADER))
    foreign = bool(text) and not headed and not text.startswith(b"#")
    assert lines - headed + foreign == len(found)


# --- going on, and how much is held


def test_position(tmp_path: Path) -> None:
    """
    Reading goes on where it stopped, with line and offset as if it had not.
    """
    path = write(tmp_path, "request", HEADER, line(1), b"rubbish\n", line(3))
    half = len(HEADER + line(1))
    at = Position()
    with path.open("rb") as file:
        first = list(read_lines(file, path, at, half))
        assert (2, half) == (at.line, at.offset)
        second = list(read_lines(file, path, at))

    assert list(read_segment(path)) == first + second
    assert (4, path.stat().st_size) == (at.line, at.offset)


def test_endless_line(tmp_path: Path) -> None:
    """
    A line longer than any record is one damage, is not held, and hides nothing.
    """
    path = write(tmp_path, "request", HEADER, line(1), b"")
    os.truncate(path, 256 << 20)  # NULs, as a crash may leave them
    with path.open("ab") as file:
        file.write(b"\n" + line(3) + b"rubbish\n")

    found = outcome("read", path)
    assert found.pop("grown") < 64 << 10
    assert found == {"Record": 2, "StoredValue": 0, "Damage": 2}
    damages = [item for item in read_segment(path) if isinstance(item, Damage)]
    assert [damage.line for damage in damages] == [3, 5]
    assert (256 << 20) + 1 + len(line(3)) == damages[1].offset


@pytest.mark.long
def test_flat_memory(tmp_path: Path) -> None:
    """
    A segment of 200 MB is read with the memory that its longest line needs.
    """
    long = line(1, event(path=b"/" + b"a%" * 4000))
    path = write(tmp_path, "request", HEADER)
    count = 200_000_000 // len(long)
    with path.open("ab") as file:
        for _ in range(count):
            file.write(long)

    found = outcome("read", path)
    assert found.pop("grown") < 16 << 10
    assert {"Record": count, "StoredValue": 0, "Damage": 0} == found


@pytest.mark.parametrize("cut", [0, 9])
def test_gzip_damaged_behind(tmp_path: Path, cut: int) -> None:
    """
    What stands before the damage of an archive of gzip is read, to the last line.
    """
    path = tmp_path / "request" / "2026-11-21.log.gz"
    path.parent.mkdir()
    packed = gzip.compress(HEADER + line(1) + line(2))
    path.write_bytes(packed[:-cut] if cut else packed + b"behind")
    found = list(read_segment(path))

    assert [each.seq for each in found if isinstance(each, Record)] == [1, 2]
    assert isinstance(found[-1], Damage)
