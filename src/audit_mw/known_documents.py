# JSON documents -> their params, coded, by the fast road.
#
# Most documents say nothing new: their keys came before, and their values are short
# and plain. A step of the tokenizer, a look in the tree of pointers and one in the
# memory of values then give a param as it stands in a record. What takes a closer look
# is handed back as a `Member`, at its place, for the long road.
#
# Rule 1: what this road gives is, byte for byte, what the long one gives (`flatten`,
#         `retag`, `BodyParams`), which a property test shows. Where one member may say
#         what another is, or the document is not good to its end, it gives nothing.
# Rule 2: no secret is remembered: values are taken into the memory when the document is
#         at its end, and nothing in it said that they are any.
# Rule 3: each memory is bounded and emptied when it is full.
#
# (Longer than 250 lines, and with loops longer than elsewhere: they run for each value,
# and a call costs as much as all else that they do.)
import re
from collections.abc import Callable, Iterable
from json import detect_encoding
from typing import NamedTuple, Protocol

from audit_mw.config import Config
from audit_mw.event import JsonText, Param, Value
from audit_mw.policy.documents import secret_variables
from audit_mw.policy.names import Asked, logs_in, weak_class
from audit_mw.policy.plain import compile_plain
from audit_mw.policy.pointers import (
    MOST_PART,
    NO_QUESTION,
    OF_ALL,
    Pointer,
    Pointers,
    Unsure,
)
from audit_mw.policy.redaction import Redactor
from audit_mw.wire.json import (
    DEPTH,
    END,
    ITEMS,
    SHARED,
    Items,
    Member,
    Prefix,
    unescape,
)
from audit_mw.wire.json_steps import (
    EMPTY,
    FIRST_ITEM,
    FIRST_MEMBER,
    NEXT_COMMA,
    NEXT_ITEM,
    NEXT_MEMBER,
    OPENING,
)

__all__ = ["BETWEEN", "Known", "KnownDocuments", "Prefix", "Run", "Values"]


BETWEEN = b"\0"  # no param has it, as it stands in a record


class Run(NamedTuple):
    """Params in a row that take no closer look, and how each stands in a record."""

    params: list[Param]  # the first of them; those beyond a record are not asked for
    coded: list[bytes]  # behind the prefix, if any
    prefix: Prefix | None = None  # of all their names
    # More of them, joined by a comma, or by BETWEEN where that is behind a prefix; and
    # how many these are.
    beyond: Iterable[tuple[bytes, int]] = ()


class Known(NamedTuple):
    """What a document says, in order, and the bytes behind the last good one."""

    found: list[Run | Member[str] | Items[str]]
    tail: int


_Known = tuple[bytes, Value]  # a value: how a param ends with it, and what it is

_REMEMBERED = 4096  # values
_NEW = 1024  # of one document
_LOOKED_AT = 4096  # as many as are remembered to hold no secret
_SHORT = 64  # bytes of a value that is remembered
_INDICES = 1_000_000  # an index of more digits is looked at
_RUN = 16  # items after which more of their kind are looked for
_BLANKS = b" \t\n\r"
_NAMING = 61  # bytes of what names the items behind it, at most
_PLAIN_NUMBER = re.compile(rb"-?[0-9]{1,10}(?:\.[0-9]{1,10})?")  # with no name in it
_OTHER_BYTES = 11  # of a number too short for a card, or anything in base64
_WORDS = (b"true", b"false", b"null")
_BLAND = re.compile(rb"[A-Za-z0-9_,-]{0,12}")
_NO_CODE = re.compile(rb"[ !#$&-\[\]-~]*")  # printable ASCII but for `"`, `%` and `\`
_BETWEEN = b"-_ ,."


class LongReader(Protocol):
    """Reads documents as `_Scan` does, at less cost, where it was built."""

    def read(self, scan: "_Scan", document: bytes, /) -> int:
        """Return what `_Scan.run` does, and leave in the scan what that leaves."""


