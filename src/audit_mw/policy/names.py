# The name of a value -> the class of the secret that it holds, or None.
#
# A name is normalised first: compatibility characters and accents folded (NFKD),
# letters of other scripts that look like Latin ones taken for those, camelCase and
# every separator taken as the border of a word, case gone. Then the tables of
# words.py apply, to the joined words and to each.
#
# Only names are remembered; what may be a secret itself is asked for by `of_text`.
#
# (Longer than 250 lines, since a name and the looks of its value are judged together.)
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from unicodedata import combining, normalize

from audit_mw.policy.words import (
    CARD_STEMS,
    DESCRIBING,
    LOGINS,
    ORDINARY,
    ORDINARY_NAMES,
    PASSWORD_ENDINGS,
    PASSWORD_STEMS,
    PASSWORD_WORDS,
    QUESTIONS,
    SESSION_STEMS,
    SESSION_WORDS,
    STATES,
    TOKEN_ENDINGS,
    TOKEN_STEMS,
    TOKEN_WORDS,
    USER_WORDS,
)

try:
    from audit_mw.policy import _names
except ImportError:  # there was no compiler when it was installed
    _names = None  # type: ignore[assignment] # what a module that is not there is

__all__ = [
    "CARD",
    "OPAQUE",
    "PASSWORD",
    "SECRET",
    "TOKEN",
    "Asked",
    "Classifier",
    "fold",
    "folded",
    "is_random",
    "logs_in",
    "may_be_weak",
    "names_session",
    "names_user",
    "says_of_it",
    "weak_class",
]

PASSWORD = "password"  # noqa: S105 - the name of a class
TOKEN = "token"  # noqa: S105 - the name of a class
CARD = "card"
SECRET = "secret"  # noqa: S105 - the name of a class
OPAQUE = "opaque"

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_ENDS = 512  # bytes of either end of a long name that are taken apart into words
_REMEMBERED = 4096
_MANY = 16  # words, of which some may well be the same

# Cyrillic and Greek letters that are typed, or meant, for Latin ones. Stems go through
# the same fold, so a name in one script and one in two give the same.
_ALIKE = str.maketrans(
    "аеорсухіјѕԁһкмтвнԝ" + "αορνικτυχε" + "\u0131",
    "aeopcyxijsdhkmtbhw" + "aopviktuxe" + "i",
)
_CODINGS = ("utf-8", "latin-1", "cp1251", "cp1250", "gb18030")


def _decode(name: bytes) -> str:
    if len(name) > 2 * _ENDS:
        name = name[:_ENDS] + b" " + name[-_ENDS:]
    try:
        return name.decode()
    except UnicodeDecodeError:
        # Which coding the application reads it in cannot be known: so in each.
        return " ".join(name.decode(coding, "ignore") for coding in _CODINGS)


def _words(name: str) -> list[str]:
    if not name.isascii():
        name = "".join(it for it in normalize("NFKD", name) if not combining(it))
        words: list[str] = _WORD.findall(_CAMEL.sub(" ", name))
        return [word.casefold().translate(_ALIKE) for word in words]

    return _WORD.findall(_CAMEL.sub(" ", name).lower())


def folded(stems: Iterable[str]) -> tuple[str, ...]:
    """Return stems as names are looked through for them."""
    return tuple(map(fold, stems))


def fold(name: str) -> str:
    """Return a name as it is looked through for stems: its words, joined."""
    return "".join(_words(name))


def _any_of(stems: Iterable[str]) -> re.Pattern[str]:
    # By first letter: else each place of a name would be compared with all of them.
    by_letter: dict[str, list[str]] = {}
    for stem in stems:
        by_letter.setdefault(stem[0], []).append(re.escape(stem[1:]))
    branches = (
        f"{re.escape(letter)}(?:{'|'.join(by_letter[letter])})" for letter in by_letter
    )

    return re.compile("|".join(branches))


# What has a stem of several classes is of the first.
_BY_CLASS = (
    (PASSWORD, folded(PASSWORD_STEMS)),
    (TOKEN, folded(TOKEN_STEMS)),
    (CARD, folded(CARD_STEMS)),
)
_STEMS = tuple((_any_of(stems), cls) for cls, stems in _BY_CLASS)
_ANNOUNCING = (PASSWORD_WORDS, TOKEN_WORDS)
# Endings of all words of a name, joined.
_PASSWORD_JOINED, _CARD_JOINED = ("2fa",), ("cardno", "ccno")
_SEPARATORS = bytes(
    byte for byte in range(0x80) if not chr(byte).isalnum()
)  # all that stands between the words of a long name


