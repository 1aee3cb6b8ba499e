# audit-mw decode: the exact bytes of a value, out of a segment.
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from audit_mw.cli.render import quoted, safe, shown_path, shown_value
from audit_mw.cli.telling import tell_damage
from audit_mw.cli.trail import failing, tell_skipped
from audit_mw.errors import DamagedRecord
from audit_mw.event import Event, Hole, JsonText, Param, Rest, Spilled, Text, Value
from audit_mw.trail.params import decode_params
from audit_mw.trail.reader import Damage, Position, find_value, read_segment, trail_of
from audit_mw.trail.record import Record

__all__ = ["decode"]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--param", "name", required=True, help="Name of the param, as sent.")
@click.option("--source", help="query, form, json, cookie, header, ...")
@click.option("--event", "event_id", help="Only of this event.")
@click.option("--nth", default=0, help="Which of several, from 1; all if not given.")
@click.option("--raw", is_flag=True, help="Write the bytes themselves, no line end.")
def decode(  # noqa: PLR0913 - each is an option that a user types
    file: Path,
    name: str,
    source: str | None,
    event_id: str | None,
    nth: int,
    *,
    raw: bool,
) -> None:
    """
    Write the value of a param in the segment FILE, or in a captured console.

    \b
    Without --raw each value is a line that a terminal may show. With it, the bytes
    are written exactly as the client sent them: to a file or a pipe, please.
        audit-mw decode audit-trail/request/2026-11-21.log --param q --raw | xxd
    """
    if not file.is_file():  # a FIFO would be waited for
        raise click.UsageError(f"{shown_path(file)} is no regular file")
    with failing():
        trail, at = trail_of(file), Position()
        found = [
            param
            for record in _records(file, at)
            if event_id in (None, record.event.event)
            for param in _params(trail, record.event)
            if _is_named(param, name) and source in (None, param.source)
        ]
        tell_skipped(at.skipped)
        chosen = found[nth - 1 : nth] if nth else found
        if not chosen:
            raise _Failure(f"no param {name!a} there ({len(found)} found)")
        if raw and len(chosen) > 1:
            raise _Failure(
                f"{len(chosen)} values of {name!a}; choose with --nth or --event"
            )
        for param in chosen:
            exact = _exact(trail, param.value)
            if raw:
                sys.stdout.buffer.write(exact)
            else:
                click.echo(quoted(exact))


def _records(file: Path, at: Position) -> Iterator[Record]:
    for item in read_segment(file, at):
        if isinstance(item, Record):
            yield item
        elif isinstance(item, Damage):
            tell_damage(item)


class _Failure(click.ClickException):
    exit_code = 1


def _params(trail: Path, event: Event) -> Iterator[Param]:
    for param in event.params:
        if isinstance(param.value, Rest):
            rest = find_value(trail, param.value.sha256)
            if rest is None:
                click.echo(f"{param.value.count} params are not in the trail", err=True)
            try:
                yield from decode_params(rest) if rest else ()
            except DamagedRecord as error:
                click.echo(f"damaged: a spilled rest: {error.reason}", err=True)
        else:
            yield param


def _is_named(param: Param, name: str) -> bool:
    return param.name == name.encode(errors="surrogateescape")


def _exact(trail: Path, value: Value) -> bytes:
    if isinstance(value, (bytes, tuple)):
        return b"".join(_exact_parts(trail, value))
    if isinstance(value, JsonText):
        return value.text
    if isinstance(value, Spilled):
        return _stored(trail, value.sha256)
    if value is None:
        raise _Failure("it was sent without a value")

    raise _Failure(f"its value was not kept: {shown_value(value)}")


def _exact_parts(trail: Path, text: Text) -> Iterator[bytes]:
    for part in (text,) if isinstance(text, bytes) else text:
        if not isinstance(part, Hole):
            yield part
        elif part.sha256 is not None:
            yield _stored(trail, part.sha256)
        else:
            raise _Failure(f"a part was withheld: {safe((part,))}")


def _stored(trail: Path, sha256: str) -> bytes:
    stored = find_value(trail, sha256)
    if stored is None:
        raise _Failure(
            f"the values stream of {shown_path(trail)} has no {ascii(sha256)[1:-1]}"
        )

    return stored
