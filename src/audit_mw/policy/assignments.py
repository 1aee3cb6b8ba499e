# A secret name in a text, and what gives it a value: where does the value start?
#
# Its end is not asked for. Where it is unclear how far a secret goes, it goes to the
# end: a mask that stops at a quote or a space leaks the tail of a password with one.
#
# Names start at a border and are read possessively, so each run is read once. In a long
# text they are tried only where a word stands that may be the name of a secret
# (suspects.py): a name is a word as a whole, so that makes no difference.
#
# (Longer than 250 lines, since all forms of an assignment stand beside each other.)
import re
from collections.abc import Callable, Iterable, Iterator

from audit_mw.policy.names import OPAQUE, PASSWORD, TOKEN, Classifier
from audit_mw.policy.suspects import Suspects, Words, compile_suspects

__all__ = ["find_assignment", "first_values"]

Classify = Callable[[bytes], str | None]
Found = tuple[int, str]

_STOP = rb"""\s"'`=:&;,?#{}()<>|\\/%"""
_BORDER = rb"(?<![^%s])" % _STOP
_NAME = rb"([^%s]++)" % _STOP
_CLOSING = rb"""[\\"'`\])]{0,16}+"""

# password= "password": password => password%3D <password>
_GIVEN = re.compile(
    _BORDER + _NAME + _CLOSING + rb"\s{0,8}+(?:=>|:=|==?|:|-?>|\xe2\x86\x92|%3[aAdD])"
)
_GIVES = re.compile(rb"[=:<>\x92]|%3[aAdD]")
_MAY_GIVE = re.compile(rb"""[\s"'`=:<>\x92]|%3[aAdD]""")  # one of any form below

# <password type="text">
# and a table: Password</th><td>
_TABLE = re.compile(
    _BORDER + _NAME + rb"\s{0,8}+(?:</?[A-Za-z][^<>]{0,128}+>\s{0,8}+){1,4}+"
)
_TAG = re.compile(rb"<(?:[A-Za-z_][\w.-]*+:)?" + _NAME + rb"\s[^<>]*+>")

# ("password", "x"), and what a part of multipart has: name="password" CR LF CR LF x
_QUOTED = re.compile(
    rb"""["'`]([^\s"'`\\]{2,64}+)\\{0,8}+["'`](?:\s{0,8}+[,;|]\s{0,8}+(?=\S)|\r\n\r\n)"""
)

# <input name="password" value="x">, in either order
_ATTRIBUTE = re.compile(
    rb"""=\s{0,8}+\\{0,8}+["']([^\s"'\\]{2,64}+)\\{0,8}+["'](?=[\s/>])"""
)
_TAG_BYTES = 1024

# PASSWORD 'x', "my password is x", --password x, -u name:x
_VERBS = rb"is|was|ist|lautet|est|es|are|to|je|jest|\xc3\xa8|\xc3\xa9|\xc3\xa4r|er"
_VERB = rb"(?:%b)" % _VERBS
_STATED = re.compile(
    _BORDER
    + _NAME
    + rb"""\s{1,8}+(?:(?=\\{0,8}["'`])|"""
    + _VERB
    + rb"""(?:\s{0,4}+:\s{0,8}+|\s{1,8}+)"""
    rb"""(?!(?:not|no|too|an?|the|that|this|in|on|of|be|only|must|set|required|missing"""
    rb"""|empty|blank|null|None|(?:in|un)?valid|wrong|incorrect|correct|expired|weak"""
    rb"""|needed|mandatory|reset|changed|continue|use|have|do|lost|forgotten|stolen|leaked"""
    rb"""|known|unknown|stored|saved|shown|sent)\b))"""
)
_STATES = re.compile(rb"\b" + _VERB + rb"""[\s:]|\s\\{0,8}["'`]""")

# password hunter2: only the look of the next word tells.
_BESIDE = re.compile(
    _BORDER + _NAME + rb"[ \t\r\n]{1,4}+(?![\w:.-]{1,64}+\s?=)(?=[^\s0-9]{0,64}[0-9])"
)
_GUESSABLE = re.compile(rb"[0-9]{4,8}(?!\S)|(?=[0-9]*+[^\s0-9])\S{6}")
_RANDOM = re.compile(rb"(?=[A-Za-z_-]*+[0-9])(?=[0-9_-]*+[A-Za-z])[A-Za-z0-9_-]{16,}+")

