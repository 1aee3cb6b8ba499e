# Which pieces of a form certainly have nothing to withhold, told at a glance.
#
# It is for the params beyond the limits of a record, which come by the hundred
# thousand. What is plain here is plain to the long look as well, which a property test
# shows; what is not plain here is left to the long look, whatever that finds.
#
# A plain piece is of letters and digits: a name and a value so short that neither can
# have the shape of a secret, and a name in which no stem, word or ending of the tables
# in words.py stands anywhere, and which is none that tells of its siblings. A word that
# would be taken out first (ORDINARY) may join what stands about it.
import re
from collections.abc import Iterable

from audit_mw.policy.names import folded
from audit_mw.policy.siblings import RELATED
from audit_mw.policy.words import (
    CARD_STEMS,
    ORDINARY,
    PASSWORD_ENDINGS,
    PASSWORD_STEMS,
    PASSWORD_WORDS,
    TOKEN_ENDINGS,
    TOKEN_STEMS,
    TOKEN_WORDS,
)

__all__ = ["compile_plain"]

# Of names that only the looks of their values make secret, and what no table has.
_AT_TIMES = "code key ticket sign pat seed words phrase 2fa cardno ccno".split()
_PIECE = rb"([A-Za-z0-9]{0,12}+)(?:=([A-Za-z0-9]{0,12}+))?+"


def compile_plain(secret_names: Iterable[str]) -> re.Pattern[bytes]:
    """
    Return a pattern of which the full match is a plain piece; groups: name, value.

    Args:
        secret_names: further stems that announce a secret.
    """
    stems = {
        stem
        for words in (
            (*PASSWORD_STEMS, *TOKEN_STEMS, *CARD_STEMS, *secret_names),
            (*PASSWORD_WORDS, *PASSWORD_ENDINGS, *TOKEN_WORDS, *TOKEN_ENDINGS),
            (*ORDINARY, *_AT_TIMES),
        )
        for stem in folded(words)
        if stem.isascii()
    }
    special = b"|".join(sorted(RELATED))

    return re.compile(
        rb"(?i:(?!(?:%b)(?:=|\Z))(?![A-Za-z0-9]{0,12}?%b)%b)"
        % (special, _any_of(_shortest(stems)), _PIECE)
    )


def _shortest(stems: Iterable[str]) -> list[str]:
    # "password" is found by "pass".
    kept: list[str] = []
    for stem in sorted(filter(None, stems), key=len):
        if not any(shorter in stem for shorter in kept):
            kept.append(stem)

    return kept


def _any_of(stems: Iterable[str]) -> bytes:
    # By first letter: else each place of a name would be compared with all of them.
    by_letter: dict[str, list[str]] = {}
    for stem in stems:
        by_letter.setdefault(stem[0], []).append(re.escape(stem[1:]))
    branches = (f"{letter}(?:{'|'.join(by_letter[letter])})" for letter in by_letter)

    return f"(?:{'|'.join(branches)})".encode()
