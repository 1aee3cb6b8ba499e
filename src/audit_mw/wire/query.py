# Query strings and urlencoded forms -> pairs.
#
# The serialisation is that of the WHATWG URL standard (5.1): pieces between "&",
# a name and a value around the first "=", "+" for a space, %XX for a byte.
#
# Rule 1: order, repeats and empty pieces are kept; a piece without "=" has no value.
# Rule 2: a piece is decoded once. A malformed "%zz" stays as it is.
# Rule 3: a piece that plain coding would not give back is kept as sent as well:
#         what was coded though it need not be, or coded twice, is evidence.
#
# Plain coding leaves A-Z a-z 0-9 - . _ ~ * as they are and writes %XX in upper case
# for all else; a space is "+" or "%20", either all through a piece.
import hashlib
import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from audit_mw.wire.head import Pair

__all__ = [
    "FormParser",
    "Long",
    "Pieces",
    "decode_percent",
    "encode_path",
    "encode_plain",
    "parse_piece",
    "parse_query",
    "parse_query_runs",
]

_PLAIN = re.compile(rb"[A-Za-z0-9._~*-]*+")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BYTES = {
    spelt.encode(): bytes([byte])
    for byte in range(256)
    for spelt in {f"{byte:02x}", f"{byte:02X}"}
    | {f"{byte:02X}"[0] + f"{byte:02x}"[1], f"{byte:02x}"[0] + f"{byte:02X}"[1]}
}
_CODES = tuple(
    bytes([byte]) if _PLAIN.fullmatch(bytes([byte])) else b"%%%02X" % byte
    for byte in range(256)
)


_EMPTY = Pair(b"", None)  # what stands between two "&", however many there are
_SLICE = 1 << 16  # the pieces of a longer chunk are not made all at once
_RUN = 1 << 12  # bytes from which on pieces go together


def parse_query(query: bytes) -> Iterator[Pair]:
    """Yield the pairs of a raw query or form, in wire order; an empty one has none."""
    if query:
        for piece in query.split(b"&"):
            yield parse_piece(piece)


def parse_query_runs(query: bytes) -> Iterator[tuple[Pair, int]]:
    """Yield the same, and how many times each stands in a row."""
    for piece, run in groupby(query.split(b"&") if query else ()):
        yield parse_piece(piece), sum(1 for _ in run)


def parse_piece(piece: bytes) -> Pair:
    """Return the pair that stands between two `&`."""
    if not piece:
        return _EMPTY
    name, equals, value = piece.partition(b"=")
    if _PLAIN.fullmatch(name) and _PLAIN.fullmatch(value):
        return Pair(name, value if equals else None)
    decoded_name = decode_percent(name)
    decoded_value = decode_percent(value) if equals else None
    sent_value = value if equals else None
    if _is_plain(decoded_name, decoded_value, piece):
        return Pair(decoded_name, decoded_value)

    return Pair(decoded_name, decoded_value, (name, sent_value))


def _is_plain(name: bytes, value: bytes | None, piece: bytes) -> bool:
    coded = encode_plain(name)
    if value is not None:
        coded += b"=" + encode_plain(value)

    return piece in (coded, coded.replace(b"%20", b"+"))


def decode_percent(text: bytes) -> bytes:
    """Return `text` with `+` and each well-formed %XX decoded, once."""
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" not in text:
        return text

    return _ESCAPE.sub(lambda match: _BYTES[match[1]], text)


_BLOCK = 4096


def encode_plain(text: bytes) -> bytes:
    """Return `text` in plain coding, a space as `%20`."""
    if _PLAIN.fullmatch(text):
        return text

    return _coded(text, _CODES)


def _coded(text: bytes, codes: tuple[bytes, ...]) -> bytes:
    # join() takes eighty bytes for each that it joins, so a long text goes in blocks.
    blocks = (text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK))

    return b"".join([b"".join(map(codes.__getitem__, block)) for block in blocks])


_IN_PATH = re.compile(rb"[A-Za-z0-9/:@!$&'()*+,;=._~-]")  # RFC 3986 3.3
_PATH_CODES = tuple(
    bytes([byte]) if _IN_PATH.fullmatch(bytes([byte])) else b"%%%02X" % byte
    for byte in range(256)
)


