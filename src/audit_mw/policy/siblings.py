# What the pairs of a query or a form say of each other, and the path of its query.
#
# `p` is a page, but a password behind `u=alice`; of GraphQL's `variables` the `query`
# tells which are secret; and in a link that was mailed, `/verify?h=...`, whatever
# looks random is the secret, by whatever name.
#
# JSON that is sent as a form is cut at each "&" in it, also within a secret, and what
# stands behind is then no pair. That ends where the string ends: who types half a
# document as a decoy must not have all that he sends withheld.
import re
from collections.abc import Callable

from audit_mw.policy.documents import secret_variables
from audit_mw.policy.names import OPAQUE, PASSWORD, TOKEN, is_random
from audit_mw.wire.head import Pair

__all__ = ["RELATED", "CutJson", "Siblings", "class_in_link", "is_sibling"]

_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_USERS = set(b"u user username login email".split())


_TOLD_BY_OTHERS = {b"p", b"variables"}
# Pairs of these names tell of each other.
RELATED = frozenset({*_TOLD_BY_OTHERS, *_USERS, b"query"})


def is_sibling(name: bytes) -> bool:
    """Tell whether the class of a value of this name may depend on other pairs."""
    return name.lower() in _TOLD_BY_OTHERS


class Siblings:
    """
    The classes that pairs give to those that follow them.

    Args:
        classify: gives the class of a name.
    """

    def __init__(self, classify: Callable[[bytes], str | None]) -> None:
        self._classify = classify
        self._with_user: set[str] = set()
        self._with_variables: set[str] = set()

    def class_of(self, source: str, pair: Pair) -> str | None:
        """Return the class of a pair, by those of its source before it."""
        name, value = pair.name.lower(), pair.value
        if not value:
            return None
        if name == b"p" and source in self._with_user and not value.isdigit():
            return PASSWORD
        if name == b"variables" and source in self._with_variables:
            return OPAQUE
        if name in _USERS:
            self._with_user.add(source)
        elif name == b"query" and self._has_secrets(value):
            self._with_variables.add(source)

        return None

    def _has_secrets(self, document: bytes) -> bool:
        return b"$" in document and bool(secret_variables(document, self._classify))


def class_in_link(value: bytes | None) -> str | None:
    """Return the class of a value in the query of a link that was mailed."""
    return TOKEN if value and is_random(value) else None


class CutJson:
    """Tells which pieces of one source go on with a secret that an "&" cut."""

    def __init__(self) -> None:
        self._began = self._in_string = self.goes_on = False

    def pass_by(self, pair: Pair, *, has_secret: bool) -> None:
        """Take the next piece, and whether anything of it was withheld."""
        self._began = self._began or pair.name.lstrip()[:1] in (b"{", b"[")
        if not self._began:
            return
        quotes = _ESCAPED.sub(b"", b"%b=%b" % (pair.name, pair.value or b""))
        self._in_string ^= bool(quotes.count(b'"') % 2)
        self.goes_on = self._in_string and (self.goes_on or has_secret)