class KnownDocuments:
    """
    Reads documents of which the parts came before.

    Args:
        config: the options.
        redactor: decides what is withheld.
        encode_param: gives a param as it stands in a record.
    """

    def __init__(
        self,
        config: Config,
        redactor: Redactor,
        encode_param: Callable[[Param], bytes],
    ) -> None:
        # With patterns of the user's own nothing is plain at a glance, and with digits
        # in a name an index may be a part of it.
        has_digits = any(map(_DIGIT.search, config.secret_names))
        self.is_off = bool(config.secret_patterns) or has_digits
        self.longest = config.spill_over
        self.most = config.max_params + 1  # the first beyond tells that there is a rest
        self.redactor = redactor
        self.encode = encode_param
        self.pointers = Pointers(redactor, config.secret_names, encode_param)
        self.is_plain = compile_plain(config.secret_names).fullmatch
        # Strings, as they were sent between their quotes, and other scalars.
        self.strings: dict[bytes, _Known] = {}
        self.others: dict[bytes, _Known] = {}
        # Where no option makes a name of them, as in `{"name": true, "value": "x"}`.
        self._words = {
            text: _other(text) for text in _WORDS if redactor.classify(text) is None
        }
        self.others.update(self._words)
        self.compiled: LongReader | None = None  # reads in the place of what is below

    def read(self, document: bytes) -> Known | None:
        """Return what `document` says; None: the long road must tell."""
        if self.is_off or detect_encoding(document) != "utf-8":
            return None
        scan = _Scan(self, document)
        compiled = self.compiled
        try:
            tail = compiled.read(scan, document) if compiled else scan.run()
        except Unsure:
            self.pointers.forget_new()
            scan.forget()
            return None
        if tail:
            self.pointers.forget_new()
        else:
            self.pointers.settle()
            self.remember(scan)

        return Known(scan.found, tail)

    def remember(self, scan: "_Scan") -> None:
        """Take what was new in a document that was good to its end."""
        for memory, new in ((self.strings, scan.strings), (self.others, scan.others)):
            if len(memory) + len(new) > _REMEMBERED:
                memory.clear()
                self.others.update(self._words)
            memory.update(new)
        if scan.asked and not scan.has_others:
            self.redactor.classify.keep(scan.asked)


_DIGIT = re.compile(r"\d")
_new = tuple.__new__  # of a Param: half of what it costs to call its class


class _Frame:
    """An array or object that is open; `begin` is how its params begin."""

    __slots__ = ("begin", "index", "is_told", "keys", "name", "pointer", "prefix")

    def __init__(
        self,
        pointer: Pointer,
        prefix: Prefix | None,
        name: bytes,
        begin: bytes,
        *,
        is_object: bool,
    ) -> None:
        self.pointer = pointer
        self.prefix = prefix
        self.name = name
        self.begin = begin
        self.index = 0
        self.is_told = False  # by a param of its own
        self.keys: set[bytes] | None = set() if is_object else None


