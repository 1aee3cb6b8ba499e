# The file of slots, and whose it is.
import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.torture.marks import needs_strace
from tests.trail.crew import crew, outcome
from tests.trail.dead import (
    GEOMETRY,
    adopt_one,
    dead_journal,
    facts,
    keep,
    slots_of,
)
from tests.trail.samples import micros, open_files, umask

from audit_mw.trail.adoption import Unadopted, survey
from audit_mw.trail.journal import Journal
from audit_mw.trail.journal_header import HEADER_BYTES, JournalError, read_facts
from audit_mw.trail.journals import is_own, read_notes, remove_stale
from audit_mw.trail.notes import Note
from audit_mw.trail.slots import DONE, OPEN
from audit_mw.trail.writer import JOURNALS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "a.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """A journal of this process."""
    journal = Journal.create(path, facts(), {})
    yield journal
    journal.close()


def is_locked(path: Path) -> bool:
    """Tell whether another process finds the journal locked."""
    said = outcome("try_lock", path)
    assert isinstance(said, bool)

    return said


# --- making one


def test_create(path: Path, journal: Journal) -> None:
    """
    A new journal is whole, preallocated, its mode 0640, and alone in its directory.
    """
    status = path.stat()

    assert [path] == list(path.parent.iterdir())
    assert HEADER_BYTES + GEOMETRY.size == status.st_size
    assert status.st_blocks * 512 >= status.st_size  # a store must find its disk
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert {slot.state for slot in journal.slots()} == {0}
    assert len(list(journal.slots())) == 18


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777], ids=oct)
def test_mode(path: Path, mask: int) -> None:
    """
    The mode is that whatever the umask.
    """
    with umask(mask):
        Journal.create(path, facts(), {}).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_name_is_taken(path: Path) -> None:
    """
    A name that somebody makes a journal under at this moment is not taken from him.
    """
    path.with_suffix(".new").touch()
    with pytest.raises(FileExistsError):
        Journal.create(path, facts(), {})

    assert not path.exists()


def test_half_made(path: Path, journal: Journal) -> None:
    """
    What was left half made is removed when it is old; what is being made stays,
    though the clock is set forward meanwhile.
    """
    new = path.rename(path.with_suffix(".new"))
    later = new.stat().st_mtime + 3600
    outcome("remove_stale_at", path.parent, later)
    remove_stale(path.parent, later)
    assert new.exists()
    assert is_locked(new)

    journal.close()
    remove_stale(path.parent, later - 3600)
    assert new.exists()
    remove_stale(path.parent, later)
    assert not new.exists()


@needs_strace
def test_made_beside_clocks_ahead(tmp_path: Path) -> None:
    """
    A process whose clock is a day ahead takes no journal for stale that is being made,
    though who makes it is slow to lock it.
    """
    slow = (
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fcntl",
        "-e",
        "inject=fcntl:delay_enter=2000",
    )
    with crew(1, "remove_stale_always", tmp_path):
        assert outcome("make_journals", tmp_path, 20, under=slow) is None

    assert list(tmp_path.iterdir()) == []


def test_no_room(path: Path) -> None:
    """
    Where there is no room for it nothing is left of it, and no file is open.
    """
    assert outcome("create_beyond_limit", path) == ["EFBIG", 0]

    assert list(path.parent.iterdir()) == []


def test_too_long_a_path(path: Path) -> None:
    """
    A trail whose path does not fit the header is an error that says so.
    """
    with pytest.raises(OSError, match="too long") as caught:
        Journal.create(path, facts(trail="/" + "a" * 20_000), {})

    assert caught.value.errno == errno.ENAMETOOLONG
    assert list(path.parent.iterdir()) == []


def test_last_numbers(path: Path) -> None:
    """
    The numbers that a process had before are noted before the journal has its name.
    """
    journal = Journal.create(path, facts(), {"request": 5, "fault": 0})
    journal.close()
    found = Journal.take_over(path)
    assert found
    note = found.note("request")
    found.close()

    assert note
    assert (note.first, note.last, note.inode) == (6, 5, 0)


# --- its header


def test_facts(path: Path, journal: Journal) -> None:
    """
    The header says what was told, also where a path is not text.
    """
    told = facts(trail=os.fsdecode(b"/tra\xffil \n"), service="é", durability="disk")
    Journal.create(path.with_name("b.journal"), told, {}).close()
    fd = os.open(path.with_name("b.journal"), os.O_RDONLY)
    try:
        assert told == read_facts(fd)
    finally:
        os.close(fd)
    assert facts() == journal.facts


def test_grows(path: Path, journal: Journal) -> None:
    """
    A block that is added is there for who takes it over, and its slots count on.
    """
    keep(slots_of(journal)[0], DONE, 1)
    block = journal.grow()
    keep(block.slots[0], DONE, 2)
    assert [slot.number for slot in block.slots] == [*range(18, 36)]
    journal.close()
    found = Journal.take_over(path)
    assert found
    states = [slot.number for slot in found.slots() if slot.state == DONE]
    found.close()

    assert states == [0, 18]


# --- its lock


def test_locked(path: Path, journal: Journal) -> None:
    """
    It is locked from its first moment until it is closed, and by nobody afterwards.
    """
    assert is_locked(path)
    journal.grow()
    assert is_locked(path)
    journal.close()

    assert not is_locked(path)


def test_own(path: Path, journal: Journal) -> None:
    """
    A process knows its own journals, and never opens them again; that would unlock them.
    """
    assert is_own(path.stat())
    assert Journal.take_over(path) is None
    assert list(read_notes(path)) == []
    assert survey(path.parent) == []
    assert is_locked(path)
    journal.close()

    assert not is_own(path.stat())


def test_lock_is_lost(path: Path, journal: Journal) -> None:
    """
    Who closes a descriptor of the file takes the lock away; it can be had again.
    """
    path.open("rb").close()
    assert not is_locked(path)
    journal.hold_lock()

    assert is_locked(path)


def test_not_inherited(path: Path, journal: Journal) -> None:
    """
    A program that the application starts does not get the file.
    """
    journal.set_note("request", Note(1, 2, 3, 4, 5, 6, "a"))

    assert not os.get_inheritable(journal._fd)
    assert path.exists()


def test_taken_over(path: Path, journal: Journal) -> None:
    """
    Whoever takes a journal over has what was in it: slots, notes and lock.
    """
    note = Note(1, 2, 3, 4, 5, 6, "a.log")
    keep(slots_of(journal)[16], OPEN, 1, seq=7, origin=3)
    journal.set_note("fault", note)
    journal.close()
    found = Journal.take_over(path)
    assert found
    slot = slots_of(found)[16]

    assert (slot.state, slot.seq, slot.origin) == (OPEN, 7, 3)
    assert note == found.note("fault")
    assert is_locked(path)
    found.remove()
    assert not path.exists()
    assert Journal.take_over(path) is None


def test_notes_of_others(path: Path, journal: Journal) -> None:
    """
    The notes of a journal can be read by whoever does not have it.
    """
    note = Note(1, 2, 3, 4, 5, 6, "a.log")
    journal.set_note("values", note)
    journal.close()

    assert [note] == [each for each in read_notes(path) if isinstance(each, Note)]


# --- its name


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(Path.unlink, id="unlinked"),
        pytest.param(lambda path: path.rename(f"{path}.1"), id="renamed"),
        pytest.param(lambda path: [path.unlink(), path.touch()], id="replaced"),
        pytest.param(lambda path: os.truncate(path, 100), id="cut off"),
    ],
)
def test_not_named(
    path: Path, journal: Journal, change: Callable[[Path], object]
) -> None:
    """
    A journal knows when it is not where it was made, or not whole any more.
    """
    assert journal.is_named()
    change(path)

    assert not journal.is_named()


# --- after the end


def test_forgotten_in_the_middle(journal: Journal) -> None:
    """
    A child that is forked while a thread of its parent makes a note lets go of all:
    what that thread held of the memory nobody gives back there.
    """
    header, block = journal._header, journal.blocks[0]
    assert header is not None
    assert block.memory is not None
    held = memoryview(header), memoryview(block.memory)
    descriptor = journal._fd
    journal.forget()

    assert [journal._header, block.memory].count(None) == 2
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    for view in held:
        view.release()


def test_closed(journal: Journal) -> None:
    """
    A journal that was let go takes nothing, and raises nothing.
    """
    slot = slots_of(journal)[0]
    journal.close()
    journal.close()
    slot.put(OPEN, b"a")
    journal.set_note("request", Note(1, 2, 3, 4, 5, 6, "a"))

    assert journal.note("request") is None


def test_none_left_open(path: Path) -> None:
    """
    Making, growing, taking over and letting go leave no file open.
    """
    for _ in range(3):
        journal = Journal.create(path, facts(), {})
        journal.grow()
        journal.close()
        found = Journal.take_over(path)
        assert found
        found.remove()

    assert open_files(path.parent) == []


# --- what is none, or not ours to read


def say_format(number: bytes) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        text = path.read_bytes()
        path.write_bytes(text.replace(b"journal 1\n", b"journal %s\n" % number, 1))

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(say_format(b"0"), "format 0", id="older"),
        pytest.param(
            say_format(b"2"), "format 2, and this version reads 1", id="newer"
        ),
        pytest.param(say_format(b"x"), "format x", id="no number"),
        pytest.param(
            lambda path: path.write_bytes(b"garbage"), "does not begin", id="garbage"
        ),
        pytest.param(lambda path: path.write_bytes(b""), "does not begin", id="empty"),
        pytest.param(
            lambda path: path.write_bytes(b"#audit_mw journal 1\n{}\n" + bytes(99_999)),
            "header",
            id="no facts",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"#audit_mw journal 1\n[1"),
            "header",
            id="half a header",
        ),
        *[
            pytest.param(
                lambda path, size=size: os.truncate(path, size), "cut off", id=f"{size}"
            )
            for size in (
                300,
                5000,
                HEADER_BYTES - 1,
                HEADER_BYTES,
                HEADER_BYTES + 1,
                HEADER_BYTES + GEOMETRY.size - 1,
            )
        ],
    ],
)
def test_none(tmp_path: Path, change: Callable[[Path], object], expected: str) -> None:
    """
    What is no journal, or is none that this version reads, is told again and again, and
    left as it is: no file stays open, and its inode is nobody's.
    """
    path = dead_journal(tmp_path, lambda journal: keep(slots_of(journal)[0], DONE, 1))
    change(path)
    before = path.read_bytes()
    for _ in range(3):
        with pytest.raises(JournalError, match=expected):
            Journal.take_over(path)
        with pytest.raises(Unadopted, match=f"{path}.*{expected}"):
            adopt_one(path)
    (state,) = survey(path.parent)

    assert (before, []) == (path.read_bytes(), open_files(tmp_path))
    assert not is_own(path.stat())
    assert state.problem
    assert expected in state.problem


@pytest.mark.parametrize(
    "make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("a")]
)
def test_no_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """
    What is no file is told and left; nothing waits for it, and no link is followed.
    """
    path = tmp_path / JOURNALS / "x.journal"
    dead_journal(tmp_path, lambda _: None, name="a")
    make(path)
    with pytest.raises(Unadopted, match=str(path)):
        adopt_one(path)

    assert os.path.lexists(path)


quietly = settings(max_examples=60)


@given(
    st.lists(
        st.tuples(st.integers(0, HEADER_BYTES + 40_000), st.integers(0, 255)),
        max_size=4,
    ),
    st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=3),
    st.none() | st.integers(0, HEADER_BYTES + GEOMETRY.size),
)
@quietly
def test_anything(
    tmp_path_factory: pytest.TempPathFactory,
    bytes_: list[tuple[int, int]],
    of_header: list[tuple[int, int]],
    size: int | None,
) -> None:
    """
    Whatever bytes of a journal changed, and wherever it was cut off, it is adopted or
    told; nothing else comes of it, and no record is made up.
    """
    trail = tmp_path_factory.mktemp("trail")
    path = dead_journal(trail, lambda journal: keep(slots_of(journal)[0], DONE, 1))
    content = bytearray(path.read_bytes())
    for at, byte in (*bytes_, *of_header):
        content[at] = byte
    path.write_bytes(content[:size])
    with suppress(Unadopted):
        adopt_one(path)
    found = (trail / "request").glob("*")

    assert micros(found) in ([1], [])


def test_facts_of_a_wrong_kind(tmp_path: Path) -> None:
    """
    Facts that are not what they should be are told, whatever they are.
    """
    path = dead_journal(tmp_path, lambda _: None)
    magic, line, rest = path.read_bytes().split(b"\n", 2)
    told = json.loads(line)
    wrongs: tuple[object, ...] = (None, "1", -1, 1.5, [], 1 << 70)
    for wrong in wrongs:
        for key in ("small", "small_half", "large", "large_half"):
            changed = told | {"geometry": told["geometry"] | {key: wrong}}
            text = json.dumps(changed).encode()
            path.write_bytes(b"\n".join([magic, text, rest]))
            with pytest.raises(Unadopted, match=re.escape(str(path))):
                adopt_one(path)
            assert not is_own(path.stat())
