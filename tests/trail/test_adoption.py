# What dead processes leave: each record exactly once, without a gap, whatever state they
# died in, and whoever else adopts at the same moment.
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.trail.crew import crew, outcomes
from tests.trail.dead import (
    INSTANCE,
    adopt_one,
    dead_journal,
    files_of,
    keep,
    lines_of,
    note_append,
    slots_of,
)
from tests.trail.samples import (
    damages,
    make_writer,
    micros,
    nth,
    of_type,
    records,
    settled,
    spill_of,
    whole_numbers,
)

from audit_mw.event import Event
from audit_mw.trail.adoption import Adopted, Unadopted, adopt, survey
from audit_mw.trail.journal import Journal
from audit_mw.trail.notes import Note
from audit_mw.trail.reader import find_value
from audit_mw.trail.slots import DONE, OPEN, SENDING
from audit_mw.trail.writer import JOURNALS

Break = Callable[[Path], object]
LINES = lines_of(range(3))
NO_NOTE = Note(0, 0, 0, 0, 1, 0, "")
ENDS = [LINES.find(b"\n") + 1, len(LINES) - 1, len(LINES)]


def requests(trail: Path) -> list[Path]:
    """Return the segments of requests."""
    return list((trail / "request").iterdir())


def found(trail: Path) -> list[tuple[int, int | None]]:
    """Return (seq, number) of the records of requests."""
    return [(it.seq, it.event.micros) for it in records(requests(trail))]


def events_of(trail: Path) -> list[Event]:
    return [it.event for it in records(requests(trail))]


# --- what state a request was in


def test_states(tmp_path: Path) -> None:
    """
    OPEN is written as it was kept, SENDING is of unknown delivery, and DONE was taken.
    """
    died = {"reason": b"process_died"}
    opening = nth(0, outcome="ABORTED", details=died)

    def fill(journal: Journal) -> None:
        keep(slots_of(journal)[0], OPEN, opening)
        keep(slots_of(journal)[1], SENDING, 1)
        keep(slots_of(journal)[2], DONE, 2)

    path = dead_journal(tmp_path, fill)
    adopted = adopt_one(path)

    assert Adopted(INSTANCE, 3, 1, 0) == adopted
    assert not path.exists()
    assert found(tmp_path) == [(1, 0), (2, 1), (3, 2)]
    first, *others = events_of(tmp_path)
    assert opening == first
    assert [it.details["delivery"] for it in others] == [b"unknown", b"taken"]


def test_nothing_left(tmp_path: Path) -> None:
    """
    A journal without records is removed.
    """
    path = dead_journal(tmp_path, lambda _: None)

    assert Adopted(INSTANCE, 0, 0, 0) == adopt_one(path)
    assert list((tmp_path / JOURNALS).iterdir()) == []


def test_twice(tmp_path: Path) -> None:
    """
    A journal that was adopted is nobody's to adopt again.
    """
    path = dead_journal(tmp_path, lambda journal: keep(slots_of(journal)[0], DONE, 1))
    adopt_one(path)

    assert adopt_one(path) is None
    assert found(tmp_path) == [(1, 1)]


def test_order(tmp_path: Path) -> None:
    """
    What was numbered comes first, in the order of its numbers; the rest as it began.
    """

    def fill(journal: Journal) -> None:
        slots = slots_of(journal)
        keep(slots[0], DONE, 4)
        keep(slots[1], DONE, 2, seq=7)
        keep(slots[2], OPEN, 3)
        keep(slots[3], DONE, 1, seq=6)

    adopt_one(dead_journal(tmp_path, fill, {"request": 5}))

    assert found(tmp_path) == [(6, 1), (7, 2), (8, 3), (9, 4)]


def test_values(tmp_path: Path) -> None:
    """
    Values that a slot kept beside their record are written before it.
    """
    spilled = spill_of(b"exact \xff")

    def fill(journal: Journal) -> None:
        keep(slots_of(journal)[0], SENDING, 1, spills=[spilled, spill_of(b"")])

    adopt_one(dead_journal(tmp_path, fill))

    assert find_value(tmp_path, spilled.sha256) == spilled.value
    assert found(tmp_path) == [(1, 1)]


def test_rotten(tmp_path: Path) -> None:
    """
    What is no version is counted as damaged, and keeps no other record from its line.
    """

    def fill(journal: Journal) -> None:
        slots = slots_of(journal)
        slots[2].put(OPEN, b"")
        keep(slots[3], OPEN, 2)
        keep(slots[4], DONE, 1)
        memory = slots[3].block.memory
        assert memory
        at = memory.find(b"2026-11-21T")
        memory[at : at + 4] = b"2027"

    adopted = adopt_one(dead_journal(tmp_path, fill))

    assert adopted
    assert (adopted.records, adopted.damaged) == (1, 2)
    assert found(tmp_path) == [(1, 1)]


