from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import any_size, cpu_bound
from tests.strategies import few, fragments, raw, texts, times, words

from audit_mw.errors import DamagedRecord
from audit_mw.event import Hole, Text
from audit_mw.trail.encoding import (
    decode_base64,
    decode_column,
    decode_number,
    decode_text,
    decode_time,
    decode_word,
    encode_base64,
    encode_column,
    encode_number,
    encode_text,
    encode_time,
    encode_word,
)

SHA = "0123456789abcdef" * 4
ALPHABET = frozenset(range(0x20, 0x7F))
CODED = fragments(
    b"%", b"%41", b"%0A", b"%0a", b"%{", b"}", b"token:1", b":", b"9" * 20, b"1:" + SHA.encode(),
    b"-", b'""', b"\n", b"\xff", b"a", b"%{password:6}", b"%2D",
)  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# --- texts


@pytest.mark.parametrize(
    ("text", "coded"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b" !$&~", b" !$&~", id="printable"),
        pytest.param(b'"\\', b'"\\', id="quote and backslash"),
        pytest.param(b"100%", b"100%25", id="percent"),
        pytest.param(b"%41", b"%2541", id="a client's escape"),
        pytest.param(b"%{token:6}", b"%25{token:6}", id="a client's mark"),
        pytest.param(b"\t\r\n", b"%09%0D%0A", id="tab and line breaks"),
        pytest.param(b"\x00\x1b\x7f", b"%00%1B%7F", id="control characters"),
        pytest.param("é\u2028".encode(), b"%C3%A9%E2%80%A8", id="UTF-8"),
        pytest.param(b"\x80\xff", b"%80%FF", id="no UTF-8"),
        pytest.param((Hole(6, "password"),), b"%{password:6}", id="class"),
        pytest.param(
            (b"Bearer ", Hole(9, "token", "0a1b.2c")),
            b"Bearer %{token:9:0a1b.2c}",
            id="keyed digest",
        ),
        pytest.param(
            (b"/%", Hole(300, sha256=SHA), b"\n"),
            b"/%25%{300:" + SHA.encode() + b"}%0A",
            id="spilled",
        ),
        pytest.param((Hole(0, "token"),) * 2, b"%{token:0}%{token:0}", id="two"),
    ],
)
def test_text(text: Text, coded: bytes) -> None:
    """
    Each text has one spelling, and what is ours cannot be typed.
    """
    assert coded == encode_text(text)
    assert text == decode_text(coded)


def test_every_byte() -> None:
    """
    Each byte is itself if it is printable and no percent sign, or else is coded.
    """
    for byte in range(256):
        text = bytes([byte])
        plain = byte in ALPHABET and text != b"%"

        assert encode_text(text) == (text if plain else b"%%%02X" % byte)
        assert text == decode_text(encode_text(text))


@few
@given(texts)
def test_text_round_trip(text: Text) -> None:
    """
    Decoding is exact, and no text leaves the alphabet or grows more than threefold.
    """
    coded = encode_text(text)

    assert text == decode_text(coded)
    assert set(coded) <= ALPHABET
    if isinstance(text, bytes):
        assert b"%{" not in coded
        assert len(coded) <= 3 * len(text)


@pytest.mark.parametrize(
    "coded",
    [
        pytest.param(b"\n", id="line feed"),
        pytest.param(b"a\tb", id="tab"),
        pytest.param(b"%41\x7f", id="delete"),
        pytest.param("%41é".encode(), id="UTF-8"),
        pytest.param(b"\xff%0A", id="before a code"),
        pytest.param(b"%", id="percent alone"),
        pytest.param(b"%4", id="half a code"),
        pytest.param(b"%zz", id="no hex"),
        pytest.param(b"%0a", id="lower-case hex"),
        pytest.param(b"%41", id="needless"),
        pytest.param(b"%2D", id="needless outside of a column"),
        pytest.param(b"%{", id="mark not closed"),
        pytest.param(b"%{}", id="empty mark"),
        pytest.param(b"%{token}", id="mark without length"),
        pytest.param(b"%{token:}", id="mark with empty length"),
        pytest.param(b"%{token:-1}", id="negative length"),
        pytest.param(b"%{token:01}", id="leading zero"),
        pytest.param(b"%{token:1:}", id="empty digest"),
        pytest.param(b"%{Token:1}", id="class in capitals"),
        pytest.param(b"%{token:1:XYZ}", id="no digest"),
        pytest.param(b"%{01:" + SHA.encode() + b"}", id="spilled, leading zero"),
        pytest.param(b"%{1:" + SHA.encode()[1:] + b"}", id="digest too short"),
        pytest.param(b"%{1:0" + SHA.encode() + b"}", id="digest too long"),
        pytest.param(b"%{1:" + SHA.upper().encode() + b"}", id="digest in capitals"),
        pytest.param(b"%{token:" + b"9" * 5_000 + b"}", id="length without end"),
        pytest.param(b"%{" + b"9" * 5_000 + b":" + SHA.encode() + b"}", id="spilled"),
    ],
)
def test_damaged_text(coded: bytes) -> None:
    """
    What the coder would not have written is damage.
    """
    with pytest.raises(DamagedRecord):
        decode_text(coded)


