# What the application adds of its own -> details, redacted, bounded, and as it stands
# in a record: text, whole numbers, lists and mappings.
#
# Rule 1: it is redacted as what a client sends is, by name and by shape; and what was
#         withheld of the request is looked for in it.
# Rule 2: nothing is left out. What is long, or much, goes to the values stream whole.
#
# Other numbers are text: a record holds what was said, to the last digit.
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from audit_mw.event import Text
from audit_mw.policy.redaction import Redactor
from audit_mw.policy.remembered import Known
from audit_mw.said import Own
from audit_mw.spilling import Spilling

__all__ = ["AppDetails", "octets"]

_DEPTH = 8
_LARGE = 1 << 63  # from here on readers have no number for it
_KEY = 64
_PLAIN = re.compile(rb"[a-z_]{1,32}")
# Modules whose objects are what their text says.
_TELLING = {"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"}


class AppDetails:
    """
    Makes details of what the application adds.

    Args:
        redactor: decides what is withheld.
        spilling: takes what is long.
        secrets: what was withheld of the request.
        encode: gives a mapping as it stands in a record.
    """

    def __init__(
        self,
        redactor: Redactor,
        spilling: Spilling,
        secrets: Known,
        encode: Callable[[Mapping[str, object]], bytes],
    ) -> None:
        self._redactor = redactor
        self._spilling = spilling
        self._secrets = secrets
        self._encode = encode

    def text(self, said: object) -> Text:
        """Return a text as it may be kept, a long one spilled."""
        text = octets(said)
        own = isinstance(said, Own)

        return self._spilling.bound(
            self._redactor.text(text) if own else self._shown(text)
        )

    def url(self, said: object) -> Text:
        """Return an address as it may be kept, without what is secret in one."""
        return self._spilling.bound(
            self._redactor.said(octets(said), self._secrets, is_url=True)
        )

    def maybe_text(self, said: object) -> Text | None:
        """Return a text as it may be kept; None stays."""
        return None if said is None else self.text(said)

    def _shown(self, text: bytes) -> Text:
        return self._redactor.said(text, self._secrets)

    def fit(self, name: str, value: object, most: int) -> object:
        """
        Return a value of details, or where it is longer than `most` its place; None
        where there is nothing.

        Args:
            name: as which it is said; a secret's name withholds it.
            value: whatever the application gave.
            most: bytes that it may have in a record.

        Raises:
            TypeError: something in it has no text that would mean anything later.
            ValueError: it is nested too deep.
        """
        return self.bound(name, self.value(name, value), most) if value else None

    def bound(self, name: str, told: object, most: int) -> object:
        """Return what `value` gave, or its place where it is longer than `most`."""
        if not told:
            return None
        coded = self._encode({name: told})

        return told if len(coded) <= most else self._spilling.place(coded)

    def value(self, name: str, value: object) -> object:
        """Return a value as `fit` does, however long it is."""
        return self._value(octets(name), value, 0)

    def named(self, details: Mapping[str, object]) -> dict[str, object]:
        """
        Return what is said by keywords, as `value` does.

        A name that is a plain word is the application's own: what a client chose for a
        password does not blank it out.
        """
        return self._mapping(details, 0, b"", shown=self._shown_name)

    def _shown_name(self, name: bytes) -> Text:
        return name if _PLAIN.fullmatch(name) else self._shown(name)

    def _value(self, name: bytes, value: object, depth: int) -> object:
        if depth > _DEPTH:
            where = name.decode(errors="replace")
            raise ValueError(f"{where!r:.99}: nested deeper than {_DEPTH}")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Mapping):
            cls = self._redactor.class_of("app", name, b"")
            return self._mapping(value, depth, name if cls else b"")
        if isinstance(value, (list, tuple, set, frozenset)):
            pair = self._pair(value, depth) if _is_pair(value) else None
            return pair or [self._value(name, each, depth + 1) for each in value]

        return self._single(name, value)

    def _single(self, name: bytes, value: object) -> object:
        cls = self._redactor.class_of("app", name, octets(value))
        if cls is not None:
            return (self._redactor.hole(cls, octets(value)),)
        if type(value) is int and -_LARGE <= value < _LARGE:
            shown = self._shown(b"%d" % value)  # it may be a card's number
            return value if isinstance(shown, bytes) else shown

        return self.text(value)

    def _pair(self, value: Any, depth: int) -> object:
        """Return a name and its value, as headers have them; None if no secret's."""
        name, item = value
        if self._redactor.class_of("app", octets(name), b"") is None:
            return None

        return [self.text(name), self._value(octets(name), item, depth + 1)]

    def _mapping(
        self,
        value: Mapping[Any, object],
        depth: int,
        secret: bytes,
        shown: Callable[[bytes], Text] | None = None,
    ) -> dict[str, object]:
        told: dict[str, object] = {}
        named = _named_by(value)
        for key, item in value.items():
            name = octets(key)
            # Below a secret's name all is secret: {"password": {"new": ...}}. And a
            # member may tell what another one is called.
            of = named if named and name.lower() in _GIVES_VALUE else name
            made = self._value(secret or of, item, depth + 1)
            kept = (shown or self._shown)(name)
            called = _key(kept)
            if called is None or called in told:
                # A key of a record has no holes: both stand as what is kept there.
                told[_free(told)] = [self._spilling.bound(kept), made]
            else:
                told[called] = made

        return told


