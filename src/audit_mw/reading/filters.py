# What is looked for in a trail, compiled once.
#
# A line is tested in steps, the cheapest first: bytes that must stand in it, then its
# cells as they stand there, and only of what is left the params are decoded. So a
# filter goes over most lines at the speed at which bytes are searched.
#
# Rule: a step may let pass what is none, but never holds back what is one; the last
#       step is exact.
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from audit_mw.errors import DamagedRecord
from audit_mw.event import Hole, Param, Rest
from audit_mw.reading.cells import CellTest
from audit_mw.reading.params import REST, ParamTest
from audit_mw.trail.merging import Found
from audit_mw.trail.params import decode_params
from audit_mw.trail.reader import Damage, find_values
from audit_mw.trail.record import COLUMNS

__all__ = ["Filter"]

_Rests = dict[tuple[Path, str], bytes]
_Tell = Callable[[Damage], None]
# Stands in each line of which a detail may be in the values stream.
_SPILLED_DETAIL = b'":"%{'
# Records whose rests are looked up together: each may have some MiB.
_AT_ONCE = 16
_PARAMS = next(place for place, each in enumerate(COLUMNS) if each.name == "params")


@dataclass(frozen=True, slots=True)
class Filter:
    """
    What a record must have to be found: all of it.

    Args:
        cells: tests of cells.
        params: each of these params.
        digests: one of these keyed digests, anywhere.
    """

    cells: Sequence[CellTest] = ()
    params: Sequence[ParamTest] = ()
    digests: Collection[str] = ()
    _fixed: tuple[tuple[bytes, ...], ...] = field(init=False, repr=False)
    _tests: tuple[Callable[[bytes], bool], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_fixed", tuple(self._needed()))
        tests = tuple(test.may_have for test in self.params)
        object.__setattr__(self, "_tests", tests)

    def _needed(self) -> Iterator[tuple[bytes, ...]]:
        yield from (test.fixed for test in self.cells if test.fixed)
        if self.digests:
            digests = (digest.encode() for digest in self.digests)
            yield (*digests, REST, _SPILLED_DETAIL)

    @property
    def wanted(self) -> Callable[[bytes], bool] | None:
        """Tells of a line whether `select` is to be asked of it; None: always."""
        if not self.cells and not self._fixed and not self._tests:
            return None
        if len(self._tests) == 1 and not self._fixed and not self.cells:
            return self._tests[0]

        return self._may_match

    def _may_match(self, text: bytes) -> bool:
        for words in self._fixed:
            for word in words:
                if word in text:
                    break
            else:
                return False
        for may_have in self._tests:
            if not may_have(text):
                return False
        if not self.cells:
            return True
        # Behind the params nothing is asked for, and they are most of the line.
        cells = text.split(b"\t", _PARAMS)
        for test in self.cells:
            if len(cells) > test.place and not test.accepts(cells[test.place]):
                return False

        return True

    @property
    def is_decoding(self) -> bool:
        """Whether `select` looks at what a record means."""
        return bool(self.params or self.digests)

    def select(
        self, records: Iterable[Found], tell: _Tell | None = None
    ) -> Iterator[Found]:
        """
        Yield of the records that `wanted` let pass those that are looked for.

        Args:
            records: in any order.
            tell: is given what is wrong where something of a record, that did not fit
                it, was looked for and not found.
        """
        if not self.is_decoding:
            yield from records
            return
        left = iter(records)
        while some := list(islice(left, _AT_ONCE)):
            left_over = [found for found in some if not self._has(found, {})]
            rests = _load_rests(left_over, self._named, tell)
            yield from (found for found in some if self._has(found, rests))

    def _has(self, found: Found, rests: _Rests) -> bool:
        return self._has_digest(found, rests) and self._has_params(found, rests)

    def _named(self, found: Found) -> Iterator[str]:
        """Yield the digests of what is to be looked up for a record."""
        yield from _rests_of(found)
        if self.digests:
            yield from _details_of(found)

    def _has_params(self, found: Found, rests: _Rests) -> bool:
        params = found.record.event.params
        missing = [test for test in self.params if not test.matches(params)]
        rest = list(_rest_of(found, rests)) if missing else []

        return all(test.matches(rest) for test in missing)

    def _has_digest(self, found: Found, rests: _Rests) -> bool:
        texts = (found.text, *_texts(found, rests, self._named(found)))
        words = [digest.encode() for digest in self.digests]

        return not words or any(word in text for text in texts for word in words)


def _load_rests(
    records: Iterable[Found],
    named: Callable[[Found], Iterable[str]],
    tell: _Tell | None,
) -> _Rests:
    """Look up what did not fit the records: the values stream is read through once."""
    wanted: dict[Path, set[str]] = {}
    for found in records:
        for digest in named(found):
            wanted.setdefault(found.trail, set()).add(digest)

    rests: _Rests = {}
    for trail, digests in wanted.items():
        damages = list[Damage]()
        found_there = find_values(trail, digests, damages)
        rests |= {(trail, digest): text for digest, text in found_there.items()}
        # Else a record whose rest is damaged would be one that has no such param.
        if tell is not None:
            for each in damages:
                tell(each)

    return rests


def _rests_of(found: Found) -> Iterator[str]:
    for param in found.record.event.params:
        if isinstance(param.value, Rest):
            yield param.value.sha256


def _details_of(found: Found) -> Iterator[str]:
    # What an application says at length goes whole, with the digests that are in it.
    for value in found.record.event.details.values():
        if isinstance(value, tuple):
            for part in value:
                if isinstance(part, Hole) and part.sha256 is not None:
                    yield part.sha256


def _texts(found: Found, rests: _Rests, digests: Iterable[str]) -> Iterator[bytes]:
    for digest in digests:
        if (found.trail, digest) in rests:
            yield rests[found.trail, digest]


def _rest_of(found: Found, rests: _Rests) -> Iterator[Param]:
    for coded in _texts(found, rests, _rests_of(found)):
        # Its digest fits, so `verify` tells more of it than we could.
        with suppress(DamagedRecord):
            yield from decode_params(coded)
