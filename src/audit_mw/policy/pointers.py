# What the pointer of a JSON member says of it, remembered.
#
# An application is sent the same keys again and again, so what the look for secrets
# makes of a pointer is kept in a tree: a step down for each key, and one for all items
# of an array but the second to the tenth. (`["x", {"factor": 1}]` and its like have one
# of our names in them, so each digit but 0 has a step of its own.)
#
# Rule 1: what a step says is asked of those who say it otherwise: `documents` and the
#         redactor.
# Rule 2: no name that has a secret in it, or stands below a secret one, is remembered.
#         A sibling may say only later that it does: so what one document added is kept
#         when that is at its end, and nothing in it said so, and else taken out again.
# Rule 3: the tree is bounded, and begun anew when it is full.
import re
from collections.abc import Callable

from audit_mw.event import Param
from audit_mw.policy.below import is_mere_key
from audit_mw.policy.documents import class_of_pointer
from audit_mw.policy.names import may_be_weak
from audit_mw.policy.plain import compile_plain
from audit_mw.policy.redaction import Redactor
from audit_mw.wire.json import escape, key_word, names_sibling, unescape

__all__ = [
    "MOST_PART",
    "NO_QUESTION",
    "OF_ALL",
    "OF_CLASS",
    "TELLING",
    "Pointer",
    "Pointers",
    "Unsure",
]

_REMEMBERED = 4096
_KEY_BYTES = 64
MOST_PART = 2 * _KEY_BYTES + 1  # bytes of a step in a name, where it is sure
_INDICES = re.compile(rb"/[0-9]{1,6}(?=/|\Z)")
_MOST_DIGITS = 6  # of an index
_DIGITS = 10
_GLANCED = 11  # bytes of a pointer that is too short for a shape, or anything in base64
_AS_IT_IS = re.compile(rb"[A-Za-z0-9_$~-]*")  # in a record, too
_DIGIT_FIRST = re.compile(rb"/[0-9]")

# What must be known of a string at a pointer: nothing; that it names nothing of a
# class; or that and all else that one member may say of others.
NO_QUESTION, OF_CLASS, OF_ALL = range(3)
# Keys of strings that say what stands elsewhere; `documents.py` knows what.
TELLING = set(
    b"kind method methodname procedure function command action operation".split()
)


class Unsure(Exception):
    """What a document says must be asked of those who look at all of it."""


class Pointer:
    """
    A step in the tree.

    `key` is as it was meant, `part` as it stands in a name, `coded` as that is kept,
    and `end` how a name ends with it. `tag` is the class that all below has by its
    keys, `cls` that of its own value. `is_plain` tells that the name is kept as it is
    and a value goes by its own looks; of an `is_weak` one a class is possible still,
    and an `is_sure` one is neither that nor long. `names` tells whether a value of it,
    string or not, may name a sibling. Of the steps `below` it, by what is sent, `sure`
    has `end` and `part` of those that are, and are sent as they are meant.
    """

    __slots__ = (
        "asks",
        "below",
        "cls",
        "coded",
        "end",
        "first",
        "is_plain",
        "is_sure",
        "is_weak",
        "key",
        "names",
        "part",
        "sure",
        "tag",
    )

    def __init__(self, first: bytes, key: bytes, tag: str | None) -> None:
        self.first = first
        self.key = key
        self.part = first[first.rfind(b"/") :] if first else b""
        self.tag = tag
        self.cls = tag
        self.below: dict[bytes | int, Pointer] = {}
        self.sure: dict[bytes, tuple[bytes, bytes]] = {}
        self.coded = self.end = b""
        self.asks = NO_QUESTION
        self.is_plain = self.is_sure = self.is_weak = self.names = False


