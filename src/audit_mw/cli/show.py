# audit-mw show: one event, from all streams, as a person reads it.
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from audit_mw.cli.output import pager_option, print_lines
from audit_mw.cli.telling import Sight
from audit_mw.cli.trail import check_trails, failing, trails_option
from audit_mw.cli.whole import WholeRecord
from audit_mw.reading.stored import load_stored
from audit_mw.reading.wishes import begin_of, compile_filter
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.reader import Damage
from audit_mw.trail.span import Span

__all__ = ["show"]

_AT_ONCE = 100  # records whose values are looked up together
_MOST = 4096


@click.command()
@click.argument("event_id", metavar="EVENT")
@trails_option
@click.option(
    "--whole", is_flag=True, help=f"Values beyond {_MOST} bytes to their end."
)
@pager_option
def show(event_id: str, trails: Sequence[Path], *, whole: bool, no_pager: bool) -> None:
    """
    Print everything of the event EVENT: its records in all streams, all their values.

    \b
        audit-mw show 019aa4f2-35c3-7a1b-8c4d-5e6f70819203
        audit-mw show 019aa4f2-35c3-7a1b-8c4d-5e6f70819203 --trail /var/log/shop

    \b
    A value that did not fit its record is looked up by its digest. What is not
    printable ASCII is written %XX, as in the record, and named below the value.

    \b
    Exit codes: 0 found; 1 there is no such event; 2 wrong use, or a file that cannot be
    read; 3 a damaged line was met, which may have been of it.
    """
    check_trails(trails)
    with failing():
        asked = compile_filter({"event": [event_id]})
        span = Span(begin_of([event_id]))
        reader = TrailReader(trails, span=span, wanted=asked.wanted)
        sight = Sight()
        most = None if whole else _MOST
        print_lines(_lines(sight.told(reader.read()), sight, most), pages=not no_pager)
    sight.end(reader.skipped)


def _lines(records: Iterator[Found], sight: Sight, most: int | None) -> Iterator[str]:
    while some := list(islice(records, _AT_ONCE)):
        whole = WholeRecord(_stored(some, sight), most)
        for found in some:
            sight.found += 1
            yield from whole.lines(found)
            yield ""


def _stored(some: Sequence[Found], sight: Sight) -> dict[str, bytes]:
    stored: dict[str, bytes] = {}
    for trail in dict.fromkeys(found.trail for found in some):
        events = (found.record.event for found in some if found.trail == trail)
        damages = list[Damage]()
        stored |= load_stored(trail, events, damages)
        for each in damages:
            sight.tell(each)

    return stored
