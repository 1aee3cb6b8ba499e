# Tests of params: a name, or a name with its value, exactly as the client sent them.
#
# Rule 1: a value that is not in the record is found all the same: one that was spilled
#         by its digest and length, and one of a rest of params in that rest.
# Rule 2: what was withheld is not found by its value. For that there is its keyed
#         digest, and who has the key.
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from audit_mw.event import JsonText, Param, Spilled, Upload, Value
from audit_mw.reading.cells import SPILL_OVER, spellings
from audit_mw.trail.params import encode_param

__all__ = ["REST", "ParamTest"]

# Stands in each line some of whose params are in the values stream.
REST = b'["rest",null,{'


@dataclass(frozen=True, slots=True)
class ParamTest:
    """
    A param that is looked for.

    Args:
        name: its exact bytes.
        value: its exact bytes; None: any, or none.
        sources: only of these; none given: of any.
    """

    name: bytes
    value: bytes | None = None
    sources: tuple[str, ...] = ()

    @property
    def may_have(self) -> Callable[[bytes], bool]:
        """Tells of a line whether it may have such a param, or has a rest."""
        begins = [
            _end_of(Param("", name, None)).removesuffix(b"null]")
            for name in spellings(self.name)
        ]
        value = self.value
        if value is None:
            return lambda text: any(each in text for each in begins) or REST in text
        ends = tuple(_ends(value))
        wholes = [(each, tuple(each + end for end in ends)) for each in begins]

        def may_have(text: bytes) -> bool:
            for begin, whole in wholes:
                at = text.find(begin)
                # To look for each whole param would be to go over the line for each.
                while at >= 0:
                    if text.startswith(whole, at):
                        return True
                    at = text.find(begin, at + 1)
            return REST in text

        return may_have

    def matches(self, params: Iterable[Param]) -> bool:
        """Tell whether such a param is among them."""
        names = spellings(self.name)

        return any(
            each.name in names
            and (not self.sources or each.source in self.sources)
            and (self.value is None or _has(each.value, self.value))
            for each in params
        )


def _ends(value: bytes) -> Iterator[bytes]:
    for each in _values(value):
        yield _end_of(Param("", None, each)).removeprefix(b",null,")
    # Of a file what is known by name is the beginning.
    named = _end_of(Param("", None, Upload(value, None, 0, None)))
    yield named.removeprefix(b",null,").partition(b',"type":')[0]


def _end_of(param: Param) -> bytes:
    """Return a param as it stands in a record, without its source."""
    return encode_param(param).removeprefix(b'[""')


def _values(value: bytes) -> tuple[Value, ...]:
    if len(value) <= SPILL_OVER:
        return value, JsonText(value)
    digest = sha256(value).hexdigest()

    return (*spellings(value), JsonText(value), Spilled(len(value), digest))


def _has(found: Value, value: bytes) -> bool:
    if isinstance(found, Upload):
        return found.filename in spellings(value)

    return found in _values(value)
