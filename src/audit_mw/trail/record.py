# The columns of a record (format 1) as one table.
#
# Writer, reader, query engine and documentation are drawn from `COLUMNS`; a column
# is added here and nowhere else. A line is made in two steps, since `seq` is known
# only at the append: a `Draft` is all else, `finish_line` puts the number in, the
# length in front and the check behind.
#
# (Longer than 250 lines, since the columns and what is drawn from them are one thing.)
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple, cast

from xxhash import xxh3_64_hexdigest

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS, Details, Draft, Event, Spill
from audit_mw.trail.encoding import (
    decode_base64,
    decode_column,
    decode_number,
    decode_time,
    decode_word,
    encode_base64,
    encode_column,
    encode_number,
    encode_time,
    encode_word,
)
from audit_mw.trail.params import (
    PENDING,
    decode_details,
    decode_params,
    encode_details,
    encode_params,
)

__all__ = [
    "COLUMNS",
    "DETAILS",
    "FORMAT",
    "VALUES",
    "VALUE_COLUMNS",
    "Column",
    "Draft",
    "Record",
    "StoredValue",
    "ValuePart",
    "change_instance",
    "decode_line",
    "decode_value_line",
    "decode_value_part",
    "draft_event",
    "encode_record_details",
    "encode_value_line",
    "finish_line",
    "finish_value_line",
    "finish_value_parts",
    "header_line",
    "is_whole",
    "mark_recovered",
]

FORMAT = 1
VALUES = "values"  # the stream of spilled values; it holds no events

# Keys of `details` in the order in which they are written; what an application
# adds stands under `app`.
DETAILS = {
    "via": "how `client` was found: direct, proxied, untrusted-claim, malformed",
    "rewritten": "another address in the peer's place: by whom, to which",
    "delivery": "the server took the last message: taken, failed or unknown",
    "reason": "why the outcome is no success",
    "method": "by what a user logs in: password, token, oidc, id-card, ...",
    "session_before": "the digest of the session id until this login",
    "roles": "privileges at the time",
    "automation": "the automatic process that did it (21.1.3)",
    "responsible": "the person who answers for it (21.1.4)",
    "scheme": "http, https, ws or wss",
    "http_version": "version of the protocol",
    "request_len": "bytes of the request's body that the application read",
    "tls_version": "version of TLS (11.9)",
    "tls_cipher": "cipher of TLS (11.9)",
    "client_cert": "the client's certificate: subject; serial, sha256; verify (21.4)",
    "close_code": "the close code of a websocket",
    "messages_in": "messages of the client over a websocket: count, len, hmac",
    "messages_out": "messages of the application over a websocket: count, len, hmac",
    "joined": "the server folded repeated field lines into one",
    "reconstructed": "the server gave no raw path; `path` is coded again",
    "estimated": "`sent` was not counted but taken from a declared or file length",
    "recovered": "appended from a journal, its segment gone: it may be there twice",
    "cut": "what a limit kept out of the values stream: count, len",
    "count": "how many, in a record that stands for several",
    "first": "time of the first of them",
    "last": "time of the last of them; in sys_shutdown, the last seq of each stream",
    "segment": "the segment that it is about, as stream/name",
    "inode": "the inode that it had",
    "size": "bytes that it had when we last appended to it",
    "offset": "where half a line stands in it",
    "last_seq": "the last record of this instance in it",
    "crashed": "the instance whose journal was adopted",
    "unfinished": "how many of its requests were running",
    "damaged": "how many of its slots held no whole record",
    "free": "bytes that are free: of the trail, of the journal",
    "archive": "what it was closed into",
    "records": "how many are in it",
    "bytes": "how long it is, not compressed",
    "sha256": "digest of these bytes",
    "traceback": "where an exception was raised, without values of locals",
    "sent_as": "[index, name, value] of params whose coding was not the plain one",
    "findings": "what was odd about the request",
    "evidence": "what shows a finding: [source, name, value] of params",
    "config": "digest of all options, the key by its id only",
    "key_id": "which key made the keyed digests",
    "version": "version of the service",
    "python": "version of Python",
    "audit_mw": "version of this package",
    "servers": "server software that the process has loaded",
    "clock": "what the kernel says of it: synchronised, error in microseconds, source",
    "journal": "on what it lies: file_system, in_memory, with_trail",
    "durability": "what a record outlives: the process, or the disk's power",
    "boot_id": "which boot of the machine",
    "uid": "as whom the process runs",
    "app": "what the application added",
}
_ORDER = {key: place for place, key in enumerate(DETAILS)}


