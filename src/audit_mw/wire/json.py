# A JSON document -> its members, flat, in the order in which they were sent.
#
# Each member is named by its pointer (RFC 6901). Unlike every reader that builds
# objects this one keeps duplicate keys, and numbers as their exact text.
#
# Rule 1: an array, and an empty or repeated object, is a member of its own, before
#         its members: without that `[]` and a missing key would look alike.
# Rule 2: what Python's reader takes beyond RFC 8259 is taken as well (NaN, Infinity,
#         control characters in strings, UTF-16): the application may have read it.
# Rule 3: at the first fault it stops. What stood before is kept.
#
# Nothing recurses, and no pointer is built again for each member below it: a long one
# is shared as a `Prefix`, so that a megabyte of brackets or one huge key costs what
# it weighs, not its square.
#
# (Longer than 250 lines: a grammar that is cut in two has two states.)
import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from json import detect_encoding
from typing import Generic, NamedTuple, TypeVar

__all__ = [
    "DEPTH",
    "END",
    "ITEMS",
    "SHARED",
    "Flat",
    "Items",
    "Member",
    "Prefix",
    "escape",
    "flatten",
    "key_word",
    "names_sibling",
    "unescape",
    "unescape_part",
]

Tag = TypeVar("Tag")

SHARED = 256  # bytes of a pointer from which on members share it as a Prefix
DEPTH = 1_000  # Python's own reader and orjson give up at about the same

_SPACE = rb"[ \t\n\r]*+"
_TOKEN = re.compile(
    _SPACE + rb'(?:"(?P<string>(?:[^"\\]++|\\.)*+)"'
    rb"|(?P<json>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
    rb"|true|false|null|NaN|-?Infinity)"
    rb"|(?P<mark>[\[\]{},:]))",
    re.DOTALL,
)
END = re.compile(_SPACE + rb"\Z")

# Plain items, each with the comma behind it: a match that fails has looked at fifteen.
# (What stands behind the last comma is no part of it. Were that looked at, too, a run
# that ends badly would be read again from each of its items.)
_ITEM = (
    rb"(?:-?(?:0|[1-9][0-9]{0,10}+)|true|false|null|\[\]|\{\}"
    rb'|"[A-Za-z0-9]?")'
)
ITEMS = re.compile(rb"(?:" + _SPACE + _ITEM + _SPACE + rb",){16,4096}+")
_BLANKS = b" \t\n\r"

# Keys of an object that names a thing by value: {"name": "password", "value": "x"}.
_NAMING = set(
    b"name key k n field fieldname id param parameter type label path attribute attr "
    b"property prop header column variable var question prompt placeholder slot arg "
    b"argument option setting title kty".split()
)
_NAMED = set(
    b"value values val v content data text input answer newvalue oldvalue current "
    b"default string body response reply raw "
    b"d p q dp dq qi k oth".split()  # a private key, RFC 7518 6
)


class Prefix:
    """The first part of a pointer, shared by all members below it."""

    __slots__ = ("above", "hash", "is_secret", "len", "part")

    hash: "hashlib._Hash"

    def __init__(
        self, above: "Prefix | None", part: bytes, *, is_secret: bool = False
    ) -> None:
        self.above: Prefix | None = above
        self.is_secret = is_secret  # a key in it says that all below it is
        self.part = part
        self.hash = hashlib.sha256() if above is None else above.hash.copy()
        self.hash.update(part)
        self.len: int = len(part) if above is None else above.len + len(part)

    @property
    def sha256(self) -> str:
        """The digest of `text()`."""
        return self.hash.hexdigest()

    def text(self) -> bytes:
        """Return the exact bytes, which nothing holds in one piece."""
        parts = []
        prefix: Prefix | None = self
        while prefix is not None:
            parts.append(prefix.part)
            prefix = prefix.above

        return b"".join(reversed(parts))


class Member(NamedTuple, Generic[Tag]):
    """
    One member: its pointer is `prefix`, if any, and then `name`.

    `value` is a string's bytes, or else (`is_string` false) the exact text of a
    number, a literal or an empty container. `tag` is what `classify` said of its
    key, of a key above it or, where `is_told`, of the value of a sibling of these.
    """

    prefix: Prefix | None
    name: bytes
    value: bytes
    is_string: bool
    tag: Tag | None
    is_told: bool = False


class Items(NamedTuple, Generic[Tag]):
    """
    Many plain items of one array in a row, not taken apart.

    `above` is the name of the array, `first` the index of the first item, and `texts`
    the items as sent, a comma between them: whole numbers, literals, empty containers,
    and strings of a letter at most.
    """

    prefix: Prefix | None
    above: bytes
    first: int
    texts: bytes
    tag: Tag | None
    is_told: bool = False

    def members(self, start: int = 0) -> Iterator[Member[Tag]]:
        """Yield each item, from `start` on, as a member."""
        prefix, above, first, texts, tag, is_told = self
        for index, text in enumerate(texts.split(b",")[start:], first + start):
            is_string = text[:1] == b'"'
            value = text[1:-1] if is_string else text
            name = b"%b/%d" % (above, index)
            yield Member(prefix, name, value, is_string, tag, is_told)