@few
@given(CODED)
def test_one_spelling(coded: bytes) -> None:
    """
    Whatever can be decoded is spelt as the coder spells it; all else is damage.
    """
    assert _spelling(decode_text, encode_text, coded) in (coded, None)
    assert _spelling(decode_column, encode_column, coded) in (coded, None)


def _spelling(
    decode: Callable[[bytes], Text | None],
    encode: Callable[[Text], bytes] | Callable[[Text | None], bytes],
    coded: bytes,
) -> bytes | None:
    try:
        text = decode(coded)
    except DamagedRecord:
        return None

    return b"-" if text is None else encode(text)


# --- columns


@pytest.mark.parametrize(
    ("text", "coded"),
    [
        pytest.param(None, b"-", id="absent"),
        pytest.param(b"", b'""', id="empty"),
        pytest.param(b"-", b"%2D", id="hyphen"),
        pytest.param(b'""', b"%22%22", id="two quotes"),
        pytest.param(b"--", b"--", id="two hyphens"),
        pytest.param(b'"', b'"', id="one quote"),
        pytest.param(b'""x', b'""x', id="quotes and more"),
        pytest.param(b"%2D", b"%252D", id="the code of a hyphen"),
        pytest.param(b"a\tb", b"a%09b", id="tab"),
        pytest.param((b"-", Hole(1, "token")), b"-%{token:1}", id="hyphen and hole"),
    ],
)
def test_column(text: Text | None, coded: bytes) -> None:
    """
    Absent is not empty, and who sends the signs of either gets them coded.
    """
    assert coded == encode_column(text)
    assert text == decode_column(coded)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param((), b"", id="no part"),
        pytest.param((b"",), b"", id="empty part"),
        pytest.param((b"-",), b"-", id="hyphen"),
        pytest.param((b'"', b'"'), b'""', id="two quotes"),
    ],
)
def test_column_without_hole(text: Text, plain: bytes) -> None:
    """
    A text in parts that has no hole after all is coded as the plain text that it is.
    """
    assert plain == decode_column(encode_column(text))


def test_column_of_no_bytes() -> None:
    """
    A column that is not even marked as empty is damage.
    """
    with pytest.raises(DamagedRecord, match="a column of no bytes"):
        decode_column(b"")


@few
@given(st.none() | texts)
def test_column_round_trip(text: Text | None) -> None:
    """
    A column decodes to what was coded, and it is never empty.
    """
    coded = encode_column(text)

    assert text == decode_column(coded)
    assert coded
    assert set(coded) <= ALPHABET


# --- words


@pytest.mark.parametrize(
    ("word", "coded"),
    [
        pytest.param(None, b"-", id="absent"),
        pytest.param("", b'""', id="empty"),
        pytest.param("host:1:ab", b"host:1:ab", id="plain"),
        pytest.param("é", b"%C3%A9", id="UTF-8"),
        pytest.param("\udcff", b"%FF", id="a byte of the system's"),
    ],
)
def test_word(word: str | None, coded: bytes) -> None:
    """
    A word of ours is a column, beyond ASCII in UTF-8.
    """
    assert coded == encode_word(word)
    assert word == decode_word(coded)


@few
@given(st.none() | words)
def test_word_round_trip(word: str | None) -> None:
    """
    A word decodes to itself.
    """
    assert word == decode_word(encode_word(word))


def test_hole_in_a_word() -> None:
    """
    A hole in a column that holds a word is damage.
    """
    with pytest.raises(DamagedRecord, match="hole"):
        decode_word(b"a%{token:1}")


# --- numbers


@pytest.mark.parametrize(
    ("number", "coded"),
    [
        pytest.param(None, b"-", id="absent"),
        pytest.param(0, b"0", id="zero"),
        pytest.param(-10, b"-10", id="negative"),
        pytest.param(10**30, b"1" + b"0" * 30, id="large"),
    ],
)
def test_number(number: int | None, coded: bytes) -> None:
    """
    A count is decimal, without padding.
    """
    assert coded == encode_number(number)
    assert number == decode_number(coded)


@pytest.mark.parametrize(
    "coded",
    [b"", b"01", b"-0", b"+1", b"1.0", b"1e3", b" 1", b"1_0", b"x", b"1\n", b"--1"],
)
def test_damaged_number(coded: bytes) -> None:
    """
    Another spelling of a count is damage.
    """
    with pytest.raises(DamagedRecord, match="no decimal number"):
        decode_number(coded)


