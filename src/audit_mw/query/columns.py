# The columns of a record -> types and expressions of SQL.
#
# All is drawn from the tables of `trail/record.py`: a column's type by what decodes it.
# DuckDB's CSV reader takes a segment as it stands: a TAB between, no quotes or escapes.
#
# Rule 1: no comment character. DuckDB cuts a line at one wherever it stands, and a
#         client may send "#".
# Rule 2: what is coded in a record stays coded in a view: it can be printed, compared
#         and joined. `text` and `decode_text` give what was sent.
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from audit_mw.query.duck import literal, name
from audit_mw.trail.encoding import decode_base64, decode_number, decode_time
from audit_mw.trail.params import decode_details, decode_params
from audit_mw.trail.record import COLUMNS, VALUE_COLUMNS, VALUES, Column

__all__ = [
    "MAY_HAVE_REST",
    "Portion",
    "columns_of",
    "read_lines",
    "read_stream",
    "type_of",
]

# Within a string of JSON its quotes would have backslashes before them.
MAY_HAVE_REST = "contains(params::VARCHAR, '[\"rest\",null,{')"

# A buffer is what one thread takes at once: of a few large ones, one thread gets all.
_BUFFER = 8 << 20
_TYPES: Mapping[Callable[[bytes], object], str] = {
    decode_number: "UBIGINT",
    decode_time: "TIMESTAMPTZ",
    decode_params: "JSON",
    decode_details: "JSON",
}


class Portion(NamedTuple):
    """
    Segments of one stream that are read alike.

    Args:
        packing: what they are compressed with, in DuckDB's words; `none` if they are
            not.
        paths: where DuckDB finds them.
        longest: bytes of the longest line that is looked for.
    """

    packing: str
    paths: tuple[Path, ...]
    longest: int


def columns_of(stream: str) -> tuple[Column, ...]:
    """Return the columns of a stream."""
    return VALUE_COLUMNS if stream == VALUES else COLUMNS


def type_of(column: Column) -> str:
    """Return the type that a column has in SQL."""
    return _TYPES.get(column.decode, "VARCHAR")


def read_lines(
    stream: str, portion: Portion, as_text: Collection[str] = frozenset()
) -> str:
    """
    Return the call that reads segments, each column as it stands.

    Args:
        stream, portion: what is read.
        as_text: columns that are taken as a text, whatever they are.
    """
    columns = columns_of(stream)
    types = ", ".join(
        f"{literal(each.name)}: "
        f"{literal('VARCHAR' if each.name in as_text else type_of(each))}"
        for each in columns
    )
    paths = ", ".join(literal(str(path)) for path in portion.paths)
    buffer = max(_BUFFER, 2 * portion.longest)

    return (
        f"read_csv([{paths}], auto_detect=false, header=true, delim='\t', quote='', "
        f"escape='', new_line='\\n', nullstr='-', columns={{{types}}}, "
        f"max_line_size={portion.longest}, buffer_size={buffer}, "
        f"compression={literal(portion.packing)}, filename=true, "
        "hive_partitioning=false, store_rejects=true)"
    )


def read_stream(
    stream: str, portions: Sequence[Portion], as_text: Collection[str] = frozenset()
) -> str:
    """
    Return the query that yields the records of a stream; with no segment, none.

    Args:
        stream, portions: what is read.
        as_text: columns that are texts, whatever they are else.
    """
    columns = columns_of(stream)
    shown = ", ".join(f"{_shown(each)} AS {name(each.name)}" for each in columns)
    parts = [
        f"SELECT {shown} FROM {read_lines(stream, it, as_text)}"  # noqa: S608 - of our table
        for it in portions
    ]

    return "\nUNION ALL ".join(parts) if parts else _nothing(columns)


def _shown(column: Column) -> str:
    it = name(column.name)
    if column.decode is decode_base64:
        return f"coalesce(from_base64(nullif({it}, '\"\"')), ''::BLOB)"
    if type_of(column) == "VARCHAR":  # what is absent is NULL already
        return f"CASE WHEN {it} = '\"\"' THEN '' ELSE {it} END"

    return it


def _nothing(columns: tuple[Column, ...]) -> str:
    def null(column: Column) -> str:
        is_exact = column.decode is decode_base64
        kind = "BLOB" if is_exact else type_of(column)

        return f"NULL::{kind} AS {name(column.name)}"

    return f"SELECT {', '.join(map(null, columns))} WHERE false"