# --- a record that was being moved


def test_being_moved(tmp_path: Path) -> None:
    """
    A record that is in a small slot and in a large one is there once, as the large one
    has it.
    """

    def fill(journal: Journal) -> None:
        slots = slots_of(journal)
        keep(slots[3], OPEN, nth(1, status=None))
        keep(slots[16], SENDING, nth(1, status=200), origin=3)

    adopt_one(dead_journal(tmp_path, fill))

    assert found(tmp_path) == [(1, 1)]
    assert events_of(tmp_path)[0].status == 200


def test_moved_and_slot_used_again(tmp_path: Path) -> None:
    """
    A small slot that another request has since its record was moved keeps that.
    """

    def fill(journal: Journal) -> None:
        keep(slots_of(journal)[3], DONE, 2)
        keep(slots_of(journal)[16], DONE, 1, origin=3)

    adopt_one(dead_journal(tmp_path, fill))

    assert found(tmp_path) == [(1, 1), (2, 2)]


def test_moved_from_a_slot_used_before(tmp_path: Path) -> None:
    """
    Two records that were moved from the same slot, the second only just, are two.
    """

    def fill(journal: Journal) -> None:
        slots = slots_of(journal)
        keep(slots[16], OPEN, 1, origin=3)
        keep(slots[3], OPEN, 2)
        keep(slots[17], OPEN, 2, origin=3)

    adopt_one(dead_journal(tmp_path, fill))

    assert found(tmp_path) == [(1, 1), (2, 2)]


# --- what stands in the segment already


def numbered(journal: Journal) -> None:
    """Leave three records of an append, and one that came behind it."""
    for number in range(3):
        keep(slots_of(journal)[number], DONE, number, seq=number + 1)
    keep(slots_of(journal)[9], DONE, 3)


@pytest.mark.parametrize("written", [*range(0, len(LINES), 61), *ENDS])
def test_killed_in_write(tmp_path: Path, written: int) -> None:
    """
    However much of an append is in the file, each record is there once, half a line
    that the journal has the whole of is cut, and the numbers have no gap.
    """

    def fill(journal: Journal) -> None:
        numbered(journal)
        note_append(journal, tmp_path, LINES, written)

    adopt_one(dead_journal(tmp_path, fill))

    assert whole_numbers(requests(tmp_path)) == {INSTANCE: 4}
    assert micros(requests(tmp_path)) == [0, 1, 2, 3]


@pytest.mark.parametrize("written", [0, 100, ENDS[0], len(LINES) - 1, len(LINES)])
def test_another_mends_first(tmp_path: Path, written: int) -> None:
    """
    Whoever appends before the journal is adopted cuts the half line, and takes nothing
    that is whole away.
    """

    def fill(journal: Journal) -> None:
        numbered(journal)
        note_append(journal, tmp_path, LINES, written)

    path = dead_journal(tmp_path, fill)
    files = files_of(tmp_path)
    files.segments["request"].append(lines_of([7], 99))
    files.close()
    before = micros(requests(tmp_path))
    adopt_one(path)

    assert damages(requests(tmp_path)) == []
    assert before == [*range(LINES[:written].count(b"\n")), 7]
    assert sorted(micros(requests(tmp_path))) == [0, 1, 2, 3, 7]  # type: ignore[type-var] # none is None


def test_freed_in_part(tmp_path: Path) -> None:
    """
    A process that died while it freed the slots of an append goes on behind it.
    """

    def fill(journal: Journal) -> None:
        keep(slots_of(journal)[2], DONE, 2, seq=3)
        keep(slots_of(journal)[9], DONE, 3)
        note_append(journal, tmp_path, LINES, len(LINES))

    adopt_one(dead_journal(tmp_path, fill))

    assert found(tmp_path) == [(1, 0), (2, 1), (3, 2), (4, 3)]


def test_numbered_and_not_noted(tmp_path: Path) -> None:
    """
    A process that died between a number and its note goes on behind the last note.
    """

    def fill(journal: Journal) -> None:
        note_append(journal, tmp_path, LINES, len(LINES))
        keep(slots_of(journal)[1], DONE, 3, seq=4)
        keep(slots_of(journal)[2], DONE, 4, seq=2)  # half of its bytes were stored
        keep(slots_of(journal)[3], DONE, 5)

    adopt_one(dead_journal(tmp_path, fill))

    assert whole_numbers(requests(tmp_path)) == {INSTANCE: 6}
    assert sorted(micros(requests(tmp_path))) == [0, 1, 2, 3, 4, 5]  # type: ignore[type-var] # as above


