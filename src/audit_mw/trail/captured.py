# The text of a console -> its records, between whatever else was printed there.
#
# Rule 1: a record begins where a line does, or behind what a collector puts before each
#         line. Where it stands behind other text, as half a line that somebody printed,
#         it is taken all the same, and told: whoever can have a text printed could
#         have made one there.
# Rule 2: what begins as a record does, and is none, is damage. All else is foreign, and
#         counted: nothing is skipped silently.
# Rule 3: a record may be there twice. It is known again by instance, stream, number and
#         event; of the last ones only, since memory is flat.
import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS, Spill
from audit_mw.trail.record import (
    VALUES,
    Record,
    StoredValue,
    ValuePart,
    decode_line,
    decode_value_line,
    decode_value_part,
    encode_value_line,
)

__all__ = ["Captured", "Found"]

_BEGIN = re.compile(
    rb"([0-9]{2,12})\t(?=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.)"
)
_TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}) "
# `docker compose logs`, `docker logs -t`, and the files of the CRI.
_PREFIX = re.compile(
    rb"(?:[\w.-]+ +\| )?(?:" + _TIME + rb"(?:std(?:out|err) F )?)?", re.ASCII
)
_STREAM = 3
_NAMES = {name.encode(): name for name in (*STREAMS, VALUES)}
_REMEMBERED = 1 << 16
_JOINING = 16  # values that are being joined; of more the oldest is given up

# The stream of an item, its line as a segment would have it, and the item; a text says
# what is wrong.
Found = tuple[str, bytes, Record | StoredValue | str]


class Captured:
    """
    What was found in one captured console so far.

    Args:
        skipped: lines that were none of ours.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._known: OrderedDict[tuple[str, str, int, str], None] = OrderedDict()
        self._parts: OrderedDict[str, bytearray] = OrderedDict()

    def is_again(self, item: object) -> bool:
        """Tell whether a record was there before."""
        if not isinstance(item, Record):
            return False
        event = item.event
        key = event.instance, event.stream, item.seq, event.event
        is_known = key in self._known
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

        return is_known

    def items(self, text: bytes) -> Iterator[Found]:
        """Yield what is on a line, which has its LF if there was one."""
        if text.endswith(b"\r\n"):  # as a terminal has it
            text = text[:-2] + b"\n"
        begins = list(_BEGIN.finditer(text))
        if not begins:
            self.skipped += bool(text.strip())
            return
        for begin in begins:
            at = _start(text, begin)
            if at is not None:
                yield from self._found(text, at)
                return
        line = text[begins[0].start() :]
        yield _stream_of(line), line, f"a record of which {len(line)} bytes are left"

    def _found(self, text: bytes, at: int) -> Iterator[Found]:
        line = text[at:]
        stream = _stream_of(line)
        try:
            item = self._decoded(line, stream)
        except DamagedRecord as error:
            yield stream, line, error.reason
            return
        if item is None:
            return
        if _PREFIX.fullmatch(text, 0, at) is None:
            behind = f"a record behind {at} bytes of other text on its line"
            yield stream, line, behind
        if isinstance(item, StoredValue):  # of several lines, it may be
            line = encode_value_line(
                item.time, item.event, Spill(item.sha256, item.value)
            )
        yield stream, line, item

    def _decoded(self, line: bytes, stream: str) -> Record | StoredValue | None:
        if stream != VALUES:
            return decode_line(line)
        if b"/" not in line.split(b"\t", _STREAM + 2)[_STREAM + 1]:
            return decode_value_line(line)

        return self._joined(decode_value_part(line))

    def _joined(self, part: ValuePart) -> StoredValue | None:
        """Return the value of which this is the last part; None: more is to come."""
        held = self._parts.pop(part.sha256, bytearray()) if part.first else bytearray()
        if len(held) != part.first:
            raise DamagedRecord("a part of a value without those before it")
        held += part.part
        if len(held) < part.size:
            self._parts[part.sha256] = held
            if len(self._parts) > _JOINING:
                self._parts.popitem(last=False)
            return None
        if hashlib.sha256(held).hexdigest() != part.sha256:
            raise DamagedRecord(f"a value that has not the digest {part.sha256!r}")

        return StoredValue(part.time, part.event, part.sha256, bytes(held))


def _start(text: bytes, begin: re.Match[bytes]) -> int | None:
    """Return where a record begins that ends with the line; None if none does."""
    # Digits of other text may stand before those of its length.
    for at in range(begin.start(1), begin.end(1)):
        if text[at : begin.end(1)] == b"%d" % (len(text) - at):
            return at

    return None


def _stream_of(line: bytes) -> str:
    cells = line.split(b"\t", _STREAM + 1)
    name = cells[_STREAM] if len(cells) > _STREAM else b""

    return _NAMES.get(name, STREAMS[0])
