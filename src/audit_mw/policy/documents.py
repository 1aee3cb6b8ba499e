# What the members of a JSON document say of each other.
#
# A key says what its value is, and the parser tells that of all that is below. Here is
# what no key says by itself: {"api": {"key": x}}, ["password", x], the arguments of a
# remote login, and GraphQL, where the document names an argument and its value stands
# among the variables.
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from audit_mw.policy.names import PASSWORD, TOKEN, logs_in
from audit_mw.wire.json import Items, Member, Prefix

__all__ = ["Classify", "class_of_pointer", "retag", "secret_variables"]

Classify = Callable[[bytes], str | None]

_NAME = re.compile(rb"[^\s/,;:]{2,40}(?: [^\s/,;:]{1,20})?")
_ITEM = re.compile(rb"(.*)/[0-9]+", re.DOTALL)

# password: $p, and ($p: Password!)
_ARGUMENT = re.compile(rb"(?<![\w$])(\w{1,64}+)\s{0,8}+:\s{0,8}+\$(\w{1,64}+)")
_VARIABLE = re.compile(rb"\$(\w{1,64}+)\s{0,8}+:\s{0,8}+\[?\s{0,8}+(\w{1,64}+)")
_VARIABLES = b"/variables/"

_REMEMBERED, _REMEMBERED_BYTES = 1024, 512
# But for one digit: {"2": {"factor": x}} has one of our names.
_INDEX = re.compile(rb"0|[0-9]{2,}+")

_METHODS = set(b"method methodname procedure function command action operation".split())
_ARGUMENTS = (b"params", b"args", b"arguments", b"parameters")


Piece = Member[str] | Items[str]


def retag(
    found: Sequence[Piece], classify: Classify, *, has_indices: bool = False
) -> Iterator[Piece]:
    """
    Yield the members of a document, with the classes that their siblings give them.

    Args:
        found: all of them, in order; plain items may come together.
        classify: gives the class of a name.
        has_indices: a key of digits is an index, and no part of a name.
    """
    members = [it for it in found if isinstance(it, Member)]
    variables = _secret_variables(members, classify)
    logins = _logins(members, classify)
    kinds = _secret_kinds(members)
    pairs = _Pairs(classify)
    keys = _Keys(classify, has_indices=has_indices)
    of_siblings = bool(variables or logins or kinds)
    places = _Places(variables, logins, kinds)
    for member in _apart(found, pairs, whole=not of_siblings):
        if isinstance(member, Items):
            tag = member.tag or keys.class_of(member.above)
            yield member if tag is member.tag else member._replace(tag=tag)
            continue
        told = pairs.class_of(member)
        tag = member.tag or told or keys.class_of(member.name)
        if told is None and of_siblings:
            told = places.class_of(member.prefix, member.name)
        if told is not None:
            yield member._replace(tag=tag or told, is_told=True)
        else:
            yield member if tag is member.tag else member._replace(tag=tag)


def class_of_pointer(pointer: bytes, classify: Classify) -> str | None:
    """Return the class that the keys of a member give it together, two by two."""
    return _Keys(classify, has_indices=True).class_of(pointer)


def _logins(
    members: Iterable[Member[str]], classify: Classify
) -> set[tuple[Prefix | None, bytes]]:
    # {"method": "login", "params": ["alice", x]}: the arrays beside such a method.
    return {
        (member.prefix, above + b"/" + arguments)
        for member in members
        for above, _, key in (member.name.rpartition(b"/"),)
        if member.is_string and key.lower() in _METHODS
        if logs_in(member.value[:64]) or classify(member.value[:64])
        for arguments in _ARGUMENTS
    }


def _secret_kinds(
    members: Iterable[Member[str]],
) -> set[tuple[Prefix | None, bytes]]:
    # {"kind": "Secret", "data": {"any": x}}, as Kubernetes has it.
    return {
        (member.prefix, member.name.removesuffix(b"kind") + data)
        for member in members
        if member.name.endswith(b"/kind") and member.value == b"Secret"
        for data in (b"data", b"stringData")
    }


class _Places:
    """
    Where siblings said that all below is a secret, also behind shared prefixes.

    Args:
        variables: of GraphQL, with their classes.
        logins: arrays, of which the items are what a login takes.
        kinds: objects.
    """

    def __init__(
        self,
        variables: dict[bytes, str],
        logins: set[tuple[Prefix | None, bytes]],
        kinds: set[tuple[Prefix | None, bytes]],
    ) -> None:
        self._variables = variables
        self._logins = logins
        self._kinds = kinds
        self._behind: dict[Prefix, str | None] = {}
        # Siblings come one after the other: what is above the last one.
        self._last: tuple[Prefix | None, bytes, str | None] = None, b"", None

    def class_of(self, prefix: Prefix | None, name: bytes) -> str | None:
        """Return the class of what has this prefix and name."""
        return self._of_prefix(prefix) or self._of_one(prefix, name)

    def _of_prefix(self, prefix: Prefix | None) -> str | None:
        new = []
        while prefix is not None and prefix not in self._behind:
            new.append(prefix)
            prefix = prefix.above
        cls = None if prefix is None else self._behind[prefix]
        for each in reversed(new):
            cls = self._behind[each] = cls or self._of_one(each.above, each.part)

        return cls

    def _of_one(self, prefix: Prefix | None, name: bytes) -> str | None:
        before = b"" if prefix is None else prefix.part[-len(_VARIABLES) + 1 :]
        if self._variables and _VARIABLES in before + name:
            variable = (before + name).partition(_VARIABLES)[2].partition(b"/")[0]
            if variable in self._variables:
                return self._variables[variable]
        if not (self._logins or self._kinds):
            return None
        above, _, key = name.rpartition(b"/")
        if self._last[0] is not prefix or self._last[1] != above:
            self._last = prefix, above, self._of_above(prefix, above)

        return self._last[2] or self._of_key(prefix, above, key)

    def _of_above(self, prefix: Prefix | None, name: bytes) -> str | None:
        while name:
            name, _, key = name.rpartition(b"/")
            if (cls := self._of_key(prefix, name, key)) is not None:
                return cls

        return None

    def _of_key(self, prefix: Prefix | None, above: bytes, key: bytes) -> str | None:
        if prefix is not None and not above:  # the prefix ends with what is asked for
            above = prefix.part
            prefix = prefix.above
        if key.isdigit() and (prefix, above) in self._logins:
            return PASSWORD

        return TOKEN if (prefix, above) in self._kinds else None


