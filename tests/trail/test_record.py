import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import events, few, raw, times, words
from xxhash import xxh3_64_hexdigest

from audit_mw.errors import DamagedRecord
from audit_mw.event import (
    STREAMS,
    Event,
    Hole,
    JsonText,
    Param,
    Redacted,
    Spill,
    Text,
    Upload,
)
from audit_mw.trail.record import (
    COLUMNS,
    DETAILS,
    VALUE_COLUMNS,
    VALUES,
    Record,
    StoredValue,
    decode_line,
    decode_value_line,
    draft_event,
    encode_value_line,
    finish_line,
    header_line,
)

ALPHABET = frozenset(range(0x20, 0x7F)) | {0x09}
SHA = "0123456789abcdef" * 4

EVENT = Event(
    time=1_795_238_767_123_456,
    event="019aa4b5-1c93-7d32-8000-000000000001",
    stream="request",
    type="request",
    outcome="SUCCESS",
    service=b"bank",
    instance="host:17:ab12",
    client=b"192.0.2.1",
    peer=b"10.0.0.1:80",
    user=b"",
    method=b"POST",
    path=(b"/a\tb;jsessionid=", Hole(9, "token", "0a.1b")),
    status=200,
    sent=0,
    micros=1_234,
    params=(
        Param("query", b"a", b'"\\\n'),
        Param("form", b"password", Redacted(6, "password")),
        Param("json", b"/n", JsonText(b"12.50")),
        Param("file", None, Upload(b"a.png", None, 3, SHA)),
    ),
    details={"via": b"direct", "request_len": 3, "app": {"order": 17}},
)
LINE = finish_line(draft_event(EVENT), 7)
EXACT = b"\x00long value\xff"
SPILL = Spill(sha256(EXACT).hexdigest(), EXACT)
VALUE_LINE = encode_value_line(EVENT.time, EVENT.event, SPILL)


def signed(cells: list[bytes]) -> bytes:
    """Return the line of these cells with its right length and check."""
    middle = b"\t".join(cells[1:-1])
    others = len(middle) + len("\t\t\n") + 16
    length = next(n for n in range(others, others + 9) if n == others + len(str(n)))
    line = b"%d\t%s\t" % (length, middle)

    return line + xxh3_64_hexdigest(line).encode() + b"\n"


def with_cell(line: bytes, name: str, cell: bytes) -> bytes:
    """Return the line with another cell, signed anew."""
    columns = COLUMNS if line is LINE else VALUE_COLUMNS
    cells = line[:-1].split(b"\t")
    cells[[column.name for column in columns].index(name)] = cell

    return signed(cells)


# --- good lines


def test_the_line() -> None:
    """
    A record is one line of 25 columns, as the format says.
    """
    assert (
        b"505\t2026-11-21T05:26:07.123456Z\t019aa4b5-1c93-7d32-8000-000000000001\trequest"
        b"\t7\trequest\tSUCCESS\tbank\thost:17:ab12\t192.0.2.1\t10.0.0.1:80"
        b'\t""\t-\tPOST\t/a%09b;jsessionid=%{token:9:0a.1b}\t-\t200\t0\t-\t1234'
        b'\t[["query","a","\\"\\\\%0A"],'
        b'["form","password",{"len":6,"class":"password"}],["json","/n",{"json":"12.50"}],'
        b'["file",null,{"filename":"a.png","type":null,"len":3,"sha256":"'
        + SHA.encode()
        + b'"}]]\t{"via":"direct","request_len":3,"app":{"order":17}}'
        b"\t-\t-\t77d41010c55d5653\n"
    ) == LINE


def test_length_and_check() -> None:
    """
    The first column is the length of the line, the last one its digest.
    """
    cells = LINE[:-1].split(b"\t")

    assert len(LINE) == int(cells[0])
    assert xxh3_64_hexdigest(LINE[:-17]).encode() == cells[-1]
    assert signed(cells) == LINE


