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
from collections.abc import Iterable, Iterator
from functools import lru_cache

from audit_mw.policy.names import fold, folded
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

__all__ = ["compile_plain", "is_silent", "telling_letters", "telling_stems"]

# Of names that only the looks of their values make secret, and what no table has.
_AT_TIMES = "code key ticket sign pat seed words phrase 2fa cardno ccno".split()
_PIECE = rb"([A-Za-z0-9]{0,12}+)(?:=([A-Za-z0-9]{0,12}+))?+"


def compile_plain(secret_names: Iterable[str]) -> re.Pattern[bytes]:
    """
    Return a pattern of which the full match is a plain piece; groups: name, value.

    Args:
        secret_names: further stems that announce a secret.
    """
    special = b"|".join(sorted(RELATED))

    return re.compile(
        rb"(?i:(?!(?:%b)(?:=|\Z))(?![A-Za-z0-9]{0,12}?%b)%b)"
        % (special, _any_of(telling_stems(secret_names)), _PIECE)
    )


def telling_stems(secret_names: Iterable[str]) -> list[str]:
    """
    Return what a word of ASCII has in it if it may announce a secret, as a name does.

    It is in lower case, and to be looked for in such words without what parts them.

    Args:
        secret_names: further stems that announce a secret.
    """
    return list(_telling(tuple(secret_names)))


@lru_cache(maxsize=8)  # a process has few configurations, and asks for each thrice
def _telling(secret_names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_shortest(filter(str.isascii, _stems(secret_names))))


def telling_letters(secret_names: Iterable[str]) -> frozenset[str]:
    """
    Return the letters beyond ASCII that stand in what announces a secret.

    Args:
        secret_names: as above.
    """
    letters = "".join(_stems(secret_names))

    return frozenset(letter for letter in letters if not letter.isascii())


def is_silent(character: str, telling: frozenset[str]) -> bool:
    """
    Tell whether a character beyond ASCII can be no part of what announces a secret.

    Args:
        character: one.
        telling: as `telling_letters` has them.
    """
    letters = fold(character)

    return telling.isdisjoint(letters) and not any(map(str.isascii, letters))


def _stems(secret_names: Iterable[str]) -> Iterator[str]:
    for words in (
        (*PASSWORD_STEMS, *TOKEN_STEMS, *CARD_STEMS, *secret_names),
        (*PASSWORD_WORDS, *PASSWORD_ENDINGS, *TOKEN_WORDS, *TOKEN_ENDINGS),
        (*ORDINARY, *_AT_TIMES),
    ):
        yield from folded(words)


def _shortest(stems: Iterable[str]) -> list[str]:
    # "password" is found by "pass".
    kept: list[str] = []
    for stem in sorted(filter(None, {*stems}), key=len):
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