# What is said of a session or a token, and is none: "session:read", "auth is slow".
_LOOSE = set(b"session sessions auth oauth cookie cookies token tokens".split())
_SAID = re.compile(
    rb"\s?(?:[A-Za-z]{1,12}|[0-9]{1,4}|[0-9]{1,2}:[0-9]{2})"
    rb"(?=[,;)]|\.?\s*+\Z|\s[a-z]{1,16}:)"
)
_LOOKS_MADE = re.compile(rb"(?=[^\s0-9]*+[0-9])|\S{16}|\\{0,8}[\"'`]")

# What stands behind a phrase.
_PHRASES = re.compile(
    rb"\bIDENTIFIED\s{1,8}+(?:WITH\s{1,8}+\S{1,64}+\s{1,8}+)?BY\s{1,8}+"
    rb"|(?<=\s)-p\s{0,4}+"
    rb"|\b(?:login|user|username)\s{1,8}+(?!(?:and|or|name|with|und|et|y)\s)"
    rb"\S{1,64}+\s{1,8}+pass(?:word|wd)?\s{1,8}+",
    re.IGNORECASE,
)
_OPTIONED_P = re.compile(rb"\b(?:mysql|mysqldump|mysqladmin|mariadb|sshpass)\s")
_OPTION = re.compile(_BORDER + rb"(--?[A-Za-z][\w-]{1,64}+)[ \t]{1,8}+(?=[^\s-])")
_USER_OPTION = re.compile(
    rb"""-(?<!\S-)(?:u|-(?:proxy-)?user)[ =]?["']?[^\s:]{1,64}+:(?=\S)"""
)

# A first line such as user,password: the values are in those that follow.
_CELLS = re.compile(rb"[,;|\t]")
_CELL = re.compile(rb"[\w.-]{1,32}(?: [\w.-]{1,32})?")
_HEAD_BYTES = 1024

_NAMES = 20_000  # that one text may give a value to; beyond, all of it is suspect


_SECONDS = 64  # of second words, in all ways to write them, that are searched for
_LONG_TEXT = 1024  # bytes from which on its words are told apart first
_MAY_BE_EATEN = re.compile(rb"(?:%b)\Z|0d|(?s:.*)\xe2\x86\x92" % _VERBS)


def find_assignment(text: bytes, classify: Classify) -> Found | None:
    """Return where the first value with a secret name starts, and its class."""
    if len(text) >= _LONG_TEXT and isinstance(classify, Classifier):
        look = _Look(text, classify)
        if look.is_cheap:
            return look.find()
    if _MAY_GIVE.search(text) is None:
        return None
    found = [found for find in _FINDERS if (found := find(text, classify))]

    return min(found, default=None)


