# audit-mw query: a question in SQL, or a saved one, to a whole trail.
#
# Rule: an answer that is written to a file is there when all of it is; a file that was
#       there before stays as it was until then.
#
# (Longer than 250 lines, since a command is its options and what each of them does.)
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from audit_mw.cli.progress import Progress, watching
from audit_mw.cli.trail import (
    check_span,
    check_trails,
    failing,
    since_option,
    trails_option,
    until_option,
)
from audit_mw.query.duck import Limits
from audit_mw.query.engine import Answer, Question, asked
from audit_mw.query.output import FORMATS, plain, render
from audit_mw.query.saved import saved, values_of
from audit_mw.query.sources import size_of
from audit_mw.query.views import needed, streams_of
from audit_mw.trail.reader import Damage
from audit_mw.trail.span import Span

__all__ = ["query"]

_SHOWN = 20  # damaged lines that are named one by one


def _saved_names(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [
        CompletionItem(each.name, help=each.purpose)
        for each in saved().values()
        if each.name.startswith(incomplete)
    ]


@click.command()
@click.argument("sql", required=False, shell_complete=_saved_names)
@trails_option
@since_option
@until_option
@click.option(
    "--set", "given", multiple=True, metavar="NAME=VALUE", help="Value of $NAME in it."
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, "parquet"]),
    default="table",
    show_default=True,
    help="How the answer is written; parquet needs --out.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the answer; it is replaced when all of it is there.",
)
@click.option("--verify", is_flag=True, help="Look at the check of each line, too.")
@click.option("--memory", default="1GiB", show_default=True, help="At most so much.")
@click.option("--threads", type=click.IntRange(1), help="At most so many; one a CPU.")
@click.option("--list", "listing", is_flag=True, help="Name the saved queries.")
@click.option("--print", "printing", is_flag=True, help="Print the SQL of a saved one.")
def query(  # noqa: PLR0913, PLR0917 - each is an option that a user types
    sql: str | None,
    trails: Sequence[Path],
    since: int | None,
    until: int | None,
    given: Sequence[str],
    form: str,
    out: Path | None,
    memory: str,
    threads: int | None,
    *,
    verify: bool,
    listing: bool,
    printing: bool,
) -> None:
    """
    Put a question to a trail: SQL, the name of a saved query, or - for standard input.

    \b
        audit-mw query --list
        audit-mw query "SELECT status, count(*) FROM request GROUP BY status"
        audit-mw query failed-logins --since 2h
        audit-mw query user-activity --set user=alice --format csv --out alice.csv

    \b
    Exit codes: 0 there are rows; 1 there are none; 2 wrong use, or a file that cannot
    be read; 3 a damaged line was met, whatever the answer is.
    """
    if listing:
        _list()
        return
    check_trails(trails)
    check_span(since, until)
    text, values = _question(sql, _pairs(given))
    if printing:
        click.echo(text)
        return
    if out is not None:
        _check_out(out, trails)
    elif form == "parquet":
        raise click.UsageError("parquet is written to a file: give --out FILE")
    question = Question(
        sql=text,
        values=values,
        trails=trails,
        span=Span(since, until),
        limits=Limits(memory, threads),
        verify=verify,
        out=None if out is None else _beside(out),
    )
    _answer(question, form, out)


def _list() -> None:
    for each in saved().values():
        click.echo(f"{each.name:18} {each.purpose}")
        for it in each.parameters:
            default = "" if it.default is None else f" (default {it.default})"
            click.echo(f"{'':18}   --set {it.name}=  {it.meaning}{default}")


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = dict(each.partition("=")[::2] for each in given)
    if not all("=" in each and each[0] != "=" for each in given):
        raise click.UsageError("--set takes NAME=VALUE")

    return pairs


def _question(
    sql: str | None, given: Mapping[str, str]
) -> tuple[str, Mapping[str, str]]:
    if sql is None:
        raise click.UsageError("give a question, or --list")
    known = saved().get(sql)
    if known is None:
        return (sys.stdin.read() if sql == "-" else _sql(sql)), given
    with failing():
        return known.sql, values_of(known, given)


def _sql(sql: str) -> str:
    if any(not (it.isalnum() or it in "-_") for it in sql):
        return sql

    raise click.UsageError(
        f"{sql!r} is no saved query: {', '.join(saved())}; or give SQL"
    )


def _check_out(out: Path, trails: Sequence[Path]) -> None:
    # One word too many, and an answer would stand where the evidence stood.
    inside = {out.resolve(), *out.resolve().parents}
    if any(trail.resolve() in inside for trail in trails):
        raise click.UsageError(
            f"{str(out)!r} is in the trail: nothing is written there"
        )


def _beside(out: Path) -> Path:
    return out.with_name(f"{out.name}.{os.getpid()}.new").absolute()


def _answer(question: Question, form: str, out: Path | None) -> None:
    with failing(), ExitStack() as stack:
        if question.out is not None:
            stack.callback(question.out.unlink, missing_ok=True)
        progress = stack.enter_context(watching())
        answer = stack.enter_context(asked(question, _looking(question, progress)))
        progress.show("reading", lambda: answer.progress() / 100)
        _write(answer, form, question.out)
        if out is not None and question.out is not None:
            question.out.replace(out)
        damages = answer.damages()
    _tell(damages)
    if damages or not answer.count:
        raise click.exceptions.Exit(3 if damages else 1)


def _looking(question: Question, progress: Progress) -> "_Counter":
    streams = streams_of(needed(question.sql))
    size = size_of(question.trails, streams, question.span)
    counter = _Counter(size * (2 if question.verify else 1))
    progress.show("looking", counter.part)

    return counter


class _Counter:
    def __init__(self, whole: int) -> None:
        self._whole, self._done = whole, 0

    def __call__(self, count: int) -> None:
        self._done += count

    def part(self) -> float:
        return self._done / self._whole if self._whole else -1.0


def _write(answer: Answer, form: str, path: Path | None) -> None:
    if form == "parquet" and path is not None:
        answer.write_parquet(path)
        return
    with ExitStack() as stack:
        file = sys.stdout if path is None else stack.enter_context(path.open("x"))
        for line in render(answer, form, ascii_only=path is None):
            file.write(f"{line}\n")


def _tell(damages: Sequence[Damage]) -> None:
    for each in damages[:_SHOWN]:
        shown = str(each).encode(errors="surrogateescape").decode(errors="replace")
        click.echo(f"damaged: {plain(shown)}", err=True)
    if len(damages) > _SHOWN:
        click.echo(
            f"damaged: {len(damages) - _SHOWN} lines more; the table damaged has them",
            err=True,
        )
