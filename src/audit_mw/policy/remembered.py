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
from urllib.parse import unquote_to_bytes

from audit_mw.policy.names import PASSWORD
from audit_mw.policy.shapes import Span
from audit_mw.wire.query import decode_percent, encode_plain

__all__ = ["find_known"]

_SHORT = 3  # a secret no longer must not eat that letter everywhere
_GRAM = 12  # bytes of a long secret that are a leak by themselves
_GRAMMED = 1 << 16  # bytes of secrets, in all, that are looked for in parts


def find_known(text: bytes, secrets: Iterable[bytes]) -> Iterator[Span]:
    """Yield where `text` has one of `secrets`, however spelt, or a good part of it."""
    known = {spelt for secret in secrets for spelt in _spellings(secret) if spelt}
    lower = text.lower()
    for spelt in known:
        for start in _places(lower, spelt.lower()):
            yield Span(start, start + len(spelt), PASSWORD)
    yield from _find_grams(text, known)


def _places(text: bytes, spelt: bytes) -> Iterator[int]:
    if len(spelt) <= _SHORT:
        alone = rb"(?<![A-Za-z0-9_])" + re.escape(spelt) + rb"(?![A-Za-z0-9_])"
        yield from (match.start() for match in re.finditer(alone, text))
        return
    start = text.find(spelt)
    while start >= 0:
        yield start
        start = text.find(spelt, start + len(spelt))


def _spellings(secret: bytes) -> Iterator[bytes]:
    plain = {secret, unquote_to_bytes(secret), decode_percent(secret)}
    for whole in plain:
        for part in {whole, *whole.splitlines()}:
            if part == whole or len(part) > _SHORT:
                yield from _spellings_of_line(part)


def _spellings_of_line(secret: bytes) -> Iterator[bytes]:
    text = secret.decode("utf-8", "surrogateescape")
    # WSGI hands out bytes as Latin-1, so an application may show them that way.
    latin = secret.decode("latin-1")
    shown = {text, latin, text.upper(), text.lower()}
    shown |= {repr(it)[1:-1] for it in (text, latin)}
    shown |= {repr(it)[1:-1] for it in shown} | {ascii(it)[1:-1] for it in shown}
    for ascii_only in (True, False):
        shown.add(json.dumps(text, ensure_ascii=ascii_only)[1:-1])
    shown |= {html.escape(text), repr(secret)[2:-1]}
    yield secret
    yield from (it.encode("utf-8", "surrogateescape") for it in shown)
    plain = encode_plain(secret)
    yield from (plain, plain.replace(b"%20", b"+"), plain.replace(b"%2F", b"/"))
    yield from (secret.hex().encode(), *_in_base64(secret))


def _in_base64(secret: bytes) -> Iterator[bytes]:
    if len(secret) > _SHORT:
        for place in range(3):
            coded = b64encode(b"\0" * place + secret)
            # The first and the last characters also hold bits of what is beside it.
            yield coded[(0, 2, 3)[place] :].rstrip(b"=")[:-1]


def _find_grams(text: bytes, known: Iterable[bytes]) -> Iterator[Span]:
    grams: set[bytes] = set()
    room = _GRAMMED
    for spelt in known:
        taken = spelt[:room]
        room -= len(taken)
        grams.update(taken[at : at + _GRAM] for at in range(len(taken) - _GRAM + 1))
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