class Flat(NamedTuple, Generic[Tag]):
    """
    The members, and the bytes behind the last good one (0: all was good).

    An end that is missing counts as a byte.
    """

    members: list[Member[Tag] | Items[Tag]]
    tail: int


def flatten(
    document: bytes,
    classify: Callable[[bytes], Tag | None],
    *,
    in_runs: bool = False,
) -> Flat[Tag]:
    """
    Return the members of `document`.

    Args:
        document: the whole text, in UTF-8, UTF-16 or UTF-32.
        classify: is asked for the tag of each key and of naming values.
        in_runs: many plain items in a row may be given together, as `Items`.
    """
    text, encoding, undecoded = _narrow(document)
    flattener = _Flattener(text, classify, in_runs=in_runs)
    good = flattener.run() and not undecoded
    rest = text[flattener.kept :]
    if encoding in _WIDE:
        rest = rest.decode("utf-8", "surrogatepass").encode(encoding, "surrogatepass")

    return Flat(flattener.members, 0 if good else max(1, len(rest) + undecoded))


_WIDE = ("utf-16-le", "utf-32-le")


def _narrow(document: bytes) -> tuple[bytes, str, int]:
    """Return the document in UTF-8, its coding, and how much of it is none."""
    encoding = detect_encoding(document)
    if encoding.startswith("utf-8"):
        return document.removeprefix(BOM_UTF8), encoding, 0
    good = len(document)
    try:
        text = document.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        good = error.start
        text = document[:good].decode(encoding, "surrogatepass")
    narrow = text.encode("utf-8", "surrogatepass").removeprefix(BOM_UTF8)

    return narrow, f"{encoding[:6]}-le", len(document) - good


_Span = tuple[int, int]  # places of members, from and up to


class _Frame(Generic[Tag]):
    """An array or object that is open."""

    __slots__ = ("index", "keys", "name", "named", "naming", "prefix", "start", "tag")

    def __init__(
        self, prefix: Prefix | None, name: bytes, tag: Tag | None, *, is_object: bool
    ) -> None:
        if len(name) > SHARED:
            prefix, name = Prefix(prefix, name, is_secret=tag is not None), b""
        self.prefix = prefix
        self.name = name
        self.tag = tag
        self.keys: set[bytes] | None = set() if is_object else None
        self.index = 0
        self.naming: Tag | None = None  # the tag of a member that names its sibling
        self.named: list[_Span] = []  # the members that it may name
        self.start: int | None = None  # the first member, if a sibling may name all