# --- what became of the segment


def rename(path: Path) -> None:
    path.rename(path.with_name("rotated.log.1"))


@pytest.mark.parametrize(
    ("change", "is_recovered"),
    [
        pytest.param(rename, False, id="renamed"),
        pytest.param(Path.unlink, True, id="unlinked"),
        pytest.param(lambda path: shutil.rmtree(path.parent), True, id="directory"),
    ],
)
def test_segment_gone(tmp_path: Path, change: Break, *, is_recovered: bool) -> None:
    """
    A segment that was renamed is found by its inode; where it is gone, the record says
    that it was recovered and may be there twice.
    """
    segments = []

    def fill(journal: Journal) -> None:
        numbered(journal)
        segments.append(note_append(journal, tmp_path, LINES, len(LINES)))

    path = dead_journal(tmp_path, fill)
    change(segments[0])
    adopt_one(path)

    assert whole_numbers(requests(tmp_path)) == {INSTANCE: 4}
    assert [is_recovered] * 3 == [
        bool(it.details.get("recovered")) for it in events_of(tmp_path)[:3]
    ]
    assert not events_of(tmp_path)[3].details.get("recovered")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"boot": "another"}, id="another boot"),
        pytest.param({"durability": "disk"}, id="disk"),
    ],
)
@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize("written", [0, 100, ENDS[0], len(LINES)])
def test_by_scan(
    tmp_path: Path, changes: dict[str, Any], written: int, *, is_noted: bool
) -> None:
    """
    After a loss of power nothing in a journal is believed but its records: what stands
    in the segments is found there, also where slots came back that had been freed.
    """

    def fill(journal: Journal) -> None:
        numbered(journal)
        note_append(journal, tmp_path, LINES, written)
        if not is_noted:
            journal.set_note("request", NO_NOTE)

    adopt_one(dead_journal(tmp_path, fill, **changes))

    seqs = [it.seq for it in records(requests(tmp_path))]
    assert micros(requests(tmp_path)) == [0, 1, 2, 3]
    assert seqs == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "changes", [{"boot": "another"}, {"durability": "disk"}, {}], ids=str
)
def test_numbers_of_closed_segments(tmp_path: Path, changes: dict[str, Any]) -> None:
    """
    Where no segment has a line any more, the numbers go on behind those of the notes.
    """

    def fill(journal: Journal) -> None:
        keep(slots_of(journal)[3], DONE, 1)

    adopt_one(dead_journal(tmp_path, fill, {"request": 5}, **changes))

    assert found(tmp_path) == [(6, 1)]


# --- whose it is


@pytest.mark.parametrize("inside", [True, False])
def test_of_another_trail(tmp_path: Path, *, inside: bool) -> None:
    """
    A journal of another trail is left as it is, and nothing is told of it.
    """
    trail, other = tmp_path / "trail", tmp_path / "other"
    path = dead_journal(
        other if inside else trail,
        lambda journal: keep(slots_of(journal)[0], DONE, 1),
        trail="" if inside else str(other),
    )
    before = path.read_bytes()
    files = files_of(trail)
    assert adopt(path, files) is None
    files.close()

    assert before == path.read_bytes()
    assert not (trail / "request").exists()


def test_trail_was_moved(tmp_path: Path) -> None:
    """
    A journal that lies in its trail goes with it, wherever that is moved.
    """
    path = dead_journal(
        tmp_path / "a", lambda journal: keep(slots_of(journal)[0], DONE, 1)
    )
    (tmp_path / "a").rename(tmp_path / "b")
    adopt_one(tmp_path / "b" / JOURNALS / path.name)

    assert found(tmp_path / "b") == [(1, 1)]


def test_alive(tmp_path: Path) -> None:
    """
    The journal of a process that lives is not touched; nor is one of this very process.
    """
    with crew(1, "hold_open", tmp_path) as (worker,):
        assert worker.stdout
        path = Path(worker.stdout.readline().rstrip("\n"))
        assert adopt_one(path) is None
        assert [(path, True)] == [(it.path, it.alive) for it in survey(path.parent)]
        worker.kill()
        worker.wait()

        assert [(path, False)] == [(it.path, it.alive) for it in survey(path.parent)]
        adopt_one(path)
    assert whole_numbers(requests(tmp_path)).popitem()[1] == 3


