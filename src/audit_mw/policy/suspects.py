# Which words of a long text may be the names of secrets.
#
# What gives a value is everywhere in a text: a space is enough. Names of secrets are
# rare. So the words of a text are told apart once, each different one is looked at
# once, and only where one of those stands that may be such a name, the patterns of
# assignments.py are tried.
#
# Rule 1: a word that the classifier gives a class is among the suspects. The reverse
#         need not be so.
# Rule 2: where that is not cheap to say (many words in camelCase or in letters beyond
#         ASCII), nothing is said, and the caller looks everywhere.
#
# Digits are all one digit here, and what joins words all one hyphen, so that numbers,
# dates and the like are few words. Places stay what they are in the text.
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice

from audit_mw.policy.names import folded
from audit_mw.policy.words import (
    CARD_STEMS,
    PASSWORD_ENDINGS,
    PASSWORD_STEMS,
    PASSWORD_WORDS,
    TOKEN_ENDINGS,
    TOKEN_STEMS,
    TOKEN_WORDS,
)

__all__ = ["Suspects", "Words", "compile_suspects"]

Classify = Callable[[bytes], str | None]

_BORDERS = b" \t\n\r\v\f\"'`=:&;,?#{}()<>|\\/%"
_LETTERS = bytes(byte for byte in range(256) if chr(byte).isalpha() or byte >= 0x80)


def _fold(byte: int) -> int:
    if byte in _BORDERS:
        return 0x20
    if byte in b"0123456789":
        return ord("0")

    return byte if byte in _LETTERS else ord("-")


_FOLD = bytes(map(_fold, range(256)))
_TO_SPACES = bytes.maketrans(_BORDERS, b" " * len(_BORDERS))
_DIGITS = bytes.maketrans(b"0123456789", b"0" * 10)
_APART = bytes.maketrans(b"-0", b"  ")

# What stands in many stems, and in few words besides.
_GRAMS = [
    gram.encode()
    for gram in (
        "key pass code auth secr sess toke cred card word wort signa swer geh srf kod "
        "segr paro 0fact twofa spin rememb sana contras hash idec"
    ).split()
]
_BY_RARITY = b"jqzxkvwbpgymhunlortsicfde0a"
_END = 4  # letters of the end of a word that are looked at
_ODD = 128  # bytes of text for each word that only the classifier can judge
_JUDGED = 512  # words that the classifier is asked about
_MOST = 32  # suspects, each of which costs a search of the text


