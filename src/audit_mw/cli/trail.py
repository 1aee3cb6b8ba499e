# What the commands about a whole trail have in common: which trail, and how they fail.
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from audit_mw.errors import AuditError

__all__ = ["failing", "trail_option"]


def _default_trail() -> str:
    return os.environ.get("AUDIT_MW_TRAIL", "audit-trail")


trail_option = click.option(
    "--trail",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=_default_trail,
    help="Directory of the trail; AUDIT_MW_TRAIL, else ./audit-trail.",
)


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
