# What is too long for a record -> the values stream, within the request's share of it.
#
# No limit cuts silently: what even `max_spill` keeps out leaves its length and digest
# in the record, and is counted.
import hashlib

from audit_mw.config import Config
from audit_mw.event import Hole, Rest, Spill, Text
from audit_mw.policy.names import OPAQUE

__all__ = ["RestOfParams", "Spilling"]

_PARTS = 32  # of a text with holes; one with more is withheld whole


class Spilling:
    """
    The spilled values of one exchange.

    Args:
        config: the limits.
        room: bytes that it may spill, where that is less than `max_spill`.
    """

    def __init__(self, config: Config, room: int | None = None) -> None:
        self._over = config.spill_over
        self._spills: dict[str, Spill] = {}
        most = config.max_spill
        self.room = most if room is None else min(room, most)
        self.cut: dict[str, object] = {}
        self.rest: RestOfParams | None = None  # while params are beyond the limits

    @property
    def spills(self) -> tuple[Spill, ...]:
        """The values that go to the values stream."""
        return tuple(self._spills.values())

    def is_long(self, value: bytes) -> bool:
        """Tell whether a value is too long to stand in the record."""
        return len(value) > self._over

    def bound(self, text: Text) -> Text:
        """Return a text that is redacted, its long parts spilled."""
        if isinstance(text, bytes):
            return self.place(text) if self.is_long(text) else text
        if len(text) > _PARTS:
            return (Hole(sum(map(_len, text)), OPAQUE),)

        return tuple(map(self._maybe_part, text))

    def place(self, text: bytes) -> Text:
        """Return what stands in the place of a text that goes whole."""
        return (self._part(text),)

    def _maybe_part(self, part: bytes | Hole) -> bytes | Hole:
        if isinstance(part, Hole) or not self.is_long(part):
            return part

        return self._part(part)

    def _part(self, part: bytes) -> Hole:
        return Hole(len(part), sha256=self.spill(part))

    def spill(self, value: bytes) -> str:
        """Take a value for the values stream, if there is room; return its digest."""
        digest = hashlib.sha256(value).hexdigest()
        if digest not in self._spills:
            if len(value) > self.room:
                self.note_cut(len(value))
            else:
                self.room -= len(value)
                self._spills[digest] = Spill(digest, value)

        return digest

    def note_cut(self, length: int) -> None:
        """Count a value that the values stream will not have."""
        count, total = self.cut.get("count", 0), self.cut.get("len", 0)
        if isinstance(count, int) and isinstance(total, int):
            self.cut = {"count": count + 1, "len": total + length}

    def begin_rest(self) -> "RestOfParams":
        """Return a rest, with half of the room that is left."""
        half = self.room // 2
        self.room -= half
        self.rest = RestOfParams(half)

        return self.rest

    def end_rest(self, rest: "RestOfParams") -> Rest:
        """Take a rest as a spilled value; return what names it."""
        self.rest = None
        named, held = rest.finish()
        if held is None:
            self.note_cut(named.len)
        else:
            self._spills.setdefault(named.sha256, Spill(named.sha256, held))

        return named


def _len(part: bytes | Hole) -> int:
    return part.len if isinstance(part, Hole) else len(part)


_AT_ONCE = 1 << 14  # bytes that are hashed together
_AT_A_TIME = 1 << 10  # params of one kind that are added together


class RestOfParams:
    """Params beyond the limits: counted, hashed, and held as long as there is room."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: bytearray | None = bytearray()
        self._sha256 = hashlib.sha256()
        self._parts: list[bytes] = []  # not hashed yet
        self._size = 0  # of these
        self._len = 0
        self._count = 0
        self._watched: list[bytes] | None = None

    def add(self, coded: bytes) -> None:
        """Take a param as it would have stood in the record."""
        if self._watched is not None:
            self._watched.append(coded)
        self.add_joined(coded, 1)

    def add_joined(self, coded: bytes, count: int) -> None:
        """Take `count` params, at least one, a comma between them."""
        self._parts.append(coded)
        self._count += count
        self._size += len(coded)
        if self._size >= _AT_ONCE:
            self._put()

    def add_repeated(self, coded: bytes, times: int) -> None:
        """Take a param that stands `times` times in a row."""
        whole, left = divmod(times, _AT_A_TIME)
        if whole:
            block = b",".join([coded] * _AT_A_TIME)
            for _ in range(whole):
                self.add_joined(block, _AT_A_TIME)
        if left:
            self.add_joined(b",".join([coded] * left), left)

    def watch(self) -> None:
        """Note what is added from here on, until `watched`."""
        self._watched = []

    def watched(self) -> list[bytes]:
        """Return what was added since `watch`."""
        watched, self._watched = self._watched or [], None

        return watched

    def _put(self) -> None:
        self._take(b"," if self._len else b"[")
        self._take(b",".join(self._parts))
        self._parts.clear()
        self._size = 0

    def _take(self, part: bytes) -> None:
        self._len += len(part)
        self._sha256.update(part)
        if self._held is not None:
            self._held += part
            if self._len >= self._room:
                self._held = None

    def finish(self) -> tuple[Rest, bytes | None]:
        """Return what names it, and the bytes, if they were held."""
        if self._parts:
            self._put()
        self._take(b"]")
        held = None if self._held is None else bytes(self._held)

        return Rest(self._count, self._len, self._sha256.hexdigest()), held