class _Flattener(Generic[Tag]):
    def __init__(
        self,
        document: bytes,
        classify: Callable[[bytes], Tag | None],
        *,
        in_runs: bool,
    ) -> None:
        self._in_runs = in_runs
        self._document = document
        self._classify = classify
        self._frames: list[_Frame[Tag]] = []
        self._at = 0
        self._named: list[tuple[_Span, Tag]] = []
        self.members: list[Member[Tag] | Items[Tag]] = []
        self.kept = 0  # the end of what is told by the members

    def run(self) -> bool:
        """Return whether the whole document is good."""
        good = self._value(None, b"", None, None, repeated=False)
        while good and self._frames:
            frame = self._frames[-1]
            keys = frame.keys
            good = self._item(frame) if keys is None else self._member(frame, keys)
        while self._frames:
            self._close()
        self._tag_named()

        return good and END.match(self._document, self.kept) is not None

    def _mark(self, mark: bytes) -> bool:
        match = _TOKEN.match(self._document, self._at)
        if match is None or match["mark"] != mark:
            return False
        self._at = match.end()

        return True

    def _item(self, frame: _Frame[Tag]) -> bool:
        if self._mark(b"]"):
            self.kept = self._at
            self._close()
            return True
        if frame.index and not self._mark(b","):
            return False
        if self._in_runs and len(self._frames) < DEPTH and self._run(frame):
            return True
        name = b"%s/%d" % (frame.name, frame.index)
        frame.index += 1

        return self._value(frame.prefix, name, None, frame.tag, repeated=False)

    def _run(self, frame: _Frame[Tag]) -> bool:
        match = ITEMS.match(self._document, self._at)
        if match is None:
            return False
        sent = match[0][:-1]
        texts = sent.translate(None, _BLANKS)
        self.members.append(
            Items(frame.prefix, frame.name, frame.index, texts, frame.tag)
        )
        frame.index += texts.count(b",") + 1
        self._at = match.start() + len(sent)
        self.kept = match.start() + len(sent.rstrip(_BLANKS))

        return True

    def _member(self, frame: _Frame[Tag], keys: set[bytes]) -> bool:
        if self._mark(b"}"):
            self.kept = self._at
            self._close()
            return True
        if frame.index and not self._mark(b","):
            return False
        match = _TOKEN.match(self._document, self._at)
        if match is None or match["string"] is None:
            return False
        self._at = match.end()
        key = unescape(match["string"])
        if not self._mark(b":"):
            return False
        frame.index += 1
        repeated = key in keys
        keys.add(key)
        name = b"%s/%s" % (frame.name, escape(key))
        tag = self._classify(key) if frame.tag is None else frame.tag

        return self._value(frame.prefix, name, key, tag, repeated=repeated)

    def _value(
        self,
        prefix: Prefix | None,
        name: bytes,
        key: bytes | None,
        tag: Tag | None,
        *,
        repeated: bool,
    ) -> bool:
        match = _TOKEN.match(self._document, self._at)
        if match is None:
            return False
        if match["mark"] is not None:
            if match["mark"] not in b"[{" or len(self._frames) == DEPTH:
                return False
            start = len(self.members)
            self._open(match, prefix, name, tag, repeated=repeated)
            if key is not None and key_word(key) in _NAMED:
                self._frames[-1].start = start
            return True
        self.kept = self._at = match.end()
        is_string = match["string"] is not None
        value = unescape(match["string"]) if is_string else match["json"]
        if key is not None:
            self._note_naming(key, value)
        self.members.append(Member(prefix, name, value, is_string, tag))

        return True

    def _open(
        self,
        match: re.Match[bytes],
        prefix: Prefix | None,
        name: bytes,
        tag: Tag | None,
        *,
        repeated: bool,
    ) -> None:
        self._at = match.end()
        is_object = match["mark"] == b"{"
        frame = _Frame(prefix, name, tag, is_object=is_object)
        if not is_object or repeated or self._is_empty():
            text = b"{}" if is_object else b"[]"
            self.members.append(Member(prefix, name, text, is_string=False, tag=tag))
            self.kept = self._at
        self._frames.append(frame)

    def _is_empty(self) -> bool:
        match = _TOKEN.match(self._document, self._at)

        return match is not None and match["mark"] == b"}"

    def _note_naming(self, key: bytes, value: bytes) -> None:
        frame = self._frames[-1]
        word = key_word(key)
        if word in _NAMING and frame.naming is None:
            # JWK (RFC 7517 4.1) has no word for it.
            frame.naming = self._classify(b"private_key" if word == b"kty" else value)
        if word in _NAMED:
            frame.named.append((len(self.members), len(self.members) + 1))

    def _close(self) -> None:
        frame = self._frames.pop()
        if frame.start is not None:
            self._frames[-1].named.append((frame.start, len(self.members)))
        if frame.naming is not None:
            self._named += [(span, frame.naming) for span in frame.named]

    def _tag_named(self) -> None:
        # Spans nest or stand apart, and the outermost counts, as it does for keys: so
        # no member is tagged twice, however deep they nest.
        done = 0
        self._named.sort(key=lambda named: (named[0][0], -named[0][1]))
        for (start, end), tag in self._named:
            for place in range(max(start, done), end):
                named = self.members[place]
                self.members[place] = named._replace(tag=tag, is_told=True)
            done = max(done, end)


def key_word(key: bytes) -> bytes:
    """Return a key as it is looked up among those that name, or are named."""
    return key.lower().replace(b"_", b"").replace(b"-", b"")


def names_sibling(key: bytes) -> bool:
    """Tell whether the value of such a key may name a sibling of its own."""
    return key_word(key) in _NAMING


def escape(key: bytes) -> bytes:
    """Return a key as it stands in a pointer."""
    return key.replace(b"~", b"~0").replace(b"/", b"~1")  # RFC 6901 3


def unescape_part(part: bytes) -> bytes:
    """Return a part of a pointer as the key that it is of."""
    return part.replace(b"~1", b"/").replace(b"~0", b"~")  # RFC 6901 4


_ESCAPE = re.compile(
    rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|u([0-9a-fA-F]{4})|([\"\\/bfnrt]))"
)
_SHORT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def unescape(string: bytes) -> bytes:
    """Return what stands between the quotes of a JSON string, its escapes undone."""
    return _ESCAPE.sub(_character, string) if b"\\" in string else string


def _character(match: re.Match[bytes]) -> bytes:
    high, low, unit, short = match.groups()
    if short is not None:
        return _SHORT.get(short, short)
    if unit is not None:
        # A surrogate without its half is no character, yet readers take it.
        return chr(int(unit, 16)).encode("utf-8", "surrogatepass")
    point = 0x10000 + ((int(high, 16) & 0x3FF) << 10 | int(low, 16) & 0x3FF)

    return chr(point).encode()