def test_the_record() -> None:
    """
    The line gives its number, its check and the event again.
    """
    assert Record(7, EVENT, LINE[-17:-1].decode()) == decode_line(LINE)


@few
@given(events, st.integers(1, 1 << 70))
def test_round_trip(event: Event, seq: int) -> None:
    """
    Every event is given back by its line, which is printable but for tabs and one LF.
    """
    line = finish_line(draft_event(event), seq)
    record = decode_line(line)

    assert (seq, event) == (record.seq, record.event)
    assert len(line) == int(line.split(b"\t")[0])
    assert line.count(b"\t") == len(COLUMNS) - 1
    assert line.endswith(b"\n")
    assert set(line[:-1]) <= ALPHABET


@few
@given(events)
def test_draft(event: Event) -> None:
    """
    The number is all that the append adds, so one draft gives the lines of many.
    """
    draft = draft_event(event)
    numbered = [finish_line(draft, seq).split(b"\t") for seq in (1, 2_000_000)]

    assert [cells[4] for cells in numbered] == [b"1", b"2000000"]
    assert numbered[0][1:4] == numbered[1][1:4]
    assert numbered[0][5:-1] == numbered[1][5:-1]
    assert draft.stream == event.stream


def test_spills_are_no_column() -> None:
    """
    Values on their way to the values stream are not in the record.
    """
    event = Event(
        time=0, event="e", stream="debug", type="t", outcome="o", service=b"s",
        spills=(SPILL,),
    )  # fmt: skip

    assert decode_line(finish_line(draft_event(event), 1)).event.spills == ()


@pytest.mark.parametrize(
    "size", [*range(60, 85), *range(960, 985), *range(9_940, 9_985)]
)
def test_length_of_any_line(size: int) -> None:
    """
    The length counts its own digits, also where one more makes it longer.
    """
    line = encode_value_line(0, "e" * size, Spill(SHA, b""))

    assert len(line) == int(line.split(b"\t")[0])


@few
@given(times, words, raw)
def test_value_round_trip(time: int, event: str, exact: bytes) -> None:
    """
    Every spilled value is given back by its line.
    """
    spill = Spill(sha256(exact).hexdigest(), exact)
    line = encode_value_line(time, event, spill)

    assert StoredValue(time, event, spill.sha256, exact) == decode_value_line(line)
    assert line.endswith(b"\n")
    assert set(line[:-1]) <= ALPHABET


def test_the_value_line() -> None:
    """
    A line of the values stream has eight columns, the value in base64.
    """
    assert (
        signed(
            [
                b"",
                b"2026-11-21T05:26:07.123456Z",
                EVENT.event.encode(),
                b"values",
                b"%d" % len(EXACT),
                SPILL.sha256.encode(),
                base64.b64encode(EXACT),
                b"",
            ]
        )
        == VALUE_LINE
    )


@pytest.mark.parametrize("stream", [*STREAMS, VALUES])
def test_header(stream: str) -> None:
    """
    A segment begins with its format, its stream and the names of its columns.
    """
    columns = VALUE_COLUMNS if stream == VALUES else COLUMNS
    head, *names = header_line(stream).decode().split("\t")

    assert (f"#audit_mw/1 {stream} len", [c.name for c in columns[1:]]) == (
        head,
        [name.rstrip("\n") for name in names],
    )
    assert header_line(stream).endswith(b"check\n")


def test_tables() -> None:
    """
    There are 25 columns, and each says what it holds and whose word it is.
    """
    assert len(COLUMNS) == 25
    assert all(column.meaning and column.word_of for column in COLUMNS + VALUE_COLUMNS)
    assert len({column.name for column in COLUMNS}) == 25
    assert {"user", "params"} <= {column.name for column in COLUMNS}
    assert all(DETAILS.values())


# --- damage

Decode = Callable[[bytes], Record | StoredValue]

both_kinds = pytest.mark.parametrize(
    ("line", "decode"),
    [
        pytest.param(LINE, decode_line, id="record"),
        pytest.param(VALUE_LINE, decode_value_line, id="value"),
    ],
)