class _Look:
    """A look at a long text, where its suspects stand."""

    def __init__(self, text: bytes, classify: Classifier) -> None:
        self._text, self._classify = text, classify
        self._words = Words(text)
        own = classify.own  # a stem that was left out is a secret kept
        self._suspects: Suspects = compile_suspects(own)
        found = self._suspects.among(self._words.each, classify, len(text))
        self._second = [
            word for word in self._words.each if word.lower() in _SECOND_WORDS
        ]
        # What gives a value to one word may eat the next, which then is no name.
        self.is_cheap = (
            found is not None
            and len(self._second) <= _SECONDS
            and not any(_MAY_BE_EATEN.match(word.lower()) for word in found)
            and self._words.are_fewer_than(_NAMES, text)
        )
        places = self._words.places(found or ()) if self.is_cheap else ()
        self._starts = sorted(places)
        self._found: Found | None = None

    def find(self) -> Found | None:
        both = sorted((*self._starts, *self._second_words()))
        self._note(_headed(self._text, self._classify))
        for pattern in (_GIVEN, _TABLE, _BESIDE):
            self._note(self._first(pattern, both))
        self._note(self._tagged())
        self._note(self._stated(both))
        self._note(self._quoted(_QUOTED, _quoted))
        self._note(self._quoted(_ATTRIBUTE, _attributed))
        self._note(self._phrased())
        self._note(self._optioned())

        return self._found

    def _note(self, found: Found | None) -> None:
        if found is not None:
            self._found = found if self._found is None else min(found, self._found)

    def _second_words(self) -> Iterator[int]:
        for at in self._words.places_behind_a_space(self._second):
            if self._text[at - 2 : at - 1].isalpha():
                yield at

    def _first(self, pattern: re.Pattern[bytes], starts: Iterable[int]) -> Found | None:
        text, classify = self._text, self._classify
        least = len(text) if self._found is None else self._found[0]
        for start in starts:
            if start >= least:
                break  # its value starts behind the first that is known
            match = pattern.match(text, start)
            if match is not None and match.end() < len(text):
                cls = classify(match[1]) or _of_two_words(text, match, classify)
                if cls is not None and _gives(pattern, match, cls):
                    return match.end(), cls

        return None

    def _tagged(self) -> Found | None:
        if b"<" not in self._text:
            return None

        tags = [self._words.before(start) for start in self._starts]

        return self._first(_TAG, [at for at in tags if self._text[at : at + 1] == b"<"])

    def _stated(self, starts: list[int]) -> Found | None:
        found = self._first(_STATED, starts)

        return found if found and _STATES.search(self._text) else None

    def _quoted(
        self,
        pattern: re.Pattern[bytes],
        find: Callable[[bytes, Classify], Found | None],
    ) -> Found | None:
        text = self._text
        if not (b'"' in text or b"'" in text or b"`" in text):
            return None
        names = set(pattern.findall(text))
        words = {Words.one(name) for name in names}
        found = self._suspects.among(words, self._classify, len(text))
        if found is not None and not found and len(names) < _NAMES:
            return None

        return find(text, self._classify)

    def _phrased(self) -> Found | None:
        lower = b" ".join(self._words.each).lower()
        may_be = (
            b"identified" in lower
            or (b"pass" in lower and (b"user" in lower or b"login" in lower))
            or any(tool in lower for tool in (b"mysql", b"mariadb", b"sshpass"))
        )

        return _phrased(self._text, self._classify) if may_be else None

    def _optioned(self) -> Found | None:
        text = self._text
        if b" " not in text or b"-" not in text:
            return None
        user = _USER_OPTION.search(text) if b"-u" in text else None

        return (user.end(), PASSWORD) if user else self._first(_OPTION, self._starts)


def _given(text: bytes, classify: Classify) -> Found | None:
    if _GIVES.search(text) is None:
        return None
    patterns = (_GIVEN, _TAG, _TABLE) if b"<" in text else (_GIVEN,)
    found = [found for p in patterns if (found := _first(p, text, classify))]

    return min(found, default=None)


def _first(pattern: re.Pattern[bytes], text: bytes, classify: Classify) -> Found | None:
    seen: set[bytes] = set()
    for match in pattern.finditer(text):
        if match.end() == len(text):
            break
        if match[1] not in seen:
            cls = classify(match[1]) or _of_two_words(text, match, classify)
            if cls is not None:
                if _gives(pattern, match, cls):
                    return match.end(), cls
                continue
            if len(seen) == _NAMES:
                return 0, OPAQUE
            if match[1].lower() not in _SECOND_WORDS:
                seen.add(match[1])

    return None


def _gives(pattern: re.Pattern[bytes], match: re.Match[bytes], cls: str) -> bool:
    text, at = match.string, match.end()
    if pattern is _BESIDE:
        look = _RANDOM if cls == TOKEN else _GUESSABLE
        return look.match(text, at) is not None
    if pattern is _STATED and cls == TOKEN:
        return _LOOKS_MADE.match(text, at) is not None

    return not (
        text[at - 1 : at] == b":"
        and match[1].lower() in _LOOSE
        and _SAID.match(text, at) is not None
    )


