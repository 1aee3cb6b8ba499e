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
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

from audit_mw.policy.names import PASSWORD
from audit_mw.policy.shapes import Span
from audit_mw.wire.query import decode_percent, encode_plain

__all__ = ["NOTHING", "Known"]

_SHORT = 3  # a secret no longer must not eat that letter everywhere
_GRAM = 12  # bytes of a long secret that are a leak by themselves
_PART = 4  # bytes of a gram, of which one in so many is looked at
_FEW = 64  # beginnings of secrets, each of which is searched for by itself
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
        lower = {each.lower() for each in spelt}
        self._short = _compile_short([it for it in lower if len(it) <= _SHORT])
        self._long = _index_long(it for it in lower if len(it) > _SHORT)
        self._grams = _grams_of(spelt, _GRAM)
        self._parts = _grams_of(spelt, _PART)

    def find(self, text: bytes) -> Iterator[Span]:
        """Yield where `text` has one of them, however spelt, or a good part of it."""
        lower = text.lower()
        if self._short is not None:
            for match in self._short.finditer(lower):
                yield Span(match.start(), match.end(), PASSWORD)
        for at in _beginnings(lower, self._long):
            begun = self._long.get(lower[at : at + _SHORT + 1])
            if begun is not None:
                yield from _longest(lower, at, begun)
        yield from _find_grams(text, self._grams, self._parts)


def _beginnings(text: bytes, begins: Collection[bytes]) -> Iterable[int]:
    # A few are searched for each by itself. A client may send thousands: then all of
    # them once along the text.
    if len(begins) > _FEW:
        return range(len(text) - _SHORT)

    return sorted(at for begin in begins for at in _places(text, begin))


def _places(text: bytes, begin: bytes) -> Iterator[int]:
    at = text.find(begin)
    while at >= 0:
        yield at
        at = text.find(begin, at + 1)


def _longest(text: bytes, at: int, begun: dict[int, set[bytes]]) -> Iterator[Span]:
    for length, spelt in begun.items():
        if text[at : at + length] in spelt:
            yield Span(at, at + length, PASSWORD)
            return


def _compile_short(spelt: Iterable[bytes]) -> "re.Pattern[bytes] | None":
    words = b"|".join(map(re.escape, sorted(spelt, key=len, reverse=True)))
    if not words:
        return None

    return re.compile(rb"(?<![A-Za-z0-9_])(?:" + words + rb")(?![A-Za-z0-9_])")


def _index_long(spelt: Iterable[bytes]) -> dict[bytes, dict[int, set[bytes]]]:
    """Return, by how they begin and how long they are, the longest first."""
    index: dict[bytes, dict[int, set[bytes]]] = {}
    for each in sorted(spelt, key=len, reverse=True):
        begun = index.setdefault(each[: _SHORT + 1], {})
        begun.setdefault(len(each), set()).add(each)

    return index


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
        yield whole.strip()  # as many an application reads it
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
    yield normalize("NFKC", secret.decode("utf-8", "replace"))
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


def _grams_of(known: Iterable[bytes], size: int) -> set[bytes]:
    grams: set[bytes] = set()
    room = _GRAMMED
    for spelt in known:
        taken = spelt[:room]
        room -= len(taken)
        grams.update(taken[at : at + size] for at in range(len(taken) - size + 1))

    return grams


def _find_grams(text: bytes, grams: set[bytes], parts: set[bytes]) -> Iterator[Span]:
    start = end = -1
    for at in _gram_places(text, parts):
        if text[at : at + _GRAM] in grams:
            if at > end:
                if end > start >= 0:
                    yield Span(start, end, PASSWORD)
                start = at
            end = at + _GRAM
    if end > start >= 0:
        yield Span(start, end, PASSWORD)


def _gram_places(text: bytes, parts: set[bytes]) -> Iterator[int]:
    # One part in so many bytes is within any gram, and only around a part of a secret
    # there may be one.
    step = _GRAM - _PART + 1
    for at in range(0, len(text) - _PART + 1 if parts else 0, step):
        if text[at : at + _PART] in parts:
            yield from range(max(0, at - step + 1), at + 1)


NOTHING = Known(())
