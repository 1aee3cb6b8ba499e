# The writer's thread: when it looks, what it does about what it finds, and how it ends.
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.settling import settle
from tests.trail.crew import outcome
from tests.trail.samples import (
    begin,
    locked,
    make_writer,
    micros,
    nth,
    of_type,
    put_on_record,
    records,
    send,
    settled,
    spill_of,
    threads,
    wait_for_lock,
    wait_until,
    whole_numbers,
)

from audit_mw.errors import AuditUnavailable
from audit_mw.trail.pump import Pump
from audit_mw.trail.reader import find_value
from audit_mw.trail.writer import JOURNALS, Writer

LONG = b"/" + b"a" * 9000
Change = Callable[[Path], object]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """The writer of this process, with a small journal."""
    writer = make_writer(tmp_path, max_slots=16)
    yield writer
    writer.close()


def pump_of(writer: Writer) -> Pump:
    """Return what a writer works with now."""
    writer.open()
    assert writer.pump

    return writer.pump


def commit(writer: Writer, *numbers: int) -> None:
    """Commit events, and wait until they are down."""
    for number in numbers:
        writer.commit(nth(number, instance=writer.instance))
    settled(writer)


def look_after_journals(pump: Pump) -> None:
    """Let it look after journals now, not in five seconds."""
    pump._next_adoption = 0
    pump.wake()
    wait_until(lambda: pump._next_adoption)


def requests(trail: Path) -> list[Path]:
    """Return the segments of requests."""
    return list((trail / "request").iterdir())


# --- when it looks


def test_idle(tmp_path: Path) -> None:
    """
    A writer that has nothing to do sleeps: two seconds of it are a few switches.
    """
    assert outcome("idle", tmp_path) < 20


def test_wakes(tmp_path: Path, writer: Writer) -> None:
    """
    The first record wakes a writer that sleeps; nobody has to ask for it.
    """
    pump = pump_of(writer)
    for number in range(3):
        wait_until(lambda: pump.is_asleep)
        put_on_record(writer, nth(number, instance=writer.instance))
        wait_until(lambda: not pump.waiting)

    assert micros(requests(tmp_path)) == [0, 1, 2]


# --- slots


