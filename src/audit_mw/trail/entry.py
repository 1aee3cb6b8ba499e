# A record on its way into a segment, and the bytes by which a slot keeps it.
#
# The values that it spills go with it as long as there is room: then no request has to
# wait until they are in their file.
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from audit_mw.event import Spill
from audit_mw.trail.record import Draft
from audit_mw.trail.slots import Slot

__all__ = ["Entry", "decode_version", "encode_version", "without"]

_HEAD = struct.Struct("<BII")  # bytes of the stream's name, of `before`, of `after`
_SPILL = struct.Struct("<64sI")  # digest; bytes of the value


@dataclass(slots=True)
class Entry:
    """
    A record that is to be appended.

    Args:
        draft: the line, but for what the append knows.
        spills: values that go to the values stream before it does.
        slot: where the journal keeps it, if it does.
        delivery: what stands for the delivery where the draft left it open.
        seq: the number that it was given; 0 before.
        since: when it came to the writer, of a clock that only goes forward.
    """

    draft: Draft
    spills: tuple[Spill, ...] = ()
    slot: Slot | None = None
    delivery: str = "unknown"
    seq: int = 0
    since: float = 0.0

    @property
    def stream(self) -> str:
        """The stream that it goes to."""
        return self.draft.stream

    @property
    def event(self) -> bytes:
        """The event id, as it stands in the line."""
        return self.draft.before.split(b"\t", 2)[1]

    @property
    def stamp(self) -> bytes:
        """Time and event id, as they stand in the line."""
        return self.draft.before.rpartition(b"\t")[0]

    def number(self, seq: int) -> None:
        """Give it its number, in the journal too."""
        self.seq = seq
        if self.slot is not None:
            self.slot.number_record(seq)


def without(entries: list[Entry], others: list[Entry]) -> list[Entry]:
    """Return the entries that are not among `others`, each of which is one of them."""
    if not others or len(others) == len(entries):
        return [] if others else entries
    gone = set(map(id, others))

    return [entry for entry in entries if id(entry) not in gone]


def encode_version(draft: Draft, spills: Iterable[Spill]) -> bytes:
    """Return what a slot keeps of a record."""
    stream = draft.stream.encode()
    _, before, after, _ = draft
    head = _HEAD.pack(len(stream), len(before), len(after))
    if not spills:
        return b"%b%b%b%b" % (head, stream, before, after)
    parts = [head, stream, before, after]
    for spill in spills:
        parts += (_SPILL.pack(spill.sha256.encode(), len(spill.value)), spill.value)

    return b"".join(parts)


def decode_version(version: bytes) -> tuple[Draft, tuple[Spill, ...]]:
    """Return the record that a slot kept, and the values that it spills."""
    name, before, after = _HEAD.unpack_from(version)
    at = _HEAD.size
    stream, at = version[at : at + name].decode(), at + name
    draft = Draft(
        stream, version[at : at + before], version[at + before : at + before + after]
    )
    at += before + after
    spills = []
    while at < len(version):
        digest, length = _SPILL.unpack_from(version, at)
        at += _SPILL.size
        spills.append(Spill(digest.decode(), version[at : at + length]))
        at += length

    return draft, tuple(spills)
