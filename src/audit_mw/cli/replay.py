# audit-mw replay: a request again, as what sends it.
#
# What could not be rebuilt goes to stderr, and stands as a comment before a command or
# a program. Exit code 1: there is no such event, or no whole record of it.
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from audit_mw.cli.render import safe
from audit_mw.cli.trail import check_trails, failing, trails_option
from audit_mw.errors import DamagedRecord
from audit_mw.replay.message import Message, rebuild
from audit_mw.replay.shapes import SHAPES, Filled, fill, message_bytes, too_long
from audit_mw.replay.stored import find_request, load_values

__all__ = ["replay"]

_TO = "http://127.0.0.1:8000"


@click.command()
@click.argument("event_id", metavar="EVENT")
@trails_option
@click.option(
    "--as",
    "shape",
    type=click.Choice(list(SHAPES)),
    default="http",
    show_default=True,
    help="A message, a command for bash, or a program for Python.",
)
@click.option("--to", default=_TO, show_default=True, help="Where to send it.")
@click.option(
    "--fill", "filled", multiple=True, metavar="NAME=VALUE", help="Fill a gap."
)
@click.option("--fill-stdin", "from_stdin", is_flag=True, help="Read NAME=VALUE lines.")
@click.option("--pad", is_flag=True, help="Fill other gaps with x, to their length.")
@click.option("--raw", is_flag=True, help="With --as http: the exact bytes.")
def replay(  # noqa: PLR0913 - each is an option that a user types
    event_id: str,
    trails: Sequence[Path],
    shape: str,
    to: str,
    filled: tuple[str, ...],
    *,
    from_stdin: bool,
    pad: bool,
    raw: bool,
) -> None:
    """
    Write the request EVENT again, with a gap for each value that was withheld.

    A gap shows as {password:6}; stderr names each, for --fill. Nothing is sent.
    A secret that is typed stands in the shell's history: use --fill-stdin.

    \b
        audit-mw replay 019aa4f2-35c3-7a1b-8c4d-5e6f70819203
        audit-mw replay 019aa4f2-... --as curl --to http://127.0.0.1:8000 | bash
        audit-mw replay 019aa4f2-... --as http --raw --pad | nc 127.0.0.1 8000
        audit-mw replay 019aa4f2-... --as httpx --fill form:password=guess > again.py
    """
    if raw and shape != "http":
        raise click.UsageError(
            "--raw is for --as http; the others are exact as they are"
        )
    _check_url(to)
    check_trails(trails)
    with failing():
        message = _message(trails, event_id)
        given = sys.stdin.read().rstrip("\n").split("\n") if from_stdin else []
        values = _values(message, [*filled, *given])
    try:
        request = fill(message, values, pad=pad)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    notes = list(_notes(message, request, shape, to))
    _write(event_id, shape, request, notes, to, raw=raw)


def _message(trails: Sequence[Path], event_id: str) -> Message:
    damaged: DamagedRecord | None = None
    for trail in trails:
        try:
            event = find_request(trail, event_id.strip().lower())
            if event is not None:
                return rebuild(event, load_values(trail, event).get)
        except DamagedRecord as error:
            damaged = damaged or error
    if damaged is None:
        raise _Failure(f"no request {event_id!a} in the trail")
    # It may name a file whose name moves a cursor.
    shown = safe(damaged.reason.encode(errors="surrogateescape"))
    raise _Failure(f"the record is damaged: {shown}") from damaged


def _values(message: Message, given: Iterable[str]) -> dict[str, bytes]:
    names = [gap.name for gap in message.gaps]
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or name not in names:
            known = ", ".join(names) or "none"
            # Not the value: it is a secret.
            raise click.UsageError(f"no gap {name[:64]!a} to fill; there are: {known}")
        found[name] = value.encode(errors="surrogateescape")

    return found


def _notes(message: Message, request: Filled, shape: str, to: str) -> Iterator[str]:
    yield from message.notes
    yield from request.notes
    if shape == "curl":
        yield from too_long(request, to)


def _write(  # noqa: PLR0913 - what was asked for, and what was made of it
    event_id: str, shape: str, request: Filled, notes: list[str], to: str, *, raw: bool
) -> None:
    for note in notes:
        click.echo(f"note: {note}", err=True)
    if raw:
        sys.stdout.buffer.write(message_bytes(request))
        return
    if shape != "http":
        # The name goes where a shell or Python reads it: only what an id has.
        click.echo(f"# event {''.join(c for c in event_id if c.isalnum() or c == '-')}")
        for note in notes:
            click.echo(f"# note: {note}")
    click.echo(SHAPES[shape](request, to))


def _check_url(to: str) -> None:
    is_url = to.startswith(("http://", "https://")) and to.isascii()
    if not is_url or not to.isprintable() or " " in to:
        raise click.UsageError(f"--to {to!a} is no http:// or https:// address")


class _Failure(click.ClickException):
    exit_code = 1
