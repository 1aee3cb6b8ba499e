# Questions of tests: what a trail answers.
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from audit_mw.query.duck import Limits
from audit_mw.query.engine import Answer, Question, asked, column
from audit_mw.trail.reader import Damage
from audit_mw.trail.span import Span

__all__ = ["answer", "ask", "asked_of", "damages"]

_ONE = Limits(threads=1)


def ask(
    trail: Path,
    sql: str,
    values: Mapping[str, str] | None = None,
    span: Span = Span(),  # noqa: B008 - it is frozen
    *,
    verify: bool = False,
) -> tuple[list[tuple[Any, ...]], list[Damage]]:
    """Return the rows of an answer, and what was damaged."""
    question = Question(
        sql=sql,
        trails=[trail],
        values=values or {},
        span=span,
        limits=_ONE,
        verify=verify,
    )
    with asked(question) as found:
        rows = list(found.rows([column(at) for at in range(len(found.fields))]))

        return rows, found.damages()


def asked_of(
    trail: Path, sql: str, values: Mapping[str, str]
) -> AbstractContextManager[Answer]:
    """Put a question; its rows are still to be read."""
    return asked(Question(sql=sql, trails=[trail], values=values, limits=_ONE))


def answer(trail: Path, sql: str, **values: str) -> list[tuple[Any, ...]]:
    """Return the rows of an answer; nothing is damaged."""
    rows, found = ask(trail, sql, values)
    assert found == []

    return rows


def damages(trail: Path, sql: str, *, verify: bool = False) -> list[str]:
    """Return what was damaged, without the directory."""
    _, found = ask(trail, sql, verify=verify)

    return [str(each).removeprefix(f"{trail}/") for each in found]
