# audit-mw tail: the last records, and those that come.
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from audit_mw.cli.render import event_lines, head_line
from audit_mw.cli.trail import tell_skipped
from audit_mw.event import STREAMS
from audit_mw.trail.follow import Follower
from audit_mw.trail.reader import Damage
from audit_mw.trail.record import Record, StoredValue

__all__ = ["tail"]

_POLL_SECONDS = 0.2


def _default_trail() -> str:
    return os.environ.get("AUDIT_MW_TRAIL", "audit-trail")


@click.command()
@click.argument(
    "trail",
    type=click.Path(path_type=Path),
    default=_default_trail,
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is appended.")
@click.option(
    "-n", "count", default=10, show_default=True, help="Records to begin with."
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
def tail(trail: Path, count: int, stream: str, *, follow: bool, short: bool) -> None:
    """
    Print the last records of TRAIL, values decoded where that is safe.

    TRAIL is a directory, or the captured text of a console.

    \b
    TRAIL is AUDIT_MW_TRAIL, else ./audit-trail, where it is not given.
        audit-mw tail -f /var/log/shop
        audit-mw tail -n 3 --stream fault
    """
    if not (trail.is_dir() or trail.is_file()):
        raise click.UsageError(
            f"{str(trail)!r} is no directory; name that of a trail, or a file that has "
            "the text of a console"
        )
    follower = Follower(trail, stream)
    render = _short if short else event_lines
    last = deque(follower.poll(), maxlen=max(count, 0))
    damaged = _show(last, render)
    if not follow:
        tell_skipped(follower.skipped)
    while follow:
        time.sleep(_POLL_SECONDS)
        damaged = _show(follower.poll(), render) or damaged
    if damaged:
        raise click.exceptions.Exit(1)


def _short(record: Record) -> Iterator[str]:
    yield head_line(record)


def _show(
    items: Iterable[Record | StoredValue | Damage],
    render: Callable[[Record], Iterator[str]],
) -> bool:
    damaged = False
    for item in items:
        if isinstance(item, Damage):
            click.echo(f"damaged: {item}", err=True)
            damaged = True
        elif isinstance(item, Record):
            for line in render(item):
                click.echo(line)

    return damaged
