# audit-mw close: compress the segments whose period is over.
from pathlib import Path

import click

from audit_mw.cli.render import shown_path
from audit_mw.cli.trail import failing, trail_option
from audit_mw.upkeep.close import close_trail

__all__ = ["close"]


@click.command()
@trail_option
def close(trail: Path) -> None:
    """
    Compress the segments whose day or hour is over.

    \b
    Each becomes NAME.log.zst with NAME.index beside, is read back and compared, and is
    put on record in the stream `system`; then the segment is removed. What runs is not
    disturbed. Cut short, it goes on where it was when it is run again.
        audit-mw close --trail /var/log/shop
    """
    with failing():
        for closed in close_trail(trail):
            before, after = closed.facts.bytes, closed.archive.stat().st_size
            shown = shown_path(closed.archive)
            click.echo(f"{shown}: {before} bytes in {after}")