class _Scan:
    """One document, once."""

    def __init__(self, known: KnownDocuments, document: bytes) -> None:
        self._known = known
        # A value that names nothing may be a secret, as its neighbours tell later on.
        self.asked = Asked(known.redactor.classify)
        self._classify = self.asked.__getitem__
        self.has_others = False  # than what is plain: values that may be withheld
        self._document = document
        self._frames: list[_Frame] = []
        self._at = 0
        self._kept = 0  # the end of what is told by the params
        self.prefix: Prefix | None = None  # of the params below
        self._most = known.most  # params that are still asked for
        self._params: list[Param] = []
        self._coded: list[bytes] = []
        self.found: list[Run | Member[str] | Items[str]] = []
        self.strings: dict[bytes, _Known] = {}
        self.others: dict[bytes, _Known] = {}
        self._looked_at: list[bytes] = []  # values, of which it is remembered
        self._mark = known.redactor.classify.mark()

    def forget(self) -> None:
        """Remember nothing of what was looked at: it may be a secret."""
        redactor = self._known.redactor
        redactor.classify.forget_since(self._mark)
        if len(self._looked_at) == _LOOKED_AT:  # there may have been more
            redactor.forget_all_clean()
        for value in self._looked_at:
            redactor.forget_clean(value)

    def run(self) -> int:
        """
        Return how many bytes could not be read; an end that is missing counts as one.

        Raises:
            Unsure: it is a single value, or none, or may say what its members are.
        """
        match = OPENING.match(self._document)
        if match is None:
            raise Unsure
        self._at = match.end()
        root = self._known.pointers.root()
        # As trail/params.py has it.
        self._open(root, b"", b'["json","', match[1], repeated=False)
        good = True
        while good and self._frames:
            frame = self._frames[-1]
            keys = frame.keys
            good = self._items(frame) if keys is None else self._members(frame, keys)
        self._end_run()
        if good and END.match(self._document, self._kept):
            return 0

        return max(1, len(self._document) - self._kept)

    def _end_run(self) -> None:
        if self._coded:
            self.found.append(Run(self._params, self._coded, self.prefix))
            self._most = max(0, self._most - len(self._coded))
            self._params, self._coded = [], []

    def _change_prefix(self, prefix: Prefix | None) -> None:
        if prefix is not self.prefix:
            self._end_run()
            self.prefix = prefix

    def _end(self) -> None:
        self._kept = self._at
        self._frames.pop()
        if self._frames:
            self._change_prefix(self._frames[-1].prefix)

    def _members(self, frame: _Frame, keys: set[bytes]) -> bool:
        """Read an object up to its end, or to what opens in it."""
        document, known, name = self._document, self._known, frame.name
        begin, sure, most = frame.begin, frame.pointer.sure, self._most
        strings, others = known.strings, known.others
        params, coded = self._params, self._coded
        is_near = len(name) + MOST_PART > known.longest
        next_of, kept = NEXT_MEMBER.match, self._kept
        match = (next_of if keys else FIRST_MEMBER.match)(document, self._at)
        while match is not None:
            sent, string, other = match.group(1, 2, 3)
            found = others.get(other) if string is None else strings.get(string)
            step = sure.get(sent)
            if found is None or step is None or is_near:
                self._at, self._kept = match.end(), kept
                if sent is None:
                    return self._end_object(frame, keys)
                if string is other:  # there is neither
                    return self._open_member(frame, keys, sent, match[4])
                pointer = self._below(frame, sent)
                keys.add(pointer.key)
                found = self.look(pointer, name, string, other)
                if found is None:  # it was handed back
                    params, coded = self._params, self._coded
                    kept = match.end()
                    match = next_of(document, kept)
                    continue
                end, part = pointer.end, pointer.part
            else:
                end, part = step
                keys.add(sent)
            coded.append(begin + end + found[0])
            if len(params) < most:
                params.append(_new(Param, ("json", name + part, found[1])))
            kept = match.end()
            match = next_of(document, kept)
        self._kept = kept

        return False

    def _below(self, frame: _Frame, sent: bytes) -> Pointer:
        pointer = frame.pointer.below.get(sent)

        return pointer or self._known.pointers.below(frame.pointer, sent)

    def _end_object(self, frame: _Frame, keys: set[bytes]) -> bool:
        if not keys and not frame.is_told:
            self._tell(frame.pointer, frame.name, frame.begin, b"{}")
        self._end()

        return True

    def _open_member(
        self, frame: _Frame, keys: set[bytes], sent: bytes, mark: bytes
    ) -> bool:
        pointer = self._below(frame, sent)
        is_again = pointer.key in keys
        keys.add(pointer.key)
        name, begin = frame.name + pointer.part, frame.begin + pointer.coded

        return self._open(pointer, name, begin, mark, repeated=is_again)

    def _items(self, frame: _Frame) -> bool:  # noqa: C901 - it runs for each value
        """Read an array up to its end, or to what opens in it that is not flat."""
        document, known, above = self._document, self._known, frame.pointer
        strings, others, most = known.strings, known.others, self._most
        name, begin, frames = frame.name, frame.begin, self._frames
        is_near = len(name) + MOST_PART > known.longest
        while True:
            index = frame.index
            if index and not index % _RUN and self._items_in_a_row(frame):
                continue
            step_of = NEXT_ITEM.match if index else FIRST_ITEM.match
            match = step_of(document, self._at)
            if match is None:
                return False
            if index >= _INDICES:
                raise Unsure
            self._at = match.end()
            string, other, opened = match.group(2, 3, 4)
            if opened is None and string is other:
                self._end()
                return True
            digit = index if index < 10 else 0
            pointer = above.below.get(digit) or known.pointers.item(above, index)
            frame.index = index + 1
            part = b"/%d" % index
            if opened is not None:
                if not self._open_item(pointer, name + part, begin + part, opened):
                    return False
                if frames[-1] is not frame:
                    return True
                continue
            self._kept = self._at
            found = others.get(other) if string is None else strings.get(string)
            if found is None or is_near or not pointer.is_sure:
                found = self.look(pointer, name, string, other, part)
                if found is None:
                    continue
            self._coded.append(b'%b%b",%b' % (begin, part, found[0]))
            if len(self._params) < most:
                self._params.append(_new(Param, ("json", name + part, found[1])))

    def _open_item(
        self, pointer: Pointer, name: bytes, begin: bytes, mark: bytes
    ) -> bool:
        if not self._open(pointer, name, begin, mark, repeated=False):
            return False
        inner = self._frames[-1]

        return inner.keys is None or self._members(inner, inner.keys)

    def _items_in_a_row(self, frame: _Frame) -> bool:
        found = self.items_in_a_row(frame.pointer, frame.name, frame.index, self._at)
        if found is None:
            return False
        items, self._at, self._kept, count = found
        self._end_run()
        self.found.append(items)
        frame.index += count

        return True

    def items_in_a_row(
        self, pointer: Pointer, name: bytes, index: int, at: int
    ) -> tuple[Items[str], int, int, int] | None:
        """
        Return plain items of an array, where they end, and how many they are.

        Args:
            pointer, name: of the array.
            index: of the first of them.
            at: where the one before ends.
        """
        # The comma that the next step would begin with stands before them.
        comma = NEXT_COMMA.match(self._document, at)
        match = None if comma is None else ITEMS.match(self._document, comma.end())
        if match is None:
            return None
        sent = match[0][:-1]
        texts = sent.translate(None, _BLANKS)
        items = Items(self.prefix, name, index, texts, pointer.cls)
        ends = match.start() + len(sent), match.start() + len(sent.rstrip(_BLANKS))

        return items, *ends, texts.count(b",") + 1

    def _open(
        self,
        pointer: Pointer,
        name: bytes,
        begin: bytes,
        mark: bytes,
        *,
        repeated: bool,
    ) -> bool:
        if len(self._frames) == DEPTH:
            return False
        is_object, prefix = mark == b"{", self.prefix
        is_told = not is_object or repeated
        if len(name) > SHARED:
            is_told = is_told or EMPTY.match(self._document, self._at) is not None
        if is_told:
            self._kept = self._at
            self._tell(pointer, name, begin, b"{}" if is_object else b"[]")
        if len(name) > SHARED:
            # As in `flatten`: what is below has names of its own, behind the prefix.
            is_secret = pointer.tag is not None
            prefix, name, begin = Prefix(prefix, name, is_secret=is_secret), b"", b""
            pointer = self._known.pointers.root(pointer.tag)
            self._change_prefix(prefix)
        frame = _Frame(pointer, prefix, name, begin, is_object=is_object)
        frame.is_told = is_told
        self._frames.append(frame)

        return True

    def _tell(self, pointer: Pointer, name: bytes, begin: bytes, text: bytes) -> None:
        """Take an array or an object as a value of its own."""
        if not pointer.is_plain or len(name) > self._known.longest:
            self._hand_back(pointer, name, None, text)
            return
        self._coded.append(b'%b",{"json":"%b"}]' % (begin, text))
        if len(self._params) < self._most:
            self._params.append(Param("json", name, JsonText(text)))

    def tell(self, pointer: Pointer, name: bytes, text: bytes) -> None:
        """Hand an array or an object back, as a value that takes a closer look."""
        self._hand_back(pointer, name, None, text)

    def _hand_back(
        self,
        pointer: Pointer,
        name: bytes,
        string: bytes | None,
        other: bytes | None,
    ) -> None:
        self._end_run()
        self.has_others = True
        is_string = string is not None
        value = unescape(string) if string is not None else other or b""
        self.found.append(Member(self.prefix, name, value, is_string, pointer.cls))

    # --- what did not come before

    def look(
        self,
        pointer: Pointer,
        above: bytes,
        string: bytes | None,
        other: bytes | None,
        part: bytes | None = None,
    ) -> _Known | None:
        """
        Return a value as it is kept; None: the member is handed back.

        Raises:
            Unsure: it may say what others are.
        """
        name = above + (pointer.part if part is None else part)
        if string is None:
            found = self._other(pointer, other or b"")
        else:
            found = self._string(pointer, string)
        if found is None or len(name) > self._known.longest:
            self._hand_back(pointer, name, string, other)
            return None

        return found

    def _string(self, pointer: Pointer, string: bytes) -> _Known | None:
        value = unescape(string)
        self.ask(pointer, value)
        if not pointer.is_plain or len(value) > _SHORT:
            return None
        if pointer.is_weak and weak_class(pointer.part[1:], value) is not None:
            return None
        known = self._known
        is_bland = _BLAND.fullmatch(value) is not None
        if not is_bland and len(self._looked_at) < _LOOKED_AT:
            self._looked_at.append(value)
        if not is_bland and known.redactor.value(None, value, pointer.key) is not value:
            return None
        found = self._code(value), value
        if len(self.strings) < _NEW and self._is_silent(value):
            self.strings[string] = found

        return found

    def ask(self, pointer: Pointer, value: bytes) -> None:
        """
        Ask whether a string says something of others.

        Raises:
            Unsure: it may.
        """
        asks = pointer.asks
        if b"$" in value and secret_variables(value, self._classify):
            raise Unsure
        if asks == NO_QUESTION:
            return
        if asks == OF_ALL and not self._is_silent(value):
            raise Unsure
        # What is longer names no items behind it.
        may_name = len(value) <= _NAMING and value.count(b" ") <= 1
        if (pointer.names or may_name) and self._is_classed(value):
            raise Unsure

    def _is_classed(self, value: bytes) -> bool:
        word = value.translate(None, _BETWEEN)
        if word.isalnum() and self._known.is_plain(word):
            return False

        return self._classify(value) is not None

    def _is_silent(self, value: bytes) -> bool:
        """Tell whether a value says nothing of any other, wherever it stands."""
        begin = value[:_SHORT]
        return not (
            b"$" in value
            or b":" in value
            or value == b"Secret"
            or self._is_classed(value)
            or self._is_classed(begin)
            or logs_in(begin)
        )

    def _other(self, pointer: Pointer, text: bytes) -> _Known | None:
        is_plain = _PLAIN_NUMBER.fullmatch(text) is not None
        if not is_plain:
            self.ask_other(pointer, text)
        if not pointer.is_plain or len(text) > _OTHER_BYTES:
            return None
        if pointer.is_weak and weak_class(pointer.part[1:], text) is not None:
            return None
        found = _other(text)
        if is_plain and len(self.others) < _NEW:
            self.others[text] = found

        return found

    def ask_other(self, pointer: Pointer, text: bytes) -> None:
        """Ask whether a scalar of another kind names others; see `ask`."""
        if pointer.names and self._classify(text) is not None:
            raise Unsure

    def _code(self, value: bytes) -> bytes:
        if _NO_CODE.fullmatch(value):
            return b'"%b"]' % value

        return self._known.encode(Param("json", b"", value)).removeprefix(
            b'["json","",'
        )


