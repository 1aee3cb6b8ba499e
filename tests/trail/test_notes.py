# The notes of a journal: what was last appended to each stream.
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_mw.event import STREAMS
from audit_mw.trail.notes import NOTED, NOTES_BYTES, Note, read_note, write_note
from audit_mw.trail.record import VALUES

few = settings(max_examples=80)
number = st.integers(0, (1 << 64) - 1)
name = st.text("0123456789abcdefT-.log", max_size=64)
notes = st.builds(Note, number, number, number, number, number, number, name)
streams = st.sampled_from(NOTED)


def written(page: bytearray, stream: str, note: Note) -> bytes:
    with memoryview(page) as view:
        write_note(view, stream, note)

    return bytes(page)


@given(st.lists(st.tuples(streams, notes), max_size=12))
@few
def test_last_note(steps: list[tuple[str, Note]]) -> None:
    """
    The note of each stream is the one that was written last; of others there is none.
    """
    page, expected = bytearray(NOTES_BYTES), dict[str, Note]()
    for stream, note in steps:
        written(page, stream, note)
        expected[stream] = note

    assert {*STREAMS, VALUES} == set(NOTED)
    for stream in NOTED:
        assert expected.get(stream) == read_note(bytes(page), stream)


@given(st.lists(notes, min_size=1, max_size=3), notes, streams)
@few
def test_killed_while_it_notes(before: list[Note], new: Note, stream: str) -> None:
    """
    Whichever store is the last one, there is the note before or the one after.
    """
    page = bytearray(NOTES_BYTES)
    for note in before:
        written(page, stream, note)
    old = bytes(page)
    after = written(page, stream, new)
    switch = next(
        at for at in range(NOTES_BYTES) if old[at] in (1, 2) and at % 512 == 0
    )
    others = [at for at in range(NOTES_BYTES) if old[at] != after[at] and at != switch]
    copy = bytearray(old)
    for at in (*others[::2], *others[1::2]):
        copy[at] = after[at]
        assert before[-1] == read_note(bytes(copy), stream)
    copy[switch] = after[switch]

    assert new == read_note(bytes(copy), stream)


@given(notes, streams, st.integers(0, 511), st.integers(1, 255))
@few
def test_rotten(note: Note, stream: str, place: int, flip: int) -> None:
    """
    A note of which a byte changed is none, or the same where it is not part of it.
    """
    page = bytearray(NOTES_BYTES)
    written(page, stream, note)
    page[NOTED.index(stream) * 512 + place] ^= flip

    assert read_note(bytes(page), stream) in (None, note)


@given(st.binary(min_size=1, max_size=300), streams)
@few
def test_anything(part: bytes, stream: str) -> None:
    """
    Whatever stands there is no note, and reading it is no error.
    """
    page = (part * NOTES_BYTES)[:NOTES_BYTES]

    assert read_note(page, stream) is None


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 300))
@few
def test_covers(offset: int, length: int, size: int) -> None:
    """
    A file is covered that ends within what was appended; not one that ends before it.
    """
    note = Note(1, 2, offset, length, 1, 1, "a.log")

    assert note.covers(1, 2, size) == (size in range(offset + 1, offset + length + 1))
    assert not note.covers(1, 3, size)
    assert not note.covers(2, 2, size)
