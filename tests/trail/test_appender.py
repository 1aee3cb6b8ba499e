# Entries -> lines, by the steps that a writer and an adopter share.
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.trail.dead import INSTANCE, facts, files_of, keep, slots_of
from tests.trail.samples import micros, nth, records, spill_of, whole_numbers

from audit_mw.event import STREAMS
from audit_mw.trail.appender import Appender, Files
from audit_mw.trail.entry import Entry
from audit_mw.trail.journal import Journal
from audit_mw.trail.reader import find_value
from audit_mw.trail.record import draft_event
from audit_mw.trail.slots import DONE, FREE


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of this process."""
    journal = Journal.create(tmp_path / "a.journal", facts(), {})
    yield journal
    journal.close()


@pytest.fixture
def files(tmp_path: Path, journal: Journal) -> Iterator[Files]:
    """The files of a trail."""
    files = files_of(tmp_path / "trail")
    files.journals.append(journal)
    yield files
    files.close()


@pytest.fixture
def appender(files: Files, journal: Journal) -> Appender:
    """Appends what the journal keeps."""
    return Appender(files, journal)


def entry_of(number: int, stream: str = "request", value: bytes | None = None) -> Entry:
    """Return a record on its way."""
    spills = () if value is None else (spill_of(value),)

    return Entry(draft_event(nth(number, stream=stream)), spills)


def entries_of(*numbers: int) -> list[Entry]:
    """Return records on their way."""
    return [entry_of(number) for number in numbers]


def test_streams_apart(files: Files, journal: Journal, appender: Appender) -> None:
    """
    Each stream gets its records in their order, with numbers of its own.
    """
    entries = [entry_of(number, STREAMS[number % 3]) for number in range(9)]
    down = appender.append(entries)

    assert appender.error is None
    assert {id(entry) for entry in entries} == {id(entry) for entry in down}
    assert journal.last == dict.fromkeys(STREAMS[:3], 3)
    for place, stream in enumerate(STREAMS[:3]):
        found = records((files.trail / stream).iterdir())
        assert [(record.seq, record.event.micros) for record in found] == [
            (seq, place + 3 * (seq - 1)) for seq in (1, 2, 3)
        ]


def test_noted(files: Files, journal: Journal, appender: Appender) -> None:
    """
    The number is in the slot, and the append in the notes, when the lines are written.
    """
    slot = slots_of(journal)[2]
    keep(slot, DONE, 1)
    entry = entry_of(1)
    entry.slot = slot
    appender.append([entry_of(0), entry])
    note = journal.note("request")
    path = files.segments["request"].path

    assert slot.seq == 2
    assert note
    assert (1, 2, path.name, path.stat().st_ino) == (
        *(note.first, note.last, note.name),
        note.inode,
    )
    assert path.stat().st_size == note.offset + note.length


def test_stream_that_fails(files: Files, journal: Journal, appender: Appender) -> None:
    """
    A stream that cannot be written keeps no other from it, and spends no number.
    """
    files.trail.mkdir()
    (files.trail / "request").touch()
    failing, fault = entries_of(0, 1), entry_of(2, "fault")
    down = appender.append([*failing, fault])
    assert isinstance(appender.error, NotADirectoryError)
    assert [fault] == down
    (files.trail / "request").unlink()
    down = appender.append([*failing, entry_of(3)])

    assert appender.error is None
    assert len(down) == 3
    assert journal.last == {"request": 3, "fault": 1}
    assert micros((files.trail / "request").iterdir()) == [0, 1, 3]


def test_values_that_fail(files: Files, appender: Appender) -> None:
    """
    A record whose values are not down waits for them; the others do not wait.
    """
    files.trail.mkdir()
    (files.trail / "values").touch()
    spilling, plain = entry_of(0, value=b"exact"), entry_of(1)
    assert [plain] == appender.append([spilling, plain])
    assert isinstance(appender.error, NotADirectoryError)
    (files.trail / "values").unlink()

    assert [spilling] == appender.append([spilling])
    assert find_value(files.trail, spill_of(b"exact").sha256) == b"exact"
    assert whole_numbers((files.trail / "request").iterdir()) == {INSTANCE: 2}


@pytest.mark.parametrize("whole", [0, 1, 2, 3])
def test_in_doubt(
    files: Files, journal: Journal, appender: Appender, whole: int
) -> None:
    """
    After an append of which nobody knows how it ended the file is asked: what is in it
    is not written again, and the rest gets the numbers that follow.
    """
    appender.append(entries_of(7))
    entries = entries_of(0, 1, 2)
    appender.append(entries)
    path = files.segments["request"].path
    lines = path.read_bytes().splitlines(keepends=True)
    os.truncate(path, sum(map(len, lines[: 2 + whole])) + 30 * (whole < 3))
    journal.last["request"] = 1
    again = Appender(files, journal, unsettled=True)
    down = again.append([*entries, *entries_of(3)])

    assert len(down) == 4
    assert micros([path]) == [7, 0, 1, 2, 3]
    assert whole_numbers([path]) == {INSTANCE: 5}


def test_settled_is_out_of_the_journal(
    files: Files, journal: Journal, appender: Appender
) -> None:
    """
    What the file has already is out of the journal before the next note is made: that
    says nothing of it any more.
    """
    entries = entries_of(0, 1, 2)
    for slot, entry in zip(slots_of(journal), entries, strict=False):
        keep(slot, DONE, slot.number)
        entry.slot = slot
    appender.append(entries)
    path = files.segments["request"].path
    lines = path.read_bytes().splitlines(keepends=True)
    os.truncate(path, sum(map(len, lines[:3])) + 30)
    Appender(files, journal, unsettled=True).append(entries)
    note = journal.note("request")

    assert note
    assert (note.first, note.last) == (3, 3)
    assert [slot.state for slot in slots_of(journal)[:3]] == [FREE, FREE, DONE]


def test_settled_before(files: Files, journal: Journal, appender: Appender) -> None:
    """
    What was complete stays so, whatever became of its file since: a number that was
    given is not given again, else nobody could see what was cut off.
    """
    appender.append(entries_of(0, 1, 2))
    path = files.segments["request"].path
    lines = path.read_bytes().splitlines(keepends=True)
    os.truncate(path, sum(map(len, lines[:2])))
    request = files.trail / "request"
    moved = request.rename(files.trail / "moved")
    request.touch()
    later = entries_of(3)
    assert appender.append(later) == []  # fails before it is noted
    request.unlink()
    moved.rename(request)
    appender.append(later)

    assert [record.seq for record in records([path])] == [1, 4]
    assert journal.last == {"request": 4}


def test_nothing(files: Files, appender: Appender) -> None:
    """
    Nothing to append leaves nothing behind.
    """
    assert appender.append([]) == []
    assert not files.trail.exists()
