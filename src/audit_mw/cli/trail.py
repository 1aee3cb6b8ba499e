# What the commands about a whole trail have in common: which trail, and how they fail.
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from audit_mw.config import CONSOLES
from audit_mw.errors import AuditError

__all__ = [
    "console_option",
    "failing",
    "tell_skipped",
    "text_option",
    "trail_option",
]


_Command = TypeVar("_Command", bound=Callable[..., object])


def _default_trail() -> str:
    return os.environ.get("AUDIT_MW_TRAIL", "audit-trail")


class _Trail(click.Path):
    """A directory; for a trail that has none the command says what it wants."""

    def __init__(self, *, files: bool = False, consoles: bool = False) -> None:
        super().__init__(exists=True, file_okay=files, path_type=Path)
        self._consoles = consoles

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        if str(value) not in CONSOLES:
            return super().convert(value, param, ctx)
        if not self._consoles:
            wants = "the file that has its text" if self.file_okay else "a directory"
            self.fail(f"the trail {value} is the console; name {wants}", param, ctx)

        return Path(value)


def _option(kind: _Trail, what: str) -> Callable[[_Command], _Command]:
    told = f"{what}; AUDIT_MW_TRAIL, else ./audit-trail."

    return click.option("--trail", type=kind, default=_default_trail, help=told)


trail_option = _option(_Trail(), "Directory of the trail")
text_option = _option(
    _Trail(files=True), "Directory of the trail, or file with the text of a console"
)
console_option = _option(
    _Trail(consoles=True), "Directory of the trail, or stdout, stderr"
)


def tell_skipped(lines: int) -> None:
    """Say how many lines of a captured console were none of ours, if any was."""
    if lines:
        click.echo(f"{lines} lines that are no records were skipped", err=True)


class _Failure(click.ClickException):
    exit_code = 2


@contextmanager
def failing() -> Iterator[None]:
    """Turn what hinders a command into a message and exit code 2."""
    try:
        yield
    except AuditError as error:
        raise _Failure(str(error)) from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # who read our output has gone: click's matter
            raise
        raise _Failure(str(error)) from error
