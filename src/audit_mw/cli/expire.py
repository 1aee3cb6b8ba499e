# audit-mw expire: remove the segments that are old.
import re
from pathlib import Path

import click

from audit_mw.cli.render import shown_path
from audit_mw.cli.trail import failing, trail_option
from audit_mw.upkeep.expire import LEAST_DAYS, expirable, expire_trail

__all__ = ["expire"]

_DAYS = re.compile(r"([0-9]{1,6})d")


def _days(_context: click.Context, _option: click.Parameter, value: str) -> int:
    match = _DAYS.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!a} is no number of days, such as 400d")

    return int(match[1])


@click.command()
@trail_option
@click.option(
    "--keep",
    "days",
    required=True,
    metavar="DAYS",
    callback=_days,
    help="How long segments are kept, such as 400d.",
)
@click.option("--force", is_flag=True, help=f"Keep less than {LEAST_DAYS}d.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
def expire(trail: Path, days: int, *, force: bool, dry_run: bool) -> None:
    """
    Remove the segments whose day or hour ended longer ago than --keep.

    \b
    Each is put on record in the stream `system` before it is removed. The newest of a
    stream stays, and so does what has no date in its name.
        audit-mw expire --trail /var/log/shop --keep 400d
    """
    if days < LEAST_DAYS and not force:
        raise click.UsageError(
            f"--keep {days}d is less than {LEAST_DAYS}d; say --force if that is meant"
        )
    with failing():
        if dry_run:
            for path in expirable(trail, days):
                click.echo(f"would remove {shown_path(path)}")
        else:
            for expired in expire_trail(trail, days):
                click.echo(f"removed {shown_path(expired.segment)}")
