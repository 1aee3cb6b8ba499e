# audit-mw export: records in the forms that others read, and on from where it was.
#
# Rule: with a checkpoint each record is in the file once, however often an export was
#       killed and begun again; on standard output it may come again then.
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click

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
from audit_mw.export.cef import cef_line
from audit_mw.export.ecs import ecs_document
from audit_mw.export.ocsf import ocsf_event
from audit_mw.export.parquet import write_parquet
from audit_mw.export.state import (
    State,
    WrongState,
    open_target,
    read_state,
    write_state,
)
from audit_mw.reading.jsonl import json_line
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.span import Span
from audit_mw.verify.ordinary import Sound

__all__ = ["export"]

_BATCH = 5000  # records between two checkpoints
_PARQUET = "parquet"


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


_FORMS: Mapping[str, Callable[[Found], bytes]] = {
    "ocsf": lambda found: _json(ocsf_event(found)),
    "ecs": lambda found: _json(ecs_document(found)),
    "cef": cef_line,
    "jsonl": lambda found: json_line(found.text),
}


class _Place(NamedTuple):
    """Where an export goes, and where it says how far it is."""

    form: str
    out: Path | None
    checkpoint: Path | None


@click.command()
@trails_option
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice([*_FORMS, _PARQUET]),
    help="What to write.",
)
@since_option
@until_option
@click.option(
    "-s", "--stream", "streams", multiple=True, type=click.Choice(STREAMS),
    help="Only this stream; all if not given.",
)  # fmt: skip
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; standard output if not given.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that says how far it is: go on from there.",
)
def export(  # noqa: PLR0913, PLR0917 - each is an option that a user types
    trails: Sequence[Path],
    form: str,
    since: int | None,
    until: int | None,
    streams: Sequence[str],
    out: Path | None,
    checkpoint: Path | None,
) -> None:
    """
    Write records in a form that others read: OCSF, ECS, CEF, JSON lines, Parquet.

    \b
        audit-mw export --to ecs --since 1h | send-to-somebody
        audit-mw export --to ocsf --out shop.jsonl --checkpoint shop.state
        audit-mw export --to parquet --stream request --out requests.parquet

    \b
    With --checkpoint, what was exported is not exported again; run it as often as you
    like. A Parquet file is whole: give each run another --out.

    \b
    Exit codes: 0 done; 1 there was nothing; 2 wrong use, or a file that cannot be read
    or written; 3 a damaged line was met, and is not in the export.
    """
    check_trails(trails)
    check_span(since, until)
    place = _Place(form, out, checkpoint)
    _check(place, trails)
    with failing():
        state = read_state(checkpoint) if checkpoint else None
        if state is not None:
            _check_state(place, state)
        reader = _reader(trails, streams or STREAMS, Span(since, until), state, form)
        sight = Sight()
        records = sight.told(_read(reader, place))
        write = _write_table if form == _PARQUET else _write_lines
        sight.found = write(records, reader, place, state)
    sight.end(reader.skipped)


def _check(place: _Place, trails: Sequence[Path]) -> None:
    if place.form == _PARQUET and place.out is None:
        raise click.UsageError("parquet is written to a file: give --out FILE")
    for path in (place.out, place.checkpoint):
        if path is None:
            continue
        inside = {path.resolve(), *path.resolve().parents}
        if any(trail.resolve() in inside for trail in trails):
            raise click.UsageError(
                f"{str(path)!r} is in the trail: nothing is written there"
            )


def _check_state(place: _Place, state: State) -> None:
    out = None if place.out is None else str(place.out.absolute())
    if place.form != state.form:
        raise WrongState(f"{place.checkpoint} is of an export to {state.form}")
    if place.form != _PARQUET and out != state.out:
        raise WrongState(
            f"{place.checkpoint} is of an export to {state.out or 'standard output'}"
        )


def _reader(
    trails: Sequence[Path],
    streams: Sequence[str],
    span: Span,
    state: State | None,
    form: str,
) -> TrailReader:
    try:
        return TrailReader(
            trails,
            streams,
            span,
            checkpoint=state.reader if state else None,
            # JSON lines are made of the line as it stands.
            is_sound=Sound() if form == "jsonl" else None,
        )
    except ValueError as error:
        raise WrongState(str(error)) from error


def _read(reader: TrailReader, place: _Place) -> Iterator[Any]:
    # By time, where nobody will go on from here.
    return reader.read_appended(ends=False) if place.checkpoint else reader.read()


def _write_lines(
    records: Iterator[Found], reader: TrailReader, place: _Place, state: State | None
) -> int:
    form, count = _FORMS[place.form], 0
    with ExitStack() as stack:
        if state is None:
            _begin(reader, place)
        file = _opened(place, state, stack)
        while batch := list(islice(records, _BATCH)):
            file.write(b"".join(form(found) + b"\n" for found in batch))
            count += len(batch)
            _save(reader, place, file)
        _save(reader, place, file)

    return count


def _begin(reader: TrailReader, place: _Place) -> None:
    """Say that the export is at its start, before its file is there."""
    # Killed between the two, a file without a state would be nobody's, and in the way.
    if place.out is None or place.checkpoint is None:
        return
    if os.path.lexists(place.out):  # a link that leads nowhere as well
        raise WrongState(f"{place.out} is there already; nothing is written")
    out = str(place.out.absolute())
    write_state(place.checkpoint, State(place.form, out, 0, reader.checkpoint()))


def _opened(place: _Place, state: State | None, stack: ExitStack) -> BinaryIO:
    if place.out is None:
        return sys.stdout.buffer
    if place.checkpoint is None:
        return stack.enter_context(place.out.open("xb"))

    return stack.enter_context(open_target(place.out, state))


def _save(reader: TrailReader, place: _Place, file: BinaryIO) -> None:
    file.flush()
    if place.checkpoint is None:
        return
    size, out = 0, None
    if place.out is not None:
        os.fsync(file.fileno())
        size, out = file.tell(), str(place.out.absolute())
    state = State(place.form, out, size, reader.checkpoint())
    write_state(place.checkpoint, state)


def _write_table(
    records: Iterable[Found],
    reader: TrailReader,
    place: _Place,
    _state: State | None,
) -> int:
    if place.out is None:
        return 0
    if place.out.exists():
        raise WrongState(f"{place.out} is there already; nothing is written")
    count, as_text = write_parquet(records, place.out)
    if as_text:
        told = f"{', '.join(as_text)}: text in this file, since a number is too large"
        click.echo(told, err=True)
    if place.checkpoint is not None:
        out = str(place.out.absolute())
        state = State(place.form, out, 0, reader.checkpoint())
        write_state(place.checkpoint, state)

    return count