def encode_path(path: bytes) -> bytes:
    """Return a decoded path as a client would send it, most likely."""
    return _coded(path, _PATH_CODES)


class Long(NamedTuple):
    """A value of which more came than may be held: its length and digest."""

    len: int
    sha256: str


class Pieces(NamedTuple):
    """Whole pieces of a form, with the `&` between them, not taken apart yet."""

    text: bytes


class FormParser:
    """
    A urlencoded form as it streams by.

    Args:
        limit: bytes of one piece that are held; of a longer one only the length
            and the digest of the decoded value are known in the end.
        in_runs: many pieces in a row may be given together, as `Pieces`.
    """

    def __init__(self, limit: int, *, in_runs: bool = False) -> None:
        self._limit = limit
        # No piece within a slice is longer than the limit, then.
        self._in_runs = in_runs and limit >= _SLICE
        self._held = bytearray()
        self._long: _LongPiece | None = None
        self._fed = False

    def feed(self, chunk: bytes) -> "Iterator[FormPiece | Pieces]":
        """Yield what `chunk` completes: pairs, or (name, value) of a long piece."""
        self._fed = self._fed or bool(chunk)
        for start in range(0, len(chunk), _SLICE):
            part = chunk[start : start + _SLICE]
            first, last = part.find(b"&"), part.rfind(b"&")
            if self._in_runs and last - first > _RUN:
                yield from self._split(part[:first])
                yield self._complete()
                yield Pieces(part[first + 1 : last])
                part = part[last + 1 :]
            yield from self._split(part)

    def _split(self, part: bytes) -> "Iterator[FormPiece]":
        first, *others = part.split(b"&")
        self._hold(first)
        for piece in others:
            yield self._complete()
            self._hold(piece)

    def finish(self) -> "Iterator[FormPiece]":
        """Yield the last piece; a form of no bytes has none."""
        if self._fed:
            yield self._complete()
            self._fed = False

    def _hold(self, part: bytes) -> None:
        if self._long is not None:
            self._long.feed(part)
        elif len(self._held) + len(part) <= self._limit:
            self._held += part
        else:
            self._long = _LongPiece(self._limit)
            self._long.feed(bytes(self._held))
            self._long.feed(part)
            self._held.clear()

    def _complete(self) -> "FormPiece":
        if self._long is not None:
            pair = self._long.finish()
            self._long = None
            return pair
        piece = bytes(self._held)
        self._held.clear()

        return parse_piece(piece)


FormPiece = Pair | tuple[bytes | Long, Long | None]


class _LongPiece:
    """A piece beyond the limit: digests instead of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._name = _Digest()
        self._value: _Digest | None = None
        self._held_name = bytearray()

    def feed(self, part: bytes) -> None:
        if self._value is None:
            name, equals, part = part.partition(b"=")
            self._feed_name(name)
            if not equals:
                return
            self._value = _Digest()
        self._value.feed(part)

    def _feed_name(self, part: bytes) -> None:
        self._name.feed(part)
        if len(self._held_name) <= self._limit:
            self._held_name += part

    def finish(self) -> tuple[bytes | Long, Long | None]:
        held = decode_percent(bytes(self._held_name))
        long_name = self._name.finish()
        name = held if len(self._held_name) <= self._limit else long_name

        return name, self._value.finish() if self._value else None


class _Digest:
    """Length and digest of a value that is decoded as it comes."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._len = 0
        self._tail = b""  # an escape that the end of a part cut in two

    def feed(self, part: bytes) -> None:
        part = self._tail + part
        cut = part.rfind(b"%", -2) if len(part) > 1 else part.rfind(b"%")
        self._tail = part[cut:] if cut >= 0 else b""
        self._take(part[:cut] if cut >= 0 else part)

    def _take(self, part: bytes) -> None:
        decoded = decode_percent(part)
        self._len += len(decoded)
        self._sha256.update(decoded)

    def finish(self) -> Long:
        self._take(self._tail)

        return Long(self._len, self._sha256.hexdigest())
