# What a question can name: a view for each stream, `events`, `params`, `spilled`,
# `damaged`; and the functions that say what was sent.
#
# A view is made only where a question names it, for what is named is looked at before.
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from audit_mw.event import STREAMS
from audit_mw.query.columns import MAY_HAVE_REST, Portion, read_stream
from audit_mw.query.duck import name
from audit_mw.query.repeats import once, repeated
from audit_mw.trail.record import VALUES
from audit_mw.trail.span import Span

__all__ = ["FUNCTIONS", "VIEWS", "View", "macros", "needed", "streams_of", "views"]


class View(NamedTuple):
    """A view that is no stream: what it is, and what it is made of."""

    meaning: str
    needs: tuple[str, ...]
    sql: str = ""


# The end of column `params` where more were sent than it takes. No client can type it:
# within a JSON string its quotes would have backslashes before them.
_REST = r'\["rest",null,\{"count":\d+,"len":\d+,"sha256":"([0-9a-f]{64})"\}\]\]$'

_TRIPLES = """
SELECT time, event, stream, client, "user", session, path, place,
  triple ->> 0 AS source,
  triple ->> 1 AS name,
  CASE json_type(triple, '$[2]') WHEN 'VARCHAR' THEN triple ->> 2 END AS value,
  triple -> 2 ->> 'class' AS class,
  (triple -> 2 ->> 'len')::UBIGINT AS len,
  triple -> 2 ->> 'hmac' AS hmac,
  triple -> 2 ->> 'sha256' AS sha256,
  triple -> 2 ->> 'json' AS json,
  triple -> 2 ->> 'filename' AS filename,
  triple -> 2 ->> 'type' AS type,
  (triple -> 2 ->> 'count')::UBIGINT AS count,
  (triple -> 2 ->> 'read')::UBIGINT AS read
FROM (
  SELECT time, event, stream, client, "user", session, path,
    unnest(triples) AS triple, generate_subscripts(triples, 1) + before AS place
  FROM ({of})
)"""

_RECORD_PARAMS = _TRIPLES.format(
    of="""
    SELECT *, from_json(params, '["JSON"]') AS triples, 0 AS before
    FROM events WHERE params <> '[]'"""
)

_REST_PARAMS = _TRIPLES.format(
    of=f"""
    SELECT named.*, from_json(rest, '["JSON"]') AS triples, before
    FROM (
      SELECT *, regexp_extract(params, '{_REST}', 1) AS digest,
        json_array_length(params) AS before
      FROM events WHERE {MAY_HAVE_REST}
    ) AS named
    JOIN (
      SELECT sha256, any_value(try(decode(value))) AS rest FROM spilled
      GROUP BY sha256
    ) ON digest = sha256"""  # noqa: S608 - of a pattern of ours
)

VIEWS: Mapping[str, View] = {
    "events": View("the records of all streams", STREAMS),
    "record_params": View(
        "params, one a row, as far as they stand in the records",
        ("events",),
        _RECORD_PARAMS,
    ),
    "params": View(
        "all params, one a row; those of a spilled rest as well",
        ("record_params", "spilled"),
        f"FROM record_params UNION ALL ({_REST_PARAMS})",
    ),
    "spilled": View("spilled values, their exact bytes as a BLOB", (VALUES,)),
    "repeated": View(
        "records that stand there as they were written, too: recovered, and counted "
        "by no other view",
        STREAMS,
    ),
    "damaged": View("what was found on the way, and is no record", ()),
}

_MARKED = r"replace(replace(x, '\', '\x5C'), '%{', '\x25{')"
_HEX = "regexp_extract_all(hex(encode(x)), '..')"
_CODE = (
    "CASE WHEN byte BETWEEN '20' AND '7E' AND byte <> '25' "
    "THEN chr(CAST('0x' || byte AS INTEGER)) ELSE '%' || byte END"
)
_CODES = f"list_transform({_HEX}, lambda byte: {_CODE})"
# name(arguments), what it is, what it says.
FUNCTIONS: Sequence[tuple[str, str, str]] = (
    (
        "decode_text(x)",
        rf"try_cast(replace({_MARKED}, '%', '\x') AS BLOB)",
        "the exact bytes that `x` codes, as a BLOB; a mark of ours stays as it is",
    ),
    (
        "text(x)",
        "coalesce(try(decode(decode_text(x))), x)",
        "`x` to be read; what is no UTF-8 stays coded",
    ),
    (
        "coded(x)",
        f"CASE x WHEN '' THEN '' ELSE array_to_string({_CODES}, '') END",
        "what a record has for a text: to compare a column with",
    ),
    (
        "has_mark(x)",
        "contains(x, '%{')",
        "whether a part of `x` is ours: withheld, or spilled; no client can type that",
    ),
)


def macros() -> Iterator[str]:
    """Yield the statements that make the functions."""
    for call, body, _meaning in FUNCTIONS:
        yield f"CREATE MACRO {call} AS {body}"


def needed(sql: str) -> tuple[str, ...]:
    """
    Return the views that a question names, and those of which they are made.

    All, if it names none: it asks what there is.
    """
    known = (*STREAMS, *VIEWS)
    named = [it for it in known if re.search(rf"\b{it}\b", sql, re.IGNORECASE)]

    return tuple(dict.fromkeys(_with_parts(named or known)))


def _with_parts(names: Sequence[str]) -> Iterator[str]:
    for each in names:
        view = VIEWS.get(each)
        if view is not None:
            yield from _with_parts([it for it in view.needs if it in VIEWS])
        yield each


def streams_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the streams that these views are made of."""
    found: dict[str, None] = {}
    for each in names:
        parts = VIEWS[each].needs if each in VIEWS else (each,)
        found |= dict.fromkeys(it for it in parts if it not in VIEWS)

    return tuple(found)


def views(
    names: Sequence[str],
    portions: Mapping[str, Sequence[Portion]],
    span: Span,
    *,
    repeats: bool,
    rests: bool,
) -> Iterator[str]:
    """
    Yield the statements that make these views, in their order.

    Args:
        names: of views.
        portions: of each stream, where its lines are.
        span: only records of this time.
        repeats: some records are there twice.
        rests: some have params that are spilled; else no spilled value is read.
    """
    for each in names:
        sql = _query(each, portions, span, repeats=repeats)
        if each == "params" and not rests:
            sql = "FROM record_params"
        if sql:
            yield f"CREATE VIEW {name(each)} AS {sql}"


def _query(
    each: str,
    portions: Mapping[str, Sequence[Portion]],
    span: Span,
    *,
    repeats: bool,
) -> str | None:
    if each == "spilled":
        return read_stream(VALUES, portions.get(VALUES, ()))
    if each in {"events", "repeated"}:
        every = [part for stream in STREAMS for part in portions.get(stream, ())]
        sql = _within(read_stream(STREAMS[0], every), span)
    elif each in STREAMS:
        sql = _within(read_stream(each, portions.get(each, ())), span)
    else:
        return VIEWS[each].sql
    if each == "repeated":
        return repeated(sql) if repeats else f"FROM ({sql}) WHERE false"

    return once(sql) if repeats else sql


def _within(sql: str, span: Span) -> str:
    bounds = [
        f"time {sign} make_timestamptz({bound})"
        for sign, bound in ((">=", span.since), ("<", span.until))
        if bound is not None
    ]

    return f"FROM ({sql}) WHERE {' AND '.join(bounds)}" if bounds else sql
