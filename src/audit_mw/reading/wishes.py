# What people type -> a `Filter`.
#
# Options of one kind widen each other (this status or that), options of different kinds
# narrow; but each param must be there.
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from os import fsencode
from typing import Any

from audit_mw.errors import DamagedRecord
from audit_mw.reading.cells import (
    CellTest,
    in_network,
    is_one_of,
    path_like,
    status_in,
    word_like,
)
from audit_mw.reading.filters import Filter
from audit_mw.reading.params import ParamTest
from audit_mw.trail.encoding import decode_text

__all__ = ["begin_of", "compile_filter", "event_id"]

_UUID7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-.{12}")
_EVENT = re.compile(r"\s*([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\s*")
_OUTCOMES = ("SUCCESS", "FAILURE", "ATTEMPT", "ERROR", "ABORTED")
_SLACK = 86_400_000_000  # a clock may be set back while a request runs


def compile_filter(
    wishes: Mapping[str, Any], digests: Iterable[str] = (), *, coded: bool = False
) -> Filter:
    """
    Return the filter that people mean.

    Args:
        wishes: the words that were given, by the name of the option.
        digests: keyed digests of a secret.
        coded: names and values of params are given as a record has them.

    Raises:
        ValueError: one of them means nothing; the message says what would be right.
    """
    params = [
        _param(text, wishes.get("source") or (), coded=coded)
        for text in wishes.get("param") or ()
    ]

    _check_outcomes(wishes.get("outcome") or ())

    return Filter(list(_cells(wishes)), params, tuple(digests))


def event_id(text: str) -> str:
    """Return an event id as a record has it, however it was copied to here."""
    match = _EVENT.fullmatch(text)

    return match[1].lower() if match else text


def begin_of(events: Iterable[str]) -> int | None:
    """
    Return since when records of events may be, in microseconds since the epoch.

    None: not known. An event id is a UUIDv7, which begins with its time (RFC 9562 5.7).
    """
    matches = [_UUID7.fullmatch(event_id(event)) for event in events]
    times = [int(match[1] + match[2], 16) * 1000 for match in matches if match]
    if not times or len(times) < len(matches):
        return None

    return min(times) - _SLACK


def _cells(wishes: Mapping[str, Any]) -> Iterator[CellTest]:
    if wishes.get("event"):
        yield is_one_of("event", map(fsencode, map(event_id, wishes["event"])))
    for name in ("user", "session", "instance", "action"):
        if wishes.get(name):
            yield is_one_of(name, map(fsencode, wishes[name]))
    for name in ("type", "outcome", "method"):
        if wishes.get(name):
            yield word_like(name, map(_spelling(name), wishes[name]))
    if wishes.get("client"):
        yield in_network(wishes["client"])
    if wishes.get("path"):
        yield path_like(map(fsencode, wishes["path"]))
    if wishes.get("status"):
        yield status_in(_parts(wishes["status"]))


def _check_outcomes(outcomes: Iterable[str]) -> None:
    for each in outcomes:
        # It would be found nowhere, and pass for what never happened.
        if not any(fnmatchcase(known, each.upper()) for known in _OUTCOMES):
            raise ValueError(f"{each!r} is no outcome: give {', '.join(_OUTCOMES)}")


def _spelling(name: str) -> Any:
    return str if name == "type" else str.upper


def _parts(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        yield from word.split(",")


def _param(text: str, sources: Sequence[str], *, coded: bool) -> ParamTest:
    name, equals, value = fsencode(text).partition(b"=")
    exact = _decoded if coded else bytes

    return ParamTest(exact(name), exact(value) if equals else None, tuple(sources))


def _decoded(coded: bytes) -> bytes:
    try:
        text = decode_text(coded)
    except DamagedRecord as error:
        raise ValueError(f"{coded!r}: {error.reason}; a % itself is %25") from error
    if isinstance(text, bytes):
        return text

    raise ValueError(f"{coded!r} has a part that was withheld")
