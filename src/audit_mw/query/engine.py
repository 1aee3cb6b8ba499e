# One question, put to a trail: the segments that it needs are found, DuckDB is given
# them and locked, and the rows come as they are asked for.
#
# Rule 1: a question is one SELECT, and stands in another one: DuckDB lets a WITH at the
#         top write files, segments among them, and there alone.
# Rule 2: values are bound, never pasted.
# Rule 3: what a view could not take as a record is damage, and told.
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from audit_mw.errors import AuditError
from audit_mw.query.duck import (
    Limits,
    WrongQuestion,
    connect,
    failures,
    is_one_select,
    literal,
    lock,
    name,
)
from audit_mw.query.repeats import KEYS, find_repeats
from audit_mw.query.rewriting import Tell
from audit_mw.query.sources import Sources, find_sources
from audit_mw.query.views import macros, needed, streams_of, views
from audit_mw.trail.reader import Damage
from audit_mw.trail.span import Span

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Answer", "Moved", "Question", "asked"]

_BATCH = 1000
_ALWAYS, _LIMITS = Span(), Limits()
_NO_VALUE = "a value that the column cannot have"


class Moved(AuditError):
    """A segment that was renamed, closed or removed while it was asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was renamed or closed meanwhile: ask again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    A question, and to what it is put.

    Args:
        sql: one SELECT.
        values: of its parameters, `$name`.
        trails: directories, or captured consoles.
        span: only records of this time.
        verify: the check of each line is to be looked at.
        out: the one file that may be written.
    """

    sql: str
    trails: Sequence[Path]
    values: Mapping[str, str] = field(default_factory=dict)
    span: Span = _ALWAYS
    limits: Limits = _LIMITS
    verify: bool = False
    out: Path | None = None


class Field(NamedTuple):
    """A column of an answer: its name, and its type in the words of DuckDB."""

    name: str
    type: str


class Answer:
    """
    The answer to a question, until its rows are read.

    `fields` are its columns, `count` the rows that were read so far.
    """

    def __init__(
        self, connection: "DuckDBPyConnection", question: Question, sources: Sources
    ) -> None:
        self._connection = connection
        self._values = dict(question.values)
        self._sources = sources
        self._sql = f"(\n{question.sql.strip().rstrip(';')}\n) AS answer"
        self.fields = self._describe()
        self.count = 0

    def _describe(self) -> list[Field]:
        rows = self._run(f"DESCRIBE FROM {self._sql}").fetchall()

        return [Field(row[0], row[1]) for row in rows]

    def rows(self, shown: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """
        Yield the rows.

        Args:
            shown: an expression for each column of a row, over columns of the names
                that `column` gives.

        Raises:
            WrongQuestion: it cannot be answered.
        """
        names = ", ".join(map(column, range(len(self.fields))))
        sql = f"SELECT {', '.join(shown)} FROM {self._sql}({names})"  # noqa: S608 - rule 1
        found = self._run(sql)
        while rows := self._fetch(found):
            self.count += len(rows)
            yield from rows

    def write_parquet(self, path: Path) -> None:
        """Write the rows to a file."""
        target = f"{literal(path)} (FORMAT parquet, USE_TMP_FILE false)"
        row = self._run(f"COPY (FROM {self._sql}) TO {target}").fetchone()
        self.count = int(row[0]) if row else 0

    def damages(self) -> list[Damage]:
        """Return what is wrong with the lines that were looked at until now."""
        found = list(self._sources.damages)
        try:
            rows = self._connection.execute(_REJECTED).fetchall()
        except failures() as error:
            if "does not exist" in str(error):  # they are made when a file is read
                return found
            raise self._failure(error) from error
        for row in rows:
            path = self._sources.names.get(row[0])
            if path is not None:
                found.append(Damage(path, row[1], row[2], f"{_NO_VALUE}: {row[3]}"))

        return found

    def progress(self) -> float:
        """Return how much of the question is done, of 100; negative: unknown."""
        return self._connection.query_progress()

    def _run(self, sql: str) -> "DuckDBPyConnection":
        try:
            return self._connection.execute(sql, self._values or None)
        except failures() as error:
            raise self._failure(error) from error

    def _fetch(self, found: "DuckDBPyConnection") -> list[tuple[Any, ...]]:
        try:
            return found.fetchmany(_BATCH)
        except failures() as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> AuditError:
        # DuckDB says only that it may not open a link that leads elsewhere by now.
        for link, path in self._sources.names.items():
            if link in str(error):
                return Moved(path)

        return WrongQuestion(str(error))


_REJECTED = """
SELECT DISTINCT file_path, line, line_byte_position, coalesce(column_name, 'all')
FROM reject_errors JOIN reject_scans USING (scan_id, file_id) ORDER BY ALL"""


def column(place: int) -> str:
    """Return the name of a column of an answer, where it is one of a row's."""
    return name(f"column {place}")


@contextmanager
def asked(question: Question, tell: Tell = lambda _: None) -> Iterator[Answer]:
    """
    Put a question.

    Args:
        question: what is asked.
        tell: is told of bytes that were read before the answer.

    Raises:
        WrongQuestion: it is no SELECT, or names what is not there.
        MissingDuckDB: there is none.
        OSError: a segment cannot be read.
        MissingExtra: it is closed, and there is no zstd.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="audit-mw-")))
        connection = connect(directory / "duckdb", question.limits)
        stack.callback(connection.close)
        _check_text(question)
        if not is_one_select(question.sql):
            raise WrongQuestion("a question is one SELECT")
        sources = _prepare(connection, question, directory, tell)
        yield Answer(connection, question, sources)


def _check_text(question: Question) -> None:
    # Bytes of a command line that are no text come as halves of a pair.
    try:
        "".join([question.sql, *question.values.values()]).encode()
    except UnicodeEncodeError as error:
        raise WrongQuestion("a question, and its values, are UTF-8") from error


def _prepare(
    connection: "DuckDBPyConnection", question: Question, directory: Path, tell: Tell
) -> Sources:
    names = needed(question.sql)
    sources = find_sources(
        connection,
        question.trails,
        streams_of(names),
        question.span,
        directory,
        tell,
        verify=question.verify,
        rests="params" in names,
    )
    is_twice = _find_repeats(connection, sources)
    made = views(
        names,
        sources.portions,
        question.span,
        repeats=is_twice,
        rests=sources.has_rests,
    )
    for statement in (*macros(), *made):
        connection.execute(statement)
    _tell_damages(connection, sources.damages)
    with suppress(failures()):  # they are of lines that were read again since
        connection.execute("DELETE FROM reject_errors; DELETE FROM reject_scans")
    lock(connection, [*sources.paths(), *([question.out] if question.out else [])])

    return sources


def _find_repeats(connection: "DuckDBPyConnection", sources: Sources) -> bool:
    """Tell whether records are there twice; which, is in a table then."""
    if not sources.recovered:
        return False
    for statement in find_repeats(sources.portions, sources.recovered):
        connection.execute(statement)

    return connection.execute(f"FROM {KEYS}").fetchone() is not None


def _tell_damages(connection: "DuckDBPyConnection", damages: Sequence[Damage]) -> None:
    connection.execute(
        'CREATE TABLE damaged (file VARCHAR, line UBIGINT, "offset" UBIGINT, '
        "reason VARCHAR)"
    )
    for each in damages:
        path = str(each.path).encode(errors="surrogateescape").decode(errors="replace")
        row = (path, each.line, each.offset, each.reason)
        connection.execute("INSERT INTO damaged VALUES (?, ?, ?, ?)", row)
