# Slots in mapped memory: where a record is safe before it is on a line in a segment.
#
# The kernel keeps the pages of a mapped file when the process dies, so a store into
# one is as good as a write, and no system call.
#
# Rule 1: a version of a record is written whole, with its length and a check, into the
#         half that is not in use. Then one byte switches state and half together. A
#         process that is killed anywhere in between leaves the version before.
# Rule 2: a block that is closed, or that belongs to the parent of this process, takes
#         nothing and says nothing: who still has a slot of it must not write into the
#         memory of somebody else.
#
# A block: state bytes | seq and origin of each slot | small slots | large slots.
import mmap
import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from xxhash import xxh3_64_intdigest

__all__ = [
    "DONE",
    "FREE",
    "HALF",
    "OPEN",
    "SENDING",
    "STATE",
    "Block",
    "Geometry",
    "Slot",
    "let_go",
]

FREE, OPEN, SENDING, DONE = range(4)
STATE = 3
HALF = 4  # the bit of a state that tells which half is in use

_PAGE = 4096
_SEQ = struct.Struct("<Q")
_META = struct.Struct("<QI4x")  # seq; the small slot that it was moved from, plus one
_HEAD = struct.Struct("<IQ")  # length and check of a version


def _pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


@dataclass(frozen=True, slots=False)
class Geometry:
    """
    How a block is laid out.

    Args:
        small: how many small slots.
        small_half: bytes of a half of one.
        large: how many large slots.
        large_half: bytes of a half of one.
    """

    small: int
    small_half: int
    large: int
    large_half: int

    @cached_property
    def slots(self) -> int:
        """How many slots in all."""
        return self.small + self.large

    @cached_property
    def meta_at(self) -> int:
        """Where seq and origin of the slots begin."""
        return _pages(self.slots)

    @cached_property
    def halves_at(self) -> int:
        """Where the first half begins."""
        return self.meta_at + _pages(self.slots * _META.size)

    @cached_property
    def size(self) -> int:
        """Bytes of a block: whole pages."""
        small = 2 * self.small * self.small_half
        return _pages(self.halves_at + small + 2 * self.large * self.large_half)

    def half_of(self, number: int) -> int:
        """Return the bytes of a half of a slot."""
        return self.small_half if number < self.small else self.large_half

    def offset_of(self, number: int) -> int:
        """Return where the first half of a slot begins."""
        if number < self.small:
            return self.halves_at + 2 * number * self.small_half
        large = number - self.small
        small = 2 * self.small * self.small_half

        return self.halves_at + small + 2 * large * self.large_half


class Block:
    """
    A mapped block, and the slots in it.

    Args:
        memory: of `geometry.size` bytes.
        geometry: how it is laid out.
        first: the number of its first slot among those of all blocks.
    """

    def __init__(self, memory: mmap.mmap, geometry: Geometry, first: int = 0) -> None:
        self.memory: mmap.mmap | None = memory
        self.geometry = geometry
        self.slots = tuple(
            Slot(self, number, first + number) for number in range(geometry.slots)
        )

    def touch(self) -> None:
        """Let the kernel take all pages in use for changed: a sync then writes them."""
        memory, geometry = self.memory, self.geometry
        if memory is None:
            return
        ranges = [range(0, geometry.halves_at, _PAGE)]
        ranges += [slot.pages() for slot in self.slots if slot.state != FREE]
        for pages in ranges:
            for at in pages:
                # One statement, between the halves of which no other thread can run:
                # it must not put back a byte that somebody changed meanwhile.
                memory[at] = memory[at]

    def forget(self) -> None:
        """Take nothing any more, and let go of the memory."""
        memory, self.memory = self.memory, None
        if memory is not None:
            let_go(memory)


def let_go(memory: mmap.mmap) -> None:
    """Close a mapped memory, unless somebody is at it: then it goes when that ends."""
    # In a forked child that never ends, for the thread is the parent's. An exception
    # there would leave all else as the parent has it.
    with suppress(BufferError):
        memory.close()


class Slot:
    """One slot of a block; `number` counts over all blocks of a journal."""

    __slots__ = (
        "block",
        "half",
        "is_large",
        "meta",
        "number",
        "offset",
        "place",
        "room",
    )

    def __init__(self, block: Block, place: int, number: int) -> None:
        geometry = block.geometry
        self.block = block
        self.place = place
        self.is_large = place >= geometry.small
        self.half = geometry.half_of(place)
        self.offset = geometry.offset_of(place)
        self.meta = geometry.meta_at + place * _META.size
        self.number = number
        self.room = self.half - _HEAD.size

    @property
    def state(self) -> int:
        """FREE, OPEN, SENDING or DONE."""
        memory = self.block.memory
        return FREE if memory is None else memory[self.place] & STATE

    def pages(self) -> range:
        """Return an offset in each page that it is on."""
        return range(self.offset, self.offset + 2 * self.half, _PAGE)

    def put(self, state: int, version: bytes) -> None:
        """Keep a version of at most `room` bytes, and switch to it."""
        memory = self.block.memory
        if memory is None:
            return
        half = ~memory[self.place] & HALF
        at = self.offset + (self.half if half else 0)
        head = _HEAD.pack(len(version), xxh3_64_intdigest(version))
        memory[at : at + _HEAD.size + len(version)] = head + version
        memory[self.place] = state | half

    def mark(self, state: int) -> None:
        """Switch the state of the version that is in it."""
        memory = self.block.memory
        if memory is not None:
            memory[self.place] = state | memory[self.place] & HALF

    def get(self) -> bytes | None:
        """Return the version that is in it; None if it is not whole."""
        memory = self.block.memory
        if memory is None:
            return None
        at = self.offset + (self.half if memory[self.place] & HALF else 0)
        length, check = _HEAD.unpack_from(memory, at)
        if length > self.room:
            return None
        version = memory[at + _HEAD.size : at + _HEAD.size + length]

        return version if xxh3_64_intdigest(version) == check else None

    @property
    def seq(self) -> int:
        """The number that its record was given; 0 before."""
        memory = self.block.memory
        return 0 if memory is None else int(_META.unpack_from(memory, self.meta)[0])

    @property
    def origin(self) -> int:
        """The number of the slot that its record was moved from; -1 if it was not."""
        memory = self.block.memory
        return -1 if memory is None else _META.unpack_from(memory, self.meta)[1] - 1

    def claim(self, origin: int = -1) -> None:
        """Forget what was known of the record that it had."""
        memory = self.block.memory
        if memory is not None:
            _META.pack_into(memory, self.meta, 0, origin + 1)

    def number_record(self, seq: int) -> None:
        """Keep the number that its record was given."""
        memory = self.block.memory
        if memory is not None:
            _SEQ.pack_into(memory, self.meta, seq)