def _apart(found: Iterable[Piece], pairs: "_Pairs", *, whole: bool) -> Iterator[Piece]:
    # Plain items say nothing of each other: they stay together where nothing before
    # them says anything of them, either.
    for piece in found:
        if isinstance(piece, Member) or (whole and pairs.passes(piece)):
            yield piece
        else:
            yield from piece.members()


class _Keys:
    """
    Two keys that are one name: {"api": {"key": x}}.

    A pointer says what the one above it says, and then what its last two keys do, also
    with items of an array between them. Of those above some are remembered, since
    siblings come one after the other.
    """

    def __init__(self, classify: Classify, *, has_indices: bool) -> None:
        self._classify = classify
        self._has_indices = has_indices
        self._above: dict[bytes, str | None] = {b"": None}

    def class_of(self, pointer: bytes) -> str | None:
        above, _, key = pointer.rpartition(b"/")
        try:
            cls = self._above[above]
        except KeyError:
            cls = self._of_above(above)
        if cls is not None or not above:
            return cls

        first = above.rpartition(b"/")[2]

        return self._of_two(first, key) or (
            self._of_two(_last_key(above), key) if first.isdigit() else None
        )

    def _of_two(self, first: bytes, key: bytes) -> str | None:
        if key.isdigit() or (self._has_indices and _INDEX.fullmatch(first)):
            return None

        return self._classify(b"%s.%s" % (first, key))

    def _of_above(self, above: bytes) -> str | None:
        cls, last_key = None, b""
        for first, key in pairwise(above.split(b"/")[1:]):
            cls = cls or self._of_two(first, key)
            if first.isdigit():
                cls = cls or self._of_two(last_key, key)
            else:
                last_key = first
        if len(above) <= _REMEMBERED_BYTES:
            if len(self._above) >= _REMEMBERED:
                self._above.clear()
            self._above[above] = cls

        return cls


def _last_key(pointer: bytes) -> bytes:
    # An empty one, if all are indices.
    while (key := pointer.rpartition(b"/")[2]).isdigit():
        pointer = pointer[: -len(key) - 1]

    return key


class _Pairs:
    """Arrays in which a string names what follows: [["password", x]]."""

    def __init__(self, classify: Classify) -> None:
        self._classify = classify
        self._prefix: Prefix | None = None
        self._array = b""
        self._cls: str | None = None
        self._asked: Prefix | None = None  # the last other prefix, and what was found
        self._answer = False

    def class_of(self, member: Member[str]) -> str | None:
        if self._cls is not None and not self._follows(member):
            self._cls = None
        found = self._cls
        if found is None and member.is_string and _NAME.fullmatch(member.value):
            cls = self._classify(member.value)
            item = None if cls is None else _ITEM.match(member.name)
            if item:
                self._prefix, self._array, self._cls = (
                    member.prefix,
                    item[1] + b"/",
                    cls,
                )
                self._asked = member.prefix

        return found

    def passes(self, items: Items[str]) -> bool:
        """Tell whether nothing says what these items are."""
        if self._cls is not None:
            if self._is_behind(items.prefix, items.above + b"/"):
                return False
            self._cls = None

        return True

    def _follows(self, member: Member[str]) -> bool:
        return self._is_behind(member.prefix, member.name)

    def _is_behind(self, prefix: Prefix | None, name: bytes) -> bool:
        if prefix is self._prefix:
            return name.startswith(self._array)
        # Thousands of members may stand behind a thousand prefixes.
        if prefix is not self._asked:
            self._asked, self._answer = prefix, self._has_behind(prefix)

        return self._answer

    def _has_behind(self, prefix: Prefix | None) -> bool:
        name = b""
        while prefix is not None and prefix is not self._prefix:
            name = prefix.part
            prefix = prefix.above

        return prefix is self._prefix and name.startswith(self._array)


def _secret_variables(
    members: Iterable[Member[str]], classify: Classify
) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for member in members:
        if member.is_string and b"$" in member.value:
            found |= secret_variables(member.value, classify)

    return found


def secret_variables(document: bytes, classify: Classify) -> dict[bytes, str]:
    """Return the variables of a document of GraphQL that hold secrets, with classes."""
    pairs = list(_ARGUMENT.findall(document))
    pairs += [(kind, name) for name, kind in _VARIABLE.findall(document)]

    return {
        variable: cls for name, variable in pairs if (cls := classify(name)) is not None
    }