class Column(NamedTuple):
    """
    One column: its name, its meaning, and whose word it is.

    `encode` takes the attribute of `Event` of the same name; `decode` gives it back.
    """

    name: str
    meaning: str
    word_of: str
    encode: Callable[..., bytes] = encode_column
    decode: Callable[[bytes], object] = decode_column


def encode_record_details(details: Mapping[str, object]) -> bytes:
    """Return column `details`, its keys in the order of their table."""
    if not isinstance(details, Details):
        return encode_details(details, _ORDER)
    if details.coded is None:
        details.coded = encode_details(details, _ORDER)

    return details.coded


_WORD = (encode_word, decode_word)
_NUMBER = (encode_number, decode_number)

COLUMNS = (
    Column("len", "bytes of the whole line with its LF, decimal", "server", *_NUMBER),
    Column("time", "start of the event, UTC", "server", encode_time, decode_time),
    Column("event", "UUIDv7; joins the records of all streams", "server", *_WORD),
    Column("stream", "name of the stream", "server", *_WORD),
    Column("seq", "number within (instance, stream), from 1", "server", *_NUMBER),
    Column("type", "request, websocket, or a name of OWASP's", "server, app", *_WORD),
    Column("outcome", "SUCCESS FAILURE ATTEMPT ERROR ABORTED", "server, app", *_WORD),
    Column("service", "name of the service", "config"),
    Column("instance", "the worker, as `host:pid:boot`", "server", *_WORD),
    Column("client", "the address that policy settled on", "server"),
    Column("peer", "address and port of the socket", "server"),
    Column("user", "principal that the application vouched for", "app"),
    Column("session", "keyed digest of the session id", "server", *_WORD),
    Column("method", "request method", "client"),
    Column("path", "the raw path as sent, secrets redacted", "client"),
    Column("action", "object or component that served it", "app"),
    Column("status", "response status", "app", *_NUMBER),
    Column("sent", "bytes of response body handed to the server", "server", *_NUMBER),
    Column("rows", "returned results, if the application says so", "app", *_NUMBER),
    Column("micros", "duration in microseconds", "server", *_NUMBER),
    Column(
        "params",
        "JSON array of [source, name, value]",
        "client",
        encode_params,
        decode_params,
    ),
    Column(
        "details",
        "JSON object: all else that server and application say",
        "server, app",
        encode_record_details,
        decode_details,
    ),
    Column("salt", "salt of the seal's commitment; - where unsealed", "server", *_WORD),
    Column("seal", "link of the hash chain; - where unsealed", "server", *_WORD),
    Column("check", "XXH3-64 of all that stands before it", "server", *_WORD),
)

VALUE_COLUMNS = (
    Column("len", "bytes of the whole line with its LF, decimal", "server", *_NUMBER),
    Column("time", "start of the event, UTC", "server", encode_time, decode_time),
    Column("event", "the event that first had this value", "server", *_WORD),
    Column("stream", "values", "server", *_WORD),
    Column("size", "bytes of the exact value", "server", *_NUMBER),
    Column("sha256", "digest of the exact value", "server", *_WORD),
    Column(
        "value", "the exact value in base64", "client", encode_base64, decode_base64
    ),
    Column("check", "XXH3-64 of all that stands before it", "server", *_WORD),
)

