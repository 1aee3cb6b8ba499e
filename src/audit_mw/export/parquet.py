# Records -> one Parquet file, in the types that the views of a query have.
#
# The lines go to a temporary file as they stand, and DuckDB makes columns of them.
#
# Rule: every number is exact. What an application says of its rows may be beyond all
#       that a column of numbers takes; then that column is text in this file, which is
#       said, and all others are what they are.
from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from audit_mw.errors import AuditError
from audit_mw.query.columns import Portion, columns_of, read_lines, read_stream, type_of
from audit_mw.query.duck import Limits, connect, failures, literal, name
from audit_mw.trail.merging import Found
from audit_mw.trail.record import header_line

__all__ = ["NotWritten", "Written", "write_parquet"]

_SHORTEST = 1 << 16


class NotWritten(AuditError):
    """Records that Parquet could not take, or a file that could not be written."""


class Written(NamedTuple):
    """
    What was written.

    Args:
        records: how many.
        as_text: columns that are text, since one of their numbers is too large.
    """

    records: int
    as_text: tuple[str, ...]


def write_parquet(records: Iterable[Found], out: Path) -> Written:
    """
    Write records to a file, which is there when all are in it.

    Args:
        records: of any streams.
        out: is made; one that is there is replaced.

    Raises:
        NotWritten: DuckDB does not read what was written for it.
        MissingDuckDB: there is none.
        OSError: a file cannot be written.
    """
    with TemporaryDirectory(prefix="audit-mw-") as directory:
        lines = Path(directory) / "lines.log"
        count, longest = _write_lines(records, lines)
        new = out.with_name(f"{out.name}.new")
        portion = Portion("none", (lines,), longest)
        try:
            as_text = _copied(Path(directory), portion, new, count) if count else ()
            if count:
                new.replace(out)
        finally:
            new.unlink(missing_ok=True)

    return Written(count, as_text)


def _write_lines(records: Iterable[Found], path: Path) -> tuple[int, int]:
    count, longest = 0, _SHORTEST
    with path.open("xb") as file:
        file.write(header_line("request"))
        for found in records:
            file.write(found.text)
            count, longest = count + 1, max(longest, len(found.text))

    return count, longest


def _copied(
    directory: Path, portion: Portion, new: Path, count: int
) -> tuple[str, ...]:
    """Copy so many records; return the columns that had to be text."""
    written = _copy(directory, portion, new)
    if written == count:
        return ()
    as_text = _too_large(directory, portion)
    written = _copy(directory, portion, new, as_text)
    if written != count:
        raise NotWritten(f"{count - written} of {count} records do not fit")

    return as_text


def _copy(
    directory: Path, portion: Portion, new: Path, as_text: Collection[str] = ()
) -> int:
    sql = read_stream("request", [portion], as_text)
    copied = f"COPY ({sql}) TO {literal(new)} (FORMAT parquet)"
    row = _answer(directory, copied)

    return int(row[0]) if row else 0


def _too_large(directory: Path, portion: Portion) -> tuple[str, ...]:
    """Return the columns of numbers that have one which they do not take."""
    kinds = {it.name: type_of(it) for it in columns_of("request")}
    numbers = [it for it, kind in kinds.items() if kind == "UBIGINT"]
    shown = ", ".join(
        f"bool_or({name(it)} IS NOT NULL AND try_cast({name(it)} AS UBIGINT) IS NULL)"
        for it in numbers
    )
    row = _answer(
        directory,
        f"SELECT {shown} FROM {read_lines('request', portion, numbers)}",  # noqa: S608 - ours
    )

    return tuple(it for it, is_one in zip(numbers, row or (), strict=False) if is_one)


def _answer(directory: Path, sql: str) -> tuple[Any, ...] | None:
    connection = connect(directory / "duckdb", Limits())
    try:
        with connection:
            connection.execute("SET preserve_insertion_order = true")
            return connection.execute(sql).fetchone()
    except failures() as error:
        raise NotWritten(str(error)) from error