def _other(text: bytes) -> _Known:
    return b'{"json":"%b"}]' % text, JsonText(text)


class Values:
    """
    Looks at single values of one document, whoever reads it.

    Args:
        known: knows what came before.
    """

    def __init__(self, known: KnownDocuments) -> None:
        self._known = known
        self._scan = _Scan(known, b"")

    def ask(self, pointer: Pointer, string: bytes | None, other: bytes | None) -> int:
        """
        Ask whether a value says what others are; return how many bytes it has.

        Args:
            pointer, string, other: as `look` takes them.

        Raises:
            Unsure: it may.
        """
        value = other or b"" if string is None else unescape(string)
        self._scan.has_others = True
        if string is None:
            self._scan.ask_other(pointer, value)
        else:
            self._scan.ask(pointer, value)

        return len(value)

    def look(
        self,
        pointer: Pointer,
        above: bytes,
        part: bytes,
        string: bytes | None,
        other: bytes | None,
    ) -> tuple[bytes, Value] | Member[str]:
        """
        Return how a param ends with a value, and what it is; or a member to look at.

        Args:
            pointer: what is known of where it stands.
            above: the name of the array or object that it is in.
            part: what is added to that.
            string: as it was sent between its quotes; None where it is none.
            other: a scalar of another kind; None likewise.

        Raises:
            Unsure: it may say what others are.
        """
        scan = self._scan
        found = scan.look(pointer, above, string, other, part)
        if found is not None:
            return found
        member = scan.found.pop()
        if not isinstance(member, Member):
            raise Unsure  # it never is: what is handed back here is a single value

        return member

    def end(self) -> None:
        """Remember what was new: the document is good to its end."""
        self._known.remember(self._scan)
