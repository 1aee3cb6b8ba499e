# What stands in a rebuilt request: bytes, and gaps where the record holds none.
#
# A gap has a name, by which who replays may fill it, the class and the length of what
# was withheld, and the coding that a value needs at its place. Nothing is invented: an
# unfilled gap shows as `{password:6}`, and is told of.
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from audit_mw.event import Hole, Text
from audit_mw.trail.encoding import encode_text

__all__ = [
    "Gap",
    "Gaps",
    "Parts",
    "Piece",
    "exact",
    "imitations",
    "named",
    "render",
]

_CLASS = re.compile(r"[a-z]{1,24}")
_SHOWN = re.compile(rb"\{[a-z]{1,24}:[0-9]+\}")


def exact(value: bytes) -> bytes:
    """Return a value as it is: the coding of places that have none."""
    return value


class Gap(NamedTuple):
    """
    A place for what is not in the record.

    Args:
        name: `source:name` of the param, or the column, in printable ASCII.
        cls: the class of what was withheld; `file`, `unread`, `spilled`, `opaque`.
        len: its bytes, before `code`.
        code: makes of a value what stands on the wire.
    """

    name: str
    cls: str
    len: int
    code: Callable[[bytes], bytes] = exact

    @property
    def shown(self) -> bytes:
        """What stands there while it is not filled."""
        return f"{{{self.cls}:{self.len}}}".encode()


Piece = bytes | Gap
Parts = list[Piece]


class Gaps:
    """
    Makes the gaps of one request, and looks up what was spilled.

    Args:
        stored: gives a value of the values stream by its digest, None if it is not
            there.
    """

    def __init__(self, stored: Callable[[str], bytes | None]) -> None:
        self._stored = stored
        self._named: Counter[str] = Counter()
        self.made: list[Gap] = []
        self.lost: list[str] = []

    def make(
        self, name: str, cls: str, length: int, code: Callable[[bytes], bytes] = exact
    ) -> Gap:
        """Return a new gap; the second of a name is `name#2`."""
        self._named[name] += 1
        count = self._named[name]
        # A record may be another's work: what is no class must not reach a terminal.
        cls = cls if _CLASS.fullmatch(cls) else "withheld"
        gap = Gap(name if count == 1 else f"{name}#{count}", cls, length, code)
        self.made.append(gap)

        return gap

    def spilled(self, sha256: str) -> bytes | None:
        """Return a spilled value; one that is not there is noted."""
        value = self._stored(sha256)
        if value is None:
            self.lost.append(sha256)

        return value

    def resolve(self, text: Text) -> tuple[bytes | Hole, ...]:
        """Return a text with what was spilled in its place."""
        return tuple(self._resolved(part) for part in _parts(text))

    def _resolved(self, part: bytes | Hole) -> bytes | Hole:
        if isinstance(part, bytes) or part.sha256 is None:
            return part
        value = self.spilled(part.sha256)

        return Hole(part.len, "spilled") if value is None else value

    def text(
        self, text: Text, name: str, code: Callable[[bytes], bytes] = exact
    ) -> Parts:
        """Return a text as it stands on the wire, with a gap for each hole."""
        return [
            code(part)
            if isinstance(part, bytes)
            else self.make(name, part.cls or "spilled", part.len, code)
            for part in self.resolve(text)
        ]


def _parts(text: Text) -> tuple[bytes | Hole, ...]:
    return text if isinstance(text, tuple) else (text,)


def named(source: str, name: Text | None) -> str:
    """Return the name of what stands at a param, as one types it: no `=`, no space."""
    word = encode_text(source.encode(errors="replace")).decode()
    parts = name if isinstance(name, tuple) else (name or b"",)
    shown = "".join(map(_typed, parts))

    return f"{word}:{shown}"


def _typed(part: bytes | Hole) -> str:
    if isinstance(part, Hole):
        return "{}"

    return encode_text(part).decode().replace("=", "%3D").replace(" ", "%20")


def render(
    parts: Iterable[Piece], fill: Mapping[str, bytes], *, pad: bool = False
) -> bytes:
    """
    Return the bytes of parts.

    Args:
        parts: as rebuilt.
        fill: values of gaps by their names.
        pad: whether a gap that has no value gets as many `x` as were withheld.
    """
    return b"".join([_rendered(part, fill, pad=pad) for part in parts])


def _rendered(part: Piece, fill: Mapping[str, bytes], *, pad: bool) -> bytes:
    if isinstance(part, bytes):
        return part
    if part.name in fill:
        return part.code(fill[part.name])

    return part.code(b"x" * part.len) if pad else part.shown


def imitations(parts: Iterable[Piece]) -> int:
    """Return how often the client itself sent what looks like a gap."""
    return sum(len(_SHOWN.findall(part)) for part in parts if isinstance(part, bytes))
