# Values that are secret by their shape, whatever they are called.
#
# Each shape is (a piece of text without which it cannot stand, the pattern, the
# class). The piece is looked for first, since a search for fixed bytes costs next to
# nothing. Patterns are anchored at the border of a run and possessive, so that a
# megabyte of near misses is read once, not once for each of its bytes.
import re
from collections.abc import Iterator
from typing import NamedTuple

from audit_mw.policy.names import CARD, PASSWORD, SECRET, TOKEN

__all__ = ["Shape", "Span", "compile_shapes", "find_shapes"]


class Shape(NamedTuple):
    """A pattern; its group `secret`, or else all of it, is what is withheld."""

    needle: bytes
    pattern: re.Pattern[bytes]
    cls: str


class Span(NamedTuple):
    """A part of a text that is to be withheld."""

    start: int
    end: int
    cls: str


_EDGE = rb"(?<![A-Za-z0-9_-])"
_RUN = rb"[A-Za-z0-9_.~+/=-]"


def _prefixed(prefix: str, least: int) -> Shape:
    coded = prefix.encode()
    pattern = _EDGE + re.escape(coded) + _RUN + b"{%d,}+" % least

    return Shape(coded, re.compile(pattern), TOKEN)


# Prefixes that issuers document so that scanners can find what leaked.
_PREFIXES = {
    "ghp_": 20, "gho_": 20, "ghu_": 20, "ghs_": 20, "ghr_": 20, "github_pat_": 20,
    "glpat-": 16, "gldt-": 16, "glrt-": 16, "xoxb-": 10, "xoxp-": 10, "xoxa-": 10,
    "xoxr-": 10, "xoxs-": 10, "xoxe.": 10, "xapp-": 10, "AKIA": 16, "ASIA": 16,
    "AIza": 30, "ya29.": 20, "sk_live_": 10, "sk_test_": 10, "rk_live_": 10,
    "rk_test_": 10, "whsec_": 16, "sk-": 20, "SG.": 20, "npm_": 30, "pypi-AgE": 16,
    "hvs.": 20, "hvb.": 20, "dop_v1_": 20, "shpat_": 20, "shpss_": 20, "EAAC": 30,
    "AGE-SECRET-KEY-1": 20, "dapi": 32, "lin_api_": 20, "PMAK-": 20, "Atzr|": 20,
}  # fmt: skip

_SHAPES = (
    Shape(
        b"PRIVATE KEY",
        # Up to the end of the armour; where that is missing, to the end.
        re.compile(
            rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            rb"(?:(?!-----END )[\s\S])*+(?:-----END [A-Z0-9 ]{0,60}-----)?"
        ),
        TOKEN,
    ),
    Shape(b"PuTTY-User-Key", re.compile(rb"PuTTY-User-Key-File[\s\S]*+"), TOKEN),
    Shape(
        b"eyJ",  # {" in base64: a JWT, or the first part of one
        re.compile(_EDGE + rb"eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+){1,4}"),
        TOKEN,
    ),
    Shape(
        b"earer ",
        re.compile(rb"\b[Bb]earer +(?P<secret>[A-Za-z0-9_.~+/=-]{8,}+)"),
        TOKEN,
    ),
    Shape(
        b"asic ",
        re.compile(rb"\b[Bb]asic +(?P<secret>[A-Za-z0-9+/]{6,}+=*+)(?![A-Za-z])"),
        PASSWORD,
    ),
    Shape(
        b"://",  # RFC 3986 3.2.1: user:password@
        re.compile(rb"://[^\s:/?#@]*+:(?P<secret>[^\s/?#@]++)(?=@)"),
        PASSWORD,
    ),
    *(_prefixed(prefix, least) for prefix, least in _PREFIXES.items()),
)

# 13 to 19 digits, with single spaces or hyphens, of an issuer's range.
_CARD = re.compile(rb"(?<![0-9.])[2-6](?:[ -]?[0-9]){12,18}+(?![0-9])")
_NOT_DIGIT = re.compile(rb"[^0-9]")


def compile_shapes(patterns: tuple[str, ...]) -> tuple[Shape, ...]:
    """Return the built-in shapes and those of the option `secret_patterns`."""
    own = (Shape(b"", re.compile(pattern.encode()), SECRET) for pattern in patterns)

    return (*own, *_SHAPES)


def find_shapes(text: bytes, shapes: tuple[Shape, ...]) -> Iterator[Span]:
    """Yield each part of `text` that has the shape of a secret."""
    for shape in shapes:
        if shape.needle in text:
            group = "secret" if "secret" in shape.pattern.groupindex else 0
            for match in shape.pattern.finditer(text):
                if match.end(group) > match.start(group):
                    yield Span(match.start(group), match.end(group), shape.cls)
    for match in _CARD.finditer(text):
        if _luhn(_NOT_DIGIT.sub(b"", match[0])):
            yield Span(match.start(), match.end(), CARD)


def _luhn(digits: bytes) -> bool:
    # ISO/IEC 7812-1, annex B: every second digit from the right counts twice.
    total = 0
    for place, byte in enumerate(reversed(digits)):
        digit = byte - ord("0")
        if place % 2:
            digit = digit * 2 - (9 if digit > 4 else 0)
        total += digit

    return total % 10 == 0
