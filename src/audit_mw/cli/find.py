# audit-mw find: the records that somebody looks for, from all segments of all streams.
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from audit_mw.cli.digest import digest_in
from audit_mw.cli.output import pager_option, paint, print_lines
from audit_mw.cli.progress import watching
from audit_mw.cli.render import event_lines, head_line, safe
from audit_mw.cli.telling import Sight
from audit_mw.cli.trail import (
    check_span,
    check_trails,
    failing,
    since_option,
    trails_option,
    until_option,
)
from audit_mw.event import STREAMS
from audit_mw.reading.filters import Filter
from audit_mw.reading.jsonl import json_line
from audit_mw.reading.wishes import begin_of, compile_filter
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.span import Span
from audit_mw.verify.ordinary import Sound

__all__ = ["find"]

_POLL_SECONDS = 0.2
_Command = TypeVar("_Command", bound=Callable[..., object])

# Option, what stands for its value, and what it says.
_WISHES = (
    ("--event", "ID", "Of this event."),
    ("--user", "NAME", "Of this user, exactly."),
    ("--session", "DIGEST", "With this keyed digest of a session id."),
    ("--client", "NETWORK", "From this address, or network: 192.0.2.0/24."),
    ("--path", "GLOB", "With a path like this; * is any bytes, / as well."),
    ("--method", "NAME", "With this method."),
    ("--action", "NAME", "Served by this route, endpoint or view."),
    ("--status", "RANGE", "With this status: 404, 4xx, 500-599."),
    ("--outcome", "NAME", "SUCCESS, FAILURE, ATTEMPT, ERROR, ABORTED."),
    ("--type", "GLOB", "Of this type: request, authn_login_fail, authn_*."),
    ("--instance", "NAME", "Of this process, host:pid:boot."),
    ("--param", "NAME[=VALUE]", "With this param; each that is given."),
    ("--source", "NAME", "Those params from there: query, form, cookie, ..."),
)


def _wish_options(command: _Command) -> _Command:
    for option, stands, says in reversed(_WISHES):
        command = click.option(option, multiple=True, metavar=stands, help=says)(
            command
        )

    return command


@click.command()
@trails_option
@since_option
@until_option
@click.option(
    "-s", "--stream", "streams", multiple=True, type=click.Choice(STREAMS),
    help="Only this stream; all if not given.",
)  # fmt: skip
@_wish_options
@click.option("--coded", is_flag=True, help="--param is given as a record has it.")
@click.option("--secret-stdin", is_flag=True, help="Uses of a secret, read from there.")
@click.option(
    "--format", "form", type=click.Choice(["table", "record", "jsonl"]),
    default="table", show_default=True, help="A line each, all of it, or JSON lines.",
)  # fmt: skip
@click.option("--count", "counts", is_flag=True, help="Print only how many.")
@click.option("--limit", type=click.IntRange(1), help="End after so many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is appended.")
@pager_option
def find(  # noqa: PLR0913 - each is an option that a user types
    trails: Sequence[Path],
    since: int | None,
    until: int | None,
    streams: Sequence[str],
    *,
    form: str,
    limit: int | None,
    coded: bool,
    secret_stdin: bool,
    counts: bool,
    follow: bool,
    no_pager: bool,
    **wishes: Any,
) -> None:
    """
    Print the records that have all that is asked for, by their time.

    \b
    One option given twice is either; different ones are both; each --param counts.
        audit-mw find --since 2h --status 5xx
        audit-mw find --user alice --path '/accounts/*' --format record
        audit-mw find --param amount=100 --param currency=EUR --count
        audit-mw find --client 192.0.2.0/24 --type 'authn_*' --follow
        audit-mw find --secret-stdin < leaked-token

    \b
    A secret is looked for by its keyed digest and never printed; it needs the key, as
    `audit-mw digest` does.

    \b
    Exit codes: 0 found; 1 nothing found; 2 wrong use, or a file that cannot be read;
    3 a damaged line was met, whatever was found. What is damaged is told on standard
    error; what is around it is read.
    """
    check_trails(trails)
    check_span(since, until)
    with failing(), ExitStack() as stack:
        digests = _digests(trails) if secret_stdin else ()
        asked = _compiled(wishes, digests, coded=coded)
        is_plain = counts or form == "jsonl"
        span = Span(_later(since, begin_of(wishes["event"])), until)
        reader = TrailReader(
            trails,
            streams or STREAMS,
            span,
            asked.wanted,
            # To look for params is to decode them.
            is_sound=None if asked.is_decoding or not is_plain else Sound(),
        )
        sight = Sight()
        found = islice(_found(reader, asked, sight, follows=follow), limit)
        # On a terminal the lines themselves say how far it is.
        if not follow and (counts or not sys.stdout.isatty()):
            stack.enter_context(watching()).show("reading", reader.part)
        if counts:
            print_lines([str(sum(1 for _ in found))])
        else:
            lines = (line for each in found for line in _FORMS[form](each))
            # Who follows has no other way to end it.
            with suppress(KeyboardInterrupt) if follow else nullcontext():
                print_lines(lines, pages=not (no_pager or follow))
    sight.end(reader.skipped)


def _later(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def _compiled(wishes: Any, digests: Sequence[str], *, coded: bool) -> Filter:
    try:
        return compile_filter(wishes, digests, coded=coded)
    except ValueError as error:
        raise click.UsageError(safe(str(error).encode())) from error


def _digests(trails: Sequence[Path]) -> tuple[str, ...]:
    # Each trail may have a key of its own.
    if sys.stdin.isatty():
        token = click.prompt("Secret", hide_input=True, err=True).encode()
    else:
        token = sys.stdin.buffer.read().removesuffix(b"\n")
    if not token:
        raise click.UsageError("give the secret on standard input")

    return tuple(digest_in(trail, token) for trail in trails)


def _found(
    reader: TrailReader, asked: Filter, sight: Sight, *, follows: bool
) -> Iterator[Found]:
    while True:
        records = sight.told(reader.read(ends=not follows))
        for found in asked.select(records, sight.tell):
            sight.found += 1
            sight.late += found.is_late
            yield found
        if not follows:
            return
        sys.stdout.flush()
        time.sleep(_POLL_SECONDS)


# --- how they are shown


def _table(found: Found) -> Iterator[str]:
    yield paint(head_line(found.record), found.record.event.outcome)


def _record(found: Found) -> Iterator[str]:
    head, *lines = event_lines(found.record)
    where = f"{found.path}:{found.line}".encode(errors="surrogateescape")
    yield paint(head, found.record.event.outcome)
    yield f"    at {safe(where)}"
    yield from lines


def _jsonl(found: Found) -> Iterator[str]:
    yield json_line(found.text).decode()


_FORMS: dict[str, Callable[[Found], Iterator[str]]] = {
    "table": _table,
    "record": _record,
    "jsonl": _jsonl,
}