_SECOND_WORDS = set(
    b"key id code phrase word number answer string value field hash again confirm "
    b"confirmation name".split()
)
_WORDS_BEFORE = re.compile(rb"(?:[ -][A-Za-z]{2,20}+){1,2}")  # read backwards


def _of_two_words(
    text: bytes, match: re.Match[bytes], classify: Classify
) -> str | None:
    # "the api key: ...", "PIN code: ..."
    if match[1].lower() not in _SECOND_WORDS:
        return None
    before = text[max(0, match.start(1) - 42) : match.start(1)]
    words = _WORDS_BEFORE.match(before[::-1])

    return classify(words[0][::-1] + match[1]) if words else None


def _quoted(text: bytes, classify: Classify) -> Found | None:
    if b'"' in text or b"'" in text or b"`" in text:
        return _first(_QUOTED, text, classify)

    return None


def _attributed(text: bytes, classify: Classify) -> Found | None:
    found = _first(_ATTRIBUTE, text, classify) if b"=" in text else None
    if found is None:
        return None
    # The value may stand before the name; in what is no tag it stands behind.
    tag = text.rfind(b"<", max(0, found[0] - _TAG_BYTES), found[0])

    return (tag + 1, found[1]) if tag >= 0 else found


def _stated(text: bytes, classify: Classify) -> Found | None:
    return _first(_STATED, text, classify) if _STATES.search(text) else None


def _beside(text: bytes, classify: Classify) -> Found | None:
    return _first(_BESIDE, text, classify)


def _phrased(text: bytes, classify: Classify) -> Found | None:  # noqa: ARG001 - as all
    if b" " not in text:
        return None
    tool = _OPTIONED_P.search(text)
    for match in _PHRASES.finditer(text):
        if match[0][:1] != b"-" or (tool and tool.end() <= match.start()):
            return (match.end(), PASSWORD) if match.end() < len(text) else None

    return None


def _optioned(text: bytes, classify: Classify) -> Found | None:
    if b" " not in text or b"-" not in text:
        return None
    user = _USER_OPTION.search(text)

    return (user.end(), PASSWORD) if user else _first(_OPTION, text, classify)


def _headed(text: bytes, classify: Classify) -> Found | None:
    end = text.find(b"\n", 0, _HEAD_BYTES)
    if end < 0 or end + 1 == len(text):
        return None
    cells = [cell.strip(b" \r\"'") for cell in _CELLS.split(text[:end])]
    named = [cell for cell in cells if _CELL.fullmatch(cell)]
    classes = [cls for cell in named if (cls := classify(cell))]

    return (end + 1, classes[0]) if classes and len(cells) > 1 else None


_FINDERS = (
    _given,
    _quoted,
    _attributed,
    _stated,
    _beside,
    _phrased,
    _optioned,
    _headed,
)

_VALUE = rb"""[\s"'`\\=:>\[({]%b([^\s"'`\\&,;<>})\]]%b)"""
_WHOLE_VALUE = re.compile(_VALUE % (b"*+", b"++"))
_SHORT_VALUE = re.compile(_VALUE % (b"{0,64}+", b"{1,256}+"))
_ROOM = 1 << 16  # bytes of values, beside those of the text, that are given whole


def first_values(text: bytes, classify: Classify) -> Iterator[bytes]:
    """
    Yield, of each value with a secret name, what stands before the next mark.

    A value may hold others (`password=token=x`). Where they are many, only what they
    begin with is given: each to its end would be the square of the text.
    """
    room = len(text) + _ROOM
    seen: set[bytes] = set()  # names that announce nothing, whatever stands before them
    for pattern in (_GIVEN, _TAG, _TABLE, _QUOTED, _STATED, _OPTION):
        for match in pattern.finditer(text):
            name = match[1]
            if name in seen:
                continue
            if classify(name) or _of_two_words(text, match, classify):
                look = _WHOLE_VALUE if room > 0 else _SHORT_VALUE
                value = look.match(text, match.end())
                if value is not None:
                    room -= value.end() - value.start()
                    yield value[1]
            elif len(seen) < _NAMES and name.lower() not in _SECOND_WORDS:
                seen.add(name)
