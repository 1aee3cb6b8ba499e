# Slots in mapped memory, alone: whatever happens between two stores, a slot holds the
# version before or the one after.
import mmap
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trail.crew import crew
from tests.trail.samples import wait_until

from audit_mw.trail.slots import DONE, FREE, OPEN, SENDING, Block, Geometry

GEOMETRY = Geometry(3, 512, 2, 2048)
HEAD = 12  # length and check
few = settings(max_examples=60)
versions = st.binary(max_size=512 - HEAD)
states = st.sampled_from([OPEN, SENDING, DONE])
puts = st.tuples(st.just("put"), states, versions)
marks = st.tuples(st.just("mark"), states | st.just(FREE), st.just(b""))


def make_block(content: bytes = b"") -> Block:
    """Return a block in memory of its own."""
    memory = mmap.mmap(-1, GEOMETRY.size)
    memory[: len(content)] = content

    return Block(memory, GEOMETRY)


def memory_of(block: Block) -> mmap.mmap:
    assert block.memory

    return block.memory


def copies(block: Block, change: Callable[[], object]) -> list[bytes]:
    """Return the memory as it is after each store that `change` may be made of."""
    before = bytes(memory_of(block))
    change()
    after = bytes(memory_of(block))
    places = [at for at in range(len(before)) if before[at] != after[at]]
    # The state byte is stored last; in which order the others go down is not known.
    first = [at for at in places if at >= GEOMETRY.slots]
    last = [at for at in places if at < GEOMETRY.slots]
    found = []
    for order in (first, first[::-1], first[::2] + first[1::2]):
        memory = bytearray(before)
        for at in (*order, *last):
            memory[at] = after[at]
            found.append(bytes(memory))

    return [before, *found]


# --- the layout


@pytest.mark.parametrize(
    "geometry", [GEOMETRY, Geometry(16, 4096, 2, 69632), Geometry(2048, 4096, 64, 5120)]
)
def test_nothing_overlaps(geometry: Geometry) -> None:
    """
    Each slot's state, number and halves are its own, and within whole pages.
    """
    spans = [(0, geometry.slots), (geometry.meta_at, geometry.halves_at)]
    for number in range(geometry.slots):
        at = geometry.offset_of(number)
        spans.append((at, at + 2 * geometry.half_of(number)))
    ends = sorted(spans)

    assert geometry.slots * 16 <= geometry.halves_at - geometry.meta_at
    assert all(a[1] <= b[0] for a, b in pairwise(ends))
    assert ends[-1][1] <= geometry.size
    assert geometry.size % mmap.PAGESIZE == 0


def test_numbers_of_blocks() -> None:
    """
    The slots of a second block are numbered behind those of the first.
    """
    second = Block(mmap.mmap(-1, GEOMETRY.size), GEOMETRY, 5)

    assert [slot.number for slot in second.slots] == [5, 6, 7, 8, 9]
    assert [slot.is_large for slot in second.slots] == [False] * 3 + [True] * 2


# --- versions


@given(st.lists(puts | marks, max_size=8))
@few
def test_last_version(steps: list[tuple[str, int, bytes]]) -> None:
    """
    A slot gives the version that was put last and the state that was told last.
    """
    slot, other, *_ = make_block().slots
    other.put(SENDING, b"other")
    state, version = FREE, None
    for name, told, put in steps:
        state = told
        if name == "put":
            slot.put(told, put)
            version = put
        else:
            slot.mark(told)

        assert state == slot.state
        assert version is None or version == slot.get()
    assert (other.state, other.get()) == (SENDING, b"other")


@given(versions, versions, states, states)
@few
def test_killed_while_it_puts(
    first: bytes, second: bytes, state: int, next_state: int
) -> None:
    """
    Whichever of its stores is the last, there is the version before or the one after.
    """
    block = make_block()
    block.slots[1].put(state, first)
    for memory in copies(block, lambda: block.slots[1].put(next_state, second)):
        found = make_block(memory).slots[1]

        assert (found.state, found.get()) in {(state, first), (next_state, second)}


@given(st.lists(versions, min_size=1, max_size=4), states)
@few
def test_killed_at_the_first_version(before: list[bytes], state: int) -> None:
    """
    A free slot that is killed while it gets its first version is free, or has that.
    """
    block = make_block()
    slot = block.slots[2]
    for stale in before:
        slot.put(DONE, stale)
    slot.mark(FREE)
    for memory in copies(block, lambda: slot.put(state, b"new")):
        found = make_block(memory).slots[2]

        assert found.state == FREE or (found.state, found.get()) == (state, b"new")


@given(st.binary(min_size=1, max_size=40), st.integers(0, 51), st.integers(1, 255))
@few
def test_rotten(version: bytes, place: int, flip: int) -> None:
    """
    A version of which a byte changed is none; so is one with a length beyond its half.
    """
    block = make_block()
    slot = block.slots[0]
    slot.put(OPEN, version)  # of what is not in use, the second half is used first
    at = GEOMETRY.offset_of(0) + GEOMETRY.small_half + place % (HEAD + len(version))
    memory_of(block)[at] ^= flip

    assert slot.get() is None


def test_longest() -> None:
    """
    What fills a half to its last byte leaves the other half, and its neighbours, alone.
    """
    block = make_block()
    for slot in block.slots:
        slot.put(OPEN, bytes([slot.number]) * slot.room)
        slot.put(DONE, bytes([slot.number + 9]) * slot.room)
    for slot in block.slots:
        assert slot.get() == bytes([slot.number + 9]) * slot.room
        slot.put(OPEN, b"")
        assert slot.get() == b""


# --- seq and origin


@given(st.integers(0, (1 << 64) - 1), st.integers(-1, (1 << 32) - 2))
@few
def test_number_and_origin(seq: int, origin: int) -> None:
    """
    Number and origin are kept beside each other, and forgotten at the next claim.
    """
    slot, other, *_ = make_block().slots
    slot.claim(origin)
    assert (slot.seq, slot.origin) == (0, origin)
    slot.number_record(seq)
    assert (slot.seq, slot.origin) == (seq, origin)
    slot.claim()

    assert (slot.seq, slot.origin) == (0, -1)
    assert (other.seq, other.origin) == (0, -1)


# --- a block that is let go


def test_forgotten() -> None:
    """
    A slot of a block that was let go takes nothing, says nothing, and raises nothing.
    """
    block = make_block()
    slot = block.slots[0]
    slot.put(OPEN, b"a")
    block.forget()
    block.forget()
    slot.put(SENDING, b"b")
    slot.mark(DONE)
    slot.claim()
    slot.number_record(1)

    assert (slot.state, slot.get(), slot.seq, slot.origin) == (FREE, None, 0, -1)


# --- kill -9, for real


@pytest.mark.parametrize("moment", range(3))
def test_killed_at_random(tmp_path: Path, moment: int) -> None:
    """
    A process that is killed while it puts leaves a version that is whole.
    """
    path = tmp_path / "block"
    path.write_bytes(bytes(GEOMETRY.size))
    with (
        path.open("r+b") as file,
        closing(mmap.mmap(file.fileno(), GEOMETRY.size)) as memory,
        crew(1, "put_until_killed", path, *astuple(GEOMETRY)) as (worker,),
    ):
        slot = Block(memory, GEOMETRY).slots[4]
        wait_until(lambda: slot.state != FREE)
        time.sleep(moment / 300)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        version = slot.get()

    assert version
    assert version == version[:1] * (1000 + version[0])
