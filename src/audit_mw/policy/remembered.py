# Secrets that are known, to be found in a text of ours: a traceback shows a value as it
# is, as repr() does, as a URL or a JSON document has it, cut short, or line by line.
#
# Rule: whatever is equal to a good part of a secret goes, too. pydantic shows the first
# and the last 24 characters of a long value, and an exception group puts a prefix on
# each line.
import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from audit_mw.policy.names import PASSWORD
from audit_mw.policy.shapes import Span
from audit_mw.wire.query import decode_percent, encode_plain

__all__ = ["NOTHING", "Known"]

_SHORT = 3  # a secret no longer must not eat that letter everywhere
_GRAM = 12  # bytes of a long secret that are a leak by themselves
_GRAMMED = 1 << 16  # bytes of secrets, in all, that are looked for in parts
_SPELT = 1 << 16  # and in all spellings


class Known:
    """
    Secrets that are looked for in one text after the other.

    Args:
        secrets: the values that were withheld.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        spelt = set(_spellings(secrets))
        self._spelt = [(each.lower(), len(each)) for each in spelt]
        self._grams = _grams_of(spelt)

    def find(self, text: bytes) -> Iterator[Span]:
        """Yield where `text` has one of them, however spelt, or a good part of it."""
        lower = text.lower()
        for spelt, length in self._spelt:
            for start in _places(lower, spelt):
                yield Span(start, start + length, PASSWORD)
        yield from _find_grams(text, self._grams)


def _places(text: bytes, spelt: bytes) -> Iterator[int]:
    if len(spelt) <= _SHORT:
        alone = rb"(?<![A-Za-z0-9_])" + re.escape(spelt) + rb"(?![A-Za-z0-9_])"
        yield from (match.start() for match in re.finditer(alone, text))
        return
    start = text.find(spelt)
    while start >= 0:
        yield start
        start = text.find(spelt, start + len(spelt))


def _spellings(secrets: Iterable[bytes]) -> Iterator[bytes]:
    # A hostile client must not have a megabyte spelt in thirty ways: the shortest
    # first, and what goes beyond as it is.
    room = _SPELT
    for secret in sorted(filter(None, set(secrets)), key=len):
        yield secret
        room -= len(secret)
        if room > 0:
            for part in _parts(secret):
                yield from _spellings_of_part(part)


def _parts(secret: bytes) -> Iterator[bytes]:
    for whole in {secret, unquote_to_bytes(secret), decode_percent(secret)}:
        yield whole
        yield from (line for line in whole.splitlines() if len(line) > _SHORT)


def _spellings_of_part(secret: bytes) -> Iterator[bytes]:
    read = set(_readings(secret))
    shown = read | {text.upper() for text in read} | {text.lower() for text in read}
    shown |= {repr(it)[1:-1] for it in shown} | {html.escape(it) for it in read}
    shown |= {repr(it)[1:-1] for it in shown} | {ascii(it)[1:-1] for it in shown}
    for ascii_only in (True, False):
        shown |= {json.dumps(it, ensure_ascii=ascii_only)[1:-1] for it in read}
    shown.add(repr(secret)[2:-1])
    yield secret
    yield from (it.encode("utf-8", "surrogatepass") for it in shown)
    plain = encode_plain(secret)
    yield from (plain, plain.replace(b"%20", b"+"), plain.replace(b"%2F", b"/"))
    yield from (secret.hex().encode(), *_in_base64(secret))


def _readings(secret: bytes) -> Iterator[str]:
    yield secret.decode("utf-8", "surrogateescape")
    yield secret.decode("utf-8", "replace")
    # WSGI hands out bytes as Latin-1, so an application may show them that way.
    yield secret.decode("latin-1")
    with suppress(UnicodeDecodeError):
        yield secret.decode("utf-8", "surrogatepass")


def _in_base64(secret: bytes) -> Iterator[bytes]:
    if len(secret) > _SHORT:
        for place in range(3):
            coded = b64encode(b"\0" * place + secret)
            # The first and the last characters also hold bits of what is beside it.
            yield coded[(0, 2, 3)[place] :].rstrip(b"=")[:-1]


def _grams_of(known: Iterable[bytes]) -> set[bytes]:
    grams: set[bytes] = set()
    room = _GRAMMED
    for spelt in known:
        taken = spelt[:room]
        room -= len(taken)
        grams.update(taken[at : at + _GRAM] for at in range(len(taken) - _GRAM + 1))

    return grams


def _find_grams(text: bytes, grams: set[bytes]) -> Iterator[Span]:
    start = end = -1
    for at in range(len(text) - _GRAM + 1 if grams else 0):
        if text[at : at + _GRAM] in grams:
            if at > end:
                if end > start >= 0:
                    yield Span(start, end, PASSWORD)
                start = at
            end = at + _GRAM
    if end > start >= 0:
        yield Span(start, end, PASSWORD)


NOTHING = Known(())
