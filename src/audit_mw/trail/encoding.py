# Values <-> the printable bytes of a record (format 1).
#
# The alphabet is 0x20..0x7E. Every other byte, and "%", is written %XX in
# upper-case hex. So no byte that a client sends can end a line, start a column or
# move a cursor, and decoding is exact.
#
# Rule 1: one spelling a value. What the coder would not have written is damage.
# Rule 2: the coder never writes "%" before "{", so a hole, which is ours, cannot
#         be typed by a client: his "%{" is stored as "%25{".
# Rule 3: absent is not empty. A column that is absent is "-", an empty one is '""';
#         who sends these two as values gets them coded (11.10.1).
#
# (Longer than 250 lines, since each coder stands beside its decoder.)
import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from functools import lru_cache

from audit_mw.errors import DamagedRecord
from audit_mw.event import Hole, Text

__all__ = [
    "decode_base64",
    "decode_column",
    "decode_number",
    "decode_text",
    "decode_time",
    "decode_word",
    "encode_base64",
    "encode_column",
    "encode_number",
    "encode_text",
    "encode_time",
    "encode_word",
    "respell",
]

ABSENT = b"-"
EMPTY = b'""'

_UNSAFE = re.compile(rb"[^ -$&-~]")
_CODES = tuple(
    bytes([byte]) if 0x20 <= byte <= 0x7E and byte != ord("%") else b"%%%02X" % byte
    for byte in range(256)
)
_BYTES = {code: bytes([byte]) for byte, code in enumerate(_CODES) if len(code) > 1}
_CODED = re.compile(
    rb"%(?:(?P<hex>[0-9A-F]{2})"
    rb"|\{(?:(?P<cls>[a-z]+):(?P<len>0|[1-9][0-9]*)(?::(?P<hmac>[0-9a-f.]+))?"
    rb"|(?P<size>0|[1-9][0-9]*):(?P<sha256>[0-9a-f]{64}))\})?"
)


def encode_text(text: Text) -> bytes:
    """Return `text` in the alphabet of a record; holes are marked as ours."""
    if isinstance(text, bytes):
        return text if _UNSAFE.search(text) is None else _encode_bytes(text)

    return b"".join(
        _encode_hole(part) if isinstance(part, Hole) else encode_text(part)
        for part in text
    )


_BLOCK = 4096


def _encode_bytes(text: bytes) -> bytes:
    # join() takes eighty bytes for each that it joins, so a long text goes in blocks.
    blocks = (text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK))

    return b"".join([b"".join(map(_CODES.__getitem__, block)) for block in blocks])


def _encode_hole(hole: Hole) -> bytes:
    if hole.sha256 is not None:
        return b"%%{%d:%s}" % (hole.len, hole.sha256.encode())

    digest = f":{hole.hmac}" if hole.hmac else ""
    return f"%{{{hole.cls}:{hole.len}{digest}}}".encode()


def decode_text(coded: bytes) -> Text:
    """
    Return the text that `encode_text` made `coded` from.

    Raises:
        DamagedRecord: `coded` is nothing that the coder writes.
    """
    if _UNSAFE.search(coded) is None:
        return coded

    parts = tuple(_parts(coded))
    if any(isinstance(part, Hole) for part in parts):
        return parts

    return b"".join(part for part in parts if isinstance(part, bytes))


def _parts(coded: bytes) -> list[bytes | Hole]:
    parts: list[bytes | Hole] = []
    run: list[bytes] = []
    end = 0
    for match in _CODED.finditer(coded):
        run.append(_plain(coded[end : match.start()]))
        end = match.end()
        if match["hex"]:
            run.append(_decode_hex(match[0]))
        else:
            parts += _joined(run), _decode_hole(match)
            run.clear()
    run.append(_plain(coded[end:]))
    parts.append(_joined(run))

    return [part for part in parts if part]


def _joined(run: list[bytes]) -> bytes:
    return b"".join(run)


def _plain(run: bytes) -> bytes:
    if _UNSAFE.search(run) is not None:
        raise DamagedRecord("a byte outside of 0x20..0x7E")

    return run


def _decode_hex(code: bytes) -> bytes:
    try:
        return _BYTES[code]
    except KeyError:
        raise DamagedRecord(f"{code.decode()} codes a byte that needs none") from None


def _decode_hole(match: re.Match[bytes]) -> Hole:
    if match["sha256"]:
        return Hole(_int(match["size"]), sha256=match["sha256"].decode())
    if match["cls"]:
        hmac = match["hmac"].decode() if match["hmac"] else None
        return Hole(_int(match["len"]), match["cls"].decode(), hmac)

    raise DamagedRecord("a % that begins neither %XX nor a mark of ours")