_BEFORE_SEQ = COLUMNS[1:4]
_AFTER_SEQ = COLUMNS[5:-1]
_get_before = attrgetter(*(column.name for column in _BEFORE_SEQ))
_get_after = attrgetter(*(column.name for column in _AFTER_SEQ))
_PLACE_OF = {column.name: place for place, column in enumerate(_AFTER_SEQ)}
_CHECK_LEN = 16
_PART = 8 << 10  # bytes of a value on one line of a console: in base64, below 12 KiB
_WHICH = re.compile(rb"([0-9]{1,12})-([0-9]{1,12})/([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class Record:
    """The stored form of one event, read again."""

    seq: int
    event: Event
    check: str


@dataclass(frozen=True, slots=True)
class StoredValue:
    """One line of the values stream, read again."""

    time: int
    event: str
    sha256: str
    value: bytes


@dataclass(frozen=True, slots=True)
class ValuePart:
    """A part of a spilled value, as a console has one that is long: from `first` on."""

    time: int
    event: str
    sha256: str
    size: int
    first: int
    part: bytes


def header_line(stream: str) -> bytes:
    """Return the first line of a segment of `stream`."""
    columns = VALUE_COLUMNS if stream == VALUES else COLUMNS
    names = "\t".join(column.name for column in columns)

    return f"#audit_mw/{FORMAT} {stream} {names}\n".encode()


def draft_event(event: Event) -> Draft:
    """Return the line of `event` but for what only the append knows."""
    before = _cells(_BEFORE_SEQ, _get_before(event))

    return Draft(event.stream, before, _cells(_AFTER_SEQ, _get_after(event)))


def _cells(columns: tuple[Column, ...], values: tuple[object, ...]) -> bytes:
    return b"\t".join(
        [column.encode(value) for column, value in zip(columns, values, strict=True)]
    )


def finish_line(draft: Draft, seq: int, delivery: str = "unknown") -> bytes:
    """
    Return the whole line, as it is appended.

    Args:
        draft: all that was known before.
        seq: the number of the record.
        delivery: stands where the draft left the delivery open.
    """
    after = finish_delivery(draft.after, delivery)

    return _sign(b"%s\t%d\t%s" % (draft.before, seq, after))


def finish_delivery(after: bytes, delivery: str) -> bytes:
    """Return the part of a draft that holds the delivery, with `delivery` in it."""
    return after.replace(PENDING, delivery.encode(), 1)


def mark_recovered(draft: Draft, delivery: str = "unknown") -> Draft:
    """Return a draft that says that it was recovered, and may be there twice."""
    cells = finish_delivery(draft.after, delivery).split(b"\t")
    place = _PLACE_OF["details"]
    details = decode_details(cells[place]) | {"recovered": True}
    cells[place] = encode_record_details(details)

    return draft._replace(after=b"\t".join(cells))


def mark_broken_off(draft: Draft) -> Draft:
    """Return a draft that says that its exchange was broken off, not its process."""
    cells = finish_delivery(draft.after, "unknown").split(b"\t")
    place = _PLACE_OF["details"]
    details = decode_details(cells[place])
    if details.get("reason") == b"process_died":
        details = details | {"reason": b"broken_off"}
        cells[place] = encode_record_details(details)

    return draft._replace(after=b"\t".join(cells))


def change_instance(draft: Draft, instance: str) -> Draft:
    """Return a draft that names another instance."""
    cells = draft.after.split(b"\t")
    cells[_PLACE_OF["instance"]] = encode_word(instance)

    return draft._replace(after=b"\t".join(cells), instance=instance)


def encode_value_line(time: int, event: str, spill: Spill) -> bytes:
    """Return the line of the values stream that keeps `spill`."""
    return finish_value_line(encode_time(time) + b"\t" + encode_word(event), spill)


def finish_value_line(stamp: bytes, spill: Spill) -> bytes:
    """Return the same, from time and event as they stand in a line."""
    return _value_line(stamp, encode_number(len(spill.value)), spill, spill.value)


def finish_value_parts(stamp: bytes, spill: Spill) -> bytes:
    """
    Return the same for a console: a long value as several lines.

    In column `size` each says which bytes it has, from 0, the last included, and of how
    many: `0-8191/20000`.
    """
    size = len(spill.value)
    if size <= _PART:
        return finish_value_line(stamp, spill)
    lines = []
    for first in range(0, size, _PART):
        part = spill.value[first : first + _PART]
        which = b"%d-%d/%d" % (first, first + len(part) - 1, size)
        lines.append(_value_line(stamp, which, spill, part))

    return b"".join(lines)


def _value_line(stamp: bytes, which: bytes, spill: Spill, exact: bytes) -> bytes:
    cells = stamp, VALUES.encode(), which, spill.sha256.encode(), encode_base64(exact)

    return _sign(b"\t".join(cells))


def _sign(cells: bytes) -> bytes:
    # len counts its own digits, so a digit more can make it a byte longer.
    others = len(cells) + len("\t\t\n") + _CHECK_LEN
    length = others + len(str(others))
    length = others + len(str(length))
    line = b"%d\t%s\t" % (length, cells)

    return b"%s%s\n" % (line, xxh3_64_hexdigest(line).encode())


def _cells_of(line: bytes, columns: tuple[Column, ...]) -> list[bytes]:
    if not line.endswith(b"\n"):
        raise DamagedRecord("it does not end with LF")
    cells = line[:-1].split(b"\t")
    if len(cells) != len(columns):
        raise DamagedRecord(f"{len(cells)} columns where {len(columns)} must stand")
    if cells[0] != b"%d" % len(line):
        said = cells[0][:20].decode("latin-1")
        raise DamagedRecord(f"{len(line)} bytes long, but says {said!r}")
    if xxh3_64_hexdigest(line[: -_CHECK_LEN - 1]).encode() != cells[-1]:
        raise DamagedRecord("the check does not fit the line")

    return cells


def is_whole(line: bytes) -> bool:
    """Tell at little cost whether the length and the check of a line fit it."""
    check = xxh3_64_hexdigest(line[: -_CHECK_LEN - 1]) + "\n"

    return line.endswith(check.encode()) and line.startswith(b"%d\t" % len(line))


def decode_line(line: bytes) -> Record:
    """
    Return the record that `line` (with its LF) stores.

    Raises:
        DamagedRecord: it is not what the writer writes; the reason says why.
    """
    cells = _cells_of(line, COLUMNS)
    values = {
        column.name: column.decode(cell)
        for column, cell in zip(COLUMNS, cells, strict=True)
    }
    del values["len"]
    seq = values.pop("seq")
    check = values.pop("check")
    if not isinstance(seq, int):
        raise DamagedRecord("seq is absent")
    _require(values, ("event", "stream", "type", "outcome", "service", "instance"))
    if values["stream"] not in STREAMS:
        raise DamagedRecord(f"{values['stream']!r} is no stream")

    return Record(seq, Event(**values), str(check))  # type: ignore[arg-type] # each by its column's decode


def _require(values: dict[str, object], names: tuple[str, ...]) -> None:
    missing = [name for name in names if values[name] is None]
    if missing:
        raise DamagedRecord(f"{', '.join(missing)} absent")


def decode_value_line(line: bytes) -> StoredValue:
    """
    Return the spilled value that `line` (with its LF) stores.

    Raises:
        DamagedRecord: it is not what the writer writes; the reason says why.
    """
    cells = _cells_of(line, VALUE_COLUMNS)
    values = {
        column.name: column.decode(cell)
        for column, cell in zip(VALUE_COLUMNS, cells, strict=True)
    }
    _require(values, ("event", "stream", "sha256"))
    exact = cast("bytes", values["value"])
    if values["stream"] != VALUES:
        raise DamagedRecord(f"a record of stream {values['stream']!r} among the values")
    if values["size"] != len(exact):
        raise DamagedRecord(
            f"a value of {len(exact)} bytes that says {values['size']!r}"
        )

    if values["sha256"] != hashlib.sha256(exact).hexdigest():
        raise DamagedRecord(f"a value that has not the digest {values['sha256']!r}")

    return StoredValue(
        cast("int", values["time"]),
        str(values["event"]),
        str(values["sha256"]),
        exact,
    )


def decode_value_part(line: bytes) -> ValuePart:
    """
    Return the part of a spilled value that `line` (with its LF) stores.

    Raises:
        DamagedRecord: it is not what the writer writes; the reason says why.
    """
    cells = _cells_of(line, VALUE_COLUMNS)
    named = dict(zip((column.name for column in VALUE_COLUMNS), cells, strict=True))
    which = _WHICH.fullmatch(named["size"])
    if which is None or named["stream"] != VALUES.encode():
        raise DamagedRecord("no part of a value")
    first, last, size = map(int, which.groups())
    exact = decode_base64(named["value"])
    event, sha256 = decode_word(named["event"]), decode_word(named["sha256"])
    if exact is None or event is None or sha256 is None:
        raise DamagedRecord("event, sha256 or value absent")
    if len(exact) != last - first + 1 or last >= size:
        shown = named["size"].decode()
        raise DamagedRecord(f"a part of {len(exact)} bytes that says {shown!r}")

    return ValuePart(decode_time(named["time"]), event, sha256, size, first, exact)
