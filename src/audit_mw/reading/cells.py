# Tests of the cells of a line, as they stand there: nothing is decoded for them.
#
# A value has one spelling in a record, so whoever looks for it looks for that spelling.
# Where that cannot be, as for networks and globs, the cell is decoded, and the answer
# for it remembered.
import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from audit_mw.errors import DamagedRecord
from audit_mw.event import Hole, Text
from audit_mw.trail.encoding import decode_column, encode_column
from audit_mw.trail.record import COLUMNS

__all__ = [
    "SPILL_OVER",
    "CellTest",
    "in_network",
    "is_one_of",
    "path_like",
    "spellings",
    "status_in",
    "word_like",
]

_PLACES = {column.name: place for place, column in enumerate(COLUMNS)}
_STATUS = re.compile(r"([1-9])xx|([0-9]{3})(?:-([0-9]{3}))?", re.IGNORECASE)
_REMEMBERED = 1 << 16
# What `spill_over` is at least: what is no longer stands in each record that has it.
SPILL_OVER = 64


class CellTest(NamedTuple):
    """
    A test of one cell.

    Args:
        place: which cell of the line, from 0.
        accepts: tells whether a cell is one that is looked for.
        fixed: one of these stands in each line that has such a cell; none: not known.
    """

    place: int
    accepts: Callable[[bytes], bool]
    fixed: tuple[bytes, ...] = ()


def is_one_of(column: str, values: Iterable[bytes]) -> CellTest:
    """Test a column for values; one that was too long for the record is found, too."""
    cells = {encode_column(text) for value in values for text in spellings(value)}
    fixed = tuple(b"\t" + cell + b"\t" for cell in sorted(cells))

    return CellTest(_PLACES[column], cells.__contains__, fixed)


def spellings(value: bytes) -> tuple[Text, ...]:
    """Return how a value may stand in a record: as it is, or by its digest."""
    if len(value) <= SPILL_OVER:
        return (value,)

    return value, (Hole(len(value), sha256=sha256(value).hexdigest()),)


def word_like(column: str, patterns: Iterable[str]) -> CellTest:
    """Test a column for words of ours: `*` stands for any letters, `?` for one."""
    given = list(patterns)
    if not any(set(each) & set("*?[") for each in given):
        return is_one_of(column, [each.encode() for each in given])
    matches = re.compile("|".join(map(translate, given)).encode()).match

    return CellTest(_PLACES[column], _remembered(matches))


def path_like(patterns: Iterable[bytes]) -> CellTest:
    """
    Test the path for patterns, as it was sent and with its `%XX` decoded.

    `*` stands for any bytes, `/` as well; `?` for one.
    """
    words = "|".join(translate(each.decode("latin-1")) for each in patterns)
    match = re.compile(words.encode("latin-1")).match

    def is_like(cell: bytes) -> bool:
        path = _decoded(cell)
        if path is None:
            return False
        return bool(match(path) or match(unquote_to_bytes(path)))

    return CellTest(_PLACES["path"], _remembered(is_like))


def in_network(networks: Iterable[str]) -> CellTest:
    """
    Test the client for networks: `192.0.2.0/24`, `2001:db8::/32`, or an address.

    Raises:
        ValueError: one of them is none.
    """
    given = [_network(each) for each in networks]

    def is_in(cell: bytes) -> bool:
        try:
            address = ip_address(cell.decode("latin-1"))
        except ValueError:  # absent, or the name of a socket
            return False
        return any(address in network for network in given)

    return CellTest(_PLACES["client"], _remembered(is_in))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no address and no network: give 192.0.2.7 or 192.0.2.0/24"
        ) from error


def status_in(ranges: Iterable[str]) -> CellTest:
    """
    Test the status: `404`, `4xx`, `500-599`.

    Raises:
        ValueError: one of them is none of these.
    """
    statuses = {status for each in ranges for status in _statuses(each)}

    return CellTest(_PLACES["status"], statuses.__contains__)


def _statuses(text: str) -> Iterable[bytes]:
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no status: give 404, 4xx or 500-599")
    if match[1]:
        first = int(match[1]) * 100
        return [b"%d" % status for status in range(first, first + 100)]
    last = int(match[3] or match[2])
    if last < int(match[2]):
        raise ValueError(f"{text!r} has no status in it: give the lower one first")

    return [b"%d" % status for status in range(int(match[2]), last + 1)]


def _decoded(cell: bytes) -> bytes | None:
    """Return the exact bytes of a cell, but for what is ours in it."""
    try:
        text = decode_column(cell)
    except DamagedRecord:
        return None
    if text is None or isinstance(text, bytes):
        return text

    return b"".join(part for part in text if isinstance(part, bytes))


def _remembered(test: Callable[[bytes], object]) -> Callable[[bytes], bool]:
    return lru_cache(_REMEMBERED)(lambda cell: bool(test(cell)))
