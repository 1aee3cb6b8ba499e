# What a text says once a coding is undone: JSON's escapes, percent coding, HTML's
# entities, base64, hex; and what that says in turn.
#
# An application may undo any of these, and a log that only looked at the outside would
# keep what it found. Nothing is decompressed: a few bytes can become gigabytes.
import html
import re
from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Iterator

from audit_mw.policy.shapes import LONG_RUN
from audit_mw.wire.json import unescape
from audit_mw.wire.query import decode_percent

__all__ = ["decoded_runs", "is_text", "says_nothing", "undone"]

_ROUNDS = 3  # a value in a URL in a parameter has two
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}+")
_HEX = re.compile(rb"[0-9A-Fa-f]{20,}+")
_HEX_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_BREAKS = re.compile(rb"(?<=[A-Za-z0-9+/])(?:\\[rn]|[\r\n])++(?=[A-Za-z0-9+/=])")
_WIDE_COLON, _WIDE_EQUALS = (b"\xef\xbc\x9a", b":"), (b"\xef\xbc\x9d", b"=")
_ENTITY = re.compile(rb"&[#A-Za-z][A-Za-z0-9]{1,31};?")
_OF_TEXT = b"\t\r\n" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))


def undone(text: bytes) -> Iterator[bytes]:
    """
    Yield what `text` says with codings undone, once and again.

    The last is empty where nobody can say what it is: coded still, after three rounds.
    """
    for _ in range(_ROUNDS):
        plain = _unescaped(text)
        inner = b"\n".join(said for _, said in decoded_runs(_unbroken(plain)))
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


def _unbroken(text: bytes) -> bytes:
    return _BREAKS.sub(b"", text) if b"\n" in text or b"\\n" in text else text


def decoded_runs(text: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield where base64 or hex stands in `text`, and what it says, if that is text."""
    if LONG_RUN.search(text) is None:
        return
    for match in _BASE64.finditer(text):
        run = match[0].translate(_TO_STANDARD)
        # What stands before it may be of the same alphabet: so at each alignment.
        for start in range(4):
            said = _from_base64(run[start:])
            if said:
                yield match.span(), said
    for match in _HEX.finditer(text):
        for start in range(2):
            run = match[0][start:]
            said = bytes.fromhex(run[: len(run) & ~1].decode())
            if is_text(said):
                yield match.span(), said


def says_nothing(word: bytes) -> bool:
    """Tell whether letters, digits, - and _ are no text in base64 or hex."""
    return next(decoded_runs(word), None) is None


def _from_base64(run: bytes) -> bytes:
    whole = len(run) - (len(run) % 4 == 1)
    try:
        decoded = a2b_base64(run[:whole] + b"=" * (-whole % 4))
    except BadBase64:
        return b""

    return decoded if is_text(decoded) else b""


def is_text(body: bytes) -> bool:
    """Tell whether `body` can be read as text: UTF-8 without control characters."""
    if body.translate(None, _OF_TEXT):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False

    return True
