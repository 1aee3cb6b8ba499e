# audit-mw: what people type. Each command has a file of its own.
#
# Exit codes, in all commands: 0 found or done, 1 nothing found or damage seen, 2 wrong
# use or a file that cannot be read.
import click

from audit_mw.cli.close import close
from audit_mw.cli.decode import decode
from audit_mw.cli.digest import digest
from audit_mw.cli.expire import expire
from audit_mw.cli.mark import mark
from audit_mw.cli.recover import recover
from audit_mw.cli.tail import tail
from audit_mw.cli.verify import verify

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="audit-mw")
def main() -> None:
    """Read an audit trail, check it, and keep it."""


for _command in (tail, decode, digest, verify, recover, close, expire, mark):
    main.add_command(_command)
