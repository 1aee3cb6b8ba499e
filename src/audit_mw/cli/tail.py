# audit-mw tail: the last records of trails, and those that come.
#
# Rule: only the segments of the last two days are read, unless these have too few
#       records: of years nobody wants to wait for ten lines. What is damaged in older
#       ones is told by find and verify.
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from heapq import nlargest
from itertools import islice
from pathlib import Path

import click

from audit_mw.cli.output import paint, print_lines
from audit_mw.cli.render import event_lines, head_line, shown_path, word
from audit_mw.cli.telling import Sight
from audit_mw.cli.trail import (
    check_trails,
    default_trail,
    each_once,
    failing,
    followed_trail,
    tell_skipped,
)
from audit_mw.event import STREAMS
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.names import period_of
from audit_mw.trail.reader import segments
from audit_mw.trail.seen import look, open_seen
from audit_mw.trail.span import Span, time_of
from audit_mw.verify.ordinary import Sound

__all__ = ["tail"]

_POLL_SECONDS = 0.2
_END_BYTES = 1 << 20
_NEVER = b"\x7f"  # behind all times
_Shown = Callable[[Found], Iterator[str]]


@click.command()
@click.argument("trails", metavar="[TRAIL]...", type=followed_trail, nargs=-1)
@click.option(
    "--trail", "named", type=followed_trail, multiple=True, help="TRAIL, as elsewhere."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is appended.")
@click.option(
    "-n",
    "count",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Records to begin with.",
)
@click.option(
    "-s",
    "--stream",
    type=click.Choice(STREAMS),
    default="request",
    show_default=True,
    help="Which stream.",
)
@click.option("--short", is_flag=True, help="One line a record.")
def tail(  # noqa: PLR0913 - each is an option that a user types
    trails: Sequence[Path],
    named: Sequence[Path],
    count: int,
    stream: str,
    *,
    follow: bool,
    short: bool,
) -> None:
    """
    Print the last records of TRAIL, in printable ASCII; all else stays coded.

    TRAIL is a directory, or the captured text of a console. Of several the records come
    by their time, and each says of which it is.

    \b
    TRAIL is AUDIT_MW_TRAIL, else ./audit-trail, where it is not given.
        audit-mw tail -f /var/log/shop
        audit-mw tail -f --short /var/log/shop /var/log/bank
        audit-mw tail -n 3 --stream fault

    \b
    With -f a trail may be missing; it is read as soon as it is there. Read are the last
    two days, and all where these have too few records.

    \b
    Exit codes: 0 printed; 1 a damaged line was met, or a segment that cannot be read;
    2 wrong use.
    """
    if not (trails or named):
        named = [followed_trail.convert(default_trail(), None, None)]
    trails = each_once((*trails, *named))
    _check(trails, waits=follow)
    sight = Sight()
    show = _form(short=short, several=len(trails) > 1)
    # Who follows has no other way to end it.
    with failing(), suppress(KeyboardInterrupt) if follow else nullcontext():
        reader, last = _last(trails, stream, count, sight)
        _print(last, show)
        while follow:
            time.sleep(_POLL_SECONDS)
            _print(sight.told(reader.read(ends=False)), show)
    if not follow:
        tell_skipped(reader.skipped)
    if sight.damaged or sight.unreadable:
        raise click.exceptions.Exit(1)


def _check(trails: Sequence[Path], *, waits: bool) -> None:
    for trail in trails:
        if waits and _is_to_come(trail):
            told = f"{shown_path(trail)} is not there yet; it is waited for"
            click.echo(told, err=True)
        else:
            check_trails([trail])


def _is_to_come(trail: Path) -> bool:
    # A directory that is empty is made before the service is started.
    with suppress(OSError):
        return not trail.exists() or (trail.is_dir() and not any(trail.iterdir()))

    return False


class _Younger:
    """Tells whether a line is at least as young as another, by the cell `time`."""

    def __init__(self, cell: bytes) -> None:
        self.cell = cell

    def __call__(self, text: bytes) -> bool:
        return time_of(text) >= self.cell


def _last(
    trails: Sequence[Path], stream: str, count: int, sight: Sight
) -> tuple[TrailReader, deque[Found]]:
    """Return the last records by their time, and a reader that is behind them."""
    recent = _recent(trails, stream)
    guessed = max(_guessed(trails, stream, count), recent.cells[0])
    for opened, cell in (recent, guessed), (Span(), b""):
        younger = _Younger(cell)
        reader = TrailReader(
            trails, [stream], wanted=younger, is_sound=Sound(), opened=opened
        )
        last = deque(sight.told(reader.read(ends=False)), maxlen=count)
        # What comes may have begun long before, and is shown.
        younger.cell = b""
        if len(last) == count:
            break

    return reader, last


def _guessed(trails: Sequence[Path], stream: str, count: int) -> bytes:
    """Return a time since which there are so many records, as far as can be guessed."""
    times = [time for trail in trails for time in _last_times(trail, stream, count)]
    last = nlargest(count, times)

    if not count:
        return _NEVER

    return last[-1] if len(last) == count else b""


def _last_times(trail: Path, stream: str, count: int) -> list[bytes]:
    """Return the times of the last lines; of a console, or an archive, none."""
    with suppress(OSError):  # told by who reads it
        seen = None if trail.is_file() else look(trail, stream)[-1:]
        if not seen or seen[0].is_packed:
            return []
        with open_seen(seen[0]) as (_, file):
            file.seek(max(seen[0].size - _END_BYTES, 0))
            lines = file.read(_END_BYTES).split(b"\n")[1:-1]
            return [time_of(line) for line in lines[-count:] if count]

    return []


def _recent(trails: Sequence[Path], stream: str) -> Span:
    """Return the time from the begin of the newest day or hour on."""
    starts = []
    for trail in trails:
        with suppress(OSError):  # told by who reads it
            periods = (period_of(path.name) for path in segments(trail, stream))
            starts += [period.start for period in periods if period is not None]

    return Span(max(starts) * 1_000_000) if starts else Span()


def _print(records: Iterable[Found], show: _Shown) -> None:
    print_lines(line for found in records for line in show(found))


# --- how they are shown


def _form(*, short: bool, several: bool) -> _Shown:
    if short:
        return _short_of_several if several else _short

    return _long_of_several if several else _long


def _short(found: Found) -> Iterator[str]:
    yield paint(head_line(found.record), found.record.event.outcome)


def _short_of_several(found: Found) -> Iterator[str]:
    for line in _short(found):
        yield f"{line} {word(str(found.trail))}"


def _long(found: Found) -> Iterator[str]:
    yield from _short(found)
    yield from islice(event_lines(found.record), 1, None)


def _long_of_several(found: Found) -> Iterator[str]:
    yield from _short(found)
    yield f"    at {shown_path(found.path)}:{found.line}"
    yield from islice(event_lines(found.record), 1, None)
