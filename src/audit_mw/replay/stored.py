# The record of one event, and the values that it names, found without decoding the
# others: an event id tells the day, and a line is looked at when it has the id in it.
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from audit_mw.errors import DamagedRecord
from audit_mw.event import Event, Param, Rest
from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.encoding import encode_word
from audit_mw.trail.facts import parts
from audit_mw.trail.names import period_of
from audit_mw.trail.params import decode_params
from audit_mw.trail.reader import (
    Damage,
    Position,
    read_segment,
    scan_lines,
    segments,
    strangers,
)
from audit_mw.trail.record import (
    VALUES,
    Record,
    StoredValue,
    decode_line,
    decode_value_line,
)
from audit_mw.verify.coding import named_by, named_values

__all__ = ["find_request", "load_values"]

_UUID7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-")
_SHA256 = 5  # the column of a line of values


def find_request(trail: Path, event_id: str) -> Event | None:
    """
    Return the event of a request, None if the trail has no record of it.

    Args:
        trail: a directory, or the text of a captured console.
        event_id: of the request.

    Raises:
        DamagedRecord: its record is damaged, or what may have had it is.
        OSError: a segment cannot be read.
        MissingExtra: a segment is closed, and there is no zstd.
    """
    damaged: DamagedRecord | None = None
    paths = _nearest(segments(trail, "request"), event_id)
    needle = b"\t%b\trequest\t" % encode_word(event_id)
    for path in paths:
        for item in _found(path, needle):
            if isinstance(item, Record) and item.event.event == event_id:
                return item.event
            if isinstance(item, DamagedRecord):
                damaged = item
    damaged = damaged or _damage(trail, paths, needle)
    if damaged is not None:
        raise damaged

    return None


def _damage(trail: Path, paths: list[Path], needle: bytes) -> DamagedRecord | None:
    """Return what is wrong with segments in which a record was looked for in vain."""
    # Only now: whether a line is whole costs more than to see whether it is the one.
    for path in strangers(trail, "request"):
        return DamagedRecord(f"it is not found, and {path} is no regular file")
    for path in paths:
        with open_segment(path) as file:
            lines = scan_lines(
                file, path, Position(), wanted=lambda text: needle in text, raw=True
            )
            for line in lines:
                if isinstance(line.item, Damage):
                    return DamagedRecord(f"it is not found, but this is: {line.item}")

    return None


def _nearest(paths: list[Path], event_id: str) -> list[Path]:
    """Return segments, those of the time of the event first."""
    match = _UUID7.match(event_id)
    if match is None:
        return paths
    second = int(match[1] + match[2], 16) // 1000
    return sorted(paths, key=lambda path: not _has(path, second))


def _has(path: Path, second: int) -> bool:
    period = period_of(path.name)

    return period is not None and period.start <= second < period.end


def _found(
    path: Path, needle: bytes
) -> Iterator[Record | StoredValue | DamagedRecord | object]:
    if path.parent.name not in ("request", VALUES):  # a captured console
        yield from read_segment(path)
        return
    try:
        for line in _lines(path):
            if needle in line:
                yield _decoded(line)
    except UNREADABLE:  # the reader finds what stands behind the damage
        yield from read_segment(path)


def _lines(path: Path) -> Iterator[bytes]:
    with open_segment(path) as file:
        for part in parts(file):
            yield from part.splitlines(keepends=True)


def _decoded(line: bytes) -> Record | DamagedRecord:
    try:
        return decode_line(line)
    except DamagedRecord as error:
        return error


def load_values(trail: Path, event: Event) -> dict[str, bytes]:
    """
    Return what a record names of the values stream, by digest, as far as it is there.

    A spilled rest of params names values as well; these are given, too.

    Raises:
        OSError: a segment cannot be read.
        MissingExtra: a segment is closed, and there is no zstd.
    """
    named = {value.sha256 for value in named_values(event)}
    found = _load(trail, named, event.event)
    for param in event.params:
        if isinstance(param.value, Rest) and param.value.sha256 in found:
            below = {
                value.sha256
                for each in _params(found[param.value.sha256])
                for value in named_by(each)
            }
            found |= _load(trail, below - found.keys(), event.event)

    return found


def _params(coded: bytes) -> Iterable[Param]:
    try:
        return decode_params(coded)
    except DamagedRecord:  # told by who rebuilds
        return ()


def _load(trail: Path, digests: set[str], event_id: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    wanted = {digest.encode(errors="replace") for digest in digests}
    for path in _nearest(segments(trail, VALUES), event_id) if wanted else ():
        for value in _values(path, wanted):
            found.setdefault(value.sha256, value.value)
        wanted -= {digest.encode() for digest in found}
        if not wanted:
            break

    return {digest: value for digest, value in found.items() if digest in digests}


def _values(path: Path, wanted: set[bytes]) -> Iterator[StoredValue]:
    if path.parent.name != VALUES:
        yield from _stored(read_segment(path), wanted)
        return
    try:
        for line in _lines(path):
            cells = line.split(b"\t", _SHA256 + 1)
            if len(cells) > _SHA256 and cells[_SHA256] in wanted:
                yield from _value(line)
    except UNREADABLE:
        yield from _stored(read_segment(path), wanted)


def _stored(items: Iterable[object], wanted: set[bytes]) -> Iterator[StoredValue]:
    for item in items:
        if isinstance(item, StoredValue) and item.sha256.encode() in wanted:
            yield item


def _value(line: bytes) -> Iterator[StoredValue]:
    try:
        yield decode_value_line(line)
    except DamagedRecord:  # another line may have the value whole
        return
