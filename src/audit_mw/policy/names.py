# The name of a value -> the class of the secret that it holds, or None.
#
# A name is normalised first: compatibility characters and accents folded (NFKD),
# letters of other scripts that look like Latin ones taken for those, camelCase and
# every separator taken as the border of a word, case gone. Then the tables of
# words.py apply, to the joined words and to each.
import re
from collections.abc import Iterable
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

__all__ = [
    "CARD",
    "OPAQUE",
    "PASSWORD",
    "SECRET",
    "TOKEN",
    "Classifier",
    "folded",
    "is_random",
    "logs_in",
    "may_be_weak",
    "names_session",
    "names_user",
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
    return tuple("".join(_words(stem)) for stem in stems)


_STEMS = (
    *((stem, PASSWORD) for stem in folded(PASSWORD_STEMS)),
    *((stem, TOKEN) for stem in folded(TOKEN_STEMS)),
    *((stem, CARD) for stem in folded(CARD_STEMS)),
)
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
        own = ((stem, SECRET) for stem in folded(more) if stem)
        self._own = tuple(own)
        self._exempt = {*folded(exempt), *ORDINARY_NAMES}
        self._remembered: dict[bytes, str | None] = {}

    def __call__(self, name: bytes) -> str | None:
        """Return the class of `name`, or None."""
        try:
            return self._remembered[name]
        except KeyError:
            cls = self._look(name)
        if len(name) <= _ENDS:
            # Names that never come again must not fill the memory.
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = cls

        return cls

    def _look(self, name: bytes) -> str | None:
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


def _between(name: bytes) -> str:
    # What stands in the middle of a long name, not taken apart.
    if len(name) <= 2 * _ENDS:
        return ""

    return name.translate(None, _SEPARATORS).lower().decode("utf-8", "ignore")


def _by_stem(stems: Iterable[tuple[str, str]], joined: str) -> str | None:
    return next((cls for stem, cls in stems if stem in joined), None)


def _by_word(words: list[str], joined: str) -> str | None:
    # "mypass", "userpin"; the price is a word such as "turnpin".
    if not PASSWORD_WORDS.isdisjoint(words) or _ends(words, PASSWORD_ENDINGS):
        return PASSWORD
    if joined.endswith("2fa"):
        return PASSWORD
    if joined.endswith(("cardno", "ccno")):
        return CARD
    if not TOKEN_WORDS.isdisjoint(words) or _ends(words, TOKEN_ENDINGS):
        return None if words[-1] in DESCRIBING else TOKEN

    # Drupal's SESS and SSESS, with a digest behind.
    return TOKEN if joined.startswith(("sess", "ssess")) else None


def _ends(words: list[str], endings: tuple[str, ...]) -> bool:
    return any(word.endswith(endings) for word in words)


def names_session(name: bytes) -> bool:
    """Tell whether a cookie of this name holds a session id, as servers call them."""
    found = _words(_decode(name))
    joined = "".join(found)

    return any(stem in joined for stem in SESSION_STEMS) or not (
        SESSION_WORDS.isdisjoint(found)
    )


def logs_in(name: bytes) -> bool:
    """Tell whether a method of this name takes a password, by place."""
    return not LOGINS.isdisjoint(_words(_decode(name)))


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