@both_kinds
def test_bit_flip(line: bytes, decode: Decode) -> None:
    """
    A bit that flips, wherever it stands, is damage.
    """
    for place in range(len(line)):
        for bit in range(8):
            flipped = bytearray(line)
            flipped[place] ^= 1 << bit
            with pytest.raises(DamagedRecord):
                decode(bytes(flipped))


@both_kinds
def test_cut(line: bytes, decode: Decode) -> None:
    """
    A line that lacks bytes at its end, at its start or in its middle is damage.
    """
    for place in range(len(line)):
        for rest in (line[:place], line[place + 1 :], line[:place] + line[place + 1 :]):
            with pytest.raises(DamagedRecord):
                decode(rest)


@both_kinds
@pytest.mark.parametrize("byte", [b"\n", b"\t", b"\x00", b"a", b"-", b"\xff"])
def test_inserted(line: bytes, decode: Decode, byte: bytes) -> None:
    """
    A byte more, wherever it stands, is damage.
    """
    for place in range(len(line) + 1):
        with pytest.raises(DamagedRecord):
            decode(line[:place] + byte + line[place:])


@both_kinds
def test_two_lines(line: bytes, decode: Decode) -> None:
    """
    Two lines in one, and a line torn by another, are damage.
    """
    for joined in (line * 2, line[:-1] + line, line[:100] + line, line[:100] + b"\n"):
        with pytest.raises(DamagedRecord):
            decode(joined)


@few
@given(st.binary(max_size=60) | st.just(LINE), st.sampled_from([LINE, VALUE_LINE]))
def test_any_bytes(junk: bytes, line: bytes) -> None:
    """
    Any bytes, alone or in a cell of a line that is signed well, are a line or damage.
    """
    for decode in (decode_line, decode_value_line):
        for damaged in (
            junk,
            junk + b"\n",
            *(signed(_replaced(line, place, junk)) for place in range(8)),
        ):
            with suppress(DamagedRecord):
                decode(damaged)