def test_reserve(tmp_path: Path, writer: Writer) -> None:
    """
    New requests are refused before the reserve is touched; what runs ends, and events
    of it are taken.
    """
    commit(writer, 0)
    places = [
        begin(writer, nth(number, instance=writer.instance))
        for number in range(16 - 16 // 8)
    ]
    with pytest.raises(AuditUnavailable, match="raise max_slots"):
        writer.place()
    assert writer.state().state == "refusing"
    commit(writer, *range(100, 140))
    for number, place in enumerate(places):
        send(place, nth(number, instance=writer.instance))
        place.sent()
    settled(writer)

    writer.place().drop()
    assert {writer.instance: 1 + 40 + 14} == whole_numbers(requests(tmp_path))


def test_one_after_the_other(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Slots that only wait to be given back are no requests that run: who asks faster
    than the writer looks waits for it, and is not refused.
    """
    # On a busy machine the writer may come to it later than a request waits.
    monkeypatch.setattr("audit_mw.trail.pump._CATCH_UP", 60)
    pump = pump_of(writer)
    for number in range(500):
        whole = nth(number, instance=writer.instance)
        place = begin(writer, whole)
        send(place, whole)
        place.sent()
    wait_until(lambda: not pump.waiting)

    assert micros(requests(tmp_path)) == [*range(500)]


def test_no_second_wait(tmp_path: Path, writer: Writer) -> None:
    """
    Where a disk stalls only the first request that finds no slot waits for the writer;
    the next ones are refused at once, until it writes again.
    """
    commit(writer, 0)
    pump = pump_of(writer)
    with locked(requests(tmp_path)[0]):
        for number in range(1, 15):
            put_on_record(writer, nth(number, instance=writer.instance))
        waits = []
        for _ in range(3):
            with pytest.raises(AuditUnavailable, match="raise max_slots"):
                writer.place()
            waits.append(len(pump._jobs))
    settled(writer)

    assert waits == [1, 1, 1]
    writer.place().drop()


def test_what_is_being_written(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Slots of what the writer is at just now are waited for like those of what it has yet
    to take: they are of no request that runs either.
    """
    monkeypatch.setattr("audit_mw.trail.pump._CATCH_UP", 60)
    commit(writer, 0)
    pump = pump_of(writer)
    (segment,) = requests(tmp_path)
    served: list[bool] = []

    def ask() -> None:
        writer.place().drop()
        served.append(True)

    with locked(segment) as let_go:
        # So that it takes all of them at once, and leaves none in the queue.
        pump._not_before = time.monotonic() + 600
        for number in range(1, 15):
            put_on_record(writer, nth(number, instance=writer.instance))
        pump._not_before = 0
        pump.wake()
        wait_for_lock(segment)
        with threads(ask) as (asking,):
            wait_until(lambda: pump._jobs or not asking.is_alive())
            let_go()

    assert served


def test_grows(tmp_path: Path) -> None:
    """
    More requests at once than a block has slots get a second block, up to `max_slots`.
    """
    writer = make_writer(tmp_path, max_slots=4096)
    commit(writer, 0)
    places = [writer.place() for _ in range(4096 - 4096 // 8)]
    with pytest.raises(AuditUnavailable, match="raise max_slots"):
        writer.place()
    assert writer.state().slots == 4096
    whole = nth(1, instance=writer.instance)
    last = places.pop()
    send(last, whole)
    last.sent()
    for place in places:
        place.drop()
    writer.close()

    assert list((tmp_path / JOURNALS).iterdir()) == []


def test_no_large_slot(tmp_path: Path, writer: Writer) -> None:
    """
    A request that needs a large slot waits until one is free, and goes on.
    """
    large = [
        begin(writer, nth(number, instance=writer.instance, path=LONG))
        for number in range(2)
    ]
    whole = nth(2, instance=writer.instance, path=LONG)
    third = writer.place()
    steps = third.open(whole)
    receipt = next(iter(steps))
    commit(writer, 9)
    assert not receipt.answered
    send(large[0], nth(0, instance=writer.instance, path=LONG))
    large[0].sent()
    receipt.wait()
    assert list(steps) == []
    send(third, whole)
    third.sent()
    large[1].drop()
    settled(writer)

    assert sorted(map(int, filter(None, micros(requests(tmp_path))))) == [2, 9]
    assert {writer.instance: 3} == whole_numbers(requests(tmp_path))


def test_no_large_slot_while_it_fails(tmp_path: Path, writer: Writer) -> None:
    """
    A request that waits for a large slot does not wait for a disk that takes nothing.
    """
    held = [
        begin(writer, nth(number, instance=writer.instance, path=LONG))
        for number in range(2)
    ]
    (tmp_path / "fault").touch()
    writer.commit(nth(1, stream="fault", instance=writer.instance))
    wait_until(lambda: pump_of_failing(writer).refusal)
    place = Pump.outside(pump_of_failing(writer))
    (receipt,) = [next(iter(place.open(nth(3, path=LONG))))]
    with pytest.raises(AuditUnavailable, match="ENOTDIR"):
        receipt.wait()
    (tmp_path / "fault").unlink()
    settled(writer)

    assert len(held) == 2


def pump_of_failing(writer: Writer) -> Pump:
    """Return the same, where opening it would be refused."""
    assert writer.pump

    return writer.pump


# --- values


def test_values_beside_their_record(tmp_path: Path, writer: Writer) -> None:
    """
    Values that a slot has room for wait for nothing; longer ones are down first.
    """
    short, long = spill_of(b"s" * 60_000), spill_of(b"l" * 100_000)
    place = writer.place()
    assert list(place.open(nth(1, instance=writer.instance, spills=(short,)))) == []
    (receipt,) = place.send(nth(1, instance=writer.instance, spills=(short, long)))
    receipt.wait()

    assert find_value(tmp_path, long.sha256) == long.value
    assert find_value(tmp_path, short.sha256) == short.value
    place.sent()


def test_values_that_fail(tmp_path: Path, writer: Writer) -> None:
    """
    A request whose values cannot be written is told so; its record is kept.
    """
    commit(writer, 0)
    place = begin(writer, nth(1, instance=writer.instance))
    (tmp_path / "values").touch()
    long = spill_of(b"l" * 100_000)
    whole = nth(1, instance=writer.instance, spills=(long,))
    with pytest.raises(AuditUnavailable, match="ENOTDIR"):
        send(place, whole)
    place.finish(whole)
    (tmp_path / "values").unlink()
    settled(writer)

    assert micros(requests(tmp_path)) == [0, 1]
    assert find_value(tmp_path, long.sha256) == long.value


# --- what vanished


def put_fifo(path: Path) -> None:
    path.rename(f"{path}.1")
    os.mkfifo(path)


LOSSES = [
    pytest.param(Path.unlink, b"unlinked", id="unlinked"),
    pytest.param(lambda path: os.truncate(path, 0), b"truncated", id="truncated"),
    pytest.param(
        lambda path: [path.rename(f"{path}.1"), path.mkdir()],
        b"replaced by a directory",
        id="directory",
    ),
    pytest.param(put_fifo, b"replaced by a FIFO", id="FIFO"),
    pytest.param(
        lambda path: [path.rename(f"{path}.1"), path.symlink_to("elsewhere")],
        b"replaced by a symbolic link",
        id="link",
    ),
    pytest.param(lambda path: shutil.rmtree(path.parent), b"unlinked", id="tree"),
    pytest.param(
        lambda path: path.parent.rename(f"{path.parent}.1"),
        b"the directory is gone",
        id="directory renamed",
    ),
]


@pytest.mark.parametrize(("change", "reason"), LOSSES)
@pytest.mark.parametrize("on_vanished", ["continue", "refuse"])
def test_vanished(
    tmp_path: Path, change: Change, reason: bytes, on_vanished: str
) -> None:
    """
    What became of a segment is told with what it was, all that came behind it is
    written, and by option no request is taken until a restart.
    """
    writer = make_writer(tmp_path, on_vanished=on_vanished)
    commit(writer, 0, 1)
    (path,) = requests(tmp_path)
    size, inode = path.stat().st_size, path.stat().st_ino
    change(path)
    commit(writer, 2)
    settled(writer)  # what is told of it as well
    found = [path for path in (tmp_path / "request").glob("*.log") if path.is_file()]
    (gap,) = of_type(tmp_path, "log_gap")

    assert (micros(found)[-1], records(found)[-1].seq) == (2, 3)
    told = gap.details
    assert (reason, size, inode, 2) == (
        *(told["reason"], told["size"], told["inode"]),
        told["last_seq"],
    )
    check_refusal(writer, on_vanished)


def check_refusal(writer: Writer, on_vanished: str) -> None:
    """Check that requests are served, or not until a restart."""
    if on_vanished == "refuse":
        with pytest.raises(AuditUnavailable, match="restart the service"):
            writer.place()
        assert writer.state().state == "refusing"
        writer.close()
    writer.place().drop()
    writer.close()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.rename(f"{path}.1"), id="renamed"),
        pytest.param(lambda path: path.chmod(0o600), id="mode"),
    ],
)
def test_not_vanished(tmp_path: Path, change: Change) -> None:
    """
    A segment that was renamed or whose mode was changed is no reason to refuse.
    """
    writer = make_writer(tmp_path, on_vanished="refuse")
    commit(writer, 0)
    change(requests(tmp_path)[0])
    commit(writer, 1)
    writer.place().drop()
    writer.close()

    assert {writer.instance: 2} == whole_numbers(requests(tmp_path))


# --- its own journal


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(Path.unlink, id="unlinked"),
        pytest.param(lambda path: path.rename(f"{path}.old"), id="renamed"),
        pytest.param(lambda path: [path.unlink(), path.touch()], id="replaced"),
        pytest.param(lambda path: shutil.rmtree(path.parent), id="directory"),
    ],
)
def test_journal_vanished(tmp_path: Path, writer: Writer, change: Change) -> None:
    """
    A journal that is gone is told and made anew; what runs ends, and numbers go on.
    """
    commit(writer, 0)
    whole = nth(1, instance=writer.instance)
    place = begin(writer, whole)
    pump = pump_of(writer)
    gone = pump.journal
    change(gone.path)
    look_after_journals(pump)
    wait_until(lambda: pump.journal is not gone)
    put_on_record(writer, nth(2, instance=writer.instance))
    send(place, whole)
    place.sent()
    commit(writer, 3)

    gaps = of_type(tmp_path, "log_gap")
    assert b"the journal is gone" in [gap.details["reason"] for gap in gaps]
    assert pump.journal.path.exists()
    assert {writer.instance: 4} == whole_numbers(requests(tmp_path))