class Pointers:
    """
    The tree of all pointers that came.

    Args:
        redactor: decides what is withheld.
        secret_names: further stems that announce a secret.
        encode_param: gives a param as it stands in a record.
    """

    def __init__(
        self,
        redactor: Redactor,
        secret_names: tuple[str, ...],
        encode_param: Callable[[Param], bytes],
    ) -> None:
        self._redactor = redactor
        # The tree is memory enough.
        self._classify = redactor.classify.of_text
        self._is_plain = compile_plain(secret_names).fullmatch
        self._encode = encode_param
        self._root = Pointer(b"", b"", None)
        self._count = 0
        self._new: list[tuple[Pointer, bytes | int, Pointer]] = []
        self._has_more = False  # than that

    @property
    def has_new(self) -> bool:
        """Whether anything was added that may be to be taken out again."""
        return bool(self._new)

    def settle(self) -> None:
        """Keep what was added: it is of a document that is good to its end."""
        self._new, self._has_more = [], False

    def forget_new(self) -> None:
        """Take out what was added since."""
        new, self._new = self._new, []
        if self._has_more:
            self._has_more = False
            self._root, self._count = Pointer(b"", b"", None), 0
            self._redactor.forget_all_clean()
            return
        for above, sent, step in new:
            if above.below.get(sent) is step:
                above.below.pop(sent, None)  # others take out as well
                if isinstance(sent, bytes):
                    above.sure.pop(sent, None)
                self._count = max(0, self._count - 1)  # the tree may be another
            self._redactor.forget_clean(step.first)
            self._redactor.forget_clean(_INDICES.sub(b"/0", step.first))

    def root(self, tag: str | None = None) -> Pointer:
        """Return where names begin; `tag` is the class of all below."""
        if tag is not None:
            return Pointer(b"", b"", tag)
        if self._count >= _REMEMBERED:
            self._root, self._count = Pointer(b"", b"", None), 0

        return self._root

    def below(self, above: Pointer, sent: bytes) -> Pointer:
        """
        Return the step down by a key, as it was sent between its quotes.

        Raises:
            Unsure: any value of such a key names others.
        """
        key = unescape(sent)
        if key_word(key) == b"kty":
            raise Unsure
        first = b"%b/%b" % (above.first, escape(key))
        if self._is_clear(above, key, first):
            step = Pointer(first, key, None)
            step.coded = step.part
            self._ask(step)
            self._take(step)
        else:
            step = Pointer(first, key, above.tag or self._classify(key))
            self._ask(step)
            self._look(step)
        self._note(above, sent, step)
        if len(sent) <= _KEY_BYTES:
            self._remember(above, sent, step)

        return step

    def item(self, above: Pointer, index: int) -> Pointer:
        """Return the step down to an item of an array."""
        digit = index if 0 < index < _DIGITS else 0
        step = Pointer(b"%b/%d" % (above.first, digit), b"", above.tag)
        step.asks = OF_CLASS
        self._look(step)
        self._note(above, digit, step)
        self._remember(above, digit, step)

        return step

    def _note(self, above: Pointer, sent: bytes | int, step: Pointer) -> None:
        # A mere key is kept wherever it stands, but not what is above it.
        is_mere = isinstance(sent, int) or is_mere_key(step.part[1:])
        if len(self._new) >= _REMEMBERED:
            # A document of a megabyte must not be held as a tree of forty.
            self._has_more = True
        elif self._new or not is_mere:
            self._new.append((above, sent, step))

    def _remember(self, above: Pointer, sent: bytes | int, step: Pointer) -> None:
        if self._count < _REMEMBERED and (step.is_plain or self._is_kept(above, step)):
            self._count += 1
            above.below[sent] = step
            if step.is_sure and sent == step.key and isinstance(sent, bytes):
                above.sure[sent] = step.end, step.part

    def _is_kept(self, above: Pointer, step: Pointer) -> bool:
        # The key of a secret, as `password` is, but none below it, which may be one.
        return (
            above.cls is None
            and above.tag is None
            and step.cls is not None
            and isinstance(self._redactor.name(step.cls, step.first), bytes)
        )

    def _is_clear(self, above: Pointer, key: bytes, first: bytes) -> bool:
        # Too short for a shape or a coding, no words of ours in it, none with the key
        # above either, which an index is none of, unless there are only such above; and
        # nothing that gives a value.
        is_item = above.part[1:].isdigit()
        return (
            len(first) <= _GLANCED
            and above.cls is None
            and above.tag is None
            and first.replace(b"/", b"").isalnum()
            and (not is_item or above.first.replace(b"/", b"").isdigit())
            and self._is_plain(above.part[1:] + key) is not None
        )

    def _ask(self, step: Pointer) -> None:
        step.names = names_sibling(step.key)
        if step.part[1:].lower() in TELLING:
            step.asks = OF_ALL
        elif step.names or _DIGIT_FIRST.search(step.first):
            step.asks = OF_CLASS

    def _look(self, step: Pointer) -> None:
        redactor, name = self._redactor, step.part[1:]
        # Also of one that is not plain, for what is below it may be.
        step.coded = step.part
        if not _AS_IT_IS.fullmatch(name):
            coded = self._encode(Param("json", step.part, None))
            step.coded = coded.removeprefix(b'["json","').removesuffix(b'",null]')
        step.cls = step.tag or class_of_pointer(step.first, self._classify)
        if step.cls is not None:
            return
        # An index announces nothing.
        if not (name.isdigit() and len(name) <= _MOST_DIGITS):
            step.is_weak = may_be_weak(name)
            if redactor.class_of("json", name, b"", self._classify) is not None:
                return
        if isinstance(redactor.name(None, _INDICES.sub(b"/0", step.first)), bytes):
            self._take(step)

    def _take(self, step: Pointer) -> None:
        step.end = step.coded + b'",'
        step.is_plain = True
        step.is_sure = not step.is_weak and len(step.part) < MOST_PART