def test_endless_number() -> None:
    """
    A count with more digits than Python reads is damage.
    """
    with pytest.raises(DamagedRecord, match="too many digits"):
        decode_number(b"9" * 10_000)


# --- exact values


@few
@given(raw)
def test_base64_round_trip(value: bytes) -> None:
    """
    An exact value decodes to itself.
    """
    assert value == decode_base64(encode_base64(value))
    assert encode_base64(value) == (b64encode(value) or b'""')


@pytest.mark.parametrize(
    "coded",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"-", id="absent"),
        pytest.param(b"QQ", id="no padding"),
        pytest.param(b"QQ=", id="half the padding"),
        pytest.param(b"QQ===", id="too much padding"),
        pytest.param(b"QR==", id="spare bits set"),
        pytest.param(b"QQ==QQ==", id="two values"),
        pytest.param(b"Q Q==", id="space"),
        pytest.param(b"Q_-=", id="another alphabet"),
        pytest.param(b"=", id="padding alone"),
        pytest.param(b"\xff\xff\xff\xff", id="no ASCII"),
    ],
)
def test_damaged_base64(coded: bytes) -> None:
    """
    Another spelling of a value, or none, is damage.
    """
    with pytest.raises(DamagedRecord, match="base64"):
        decode_base64(coded)


# --- time


@pytest.mark.parametrize(
    ("micros", "coded"),
    [
        pytest.param(0, b"1970-01-01T00:00:00.000000Z", id="epoch"),
        pytest.param(-1, b"1969-12-31T23:59:59.999999Z", id="before"),
        pytest.param(
            951_782_400_000_000, b"2000-02-29T00:00:00.000000Z", id="leap day"
        ),
        pytest.param(
            1_795_238_767_123_456, b"2026-11-21T05:26:07.123456Z", id="the design's"
        ),
        pytest.param(
            4_107_542_399_999_999, b"2100-02-28T23:59:59.999999Z", id="no leap"
        ),
    ],
)
def test_time(micros: int, coded: bytes) -> None:
    """
    A time is UTC, from larger to smaller, to the microsecond.
    """
    assert coded == encode_time(micros)
    assert micros == decode_time(coded)


@few
@given(times)
def test_time_as_by_the_standard_library(micros: int) -> None:
    """
    The calendar is the one of the standard library, for all years that it knows.
    """
    moment = (EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds")

    assert moment.replace("+00:00", "Z").encode() == encode_time(micros)
    assert micros == decode_time(encode_time(micros))


@pytest.mark.parametrize(
    "coded",
    [
        pytest.param(b"-", id="absent"),
        pytest.param(b"", id="empty"),
        pytest.param(b"2026-11-21T05:26:07Z", id="no fraction"),
        pytest.param(b"2026-11-21 05:26:07.123456Z", id="space"),
        pytest.param(b"2026-11-21T05:26:07.123456", id="no zone"),
        pytest.param(b"2026-11-21T05:26:07.123456+00:00", id="another zone"),
        pytest.param(b"2026-13-01T00:00:00.000000Z", id="month 13"),
        pytest.param(b"2026-00-01T00:00:00.000000Z", id="month 0"),
        pytest.param(b"2026-02-29T00:00:00.000000Z", id="no leap year"),
        pytest.param(b"2026-11-00T00:00:00.000000Z", id="day 0"),
        pytest.param(b"2026-11-31T00:00:00.000000Z", id="day 31"),
        pytest.param(b"2026-11-21T24:00:00.000000Z", id="hour 24"),
        pytest.param(b"2026-11-21T00:60:00.000000Z", id="minute 60"),
        pytest.param(b"2026-11-21T00:00:60.000000Z", id="second 60"),
        pytest.param(b"2026-11-21T00:00:00.000000Z\n", id="line feed"),
        pytest.param("\uff12026-11-21T00:00:00.000000Z".encode(), id="other digits"),
    ],
)
def test_damaged_time(coded: bytes) -> None:
    """
    A time that is spelt otherwise, or that never was, is damage.
    """
    with pytest.raises(DamagedRecord):
        decode_time(coded)


# --- work


@any_size
@pytest.mark.parametrize(
    "piece",
    [b"%", b"%4", b"%{", b"%{a:", b"%{a:1", b"%{1:", b"9", b"\xff", b"%0A", b"%{a:1}"],
)
def test_hostile_bytes(*, piece: bytes, size: int) -> None:
    """
    Any amount of what the coding is made of cost what they weigh.
    """
    text = piece * (size // len(piece))
    with cpu_bound(120):
        assert text == decode_text(encode_text(text))
        _spelling(decode_text, encode_text, text)
        _spelling(decode_text, encode_text, b"%{a:" + text)
