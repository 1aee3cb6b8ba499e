# audit-mw digest: what stands in a trail where a token was.
import sys
from pathlib import Path

import click

from audit_mw.cli.trail import failing, trail_option
from audit_mw.upkeep.digest import digest_of

__all__ = ["digest"]


@click.command()
@trail_option
def digest(trail: Path) -> None:
    """
    Print the digest that stands in the trail for a token or a session id.

    \b
    The token is read from standard input, for arguments are seen by everybody on the
    machine. One LF at its end is not part of it.
        audit-mw digest --trail /var/log/shop < leaked-token
    It needs the key: AUDIT_MW_KEY, AUDIT_MW_KEY_FILE, else that of the trail.
    """
    token = sys.stdin.buffer.read().removesuffix(b"\n")
    if not token:
        raise click.UsageError("give the token on standard input")
    with failing():
        click.echo(digest_of(trail, token))