def test_two_applications(tmp_path: Path) -> None:
    """
    Two writers of one process on one trail leave each other's journal alone, and no
    other process gets either.
    """
    first, second = make_writer(tmp_path), make_writer(tmp_path)
    try:
        for number in range(3):
            for writer in (first, second):
                writer.commit(nth(number, instance=writer.instance))
                settled(writer)
                assert writer.pump
                writer.pump._next_adoption = 0
        # Three that look, each for both journals.
        with crew(3, "adopt_all", tmp_path) as workers:
            assert outcomes(workers) == [[]] * 3
    finally:
        first.close()
        second.close()

    assert sorted(whole_numbers(requests(tmp_path)).values()) == [3, 3]
    assert list((tmp_path / JOURNALS).iterdir()) == []


# --- who adopts


def test_at_the_start(tmp_path: Path) -> None:
    """
    A writer adopts when it is opened, and tells whose records they were.
    """

    def fill(journal: Journal) -> None:
        keep(slots_of(journal)[0], OPEN, 1)
        keep(slots_of(journal)[1], DONE, 2)

    dead_journal(tmp_path, fill)
    writer = make_writer(tmp_path)
    writer.open()
    settled(writer)
    writer.close()

    (crash,) = of_type(tmp_path, "sys_crash")
    assert (INSTANCE.encode(), 2, 1) == (
        crash.details["crashed"],
        crash.details["count"],
        crash.details["unfinished"],
    )
    assert whole_numbers(requests(tmp_path)) == {INSTANCE: 2}
    assert list((tmp_path / JOURNALS).iterdir()) == []


def test_torn_line_is_not_told(tmp_path: Path) -> None:
    """
    A writer that cuts a half line which it then writes whole leaves no gap to tell of.
    """

    def fill(journal: Journal) -> None:
        numbered(journal)
        note_append(journal, tmp_path, LINES, len(LINES) - 20)

    dead_journal(tmp_path, fill)
    writer = make_writer(tmp_path)
    writer.open()
    settled(writer)
    writer.close()

    assert whole_numbers(requests(tmp_path)) == {INSTANCE: 4}
    assert of_type(tmp_path, "log_gap") == []


def test_many_at_once(tmp_path: Path) -> None:
    """
    Of eight processes that adopt at once one does; each record is there once.
    """

    def fill(journal: Journal) -> None:
        for slot in slots_of(journal)[:16]:
            keep(slot, DONE, slot.number)

    for each in range(3):
        dead_journal(tmp_path, fill, name=f"dead{each}", instance=f"web1:{each}:aa")
    with crew(8, "adopt_all", tmp_path) as workers:
        adopted = [name for said in outcomes(workers) for name in said]

    assert sorted(adopted) == ["dead0", "dead1", "dead2"]
    assert sorted(micros(requests(tmp_path))) == sorted([*range(16)] * 3)  # type: ignore[type-var] # as above
    assert damages(requests(tmp_path)) == []


# --- what cannot be adopted


def test_told_once_and_left(tmp_path: Path) -> None:
    """
    A file that is no journal is told once and stays; what is a journal is adopted.
    """
    dead_journal(tmp_path, lambda journal: keep(slots_of(journal)[0], DONE, 1))
    garbage = tmp_path / JOURNALS / "a.journal"
    garbage.write_bytes(b"garbage")
    writer = make_writer(tmp_path)
    for _ in range(3):
        writer.open()
        settled(writer)
        assert writer.pump
        writer.pump._next_adoption = 0
    writer.close()

    (gap,) = of_type(tmp_path, "log_gap")
    assert gap.details["segment"] == f"{JOURNALS}/a.journal".encode()
    assert b"does not begin" in gap.details["reason"]  # type: ignore[operator] # bytes
    assert garbage.read_bytes() == b"garbage"
    assert found(tmp_path) == [(1, 1)]


def test_disk_full_while_adopting(tmp_path: Path) -> None:
    """
    An adoption that cannot write leaves the journal; the next one goes on from there.
    """

    def fill(journal: Journal) -> None:
        keep(slots_of(journal)[0], DONE, nth(1, stream="fault"))
        keep(slots_of(journal)[1], DONE, 2)

    path = dead_journal(tmp_path, fill)
    (tmp_path / "request").touch()
    with pytest.raises(Unadopted, match="Not a directory"):
        adopt_one(path)
    (tmp_path / "request").unlink()
    adopt_one(path)

    assert found(tmp_path) == [(1, 2)]
    assert micros((tmp_path / "fault").iterdir()) == [1]
    assert not path.exists()
