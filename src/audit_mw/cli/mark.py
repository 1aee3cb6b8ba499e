# audit-mw mark: put on record what was done to the service.
from pathlib import Path

import click

from audit_mw.cli.trail import console_option, failing
from audit_mw.upkeep.mark import MARKS, mark_trail

__all__ = ["mark"]


@click.command()
@click.argument("what", type=click.Choice(list(MARKS)))
@console_option
@click.option("--version", metavar="V", help="The version that serves from now on.")
@click.option("--by", metavar="NAME", help="Who answers for it, if not your login.")
@click.option("--note", metavar="TEXT", help="What else there is to say.")
def mark(
    trail: Path, what: str, version: str | None, by: str | None, note: str | None
) -> None:
    """
    Put on record what was done to the service.

    \b
    The record is in the stream `system`: sys_deploy, sys_restart, ... With it goes the
    login of who runs the command.
        audit-mw mark deploy --version 2026.11.1 --trail /var/log/shop
    """
    if what == "deploy" and not version:
        raise click.UsageError("a deployment has a version: --version V")
    with failing():
        try:
            mark_trail(trail, what, version=version, by=by, note=note)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
