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
import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from json import detect_encoding
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Flat", "Member", "Prefix", "flatten", "unescape"]

Tag = TypeVar("Tag")

_SHARED = 256  # bytes of a pointer from which on members share it as a Prefix
_DEPTH = 1_000  # Python's own reader and orjson give up at about the same

_SPACE = rb"[ \t\n\r]*+"
_TOKEN = re.compile(
    _SPACE + rb'(?:"(?P<string>(?:[^"\\]++|\\.)*+)"'
    rb"|(?P<json>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
    rb"|true|false|null|NaN|-?Infinity)"
    rb"|(?P<mark>[\[\]{},:]))",
    re.DOTALL,
)
_END = re.compile(_SPACE + rb"\Z")

# Keys of an object that names a thing by value: {"name": "password", "value": "x"}.
_NAMING = {b"name", b"key", b"field", b"id", b"param", b"parameter", b"type", b"label"}
_NAMED = {b"value", b"val", b"v", b"content", b"data", b"text", b"input", b"answer"}


class Prefix:
    """The first part of a pointer, shared by all members below it."""

    __slots__ = ("above", "hash", "len", "part")

    hash: "hashlib._Hash"

    def __init__(self, above: "Prefix | None", part: bytes) -> None:
        self.above: Prefix | None = above
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
    key or of a key above it.
    """

    prefix: Prefix | None
    name: bytes
    value: bytes
    is_string: bool
    tag: Tag | None


class Flat(NamedTuple, Generic[Tag]):
    """The members, and the bytes from the first fault on (0: none)."""

    members: list[Member[Tag]]
    tail: int


def flatten(document: bytes, classify: Callable[[bytes], Tag | None]) -> Flat[Tag]:
    """
    Return the members of `document`.

    Args:
        document: the whole text, in UTF-8, UTF-16 or UTF-32.
        classify: is asked for the tag of each key and of naming values.
    """
    encoding = detect_encoding(document)
    if not encoding.startswith("utf-8"):
        try:
            text = document.decode(encoding, "surrogatepass")
        except UnicodeDecodeError:
            return Flat([], len(document))
        document = text.encode("utf-8", "surrogatepass").removeprefix(BOM_UTF8)

    return _Flattener(document.removeprefix(BOM_UTF8), classify).run()


class _Frame(Generic[Tag]):
    """An array or object that is open."""

    __slots__ = ("index", "keys", "name", "named", "naming", "prefix", "tag")

    def __init__(
        self, prefix: Prefix | None, name: bytes, tag: Tag | None, *, is_object: bool
    ) -> None:
        if len(name) > _SHARED:
            prefix, name = Prefix(prefix, name), b""
        self.prefix = prefix
        self.name = name
        self.tag = tag
        self.keys: set[bytes] | None = set() if is_object else None
        self.index = 0
        self.naming: Tag | None = None  # the tag of a member that names its sibling
        self.named: list[int] = []  # places of members that it may name


class _Flattener(Generic[Tag]):
    def __init__(
        self, document: bytes, classify: Callable[[bytes], Tag | None]
    ) -> None:
        self._document = document
        self._classify = classify
        self._members: list[Member[Tag]] = []
        self._frames: list[_Frame[Tag]] = []
        self._at = 0

    def run(self) -> Flat[Tag]:
        good = self._value(None, b"", None, None, repeated=False)
        while good and self._frames:
            frame = self._frames[-1]
            good = self._item(frame) if frame.keys is None else self._member(frame)
        while self._frames:
            self._close()
        if good and _END.match(self._document, self._at):
            return Flat(self._members, 0)

        return Flat(self._members, len(self._document) - self._at)

    def _mark(self, mark: bytes) -> bool:
        match = _TOKEN.match(self._document, self._at)
        if match is None or match["mark"] != mark:
            return False
        self._at = match.end()

        return True

    def _item(self, frame: _Frame[Tag]) -> bool:
        if self._mark(b"]"):
            self._close()
            return True
        if frame.index and not self._mark(b","):
            return False
        name = b"%s/%d" % (frame.name, frame.index)
        frame.index += 1

        return self._value(frame.prefix, name, None, frame.tag, repeated=False)

    def _member(self, frame: _Frame[Tag]) -> bool:
        if self._mark(b"}"):
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
        repeated = key in frame.keys if frame.keys else False
        if frame.keys is not None:
            frame.keys.add(key)
        name = b"%s/%s" % (frame.name, _escape(key))
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
            opened = match["mark"] in b"[{" and len(self._frames) < _DEPTH
            return opened and self._open(match, prefix, name, tag, repeated=repeated)
        self._at = match.end()
        is_string = match["string"] is not None
        value = unescape(match["string"]) if is_string else match["json"]
        if key is not None:
            self._note_naming(key, value)
        self._members.append(Member(prefix, name, value, is_string, tag))

        return True

    def _open(
        self,
        match: re.Match[bytes],
        prefix: Prefix | None,
        name: bytes,
        tag: Tag | None,
        *,
        repeated: bool,
    ) -> bool:
        self._at = match.end()
        is_object = match["mark"] == b"{"
        frame = _Frame(prefix, name, tag, is_object=is_object)
        if not is_object or repeated or self._is_empty():
            text = b"{}" if is_object else b"[]"
            self._members.append(Member(prefix, name, text, is_string=False, tag=tag))
        self._frames.append(frame)

        return True

    def _is_empty(self) -> bool:
        match = _TOKEN.match(self._document, self._at)

        return match is not None and match["mark"] == b"}"

    def _note_naming(self, key: bytes, value: bytes) -> None:
        frame = self._frames[-1]
        lower = key.lower()
        if lower in _NAMING and frame.naming is None:
            frame.naming = self._classify(value)
        elif lower in _NAMED:
            frame.named.append(len(self._members))

    def _close(self) -> None:
        frame = self._frames.pop()
        if frame.naming is not None:
            for place in frame.named:
                member = self._members[place]
                self._members[place] = member._replace(tag=frame.naming)


def _escape(key: bytes) -> bytes:
    return key.replace(b"~", b"~0").replace(b"/", b"~1")  # RFC 6901 3


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
