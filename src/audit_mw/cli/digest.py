# audit-mw digest: what stands in a trail where a token was.
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from audit_mw.cli.trail import failing, trails_option
from audit_mw.errors import AuditError
from audit_mw.upkeep.digest import digest_of

__all__ = ["digest", "digest_in"]


@click.command()
@trails_option
def digest(trails: Sequence[Path]) -> None:
    """
    Print the digest that stands in the trail for a token or a session id.

    \b
    The token is read from standard input, for arguments are seen by everybody on the
    machine. One LF at its end is not part of it.
        audit-mw digest --trail /var/log/shop < leaked-token
    Of several trails, each of which may have a key of its own, a line for each key.
    It needs the key: AUDIT_MW_KEY, AUDIT_MW_KEY_FILE, else that of the trail.
    """
    token = sys.stdin.buffer.read().removesuffix(b"\n")
    if not token:
        raise click.UsageError("give the token on standard input")
    for found in dict.fromkeys(digest_in(trail, token) for trail in trails):
        click.echo(found)


def digest_in(trail: Path, token: bytes) -> str:
    """
    Return the digest that stands in a trail for a token.

    Raises:
        ClickException: there is no key, or an option is wrong; it says what to do.
    """
    with failing():
        try:
            return digest_of(trail, token)
        except FileNotFoundError as error:
            raise AuditError(
                f"there is no key: {error.filename} is not there; set AUDIT_MW_KEY or "
                "AUDIT_MW_KEY_FILE to that of the service"
            ) from error
