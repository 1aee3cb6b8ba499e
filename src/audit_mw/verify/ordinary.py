# Lines as they nearly all are: judged by one expression, without being decoded.
#
# The long road decodes a line and codes it again, which costs a hundred microseconds.
# The expression below is the coder's own spelling: what it matches would come out as it
# went in. With length and check there is nothing left to find.
#
# Rule 1: it may only be too narrow. What it does not match goes the long road, which
#         alone says what is wrong. A property test compares both on spoilt lines.
# Rule 2: a record that names a value of the values stream is told apart, and decoded.
#
# Quantifiers are possessive: a line that does not match is looked at once.
import re
from binascii import Error as BadBase64
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import NamedTuple

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS
from audit_mw.trail.encoding import decode_time
from audit_mw.trail.params import decode_details, encode_details
from audit_mw.trail.record import VALUES, Record, decode_line, is_whole

__all__ = [
    "DetailsSeen",
    "OrdinaryRecord",
    "OrdinaryValue",
    "Sound",
    "names_value",
    "record_of",
    "value_of",
]

_CODE = rb"%(?:[01][0-9A-F]|25|7F|[89A-F][0-9A-F])"
_COUNT = rb"(?:0|[1-9][0-9]{0,17}+)"
_SHA256 = rb"[0-9a-f]{64}"
_HOLE = rb"%%\{(?:[a-z]++:%b(?::[0-9a-f.]++)?+|%b:%b)\}" % (_COUNT, _COUNT, _SHA256)
# A column that is absent is "-", an empty one is two quotes; both are of this alphabet.
# What is spelt %2D or %22%22 to be told from them is not matched.
_TEXT = rb"(?:[ -$&-~]++|%b|%b)++" % (_CODE, _HOLE)
_WORD = rb"[!-$&-~]++"
_NAMED = rb"(?!-\t)"  # a column that must be there
_NUMBER = rb"(?:-|%b)" % _COUNT

_EXACT = rb'"(?:[ !#$&-\[\]-~]++|\\["\\]|%b)*+"' % _CODE
_STRING = rb'"(?:[ !#$&-\[\]-~]++|\\["\\]|%b|%b)*+"' % (_CODE, _HOLE)
_OBJECTS = rb"\{(?:%b)\}" % b"|".join(
    (
        rb'"len":%b,"class":"[a-z]++"(?:,"hmac":"[0-9a-f.]++")?+' % _COUNT,
        rb'"json":%b' % _EXACT,
        rb'"len":(?:null|%b),"read":%b' % (_COUNT, _COUNT),
        rb'"len":%b,"class":"opaque","type":(?:null|%b)' % (_COUNT, _STRING),
        rb'(?:"count":%b,)?+"len":%b,"sha256":"%b"' % (_COUNT, _COUNT, _SHA256),
        rb'"filename":(?:null|%b),"type":(?:null|%b),"len":%b,"sha256":(?:null|"%b")'
        % (_STRING, _STRING, _COUNT, _SHA256),
    )
)
_PARAM = rb'\["[a-z]++",(?:%b|null),(?:%b|null|%b)\]' % (_STRING, _STRING, _OBJECTS)
_PARAMS = rb"\[(?:%b(?:,%b)*+)?+\]" % (_PARAM, _PARAM)

_DATE = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_OF_DAY = rb"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
_TIME = rb"(?P<date>%b)%b" % (_DATE, _OF_DAY)
_EVENT = rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_RECORD = re.compile(
    b"\t".join(
        (
            rb"[1-9][0-9]{0,8}",
            _TIME,
            _EVENT,
            rb"(?P<stream>[a-z]++)",
            rb"(?P<seq>[1-9][0-9]{0,17})",
            rb"[a-z0-9_]++",  # type
            rb"[A-Z]++",  # outcome
            _NAMED + _TEXT,  # service
            rb"(?P<instance>[0-9A-Za-z._:-]++)",
            *[_TEXT] * 3,  # client, peer, user
            _WORD,  # session
            *[_TEXT] * 3,  # method, path, action
            *[_NUMBER] * 4,  # status, sent, rows, micros
            _PARAMS,
            rb"(?P<details>\{[^\t\n]*+)",
            *[_WORD] * 2,  # salt, seal
            rb"[0-9a-f]{16}\n",
        )
    )
)
_VALUE = re.compile(
    b"\t".join(
        (
            rb"[1-9][0-9]{0,12}",
            _TIME,
            _EVENT,
            VALUES.encode(),
            rb"(?P<size>[1-9][0-9]{0,12})",
            rb"(?P<sha256>%b)" % _SHA256,
            rb"(?P<value>[A-Za-z0-9+/]++={0,2})",
            rb"[0-9a-f]{16}\n",
        )
    )
)
_SPILLED = re.compile(rb"%\{[0-9]")  # of holes those that name a value