def encode_column(text: Text | None) -> bytes:
    """Return `text` as a column: `-` if absent, two quotation marks if empty."""
    if text is None:
        return ABSENT
    coded = encode_text(text)

    return _RESPELT.get(coded, coded)


_RESPELT = {b"": EMPTY, ABSENT: b"%2D", EMPTY: b"%22%22"}
_SPELT = {ABSENT: None, EMPTY: b"", b"%2D": ABSENT, b"%22%22": EMPTY}


def respell(plain: bytes) -> bytes:
    """Return as a column what is printable ASCII without a "%"."""
    return _RESPELT.get(plain, plain)


def decode_column(coded: bytes) -> Text | None:
    """Return what `encode_column` made `coded` from."""
    if coded in _SPELT:
        return _SPELT[coded]
    if not coded:
        raise DamagedRecord('a column of no bytes; absent is "-", empty is two quotes')

    return decode_text(coded)


def encode_word(word: str | None) -> bytes:
    """Return a word of ours as a column; beyond ASCII it is coded as UTF-8."""
    return encode_column(
        None if word is None else word.encode(errors="surrogateescape")
    )


def decode_word(coded: bytes) -> str | None:
    """Return what `encode_word` made `coded` from."""
    text = decode_column(coded)
    if text is None:
        return None
    if not isinstance(text, bytes):
        raise DamagedRecord("a hole in a column that holds a word of ours")

    return text.decode(errors="surrogateescape")


def encode_number(number: int | None) -> bytes:
    """Return a count as a column."""
    return ABSENT if number is None else b"%d" % number


_NUMBER = re.compile(rb"0|-?[1-9][0-9]*")


def decode_number(coded: bytes) -> int | None:
    """Return what `encode_number` made `coded` from."""
    if coded == ABSENT:
        return None
    if _NUMBER.fullmatch(coded) is None:
        raise DamagedRecord("a count that is no decimal number")

    return _int(coded)


def _int(digits: bytes) -> int:
    try:
        return int(digits)
    except ValueError as error:  # a limit of Python's, of 4,300 digits as a rule
        raise DamagedRecord("a count of too many digits") from error


def encode_base64(value: bytes) -> bytes:
    """Return the exact value of a spill as a column."""
    return b64encode(value) or EMPTY


def decode_base64(coded: bytes) -> bytes:
    """Return what `encode_base64` made `coded` from."""
    try:
        value = b"" if coded == EMPTY else b64decode(coded, validate=True)
    except BadBase64 as error:
        raise DamagedRecord(f"a value that is not base64: {error}") from error
    if encode_base64(value) != coded:
        raise DamagedRecord("a value in another base64 than ours")

    return value


# --- time: UTC, from larger to smaller (21.5), without the datetime module, since
# this floor knows no clock; a year before 1 or after 9999 does not occur.

_DAYS_TO_1970 = 719_468  # from 0000-03-01, where the years of the reckoning begin
_DAYS_IN_ERA = 146_097  # of 400 years
_TIME = re.compile(
    rb"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})\.(\d{6})Z",
)


def encode_time(micros: int) -> bytes:
    """Return microseconds since the epoch as `2026-11-21T05:26:07.123456Z`."""
    seconds, fraction = divmod(micros, 1_000_000)

    return b"%s.%06dZ" % (_encode_second(seconds), fraction)


@lru_cache(maxsize=64)
def _encode_second(seconds: int) -> bytes:
    days, second = divmod(seconds, 86_400)
    era, day = divmod(days + _DAYS_TO_1970, _DAYS_IN_ERA)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    shifted = (5 * day + 2) // 153  # month, from March
    month = shifted + 3 if shifted < 10 else shifted - 9
    year += 400 * era + (month <= 2)

    return b"%04d-%02d-%02dT%02d:%02d:%02d" % (
        year,
        month,
        day - (153 * shifted + 2) // 5 + 1,
        second // 3_600,
        second // 60 % 60,
        second % 60,
    )


def decode_time(coded: bytes) -> int:
    """Return what `encode_time` made `coded` from, in microseconds since the epoch."""
    match = _TIME.fullmatch(coded)
    if match is None:
        raise DamagedRecord("a time that is not like 2026-11-21T05:26:07.123456Z")
    year, month, day, hour, minute, second, fraction = map(int, match.groups())
    era_year = year - (month <= 2)
    era, of_era = divmod(era_year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    of_era_day = of_era * 365 + of_era // 4 - of_era // 100 + of_year
    days = era * _DAYS_IN_ERA + of_era_day - _DAYS_TO_1970
    micros = ((days * 24 + hour) * 60 + minute) * 60 + second
    micros = micros * 1_000_000 + fraction
    if encode_time(micros) != coded:
        raise DamagedRecord("a day or an hour that does not exist")

    return micros