def test_killed_without_its_first_journal(tmp_path: Path) -> None:
    """
    A process that was killed soon after its journal was made anew is adopted with the
    numbers that follow.
    """
    outcome("lose_journal", tmp_path)
    settle(tmp_path)
    whole_numbers((tmp_path / "system").iterdir())

    assert list(whole_numbers(requests(tmp_path)).values()) == [4]
    assert micros(requests(tmp_path)) == [0, 1, 2, 9]


def test_lock_is_taken_again(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A lock that somebody in this process closed away is taken again.
    """
    # Who asks for the lock may be slow to start: it is not to be taken before.
    monkeypatch.setattr("audit_mw.trail.pump._ADOPT", 600)
    pump = pump_of(writer)
    settled(writer)
    pump.journal.path.open("rb").close()
    assert not outcome("try_lock", pump.journal.path)
    look_after_journals(pump)

    assert outcome("try_lock", pump.journal.path)


# --- the end


def test_end_of_the_interpreter(tmp_path: Path) -> None:
    """
    At the end of the interpreter what is finished is written; what runs is left to
    whoever comes next, and on record then.
    """
    outcome("end_while_waiting", tmp_path, 300)
    (left,) = (tmp_path / JOURNALS).iterdir()
    assert micros(requests(tmp_path)) == [*range(300)]
    settle(tmp_path)

    assert micros(requests(tmp_path)) == [*range(300), 300, 301]
    assert list(whole_numbers(requests(tmp_path)).values()) == [302]
    assert not left.exists()


def test_says_so(tmp_path: Path, writer: Writer) -> None:
    """
    A writer says when it begins, and when it ends with the last seq of each stream.
    """
    commit(writer, 0, 1)
    writer.commit(nth(2, stream="fault", instance=writer.instance))
    writer.close()
    (path,) = (tmp_path / "system").iterdir()
    first, last = records([path])

    assert (first.seq, first.event.type) == (1, "sys_startup")
    assert (last.seq, last.event.type) == (2, "sys_shutdown")
    assert last.event.details["last"] == {"request": 2, "fault": 1, "system": 2}
