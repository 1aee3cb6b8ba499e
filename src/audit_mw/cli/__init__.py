# audit-mw: what people type. Each command has a file of its own.
#
# Exit codes, in all commands: 0 found or done, 1 nothing found or damage seen, 2 wrong
# use or a file that cannot be read. Where both of 1 can be, damage is 3: who looks for
# something and finds nothing is to know whether it may have been there.
#
# Only the command that is typed is imported: each needs other parts of the package.
import errno
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["main"]

# Each is in the module of its name. What it is for is said here as its docstring does.
_COMMANDS: Mapping[str, str] = {
    "find": "Print the records that have all that is asked for, by their time.",
    "show": (
        "Print everything of the event EVENT: its records in all streams, all their "
        "values."
    ),
    "describe": (
        "Print what stands in a trail: columns, streams, types, kinds of values, "
        "samples."
    ),
    "query": (
        "Put a question to a trail: SQL, the name of a saved query, or - for "
        "standard input."
    ),
    "export": (
        "Write records in a form that others read: OCSF, ECS, CEF, JSON lines, Parquet."
    ),
    "tail": (
        "Print the last records of TRAIL, in printable ASCII; all else stays coded."
    ),
    "decode": (
        "Write the value of a param in the segment FILE, or in a captured console."
    ),
    "digest": "Print the digest that stands in the trail for a token or a session id.",
    "verify": (
        "Read whole trails; name what is damaged, missing, or contradicts itself."
    ),
    "recover": "Append what killed processes left in their journals.",
    "close": "Compress the segments whose day or hour is over.",
    "expire": "Remove the segments whose day or hour ended longer ago than --keep.",
    "mark": "Put on record what was done to the service.",
    "replay": (
        "Write the request EVENT again, with a gap for each value that was withheld."
    ),
    "doctor": (
        "Look whether a deployment keeps what is promised; say how to mend what "
        "does not."
    ),
}


class _Failure(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        _hold_streams()

        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:  # as of a full disk to which is printed
            if error.errno == errno.EPIPE:  # who read it has gone: click's matter
                raise
            raise _Failure(ascii(str(error))[1:-1]) from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click asks
        return sorted(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click asks
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)

        return command if isinstance(command, click.Command) else None

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        told = [click.Command(name, help=text) for name, text in _COMMANDS.items()]
        click.Group(commands=told).format_commands(ctx, formatter)


def _hold_streams() -> None:
    # The first file that is opened would be standard output, where that was closed.
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Python closes none of these at the end, as none of its own.
            at = os.open(os.devnull, os.O_RDWR)
            mode = "r" if fd == 0 else "w"
            setattr(sys, name, open(at, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays open


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="audit-mw")
def main() -> None:
    """
    Read an audit trail, check it, and keep it.

    \b
    Each command has examples:     audit-mw find --help
    The trail is --trail, else AUDIT_MW_TRAIL, else ./audit-trail.
    To complete words in bash:     eval "$(_AUDIT_MW_COMPLETE=bash_source audit-mw)"
    """