class Classifier:
    """
    The class of the secret that a name announces.

    Args:
        more: further stems, of class `secret`.
        exempt: names that are no secret; they must be equal once normalised.
    """

    def __init__(self, more: Iterable[str] = (), exempt: Iterable[str] = ()) -> None:
        self.own = tuple(stem for stem in folded(more) if stem)
        self._own = ((_any_of(self.own), SECRET),) if self.own else ()
        self._exempt = {*folded(exempt), *ORDINARY_NAMES}
        self._compiled = _compile(self.own, self._exempt)
        self._remembered: dict[bytes, str | None] = {}

    def __call__(self, name: bytes) -> str | None:
        """Return the class of `name`, or None."""
        try:
            return self._remembered[name]
        except KeyError:
            cls = self._look(name)
        self._remember(name, cls)

        return cls

    def of_text(self, text: bytes) -> str | None:
        """Return the class of what may be a secret itself: it is not remembered."""
        try:
            return self._remembered[text]
        except KeyError:
            return self._look(text)

    def keep(self, classes: Mapping[bytes, str | None]) -> None:
        """Remember names that were asked for, none of which was withheld."""
        for name, cls in classes.items():
            if name not in self._remembered:
                self._remember(name, cls)

    def forget(self, name: bytes) -> None:
        """Remember a name no more: it turned out to have a secret in it."""
        self._remembered.pop(name, None)

    def mark(self) -> tuple[int, bytes | None]:
        """Return what tells `forget_since` which names are older."""
        return len(self._remembered), self._oldest()

    def forget_since(self, mark: tuple[int, bytes | None]) -> None:
        """Forget the names that came since: they are of a text with a secret in it."""
        count, first = mark
        if first != self._oldest():
            count = 0  # it was begun anew meanwhile
        with suppress(KeyError):  # others forget as well
            while len(self._remembered) > count:
                self._remembered.popitem()

    def _oldest(self) -> bytes | None:
        try:
            return next(iter(self._remembered), None)
        except RuntimeError:  # another thread remembered one between the two calls
            return None

    def _remember(self, name: bytes, cls: str | None) -> None:
        if len(name) <= _ENDS:
            # Names that never come again must not fill the memory.
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = cls

    def _look(self, name: bytes) -> str | None:
        cls = self._compiled.look(name) if self._compiled else ...

        return self._look_closely(name) if cls is ... else cls

    def _look_closely(self, name: bytes) -> str | None:
        words = _words(_decode(name))
        joined = "".join(words)
        if joined in self._exempt:
            return None
        between = _between(name)
        if (own := _by_stem(self._own, joined + between)) is not None:
            return own
        if words and (words[-1] in STATES or words[0] in QUESTIONS):
            return None
        words = [word for word in words if word not in ORDINARY]
        joined = "".join(words)

        return _by_stem(_STEMS, joined + between) or _by_word(words, joined)


def _compile(own: tuple[str, ...], exempt: Iterable[str]) -> "_names.Names | None":
    if _names is None:
        return None
    try:
        return _names.Names(
            stems=[*([(SECRET, own)] if own else []), *_BY_CLASS],
            own=bool(own),
            exempt=exempt,
            words=[ORDINARY, STATES, QUESTIONS, *_ANNOUNCING, DESCRIBING],
            endings=[PASSWORD_ENDINGS, TOKEN_ENDINGS],
            joined=[_PASSWORD_JOINED, _CARD_JOINED],
            classes=[PASSWORD, TOKEN, CARD],
        )
    except ValueError:  # a stem of the user's own that is one letter
        return None


