"""
What is done for each record is the same, compiled and in Python.
"""

import mmap
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_mw.event import Draft
from audit_mw.trail import lines
from audit_mw.trail.entry import Entry
from audit_mw.trail.params import PENDING
from audit_mw.trail.record import decode_line
from audit_mw.trail.slots import DONE, FREE, OPEN, Block, Geometry, Slot

GEOMETRY = Geometry(small=4, small_half=4096, large=2, large_half=8192)
compiled: Any = pytest.importorskip(
    "audit_mw.trail._lines", reason="it was not built: there is no C compiler"
)

texts = st.binary(max_size=40)
afters = st.one_of(
    texts,
    st.integers(0, 1200).map(lambda size: b"x" * size),
    st.lists(st.one_of(texts, st.just(PENDING)), max_size=4).map(b"".join),
)
drafts = st.builds(Draft, st.just("request"), texts, afters)
entries = st.lists(
    st.builds(
        Entry,
        drafts,
        delivery=st.sampled_from(["taken", "unknown", "failed"]),
        seq=st.integers(1, 1 << 63),
    ),
    max_size=4,
)


def _block() -> Block:
    return Block(mmap.mmap(-1, GEOMETRY.size), GEOMETRY)


def _filled(block: Block, numbers: list[int]) -> list[Entry]:
    """Return entries in slots of a block, each with a version."""
    found = []
    for number in numbers:
        slot = block.slots[number]
        slot.claim()
        slot.put(OPEN, b"version")
        slot.mark(DONE)
        found.append(Entry(Draft("request", b"a", b"b"), slot=slot))

    return [*found, Entry(Draft("request", b"a", b"b"))]


@given(entries)
def test_lines(found: list[Entry]) -> None:
    """Lines are the same, byte for byte."""
    assert compiled.finish_lines(found) == lines.finish_each(found)


@given(
    entries,
    entries,
    st.integers(0, 5),
    st.integers(0, 2000),
    st.sampled_from([lines.take_each, compiled.take_entries]),
)
def test_batch(
    before: list[Entry],
    queued: list[Entry],
    most: int,
    most_bytes: int,
    take: Callable[..., None],
) -> None:
    """A batch ends when it has the number, or the bytes; the others wait in order."""
    found, queue = [*before], deque(queued)
    take(queue, found, most, most_bytes)
    taken = found[len(before) :]

    assert found[: len(before)] == before
    assert [*taken, *queue] == queued
    sizes = [len(entry.draft.after) for entry in found]
    if taken:
        assert len(found) <= most
        assert sum(sizes[:-1]) < most_bytes
    if queue:
        assert len(found) >= most or sum(sizes) >= most_bytes


def test_line_is_read() -> None:
    """A line that is finished decodes."""
    cells = b"request\tSUCCESS\tx\th:1:0" + b"\t-" * 11 + b"\t[]\t{}\t-\t-"
    draft = Draft("request", b"2026-11-21T05:26:07.123456Z\te\trequest", cells)

    assert decode_line(compiled.finish_lines([Entry(draft, seq=7)])).seq == 7


@given(
    st.lists(st.integers(0, 5), unique=True),
    st.integers(0, 1 << 63),
    st.sampled_from([lines.number_each, compiled.number_entries]),
)
def test_numbers(
    numbers: list[int], first: int, number: Callable[[list[Entry], int], None]
) -> None:
    """Entries have their numbers, in the journal too."""
    found = _filled(_block(), numbers)
    number(found, first)

    assert [entry.seq for entry in found] == list(range(first, first + len(found)))
    assert all(it.slot.seq == it.seq for it in found if it.slot is not None)


@given(
    st.lists(st.integers(0, 5), unique=True),
    st.booleans(),
    st.sampled_from([lines.free_each, compiled.free_slots]),
)
def test_free(numbers: list[int], is_gone: bool, free: Callable[..., None]) -> None:
    """Slots are free, and those of the journal are there for the next."""
    block, other = _block(), _block()
    found = _filled(block, numbers)
    small: deque[Slot] = deque()
    large: deque[Slot] = deque()
    free(found, (other,) if is_gone else (other, block), small, large)

    slots = [it.slot for it in found if it.slot is not None]
    assert all(slot.state == FREE and slot.get() == b"version" for slot in slots)
    assert [*small] == [it for it in slots if not it.is_large and not is_gone]
    assert [*large] == [it for it in slots if it.is_large and not is_gone]


def test_memory_that_is_gone() -> None:
    """A block that belongs to somebody else takes nothing, and nothing is raised."""
    block = _block()
    found = _filled(block, [0, 5])
    block.forget()
    small: deque[Slot] = deque()
    compiled.number_entries(found, 3)
    compiled.free_slots(found, (), small, small)

    assert not small
