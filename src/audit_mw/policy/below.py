# What stands in a name below a secret one: `/tokens/x`, `pin[x]`, `api.key.x`.
#
# There it may be the secret itself, so all goes but what is a mere key. Where the
# secret name ends, one part of it tells, or two that are one name only together
# (`api[key]`, `{"api": {"key": ...}}`, also with an index between them), or all parts
# so far, since the class of a name comes from all of it.
#
# Rule 1: what is below is withheld as far as its bracket or slash. A name without such
#         marks goes on below a dot, a colon or a brace.
# Rule 2: what is taken apart here is never remembered: each part may be a secret.
# Rule 3: the look is linear in the name: where no secret name ended for long, all that
#         follows counts as below one.
import re
from collections.abc import Iterator

from audit_mw.policy.names import OPAQUE, Classifier
from audit_mw.policy.shapes import Span
from audit_mw.wire.query import decode_percent

__all__ = ["Below", "is_mere_key"]

# The segments of a JSON pointer, or of user[name][0], also where that is coded once
# more; and the parts of user.name.
_BETWEEN_SEGMENTS = re.compile(rb"[/\[\]]|%(?:25){0,8}+(?:5[BbDd]|2[Ff])")
_BETWEEN_KEYS = re.compile(rb"/")  # of a JSON pointer
_BETWEEN_PARTS = re.compile(rb"[.:{}]|%(?:25){0,8}+(?:2[Ee]|3[Aa]|7[BbDd])")
_MERE = rb"(?:[A-Za-z_$~-]{1,32}+[0-9]{0,2}+|[0-9]{1,5}+)"
_KEY = re.compile(_MERE)  # a mere one
_ONLY_MERE = re.compile(rb"(?:%b?[/\[\]])*+%b?" % (_MERE, _MERE))
_ONE_PART = re.compile(rb"/[A-Za-z0-9_$~-]*")  # nothing is below it
_TOGETHER = 256  # bytes of parts that may be one name only together


def is_mere_key(key: bytes) -> bool:
    """Tell whether a key stays in a name wherever it stands."""
    return _KEY.fullmatch(key) is not None


class Below:
    """
    Finds what stands in names below secret ones.

    Args:
        classify: gives the class of a name.
    """

    def __init__(self, classify: Classifier) -> None:
        self._classify = classify

    def find(
        self, name: bytes, cls: str | None, *, is_told: bool = False
    ) -> Iterator[Span]:
        """
        Yield the spans of what is below.

        Args:
            name: a name.
            cls: the class of all of it.
            is_told: it is a JSON pointer, of which a sibling said the class: all is
                below that, also what is the name of a secret itself.
        """
        if is_told:
            # The key of an object may have brackets in it, and is one all the same.
            for start, end in _apart(_BETWEEN_KEYS, name, 0, len(name)):
                if _KEY.fullmatch(name, start, end) is None:
                    yield Span(start, end, cls or OPAQUE)
            return
        if _ONLY_MERE.fullmatch(name):
            return
        # A JSON pointer without such a name: others said so, and all is below it.
        # One key alone is withheld by none; of more, the last may be.
        is_pointer = name[:1] == b"/"
        is_one = is_pointer and name.count(b"/") == 1
        classify = self._classify if is_one else self._classify.of_text
        is_below = is_pointer and classify(name) is None
        if is_one and not is_below and _ONE_PART.fullmatch(name):
            return
        look = _Look(self._classify, name, is_pointer=is_pointer)
        for start, end in _apart(_BETWEEN_SEGMENTS, name, 0, len(name)):
            if is_below:
                if _KEY.fullmatch(name, start, end) is None:
                    yield Span(start, end, cls or look.cls)
                continue
            rest = look.rest(start, end)
            is_below = rest is not None
            if rest and not all(_KEY.fullmatch(name, *part) for part in rest):
                yield Span(rest[0][0], rest[-1][1], cls or look.cls)


class _Look:
    """Looks for the end of a secret name, segment by segment."""

    def __init__(self, classify: Classifier, name: bytes, *, is_pointer: bool) -> None:
        self._of_text = classify.of_text
        self._name = name
        self._is_pointer = is_pointer
        self._begin = 0  # of what may be one name together
        self._last = self._last_key = b""
        self.cls = OPAQUE

    def rest(self, start: int, end: int) -> list[tuple[int, int]] | None:
        """Return the parts behind the end of one in a segment; None: none ends."""
        parts = list(_apart(_BETWEEN_PARTS, self._name, start, end))
        for done, part in enumerate(parts, 1):
            if self._ends(*part):
                return parts[done:]
        if self._is_pointer:
            self._begin = start

        return None

    def _ends(self, start: int, end: int) -> bool:
        if end - self._begin > _TOGETHER:
            return True
        part = decode_percent(self._name[start:end])
        cls = self._of_text(part) or self._of_both(part)
        cls = cls or self._of_text(self._name[self._begin : end])
        self._last = part
        if not part.isdigit():
            self._last_key = part
        self.cls = cls or OPAQUE

        return cls is not None

    def _of_both(self, part: bytes) -> str | None:
        # With what stands before it, and with what does but for an index.
        before = {self._last, self._last_key} - {b""}
        found = (self._of_text(b"%b.%b" % (first, part)) for first in before)

        return next(filter(None, found), None)


def _apart(
    between: re.Pattern[bytes], name: bytes, start: int, end: int
) -> Iterator[tuple[int, int]]:
    for mark in between.finditer(name, start, end):
        if start < mark.start():
            yield start, mark.start()
        start = mark.end()
    if start < end:
        yield start, end