# {"name": "password", "value": ...}, as forms and headers are often held.
_GIVES_NAME, _GIVES_VALUE = ("name", "key", "field"), (b"value", b"data", b"content")


def _named_by(value: Mapping[Any, object]) -> bytes:
    """Return how the members say what the value is called; empty if they do not."""
    names = [
        item
        for key, item in value.items()
        if isinstance(key, str) and key.lower() in _GIVES_NAME
    ]

    return octets(names[0]) if names and isinstance(names[0], (str, bytes)) else b""


def _is_pair(value: Collection[object]) -> bool:
    pair = list(value) if isinstance(value, (list, tuple)) else []

    return len(pair) == 2 and isinstance(pair[0], (str, bytes))


def _free(told: Mapping[str, object]) -> str:
    number = len(told)
    while f"key {number}" in told:
        number += 1

    return f"key {number}"


def _key(shown: Text) -> str | None:
    """Return the key of a record that stands for a text, if one can."""
    with suppress(UnicodeDecodeError):
        if isinstance(shown, bytes) and len(shown) <= _KEY:
            return shown.decode(errors="surrogatepass")

    return None


def octets(said: object) -> bytes:
    """
    Return the text of `said`.

    Raises:
        TypeError: it is an object whose text would tell nothing, or too much.
    """
    if isinstance(said, Enum):
        said = said.value
    if isinstance(said, (bytes, bytearray, memoryview)):
        return bytes(said)
    if isinstance(said, str):
        return _coded(said)
    if isinstance(said, bool) or said is None:
        return str(said).encode()
    if isinstance(said, int):
        # str() refuses one of some thousand digits.
        return hex(said).encode() if abs(said) >= 1 << 1024 else b"%d" % said
    if isinstance(said, (float, complex)) or _tells(said):
        return _coded(str(said))
    kind = type(said).__name__

    raise TypeError(
        f"a {kind} cannot be recorded: say what of it is to be, as text, number, "
        "list or mapping"
    )


def _coded(text: str) -> bytes:
    with suppress(UnicodeEncodeError):
        # Bytes that are no UTF-8, as Python has them in a text.
        return text.encode(errors="surrogateescape")

    return text.encode(errors="surrogatepass")


def _tells(said: object) -> bool:
    return any(
        base.__module__.partition(".")[0] in _TELLING for base in type(said).__mro__
    )
