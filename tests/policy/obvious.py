# The obvious way to find what policy/ finds at a glance: each pattern, all along.
#
# It is built from the same tables, and says nothing of runs, borders and needles that
# are looked for first. What it finds is what must be found.
import re
from binascii import a2b_base64
from collections.abc import Iterator

from audit_mw.policy import assignments, cards, layers, remembered, shapes
from audit_mw.policy.names import CARD, PASSWORD, Classifier
from audit_mw.policy.remembered import Known
from audit_mw.policy.shapes import Shape, Span

__all__ = [
    "find_assignment",
    "find_cards",
    "find_decoded",
    "find_known",
    "find_shapes",
    "undone",
]

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}+")
_HEX = re.compile(rb"[0-9A-Fa-f]{20,}+")
_BREAKS = re.compile(rb"(?<=[A-Za-z0-9+/])(?:\\[rn]|[\r\n])++(?=[A-Za-z0-9+/=])")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def find_assignment(text: bytes, classify: Classifier) -> tuple[int, str] | None:
    """Return what `assignments.find_assignment` does."""
    found = [it for find in assignments._FINDERS if (it := find(text, classify))]

    return min(found, default=None)


def find_shapes(text: bytes, own: tuple[Shape, ...]) -> Iterator[Span]:
    """Yield what `shapes.find_shapes` does."""
    for shape in (*own, *shapes._SHAPES, *shapes._OF_PREFIXES):
        for match in shape.pattern.finditer(text):
            start, end = shapes._secret(match)
            if start < end:
                yield Span(start, end, shape.cls)
    yield from shapes._find_passwords(text)
    for start, end in find_cards(text):
        yield Span(start, end, CARD)


def find_cards(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield what `cards.find_cards` does."""
    for run in cards._RUN.finditer(text):
        for start, end in cards._in_run(run[0]):
            span = run.start() + start, run.start() + end
            if not (cards._is_fraction(text, *span) or cards._is_iban(text, *span)):
                yield span


def undone(text: bytes) -> Iterator[bytes]:
    """Yield what `layers.undone` does."""
    for _ in range(3):
        plain = layers._unescaped(text)
        broken = b"\n" in plain or b"\\n" in plain
        whole = _BREAKS.sub(b"", plain) if broken else plain
        inner = b"\n".join(said for _, said in find_decoded(whole))
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


def find_decoded(text: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield what `layers.decoded_runs` does."""
    for match in _BASE64.finditer(text):
        run = match[0].translate(_TO_STANDARD)
        for start in range(4):
            whole = len(run) - start - ((len(run) - start) % 4 == 1)
            said = a2b_base64(run[start : start + whole] + b"=" * (-whole % 4))
            if said and layers.is_text(said):
                yield match.span(), said
    for match in _HEX.finditer(text):
        for start in range(2):
            hexed = match[0][start:]
            said = bytes.fromhex(hexed[: len(hexed) & ~1].decode())
            if layers.is_text(said):
                yield match.span(), said


def find_known(known: Known, text: bytes) -> Iterator[Span]:
    """Yield what `Known.find` does."""
    lower = text.lower()
    for match in known._short.finditer(lower) if known._short is not None else ():
        yield Span(match.start(), match.end(), PASSWORD)
    for at in range(len(lower)):
        yield from remembered._longest(
            lower, at, known._long.get(lower[at : at + 4], {})
        )
    start = end = -1
    for at in [at for at in range(len(text)) if text[at : at + 12] in known._grams]:
        if at > end >= 0:
            yield Span(start, end, PASSWORD)
        start, end = at if at > end else start, at + 12
    if end >= 0:
        yield Span(start, end, PASSWORD)
