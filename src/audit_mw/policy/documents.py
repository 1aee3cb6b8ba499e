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
from audit_mw.wire.json import Member, Prefix

__all__ = ["retag", "secret_variables"]

Classify = Callable[[bytes], str | None]

_NAME = re.compile(rb"[^\s/,;:]{2,40}(?: [^\s/,;:]{1,20})?")
_ITEM = re.compile(rb"(.*)/[0-9]+", re.DOTALL)

# password: $p, and ($p: Password!)
_ARGUMENT = re.compile(rb"(?<![\w$])(\w{1,64}+)\s{0,8}+:\s{0,8}+\$(\w{1,64}+)")
_VARIABLE = re.compile(rb"\$(\w{1,64}+)\s{0,8}+:\s{0,8}+\[?\s{0,8}+(\w{1,64}+)")
_VARIABLES = b"/variables/"

_METHODS = set(b"method methodname procedure function command action operation".split())
_ARGUMENTS = (b"params", b"args", b"arguments", b"parameters")


def retag(members: Sequence[Member[str]], classify: Classify) -> Iterator[Member[str]]:
    """
    Yield the members of a document, with the classes that their siblings give them.

    Args:
        members: all of them, in order.
        classify: gives the class of a name.
    """
    variables = _secret_variables(members, classify)
    logins = _logins(members, classify)
    kinds = _secret_kinds(members)
    pairs = _Pairs(classify)
    for member in members:
        of_pair = pairs.class_of(member)
        tag = member.tag or of_pair or _of_keys(member.name, classify)
        if tag is None and variables and _VARIABLES in member.name:
            tag = variables.get(member.name.partition(_VARIABLES)[2].partition(b"/")[0])
        if tag is None and logins and (item := _ITEM.match(member.name)):
            tag = PASSWORD if (member.prefix, item[1]) in logins else None
        if tag is None and kinds:
            below = (member.prefix, member.name.rpartition(b"/")[0])
            tag = TOKEN if below in kinds else None
        yield member if tag is member.tag else member._replace(tag=tag)


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


def _of_keys(pointer: bytes, classify: Classify) -> str | None:
    # {"api": {"key": x}}: two keys that are one name.
    keys = pointer.split(b"/")
    for above, key in pairwise(keys[1:]):
        cls = None if key.isdigit() else classify(b"%s.%s" % (above, key))
        if cls is not None:
            return cls

    return None


class _Pairs:
    """Arrays in which a string names what follows: [["password", x]]."""

    def __init__(self, classify: Classify) -> None:
        self._classify = classify
        self._prefix: Prefix | None = None
        self._array = b""
        self._cls: str | None = None

    def class_of(self, member: Member[str]) -> str | None:
        item = _ITEM.match(member.name)
        if self._cls is not None and not self._follows(member):
            self._cls = None
        found = self._cls
        if item and member.is_string and _NAME.fullmatch(member.value):
            cls = self._classify(member.value)
            if found is None and cls is not None:
                self._prefix, self._array, self._cls = (
                    member.prefix,
                    item[1] + b"/",
                    cls,
                )

        return found

    def _follows(self, member: Member[str]) -> bool:
        return member.prefix is self._prefix and member.name.startswith(self._array)


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
