# audit-mw recover: append what killed processes left in their journals.
from pathlib import Path

import click

from audit_mw.cli.render import shown_path
from audit_mw.cli.trail import console_option, failing
from audit_mw.upkeep.recover import recover_trail

__all__ = ["recover"]


@click.command()
@console_option
@click.option(
    "--journals",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the journals; AUDIT_MW_JOURNAL_DIR, else .journal in the trail.",
)
@click.pass_context
def recover(context: click.Context, trail: Path, journals: Path | None) -> None:
    """
    Append what killed processes left in their journals.

    \b
    A service does this itself, at its start and every five seconds while it runs. The
    command is for a trail whose service will not run again.
        audit-mw recover --trail /var/log/shop
    With `--trail stdout` the records come on the console of this command.
    Exit code 1: a journal is left, because it cannot be read.
    """
    with failing():
        left = False
        for journal, is_done in recover_trail(trail, journals):
            left = left or not is_done
            problem = journal.problem or "in use by now"
            said = f"{journal.waiting} records recovered" if is_done else problem
            shown = shown_path(journal.path)
            click.echo(f"{shown}: {said}", err=str(trail) == "stdout")
    context.exit(int(left))
