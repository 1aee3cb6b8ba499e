# Tables of SQL that take the records of a trail, for a database of one's own.
from collections.abc import Iterator

from audit_mw.reading.described import columns_of, is_required, kind_of
from audit_mw.trail.record import VALUES, Column

__all__ = ["sql"]


def sql() -> str:
    """Return the statements that make the tables `record` and `stored_value`."""
    return "\n".join(
        (*_table("record", "request"), "", *_table("stored_value", VALUES))
    )


def _table(name: str, stream: str) -> Iterator[str]:
    columns = columns_of(stream)
    yield f"CREATE TABLE {name} ("
    for place, column in enumerate(columns, 1):
        comma = "," if place < len(columns) else ""
        yield f"  {_column(column)}{comma} -- {column.meaning}"
    yield ");"


def _column(column: Column) -> str:
    # Some of the names are words of SQL.
    null = " NOT NULL" if is_required(column) else ""

    return f'"{column.name}" {kind_of(column).sql}{null}'
