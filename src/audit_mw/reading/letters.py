# Characters that are not what they seem, by their code points.
#
# A terminal gets ASCII only, so the rest is named: a person sees that the "a" of a name
# is a Cyrillic one, and that a text is turned round, without being deceived by it.
from collections.abc import Iterator
from unicodedata import bidirectional, category, name, normalize

__all__ = ["name_letters"]

_MOST_BYTES = 1 << 16
_MOST_NAMED = 12
_TURNING = {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"}
# Letters in the shape of a Latin one: Cyrillic, Greek, Armenian.
_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d"
    "\u04cf\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421"
    "\u0422\u0425\u03b1\u03b9\u03bd\u03bf\u03c1\u03c5\u03c7\u0391\u0392\u0395\u0396"
    "\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u0585\u0578\u057d",
    "aeopcyxijsdqwlABESIJKMHOPCTXaivopuxABEZHIKMNOPTYXonu",
)


def name_letters(text: bytes) -> Iterator[str]:
    """
    Yield a line for each character beyond printable ASCII, in the order of the text.

    Each is there once, and of many the first: `U+202E RIGHT-TO-LEFT OVERRIDE, turns
    text round`. What is no UTF-8 has none.
    """
    try:
        shown = text[:_MOST_BYTES].decode()
    except UnicodeDecodeError:
        return
    strange = [each for each in dict.fromkeys(shown) if not "\x20" <= each <= "\x7e"]
    for each in strange[:_MOST_NAMED]:
        yield _named(each)
    if len(strange) > _MOST_NAMED:
        yield f"and {len(strange) - _MOST_NAMED} others"


def _named(letter: str) -> str:
    is_control = category(letter) == "Cc"
    what = name(letter, "a control character" if is_control else "without a name")
    remark = _remark(letter)

    return f"U+{ord(letter):04X} {what}" + (f", {remark}" if remark else "")


def _remark(letter: str) -> str:
    if bidirectional(letter) in _TURNING:
        return "turns text round"
    if category(letter) == "Cf":
        return "is not seen"
    plain = letter.translate(_ALIKE)
    if plain != letter:
        return f"looks like {plain}"
    folded = normalize("NFKD", letter)

    return f"stands for {folded}" if _is_plain(folded) else ""


def _is_plain(text: str) -> bool:
    return len(text) <= 4 and text.isascii() and text.isprintable()