_STREAMS = {stream.encode() for stream in STREAMS}
_STREAM = 3
_MANY = 4096
_days: set[bytes] = set()  # that are in the calendar


class OrdinaryRecord(NamedTuple):
    """
    A record that is as it should be: where it counts, and its line.

    `names` tells whether it may name a value of the values stream.
    """

    instance: str
    stream: str
    seq: int
    text: bytes
    names: bool = False

    @property
    def record(self) -> Record:
        """What the line means."""
        return decode_line(self.text)


class OrdinaryValue(NamedTuple):
    """A value that is as it should be: its digest and its length."""

    sha256: str
    size: int


class DetailsSeen:
    """
    Columns `details` that were seen, and found to be spelt as the writer does.

    Most records have one of few; of an object no expression can tell that a key is
    there twice.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def take(self, coded: bytes) -> bool:
        """Tell whether a column is spelt as the writer spells it, but for the order."""
        if coded in self._seen:
            return True
        try:
            details = decode_details(coded)
        except DamagedRecord:
            return False
        order = {key: at for at, key in enumerate(details)}
        if encode_details(details, order) != coded:
            return False
        if len(self._seen) >= _MANY:
            self._seen.clear()
        self._seen.add(coded)

        return True


def record_of(text: bytes, stream: str, seen: DetailsSeen) -> OrdinaryRecord | None:
    """
    Return a record of `stream` that has nothing to find in it.

    None: the long road tells.
    """
    match = _RECORD.fullmatch(text)
    if match is None:
        return None
    date, said, seq, instance, details = match.group(
        "date", "stream", "seq", "instance", "details"
    )
    if instance == b"-" or said.decode() != stream or not is_whole(text):
        return None
    if not (_is_day(date) and seen.take(details)):
        return None

    names = names_value(text)

    return OrdinaryRecord(instance.decode(), stream, int(seq), text, names)


class Sound:
    """Tells of a line whether it can be decoded, without that; False: not known."""

    def __init__(self) -> None:
        self._details = DetailsSeen()

    def __call__(self, text: bytes) -> bool:
        stream = text.split(b"\t", _STREAM + 1)[_STREAM : _STREAM + 1]
        if not stream or stream[0] not in _STREAMS:
            return False

        return record_of(text, stream[0].decode(), self._details) is not None


def names_value(text: bytes) -> bool:
    """Tell whether a record may name a value: whatever does has one of these."""
    if b'"sha256"' in text:
        return True

    return b"%{" in text and _SPILLED.search(text) is not None


def value_of(text: bytes) -> OrdinaryValue | None:
    """Return a value that has nothing to find in it; None: the long road tells."""
    match = _VALUE.fullmatch(text)
    if match is None or not is_whole(text) or not _is_day(match["date"]):
        return None
    coded, digest = match["value"], match["sha256"].decode()
    try:
        value = a2b_base64(coded, strict_mode=True)
    except BadBase64:
        return None
    if len(value) != int(match["size"]) or sha256(value).hexdigest() != digest:
        return None
    if b2a_base64(value, newline=False) != coded:
        return None

    return OrdinaryValue(digest, len(value))


def _is_day(date: bytes) -> bool:
    if date not in _days:
        try:
            decode_time(date + b"T00:00:00.000000Z")
        except DamagedRecord:
            return False
        if len(_days) >= _MANY:
            _days.clear()
        _days.add(date)

    return True