class Asked(dict[bytes, str | None]):
    """
    The classes that were asked for one document, and end with it.

    In a document a value may be a name, and a name a secret; which of them are
    withheld is known at its end.

    Args:
        classifier: gives them.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._of_text = classifier.of_text

    def __missing__(self, name: bytes) -> str | None:
        """Return the class of a name that was not asked for before."""
        cls = self._of_text(name)
        if len(self) < _REMEMBERED:
            self[name] = cls

        return cls


def _between(name: bytes) -> str:
    # What stands in the middle of a long name, not taken apart.
    if len(name) <= 2 * _ENDS:
        return ""

    return name.translate(None, _SEPARATORS).lower().decode("utf-8", "ignore")


def _by_stem(stems: Iterable[tuple[re.Pattern[str], str]], joined: str) -> str | None:
    return next((cls for any_of, cls in stems if any_of.search(joined)), None)


def _by_word(words: list[str], joined: str) -> str | None:
    # "mypass", "userpin"; the price is a word such as "turnpin".
    if not PASSWORD_WORDS.isdisjoint(words) or _ends(words, PASSWORD_ENDINGS):
        return PASSWORD
    if joined.endswith(_PASSWORD_JOINED):
        return PASSWORD
    if joined.endswith(_CARD_JOINED):
        return CARD
    if not TOKEN_WORDS.isdisjoint(words) or _ends(words, TOKEN_ENDINGS):
        return None if words[-1] in DESCRIBING else TOKEN

    # Drupal's SESS and SSESS, with a digest behind.
    return TOKEN if joined.startswith(("sess", "ssess")) else None


def _ends(words: list[str], endings: tuple[str, ...]) -> bool:
    # A pointer of hundreds of indices has few that are not the same.
    each = words if len(words) < _MANY else set(words)

    return any(word.endswith(endings) for word in each)


def names_session(name: bytes) -> bool:
    """Tell whether a cookie of this name holds a session id, as servers call them."""
    found = _words(_decode(name))
    joined = "".join(found)

    return any(stem in joined for stem in SESSION_STEMS) or not (
        SESSION_WORDS.isdisjoint(found)
    )


def logs_in(name: bytes) -> bool:
    """Tell whether a method of this name takes a password, by place."""
    words = _words(_decode(name))
    both = map("".join, pairwise(words))  # signIn, log_in

    return not LOGINS.isdisjoint(words) or not LOGINS.isdisjoint(both)


def says_of_it(name: bytes) -> bool:
    """Tell whether a name is of a mere yes or no, or a time, whatever it is about."""
    found = _words(_decode(name))

    return bool(found) and (
        found[0] in QUESTIONS or found[-1] in STATES or found[-1] in DESCRIBING
    )


def names_user(name: bytes) -> bool:
    """Tell whether a name such as `login[user]` announces the name of a user."""
    found = _words(_decode(name))

    return bool(found) and found[-1] in USER_WORDS


# Names too common to announce a secret by themselves, and what its value looks like.
_MACHINE_MADE = re.compile(
    rb"(?=[A-Za-z_-]*+[0-9])(?=[0-9_-]*+[A-Za-z])[A-Za-z0-9_-]{16,}={0,2}"
    rb"|(?=[^0-9]*+[0-9])(?=[^A-Z]*+[A-Z])[A-Za-z0-9+/]{40,}={0,2}"
)
_UUID = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_CODE = re.compile(rb"[0-9]{4,10}|(?=.*[0-9])[!-~]{8,}|[!-~]{16,}")
_USER_CODE = re.compile(rb"[A-Z0-9]{4}-?[A-Z0-9]{4}")  # RFC 8628 6.1
_SEED = re.compile(rb"[a-z]{3,8}(?:[ ,\r\n]+[a-z]{3,8}){11,23}")  # BIP 39
_SEEDS = (b"seed", b"words", b"phrase")

# client_key, but no key of a table, and none that is there to be known.
_KEY = re.compile(rb"(?:key|ticket)\Z|(?:\A|[^a-z])(?:sign|pat)\Z")
_OPEN = re.compile(
    rb"public|primary|foreign|sort|partition|row|object|cache|idempot|site"
)


def is_random(value: bytes) -> bool:
    """Tell whether a value looks made by a machine, and is no UUID."""
    return (
        len(value) >= _LEAST
        and _MACHINE_MADE.fullmatch(value) is not None
        and _UUID.fullmatch(value) is None
    )


def may_be_weak(name: bytes) -> bool:
    """Tell whether `weak_class` gives a value of this name a class, if it looks so."""
    word = name.strip().lower()

    return (
        word in (b"code", b"user_code", b"usercode")
        or _KEY.search(word) is not None
        or word.endswith(_SEEDS)
    )


def weak_class(name: bytes, value: bytes) -> str | None:
    """Return the class of a value such as of `code` and `key`, if it looks like one."""
    word = name.strip().lower()
    if word == b"code" and _CODE.fullmatch(value):
        return SECRET
    if len(value) < _LEAST:
        return None
    if _KEY.search(word) and _MACHINE_MADE.fullmatch(value):
        known = word not in (b"key", b"ticket") and (
            _OPEN.search(word) or _UUID.fullmatch(value)
        )
        return None if known else TOKEN
    if word in (b"user_code", b"usercode") and _USER_CODE.fullmatch(value):
        return SECRET

    return SECRET if word.endswith(_SEEDS) and _SEED.fullmatch(value) else None


_LEAST = 8  # bytes of what the looks of a value can tell
