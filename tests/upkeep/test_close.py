# Closing segments: what is there afterwards, whatever was there before, and wherever
# it is cut short.
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from calendar import timegm
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from tests.trail.samples import locked, umask, wait_for_lock
from tests.upkeep.trails import FIRST, add, build, contents, numbered

from audit_mw.event import STREAMS
from audit_mw.trail.closing import close_segment
from audit_mw.trail.follow import Follower
from audit_mw.trail.index import read_index
from audit_mw.trail.reader import (
    Damage,
    find_value,
    read_events,
    read_segment,
    segments,
)
from audit_mw.trail.record import Record
from audit_mw.upkeep.close import closable, close_trail
from audit_mw.verify import verify_trail

ROOT = Path(__file__).parent.parent.parent
CLOSE = (sys.executable, "-c", "from audit_mw.cli import main; main()", "close")


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail of which no segment is active any more."""
    return build_old(tmp_path / "trail")


def build_old(trail: Path) -> Path:
    build(trail)
    for path in sorted(trail.glob("*/*.log")):
        path.rename(path.with_name(path.name.replace("2026-11", "2025-11")))

    return trail


def close(trail: Path) -> list[str]:
    return [closed.archive.name for closed in close_trail(trail)]


def events(trail: Path) -> dict[str, list[object]]:
    """Return what was recorded before upkeep began to."""
    return {
        stream: [
            each
            for path in segments(trail, stream)
            for each in read_events(path)
            if each.service == b"bank"
        ]
        for stream in STREAMS
    }


def told(trail: Path, kind: str = "segment_closed") -> list[bytes]:
    """Return the segments that records of upkeep are about."""
    found = [
        each.details["segment"]
        for path in segments(trail, "system")
        for each in read_events(path)
        if each.type == kind
    ]

    return [name for name in found if isinstance(name, bytes)]


def names(trail: Path) -> list[str]:
    """Return the files of that year; upkeep opens the segment of today as well."""
    return sorted(path.name for path in (trail / "request").glob("2025*"))


# --- what it leaves


def test_nothing_is_lost(trail: Path) -> None:
    """
    What was recorded reads as before, values too, and all is well with the trail.
    """
    before = events(trail)
    texts = contents(trail)
    close(trail)

    assert before == events(trail)
    for path, text in texts.items():
        archive = path.with_name(f"{path.name}.zst")
        index = read_index(archive)
        assert index is not None
        assert hashlib.sha256(text).hexdigest() == index.facts.sha256
        assert len(text) == index.facts.bytes
    assert find_value(trail, hashlib.sha256(b"a" * 300).hexdigest()) == b"a" * 300
    assert verify_trail(trail).findings == []
    assert len(texts) == len(told(trail)) == len(set(told(trail)))


def test_index(trail: Path) -> None:
    """
    An index says which times, how many records, and which file it was.
    """
    path = trail / "request" / "2025-11-20.log"
    inode = path.stat().st_ino
    text = path.read_bytes()
    close(trail)
    index = read_index(path)

    assert index is not None
    facts = index.facts
    times = [each.time for each in read_events(segments(trail, "request")[0])]
    assert (min(times), max(times)) == (facts.first, facts.last)
    assert (text.count(b"\n") - 1, len(text)) == (facts.records, facts.bytes)
    assert ("2025-11-20.log", inode) == (index.segment, index.inode)
    assert facts.bytes == sum(frame.bytes for frame in index.frames)


def test_whoever_knows_zstd_reads_it(trail: Path) -> None:
    """
    An archive is what Debian's zstd decompresses to the very bytes.
    """
    tool = shutil.which("zstd")
    if tool is None:
        pytest.skip("needs Debian's zstd")
    path = trail / "request" / "2025-11-20.log"
    text = path.read_bytes()
    close(trail)

    archive = path.with_name(f"{path.name}.zst")
    done = subprocess.run([tool, "-dc", archive], capture_output=True, check=True)
    assert text == done.stdout


def test_modes(trail: Path) -> None:
    """
    Archive and index can be read by whom the segment could be read by: mode 0640.
    """
    with umask(0o077):
        close(trail)

    modes = {path.stat().st_mode & 0o777 for path in (trail / "request").iterdir()}
    assert {0o640} == modes


def test_twice(trail: Path) -> None:
    """
    The second time there is nothing to do, and nothing is written.
    """
    close(trail)
    before = contents(trail)

    assert close(trail) == []
    assert before == contents(trail)


@pytest.mark.parametrize(
    ("name", "seconds", "is_closed"),
    [
        pytest.param("2026-11-20.log", 299, False, id="day, not five minutes ago"),
        pytest.param("2026-11-20.log", 300, True, id="day, five minutes ago"),
        pytest.param("2026-11-20T23.log", 299, False, id="hour, not five minutes ago"),
        pytest.param("2026-11-20T23.log", 300, True, id="hour, five minutes ago"),
        pytest.param("2026-11-21.log", 300, False, id="active"),
        pytest.param("2026-11-20.log.1", 300, True, id="renamed"),
        pytest.param("2026-11-20-2.log", 300, True, id="second of its name"),
        pytest.param("2026-11-20.log.gz", 300, False, id="compressed by somebody"),
        pytest.param("evidence.log", 300, False, id="of no time"),
        pytest.param("2026-13-20.log", 300, False, id="of no month"),
    ],
)
def test_when(tmp_path: Path, name: str, seconds: int, *, is_closed: bool) -> None:
    """
    A segment is closed five minutes after its period, by its name, and no earlier.
    """
    path = add(tmp_path, name, numbered(1, FIRST))
    now = timegm((2026, 11, 21, 0, 0, seconds))

    assert ([path] if is_closed else []) == closable(tmp_path, now)


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"312\t2026-11-21T05", id="half a line"),
        pytest.param(b"rubbish\n", id="damaged"),
        pytest.param(b"\x00" * 9_000_000, id="long, and no line"),
    ],
)
def test_mends_nothing(trail: Path, tail: bytes) -> None:
    """
    What is damaged stays as it is, and is named where it was.
    """
    path = trail / "request" / "2025-11-20.log"
    with path.open("ab") as file:
        file.write(tail)
    size, before = path.stat().st_size, damage(path)
    close(trail)

    archive = path.with_name(f"{path.name}.zst")
    assert before
    assert before == damage(archive)
    index = read_index(archive)
    assert index is not None
    assert size == index.facts.bytes


def damage(path: Path) -> list[tuple[int, int, str]]:
    return [
        (item.line, item.offset, item.reason)
        for item in read_segment(path)
        if isinstance(item, Damage)
    ]


def test_empty(tmp_path: Path) -> None:
    """
    A segment without a byte is closed like any other.
    """
    path = tmp_path / "request" / "2025-11-20.log"
    path.parent.mkdir()
    path.touch()
    close(tmp_path)

    assert names(tmp_path) == ["2025-11-20.index", "2025-11-20.log.zst"]
    assert list(read_segment(segments(tmp_path, "request")[0])) == []


def test_many_frames(tmp_path: Path) -> None:
    """
    A long segment is of several frames, and reads from any offset.
    """
    path = add(tmp_path, "2025-11-20.log")
    lines = [numbered(seq, FIRST, action=os.urandom(2000)) for seq in range(1, 1100)]
    add(tmp_path, path.name, *lines)
    first = Follower(tmp_path, "request")
    assert len(list(first.poll())) == 1099
    add(tmp_path, path.name, *(numbered(seq, FIRST) for seq in range(1100, 1110)))
    close(tmp_path)

    index = read_index(path)
    assert index is not None
    assert len(index.frames) > 1
    # Told from where it stopped, in the last frame.
    seqs = [item.seq for item in first.poll() if isinstance(item, Record)]
    assert list(range(1100, 1110)) == seqs
    assert list(first.poll()) == []


# --- names


def test_name_is_taken(trail: Path) -> None:
    """
    An archive that is there is not overwritten: another name is used.
    """
    close(trail)
    archive = trail / "request" / "2025-11-20.log.zst"
    before = archive.read_bytes()
    add(trail, "2025-11-20.log", numbered(7, FIRST))

    assert close(trail) == ["2025-11-20-2.log.zst"]
    assert before == archive.read_bytes()
    assert len(names(trail)) == 6


@pytest.mark.parametrize("kind", ["directory", "fifo", "link"])
def test_name_is_something_else(trail: Path, kind: str) -> None:
    """
    What is no regular file is neither waited for, nor followed, nor closed.
    """
    path = trail / "request" / "2025-11-19.log"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(trail / "request" / "2025-11-20.log")
    add(trail, "2025-11-19-2.log", numbered(7, FIRST))

    assert "2025-11-19-2.log.zst" in close(trail)
    assert os.path.lexists(path)


# --- beside others


def test_waits_for_the_lock(trail: Path) -> None:
    """
    While a writer holds the lock the segment stays; then all that it wrote is closed.
    """
    path = trail / "request" / "2025-11-20.log"
    done: list[object] = []
    with locked(path) as let_go:
        thread = threading.Thread(
            target=lambda: done.append(close_segment(path, lambda _: None))
        )
        thread.start()
        wait_for_lock(path)
        add(trail, path.name, numbered(9, FIRST))
        let_go()
        thread.join(60)

    assert done
    index = read_index(path)
    assert index is not None
    assert index.facts.records == 7


def test_two_at_once(trail: Path) -> None:
    """
    Two that close the same trail do it once between them.
    """
    before = events(trail)
    both = [
        subprocess.Popen([*CLOSE, "--trail", trail], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [each.communicate(timeout=60)[0] for each in both]

    assert [each.returncode for each in both] == [0, 0]
    assert b"".join(said).count(b"\n") == 7
    assert before == events(trail)
    assert sorted(set(told(trail))) == sorted(told(trail))
    assert verify_trail(trail).findings == []


def test_late_append(trail: Path) -> None:
    """
    What a writer appends to a segment whose closing was cut short is not lost.
    """
    path = trail / "request" / "2025-11-21.log"

    class Killed(Exception):
        pass

    def killed(_closed: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        close_segment(path, killed)
    assert [each.name for each in segments(trail, "request")] == [
        "2025-11-20.log",
        "2025-11-21.log",
    ]
    add(trail, path.name, numbered(7, FIRST))
    before = events(trail)
    close(trail)

    assert (
        max(
            item.seq
            for item in read_segment(path.with_name(f"{path.name}.zst"))
            if isinstance(item, Record)
        )
        == 7
    )
    assert before == events(trail)


# --- cut short

Broken = Callable[[Path, str, int, Iterable[Path]], bool]
CALLS = ("write", "fsync", "link", "rename", "unlink", "openat")
HOW = ("signal=SIGKILL", "error=EIO")


@pytest.fixture
def broken() -> Broken:
    """Closes a trail, with a fault at the n-th of some system calls about paths."""
    tool = shutil.which("strace")
    if tool is None:
        pytest.skip("needs Debian's strace")

    def run(trail: Path, fault: str, number: int, paths: Iterable[Path]) -> bool:
        words = [tool, "-f", "-qq", "-o", "/dev/null"]
        words += ["-e", f"inject={fault}:when={number}"]
        for path in paths:
            words += ["-P", str(path)]
        done = subprocess.run(
            [*words, *CLOSE, "--trail", str(trail)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode != 0

    return run


def small(trail: Path) -> Path:
    add(trail, "2025-11-20.log", numbered(1, FIRST), numbered(2, FIRST))
    add(trail, "2025-11-21.log", numbered(3, FIRST))

    return trail


def segments_of(trail: Path) -> Iterator[Path]:
    """Yield what closing makes and removes."""
    for path in sorted(trail.glob("*/*.log")):
        yield from (path, path.parent)
        for made in (path.with_name(f"{path.name}.zst"), path.with_suffix(".index")):
            yield from (made, made.with_name(f"{made.name}.new"))


def records_of(trail: Path) -> Iterator[Path]:
    """Yield where the records of it go; another thread writes them."""
    yield trail / "system" / f"{time.strftime('%Y-%m-%d', time.gmtime())}.log"


QUICK = (
    ("link:signal=SIGKILL", segments_of),
    ("rename:error=EIO", segments_of),
    ("write:signal=SIGKILL", records_of),
)
ALL = (
    *((f"{call}:{how}", segments_of) for call in CALLS for how in HOW),
    *((f"write:{how}", records_of) for how in HOW),
    ("flock:signal=SIGKILL", records_of),
)


@pytest.mark.parametrize(
    ("fault", "paths"),
    [
        *QUICK,
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in ALL
            if each not in QUICK
        ),
    ],
)
def test_cut_short(
    tmp_path: Path,
    broken: Broken,
    fault: str,
    paths: Callable[[Path], Iterator[Path]],
) -> None:
    """
    Killed, or failing, at any system call on the trail: run again, nothing is lost,
    nor twice.
    """
    number, dead = 0, True
    while dead:
        number += 1
        trail = small(tmp_path / str(number))
        before = events(trail)["request"]
        dead = broken(trail, fault, number, list(paths(trail)))
        assert before == events(trail)["request"]
        close(trail)

        assert before == events(trail)["request"]
        assert names(trail) == [
            "2025-11-20.index",
            "2025-11-20.log.zst",
            "2025-11-21.index",
            "2025-11-21.log.zst",
        ]
        assert told(trail) == [b"request/2025-11-20.log", b"request/2025-11-21.log"]
        assert verify_trail(trail).findings == []
        shutil.rmtree(trail)
    assert number > 2, "it was killed nowhere"


# --- beside who reads


def test_while_it_is_verified(tmp_path: Path) -> None:
    """
    Whoever judges a trail while it is closed finds nothing.
    """
    trail = build_old(tmp_path / "trail")
    lines = [numbered(seq, FIRST, action=os.urandom(2000)) for seq in range(7, 1000)]
    add(trail, "2025-11-22.log", *lines)
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(close(trail)))
    reports = []
    thread.start()
    while thread.is_alive():
        reports.append(verify_trail(trail))
    thread.join()
    reports.append(verify_trail(trail))

    # The end of the instance said 6, before this test made it go on.
    expected = {f"seq 7 of {FIRST}, which ended at 6 (sys_shutdown)"}
    assert done
    for report in reports:
        assert {each.what for each in report.findings} == expected
        assert report.records["request"] == 11 + 993
