# A user name that is not what it looks like.
#
# Four ways: control bytes, which forge lines and move cursors; bidirectional overrides
# and isolates, which turn text round; characters that are not seen; and look-alikes, a
# word that mixes Latin letters with Cyrillic or Greek ones of the same shape.
#
# Rule: a name in one script is a name, whichever it is; so is one that mixes scripts
#       that nobody takes for each other (Japanese writes three and Latin beside). What
#       is not seen belongs to some: joiners in Persian, Indic scripts and emoji, zero
#       width spaces in Thai and Khmer, direction marks beside Hebrew and Arabic.
#
# What is no UTF-8 is in a coding that we do not know, and has control bytes at most.
import re
from collections.abc import Iterator
from unicodedata import category, name

from audit_mw.policy.names import names_user

__all__ = ["deceptions", "names_person"]

_MOST = 1024  # characters that are looked at: names are shorter
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BYTE = re.compile(rb"[\x00-\x1f\x7f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNSEEN = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2064"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef]"
)
_ZWJ, _FLAG, _DIRECTIONS = "\u200d", "\U0001f3f4", "\u061c\u200e\u200f"
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TAGS = re.compile("[\U000e0000-\U000e007f]")
# Hebrew, Arabic, Syriac, the scripts of India, Thai, Tibetan, Myanmar; Khmer and
# Mongolian; and the forms of Hebrew and Arabic letters.
_JOINING = re.compile("[\u0590-\u109f\u1780-\u18af\ufb1d-\ufdff\ufe70-\ufefc]")
_WORD = re.compile(r"[^\W\d_]+")
# Things have names, too, and those are typed, pasted and mixed as it comes.
_OF_THING = re.compile(
    rb"(?:file|product|item|article|company|organi[sz]ation|project|event|class|table"
    rb"|column|field|group|host|domain|path|tag|category|city|street|brand|model|key)"
    rb"[^A-Za-z]{0,3}name\Z",
    re.IGNORECASE,
)
# Letters that have the shape of a Latin one: Cyrillic, Greek, Armenian, Cherokee.
_ALIKE = set(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445"
    "\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u044c\u0475\u04cf\u0410\u0412"
    "\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423"
    "\u0425\u04ae\u050c\u051a\u051c\u04c0"
    "\u03b1\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b3\u03b5\u03b7"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4"
    "\u03a5\u03a7\u03f2\u03f3"
    "\u0585\u0578\u057d\u0570\u0581\u0584\u0563\u0555\u054d\u053c"
    "\u13aa\u13f4\u13df\u13a0\u13ac\u13bb\u13ab\u13e6\u13de\u13b7\u13e2\u13a1"
    "\u13da\u13a2\u13d9\u13b3\u13c3"
)


def names_person(name: bytes) -> bool:
    """Tell whether a param of this name holds the name of a user."""
    return names_user(name) and _OF_THING.search(name) is None


def deceptions(user: bytes) -> Iterator[str]:
    """Yield what is deceptive in a user's name: control, bidi, unseen, look-alike."""
    try:
        text = user.strip(b" \t").decode()[:_MOST]  # what is pasted has some about it
    except UnicodeDecodeError:
        if _CONTROL_BYTE.search(user):
            yield "control"
        return
    if _CONTROL.search(text):
        yield "control"
    if _BIDI.search(text):
        yield "bidi"
    if any(_is_hiding(text, match.start()) for match in _UNSEEN.finditer(text)):
        yield "unseen"
    # What is not seen must not part a word.
    if not text.isascii() and any(map(_is_mixed, _WORD.findall(_seen(text)))):
        yield "look-alike"


def _seen(text: str) -> str:
    return _UNSEEN.sub("", _BIDI.sub("", text))


def _is_hiding(text: str, at: int) -> bool:
    """Tell whether what is not seen has no business beside what is."""
    character, before, after = text[at], text[:at][-1:], text[at + 1 :][:1]
    if _TAGS.match(character):
        return not (before == _FLAG or _TAGS.match(before))
    if _SELECTORS.match(character):
        return before.isalpha() and before.isascii()
    if character == _ZWJ and (_is_sign(before) or _SELECTORS.match(before)):
        return False
    if character in _DIRECTIONS:
        return _JOINING.search(text) is None  # beside a bracket or a digit of it, too
    if "\u200b" <= character <= _ZWJ:
        return not (_JOINING.match(before) or _JOINING.match(after))

    return character not in "\u17b4\u17b5"


def _is_sign(character: str) -> bool:
    # Emoji, and the colours of their skin.
    return character != "" and category(character) in ("So", "Sk")


def _is_mixed(word: str) -> bool:
    if word.isascii() or not any(map(_is_latin, word)):
        return False

    return any(letter in _ALIKE or _is_styled(letter) for letter in word)


def _is_latin(letter: str) -> bool:
    return letter.isascii() or name(letter, "").startswith("LATIN ")


def _is_styled(letter: str) -> bool:
    # Bold and italic letters that are meant for formulas.
    return "\U0001d400" <= letter <= "\U0001d7ff"
