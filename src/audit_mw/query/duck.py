# The one place that knows whether DuckDB is there, and how it is started and locked.
#
# Rule 1: what a question says is a stranger's word, for questions are passed on. Its
#         DuckDB reads the files that were chosen before and no other, loads nothing,
#         and cannot be told otherwise.
# Rule 2: what outgrows the memory goes to a directory of ours, never beside the trail.
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, NamedTuple

from audit_mw.errors import AuditError

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection
else:
    try:
        import duckdb
    except ImportError:  # said when it is needed
        duckdb = None

__all__ = [
    "Limits",
    "MissingDuckDB",
    "WrongQuestion",
    "connect",
    "failures",
    "is_one_select",
    "literal",
    "lock",
    "name",
]

# Before anything is read: extensions are what is linked in, and no more.
_SHARE = 4  # of the free disk, one part
_START: Mapping[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "TimeZone": "UTC",
    "preserve_insertion_order": False,
    # Else a name that is no view is looked for among the variables of Python.
    "python_enable_replacements": False,
    "enable_progress_bar": True,
    "enable_progress_bar_print": False,
}


class MissingDuckDB(AuditError):
    """DuckDB is not installed."""

    def __init__(self) -> None:
        super().__init__("queries need DuckDB: install audit-mw[query]")


class WrongQuestion(AuditError):
    """A question that is not SQL, that names what is not there, or that would write."""


class Limits(NamedTuple):
    """
    What a question may take.

    Args:
        memory: as DuckDB has it, `1GiB`.
        threads: None for one a CPU.
    """

    memory: str = "1GiB"
    threads: int | None = None


def connect(temporary: Path, limits: Limits) -> "DuckDBPyConnection":
    """
    Return a database in memory.

    Args:
        temporary: the directory for what outgrows the memory.
        limits: what it may take.

    Raises:
        MissingDuckDB: it is not installed.
        WrongQuestion: DuckDB does not know such limits.
    """
    if duckdb is None:
        raise MissingDuckDB
    found = duckdb.connect(":memory:")
    asked = {
        **_START,
        "temp_directory": str(temporary),
        # By default nine tenths: a question must not fill the disk of a trail.
        "max_temp_directory_size": f"{disk_usage(temporary.parent).free // _SHARE}B",
        "memory_limit": limits.memory,
    }
    if limits.threads is not None:
        asked["threads"] = limits.threads
    try:
        for option, value in asked.items():
            found.execute(f"SET {option} = {literal(value)}")
    except duckdb.Error as error:
        found.close()
        raise WrongQuestion(str(error)) from error

    return found


def lock(connection: "DuckDBPyConnection", paths: Iterable[Path]) -> None:
    """Leave these files to be opened and no other; nothing undoes that."""
    allowed = ", ".join(literal(str(path)) for path in paths)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def is_one_select(sql: str) -> bool:
    """
    Tell whether a question is one statement that yields rows.

    Raises:
        WrongQuestion: it is not SQL.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise WrongQuestion(str(error)) from error

    return [each.type for each in statements] == [duckdb.StatementType.SELECT]


def failures() -> type[Exception]:
    """Return what DuckDB raises."""
    if duckdb is None:
        raise MissingDuckDB

    return duckdb.Error


def literal(value: object) -> str:
    """Return a value as SQL has it."""
    if isinstance(value, bool | int):
        return str(value).lower()
    text = str(value).replace("'", "''")

    return f"'{text}'"


def name(word: str) -> str:
    """Return a name as SQL has it, whatever is in it."""
    quoted = word.replace('"', '""')

    return f'"{quoted}"'