def _replaced(line: bytes, place: int, cell: bytes) -> list[bytes]:
    cells = line[:-1].split(b"\t")

    return [*cells[:place], cell, *cells[place + 1 :]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"", "it does not end with LF", id="no bytes"),
        pytest.param(LINE[:-1], "it does not end with LF", id="no LF"),
        pytest.param(b"\n", "1 columns where 25 must stand", id="empty line"),
        pytest.param(VALUE_LINE, "8 columns where 25", id="a value"),
        pytest.param(
            header_line("request"), "bytes long, but says '#audit", id="header"
        ),
        pytest.param(b"1" + LINE, "506 bytes long, but says '1505'", id="length"),
        pytest.param(
            b"0" + LINE, "506 bytes long, but says '0505'", id="padded length"
        ),
        pytest.param(
            LINE.replace(b"bank", b"tank"), "the check does not fit", id="check"
        ),
    ],
)
def test_reason(line: bytes, reason: str) -> None:
    """
    Damage to a whole line says what is wrong with it.
    """
    with pytest.raises(DamagedRecord, match=reason):
        decode_line(line)


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        pytest.param("time", b"-", "a time that is not like", id="no time"),
        pytest.param("time", b"2026-02-30T00:00:00.000000Z", "not exist", id="no day"),
        pytest.param("event", b"-", "event absent", id="no event"),
        pytest.param("event", b"%{token:1}", "a hole in a column", id="hole in event"),
        pytest.param("stream", b"-", "stream absent", id="no stream"),
        pytest.param("stream", b"values", "'values' is no stream", id="values"),
        pytest.param(
            "stream", b"Request", "'Request' is no stream", id="no such stream"
        ),
        pytest.param("seq", b"-", "seq is absent", id="no seq"),
        pytest.param("seq", b"07", "no decimal number", id="padded seq"),
        pytest.param("type", b"-", "type absent", id="no type"),
        pytest.param("outcome", b"-", "outcome absent", id="no outcome"),
        pytest.param(
            "outcome", b"%53UCCESS", "codes a byte that needs none", id="coded"
        ),
        pytest.param("service", b"-", "service absent", id="no service"),
        pytest.param("instance", b"-", "instance absent", id="no instance"),
        pytest.param("client", b"", "a column of no bytes", id="empty column"),
        pytest.param("client", b"\x1b[2J", "outside of 0x20..0x7E", id="control"),
        pytest.param("peer", b"%0a", "neither %XX nor a mark", id="lower-case hex"),
        pytest.param("user", "é".encode(), "outside of 0x20..0x7E", id="beyond ASCII"),
        pytest.param("session", b"%{token:1}", "a hole in a column", id="hole"),
        pytest.param("path", b"/%", "neither %XX nor a mark", id="percent"),
        pytest.param("path", b"/%{x", "neither %XX nor a mark", id="mark not closed"),
        pytest.param("status", b"2e2", "no decimal number", id="exponent"),
        pytest.param("sent", b'""', "no decimal number", id="empty number"),
        pytest.param("micros", b"9" * 5_000, "too many digits", id="endless number"),
        pytest.param("params", b"-", "no JSON", id="no params"),
        pytest.param("params", b'{"a":1}', "no JSON array", id="object as params"),
        pytest.param("params", b"[[1]]", "must stand", id="foreign JSON in params"),
        pytest.param("params", b"[" * 2_000, "no JSON", id="deep params"),
        pytest.param("details", b"[]", "no JSON object", id="array as details"),
        pytest.param(
            "details", b'{"a":1.5}', "not whole", id="foreign JSON in details"
        ),
        pytest.param("salt", b"%{token:1}", "a hole in a column", id="hole in salt"),
        pytest.param("seal", b"", "a column of no bytes", id="empty seal"),
    ],
)
def test_signed_damage(name: str, cell: bytes, reason: str) -> None:
    """
    A cell that the writer would not have written is damage though the check fits.
    """
    with pytest.raises(DamagedRecord, match=reason):
        decode_line(with_cell(LINE, name, cell))


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        pytest.param("time", b"-", "a time that is not like", id="no time"),
        pytest.param("event", b"-", "event absent", id="no event"),
        pytest.param("stream", b"request", "among the values", id="another stream"),
        pytest.param("size", b"-", "that says None", id="no size"),
        pytest.param("size", b"99", "that says 99", id="another size"),
        pytest.param("sha256", b"-", "sha256 absent", id="no digest"),
        pytest.param("sha256", b"%{token:1}", "a hole in a column", id="hole"),
        pytest.param("value", b"-", "not base64", id="no value"),
        pytest.param("value", b"AA=", "not base64", id="padding"),
        pytest.param("value", b"AAAA", "a value of 3 bytes that says 12", id="value"),
    ],
)
def test_signed_damage_of_a_value(name: str, cell: bytes, reason: str) -> None:
    """
    A value that is not the one that was spilled is damage though the check fits.
    """
    with pytest.raises(DamagedRecord, match=reason):
        decode_value_line(with_cell(VALUE_LINE, name, cell))


def test_not_even_odd() -> None:
    """
    The damage above is the only reason: with good cells the same lines are good.
    """
    assert decode_line(with_cell(LINE, "outcome", b"SUCCESS")).event == EVENT
    assert decode_value_line(with_cell(VALUE_LINE, "stream", b"values")).value == EXACT


@pytest.mark.parametrize(
    ("service", "cell"),
    [
        pytest.param(b"", b'""', id="empty"),
        pytest.param(b"-", b"%2D", id="hyphen"),
        pytest.param((b"a", Hole(1, "token")), b"a%{token:1}", id="hole"),
    ],
)
def test_service(service: Text, cell: bytes) -> None:
    """
    A column that must be there may be empty, and may have a hole where it is text.
    """
    line = finish_line(draft_event(replace(EVENT, service=service)), 1)

    assert cell == line.split(b"\t")[7]
    assert service == decode_line(line).event.service
