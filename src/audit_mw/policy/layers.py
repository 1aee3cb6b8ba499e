# What a text says once a coding is undone: JSON's escapes, percent coding, HTML's
# entities, base64, hex; and what that says in turn.
#
# An application may undo any of these, and a log that only looked at the outside would
# keep what it found. Nothing is decompressed: a few bytes can become gigabytes.
import html
import re
import string
from binascii import a2b_base64
from collections.abc import Iterator
from itertools import product

from audit_mw.policy.runs import Alphabet
from audit_mw.wire.json import unescape
from audit_mw.wire.query import decode_percent

__all__ = ["decoded_runs", "is_text", "says_nothing", "undone"]

_ROUNDS = 3  # a value in a URL in a parameter has two
_DIGITS = b"0123456789ABCDEFabcdef"
_STANDARD = (string.ascii_letters + string.digits + "+/").encode()
_WORDS = _STANDARD + b"-_"
_LEAST = 12  # characters of base64 that say enough to be a secret with its name
_BASE64, _HEX = Alphabet(_WORDS, _LEAST), Alphabet(_DIGITS, 20)
_BROKEN = Alphabet(_WORDS + b"\r\n\\", _LEAST)
_TO_WORDS = bytes(byte if byte in _WORDS else 0x20 for byte in range(256))
_Known = dict[bytes, tuple[bytes, ...]]
_REPEATED = 64  # bytes of a run that may well be a word of a language
_HEAD = 16  # characters of a run that tell whether it may say text

# As UTF-8 has it, roughly, to where the head ends.
_HEAD_OF_TEXT = re.compile(
    rb"(?:[\t\r\n -~]|[\xc2-\xf4][\x80-\xbf]{1,3}+)*+[\xc2-\xf4]?"
)
# The first two characters of what may say text: a character that is none of control,
# or the start of a longer one. Of the second byte they tell its upper half; of lower
# halves these two stand in some character wherever any does.
_BEGINNINGS = {
    bytes(pair)
    for pair in product(_STANDARD, repeat=2)
    for first, second in [a2b_base64(bytes(pair) + b"AA")[:2]]
    if any(_HEAD_OF_TEXT.fullmatch(bytes((first, second | low))) for low in (2, 10))
}
_HEX_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_BREAKS = re.compile(
    rb"[\r\n\\](?:(?<=[A-Za-z0-9+/][\r\n])|(?<=[A-Za-z0-9+/]\\)[rn])"
    rb"(?:\\[rn]|[\r\n])*+(?=[A-Za-z0-9+/=])"
)
_WIDE_COLON, _WIDE_EQUALS = (b"\xef\xbc\x9a", b":"), (b"\xef\xbc\x9d", b"=")
_ENTITY = re.compile(rb"&[#A-Za-z][A-Za-z0-9]{1,31};?")
_OF_TEXT = b"\t\r\n" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))


def undone(text: bytes) -> Iterator[bytes]:
    """
    Yield what `text` says with codings undone, once and again.

    The last is empty where nobody can say what it is: coded still, after three rounds.
    """
    known: _Known = {}
    for _ in range(_ROUNDS):
        plain = _unescaped(text)
        inner = b"\n".join(_said(plain, known))
        if plain != text:
            yield plain
        if inner:
            yield inner
            text = plain + b"\n" + inner
        elif plain == text:
            return
        else:
            text = plain
    if b"%25" in text:
        yield b""


def _unescaped(text: bytes) -> bytes:
    if b"\\" in text:
        text = _HEX_ESCAPE.sub(_byte, unescape(text))
    if b"%" in text:
        text = decode_percent(text)
    if b"\xef\xbc" in text:
        text = text.replace(*_WIDE_COLON).replace(*_WIDE_EQUALS)
    if b"&" in text and _ENTITY.search(text):
        plain = html.unescape(text.decode("utf-8", "surrogateescape"))
        text = plain.encode("utf-8", "surrogateescape")

    return text


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode())


def _said(text: bytes, known: _Known) -> Iterator[bytes]:
    # As a coding that is broken into lines says it, too. What stands between two
    # breaks may be as short as it likes.
    broken = b"\n" in text or b"\\n" in text
    alphabet = _BROKEN if broken else _BASE64
    words = b" ".join([text[start:end] for start, end in alphabet.runs(text)])
    if broken:
        words = _unbroken(words)
    for run in words.translate(_TO_WORDS).split():
        if len(run) >= _LEAST:
            yield from _known_of(run, known)
    for _, said in _of_hex(words):
        yield said


def _unbroken(text: bytes) -> bytes:
    breaks = b"\n" in text or b"\r" in text or b"\\" in text

    return _BREAKS.sub(b"", text) if breaks else text


def decoded_runs(text: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield where base64 or hex stands in `text`, and what it says, if that is text."""
    yield from _of_base64(text, {})
    yield from _of_hex(text)


def _of_base64(text: bytes, known: _Known) -> Iterator[tuple[tuple[int, int], bytes]]:
    for start, end in _BASE64.runs(text):
        for said in _known_of(text[start:end], known):
            yield (start, end), said


def _known_of(run: bytes, known: _Known) -> tuple[bytes, ...]:
    said = known.get(run)
    if said is None:
        said = tuple(_from_base64(run.translate(_TO_STANDARD)))
        if len(run) <= _REPEATED:
            known[run] = said

    return said


def _from_base64(run: bytes) -> Iterator[bytes]:
    # What stands before it may be of the same alphabet: so at each alignment.
    for start in range(4):
        if run[start : start + 2] in _BEGINNINGS:
            if not _may_be_text(_decode(run[start : start + _HEAD])):
                continue
            said = _decode(run[start:])
            if is_text(said):
                yield said


def _decode(run: bytes) -> bytes:
    whole = len(run) - (len(run) % 4 == 1)

    return a2b_base64(run[:whole] + b"=" * (-whole % 4))


def _of_hex(text: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    for first, last in _HEX.runs(text):
        for start in (first, first + 1):
            if _may_be_text(_from_hex(text[start : min(start + _HEAD, last)])):
                said = _from_hex(text[start:last])
                if is_text(said):
                    yield (first, last), said


def _from_hex(run: bytes) -> bytes:
    return bytes.fromhex(run[: len(run) & ~1].decode())


def _may_be_text(head: bytes) -> bool:
    # Nearly all that is no text shows in its first bytes, and so at no cost.
    return _HEAD_OF_TEXT.fullmatch(head) is not None


def says_nothing(word: bytes) -> bool:
    """Tell whether letters, digits, - and _ are no text in base64 or hex."""
    return next(decoded_runs(word), None) is None


def is_text(body: bytes) -> bool:
    """Tell whether `body` can be read as text: UTF-8 without control characters."""
    if body.translate(None, _OF_TEXT):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False

    return True