class Words:
    """The words of a text, each once, and where they are."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        # Borders about it: so a word is found as what stands between two.
        self.folded = b" %b " % text.translate(_FOLD)
        words = self.folded.split()
        self.count = len(words)
        self.each = set(words)

    @staticmethod
    def one(name: bytes) -> bytes:
        """Return a name as one word, whatever stands in it."""
        return name.translate(_FOLD).replace(b" ", b"-")

    def are_fewer_than(self, most: int, text: bytes) -> bool:
        """Tell whether the different words of `text` are fewer, digits and all."""
        if self.count < most:
            return True

        return len(set(text.translate(_TO_SPACES).split())) < most

    def before(self, start: int) -> int:
        """Return the byte before a word, or before the one that a colon joins to it."""
        border = start - 1
        if self._text[border:start] == b":":
            border = self.folded.rfind(b" ", 0, start) - 1

        return max(border, 0)

    def places(self, words: Iterable[bytes]) -> Iterator[int]:
        """Yield where in the text these words start, one word after the other."""
        for word in words:
            bordered = b" %b " % word
            at = self.folded.find(bordered)
            while at >= 0:
                yield at
                at = self.folded.find(bordered, at + len(word) + 1)

    def places_behind_a_space(self, words: Iterable[bytes]) -> Iterator[int]:
        """Yield where words of letters start that follow a space, no other border."""
        for word in words:
            spaced = b" " + word
            at = self._text.find(spaced)
            while at >= 0:
                end = at + len(spaced)
                if self.folded[end + 1] == 0x20:
                    yield at + 1
                at = self._text.find(spaced, end)


class Suspects:
    """
    Tells suspects by what stands in all names of secrets.

    Args:
        own: further stems, folded.
    """

    def __init__(self, own: Iterable[str]) -> None:
        self._grams: dict[bytes, list[bytes]] = {}
        for gram in (*_GRAMS, *_without(_GRAMS, _coded((*_STEMS, *own)))):
            self._grams.setdefault(_rarest(gram), []).append(gram)
        self._endings = _without(_GRAMS, _coded(_ENDINGS))
        self._ends = tuple(ending[-_END:] for ending in self._endings)

    def among(
        self, words: set[bytes], classify: Classify, room: int
    ) -> set[bytes] | None:
        """
        Return those of folded `words` that may name a secret.

        Args:
            words: each once.
            classify: gives the class of a name.
            room: bytes of the text that they are of, which bounds the work.
        """
        odd = [
            word
            for word in words
            if not (word.islower() and word.isascii()) and not _is_plain(word)
        ]
        if len(odd) > min(room // _ODD, _JUDGED):
            return None
        looks = self._by_looks(list(words.difference(odd)))
        if looks is None:
            return None
        suspects = {*odd, *looks}
        found = {word for word in suspects if b"0" in word or classify(word)}

        return found if len(found) <= _MOST else None

    def _by_looks(self, words: list[bytes]) -> list[bytes] | None:
        lines = b"\n".join([*words, b""]).lower()
        joined = lines.replace(b"-", b"")
        apart = lines.translate(_APART)
        by_gram = _lines_with(self._grams_in(joined), joined)
        by_ending = _lines_with(self._endings_in(apart), apart)
        hits = list(islice(by_gram, _JUDGED)), list(islice(by_ending, _JUDGED))
        if _JUDGED in map(len, hits):
            return None  # there may be more

        return [*_at_hits(words, joined, hits[0]), *_at_hits(words, apart, hits[1])]

    def _grams_in(self, joined: bytes) -> Iterator[bytes]:
        for letter, grams in self._grams.items():
            if letter in joined:
                yield from (gram for gram in grams if gram in joined)
        yield b"0fa\n"  # 2fa, at the end of a name

    def _endings_in(self, apart: bytes) -> Iterator[bytes]:
        ends = {word[-_END:] for word in apart.split()}
        found = [end for end in ends if end.endswith(self._ends)]
        for ending in self._endings if found else ():
            if any(end.endswith(ending[-_END:]) for end in found):
                yield from (ending + b" ", ending + b"\n")


def _lines_with(needles: Iterable[bytes], lines: bytes) -> Iterator[bytes]:
    for needle in needles:
        at = lines.find(needle)
        while at >= 0:
            end = lines.find(b"\n", at)
            yield lines[lines.rfind(b"\n", 0, at) + 1 : end]
            at = lines.find(needle, end)


def _at_hits(words: list[bytes], lines: bytes, hits: list[bytes]) -> Iterator[bytes]:
    if hits:
        # Several words may be one once they are joined.
        hit = set(hits)
        yield from (
            word
            for word, line in zip(words, lines.split(b"\n"), strict=False)
            if line in hit
        )


def _is_plain(word: bytes) -> bool:
    # Of one case, but for the first letter: so of no two words without a mark.
    return word.isascii() and (
        word.islower() or word[1:].islower() or word.isupper() or not _has_letter(word)
    )


def _has_letter(word: bytes) -> bool:
    return word.lower() != word.upper()


def _coded(stems: Iterable[str]) -> list[bytes]:
    return [
        stem.encode().translate(_DIGITS) for stem in folded(stems) if stem.isascii()
    ]


def _rarest(gram: bytes) -> bytes:
    # Where that letter is not, the gram is not: in hex, most are not.
    return min((gram[at : at + 1] for at in range(len(gram))), key=_BY_RARITY.index)


def _without(grams: Iterable[bytes], stems: Iterable[bytes]) -> list[bytes]:
    return [stem for stem in set(stems) if not any(gram in stem for gram in grams)]


# Ordinary words are taken out of a name, and what is about them may be one stem then:
# so these are suspects, too. Most have one of the grams, or an ending.
_STEMS = (*PASSWORD_STEMS, *TOKEN_STEMS, *CARD_STEMS, "cardno", "ccno", "aside")
_ENDINGS = (*PASSWORD_WORDS, *PASSWORD_ENDINGS, *TOKEN_WORDS, *TOKEN_ENDINGS)


@lru_cache(maxsize=16)
def compile_suspects(own: tuple[str, ...]) -> Suspects:
    """Return what tells the suspects; `own` are further stems of secrets."""
    return Suspects(own)
