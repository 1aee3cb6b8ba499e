# The documentation of a trail, as Markdown.
from collections.abc import Iterable, Iterator

from audit_mw.event import Param
from audit_mw.event_types import type_rows
from audit_mw.reading.described import (
    STREAM_MEANINGS,
    VALUE_KINDS,
    columns_of,
    sample_lines,
)
from audit_mw.trail.params import encode_param
from audit_mw.trail.record import DETAILS, FORMAT, VALUES

__all__ = ["markdown"]

_BEFORE = '["",null,'


def markdown() -> str:
    """Return the columns, streams, types, kinds of values and samples, as tables."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield f"What stands in a trail of format {FORMAT}, from the code that writes it."
    yield from _part("Streams", ("stream", "what"), _coded(STREAM_MEANINGS.items()))
    columns = (
        (str(place), f"`{each.name}`", each.meaning, each.word_of)
        for place, each in enumerate(columns_of("request"), 1)
    )
    yield from _part("Columns", ("#", "column", "what", "whose word"), columns)
    yield from _part("Values in `params`", ("value", "what"), _values())
    yield from _part("Keys of `details`", ("key", "what"), _coded(DETAILS.items()))
    stored = (
        (str(place), f"`{each.name}`", each.meaning)
        for place, each in enumerate(columns_of(VALUES), 1)
    )
    yield from _part("Columns of `values`", ("#", "column", "what"), stored)
    types = (
        (f"`{each.name}`", each.level.replace("|", " or "), each.meaning)
        for each in type_rows()
    )
    yield from _part("Types", ("type", "level", "what"), types)
    yield from ("", "## Samples")
    for what, line in sample_lines():
        yield from ("", f"{what[0].upper()}{what[1:]}:", "")
        yield from ("```text", line.decode().rstrip("\n"), "```")


def _part(
    title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]
) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    for row in (header, tuple("---" for _ in header), *rows):
        yield f"| {' | '.join(row)} |"


def _coded(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((f"`{name}`", meaning) for name, meaning in rows)


def _values() -> Iterator[tuple[str, str]]:
    yield '`"text"`', "what the client sent, coded"
    yield "`null`", "a name without `=`"
    for kind in VALUE_KINDS.values():
        coded = encode_param(Param("", None, kind.sample)).decode()
        yield f"`{coded[len(_BEFORE) : -1]}`", kind.meaning
