# The note that a journal keeps of each stream: what was last appended, and where.
#
# It is made under the lock of the segment, before the write. So whoever finds the
# journal of a dead process knows where to look for what it was writing, and whoever
# finds half a line in a segment knows whether a journal still has the whole.
#
# A note is written into the half that is not in use; then one byte switches.
import struct
from dataclasses import dataclass

from xxhash import xxh3_64_intdigest

from audit_mw.event import STREAMS
from audit_mw.trail.record import VALUES

__all__ = ["NOTED", "NOTES_BYTES", "Note", "read_note", "write_note"]

_NOTE = struct.Struct("<QQQQQQ64s")
_CHECK = struct.Struct("<Q")
_SPACE = 512  # of a stream
_HALVES = (64, 256)
NOTES_BYTES = 4096
NOTED = (*STREAMS, VALUES)  # values have no numbers
_PLACE = {stream: place * _SPACE for place, stream in enumerate(NOTED)}


@dataclass(frozen=True, slots=True)
class Note:
    """
    An append: to which file, from which byte, how many, and which numbers.

    `device` and `inode` are 0 where nothing was appended yet.
    """

    device: int
    inode: int
    offset: int
    length: int
    first: int
    last: int
    name: str

    def covers(self, device: int, inode: int, size: int) -> bool:
        """Tell whether a file of this size ends within what was being appended."""
        is_it = (self.device, self.inode) == (device, inode)

        return is_it and self.offset < size <= self.offset + self.length


def read_note(page: bytes, stream: str) -> Note | None:
    """Return the note of a stream; None if there is none, or none that is whole."""
    place = _PLACE[stream]
    current = page[place]
    if current not in (1, 2):
        return None
    at = place + _HALVES[current - 1]
    body = page[at : at + _NOTE.size]
    if _CHECK.unpack_from(page, at + _NOTE.size)[0] != xxh3_64_intdigest(body):
        return None
    *numbers, name = _NOTE.unpack(body)

    device, inode, offset, length, first, last = numbers
    shown = name.rstrip(b"\0").decode("ascii", "replace")

    return Note(device, inode, offset, length, first, last, shown)


def write_note(page: memoryview, stream: str, note: Note) -> None:
    """Keep a note of a stream, and switch to it."""
    place = _PLACE[stream]
    current = 2 if page[place] == 1 else 1
    at = place + _HALVES[current - 1]
    body = _NOTE.pack(
        note.device,
        note.inode,
        note.offset,
        note.length,
        note.first,
        note.last,
        note.name.encode()[:64],
    )
    page[at : at + len(body) + _CHECK.size] = body + _CHECK.pack(
        xxh3_64_intdigest(body)
    )
    page[place] = current
