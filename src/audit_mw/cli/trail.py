# What the commands about a whole trail have in common: which trail, and how they fail.
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from audit_mw.cli.render import safe, shown_path
from audit_mw.config import CONSOLES
from audit_mw.errors import AuditError
from audit_mw.event import STREAMS
from audit_mw.query.moments import parse_moment
from audit_mw.trail.record import VALUES

__all__ = [
    "check_span",
    "check_trails",
    "console_option",
    "default_trail",
    "each_once",
    "failing",
    "followed_trail",
    "since_option",
    "tell_skipped",
    "text_option",
    "trail_option",
    "trails_option",
    "until_option",
]


_Command = TypeVar("_Command", bound=Callable[..., object])


def default_trail() -> str:
    """Return where the trail is that nobody named."""
    return os.environ.get("AUDIT_MW_TRAIL", "audit-trail")


class _Trail(click.Path):
    """A directory; for a trail that has none the command says what it wants."""

    def __init__(
        self, *, files: bool = False, consoles: bool = False, missing: bool = False
    ) -> None:
        super().__init__(exists=not missing, file_okay=files, path_type=Path)
        self._consoles = consoles

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        if self.exists and str(value) not in CONSOLES and not Path(value).exists():
            shown = safe(str(value).encode(errors="surrogateescape"))
            self.fail(
                f"{shown} is not there; name the trail with --trail, or in "
                "AUDIT_MW_TRAIL",
                param,
                ctx,
            )
        if str(value) not in CONSOLES:
            return super().convert(value, param, ctx)
        if not self._consoles:
            wants = "the file that has its text" if self.file_okay else "a directory"
            self.fail(f"the trail {value} is the console; name {wants}", param, ctx)

        return Path(value)


_ELSE = "AUDIT_MW_TRAIL, else ./audit-trail."


def _option(kind: _Trail, what: str) -> Callable[[_Command], _Command]:
    told = f"{what}; {_ELSE}"

    return click.option("--trail", type=kind, default=default_trail, help=told)


# One that is followed may come later.
followed_trail = _Trail(files=True, missing=True)
trail_option = _option(_Trail(), "Directory of the trail")
text_option = _option(
    _Trail(files=True), "Directory of the trail, or file with the text of a console"
)
console_option = _option(
    _Trail(consoles=True), "Directory of the trail, or stdout, stderr"
)


def each_once(trails: Iterable[Path]) -> list[Path]:
    """Return trails without those that are there by another name: none counts twice."""
    found: dict[object, Path] = {}
    for trail in trails:
        key: object = trail
        with suppress(OSError):  # one that is to come has but its name
            status = trail.stat()
            key = status.st_dev, status.st_ino
        found.setdefault(key, trail)

    return list(found.values())


def _each_once(
    ctx: click.Context,  # noqa: ARG001 - as click asks
    param: click.Parameter,  # noqa: ARG001 - as click asks
    value: Iterable[Path],
) -> tuple[Path, ...]:
    return tuple(each_once(value))


trails_option = click.option(
    "--trail",
    "trails",
    type=_Trail(files=True),
    multiple=True,
    callback=_each_once,
    default=lambda: [default_trail()],
    help=f"Directory of a trail, or text of a console; several: repeat it. {_ELSE}",
)


def _moment(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> int | None:
    try:
        return None if value is None else parse_moment(value, datetime.now(UTC))
    except ValueError as error:
        shown = safe(str(error).encode(errors="surrogateescape"))
        raise click.BadParameter(shown, ctx, param) from error


since_option = click.option(
    "--since", callback=_moment, metavar="TIME", help="Begun then or later: 2h ago."
)
until_option = click.option(
    "--until", callback=_moment, metavar="TIME", help="Begun before: 2026-11-21T05:26."
)


def check_span(since: int | None, until: int | None) -> None:
    """
    See that something can be between two moments.

    Raises:
        UsageError: nothing can; who mixed them up would take that for an answer.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since is not before --until: nothing is between them")


def check_trails(trails: Iterable[Path]) -> None:
    """
    See that directories are trails, and not what is around or inside of one.

    Raises:
        UsageError: one is none; nothing would be found there, and nobody would wonder.
    """
    for trail in trails:
        if not (trail.is_dir() or trail.is_file()):
            raise click.UsageError(
                f"{shown_path(trail)} is no directory; name that of a trail, or a file "
                "that has the text of a console"
            )
        if trail.is_dir() and not _is_trail(trail):
            raise click.UsageError(
                f"{shown_path(trail)} is no trail: it has none of the directories "
                f"{', '.join(STREAMS)}"
            )


def _is_trail(directory: Path) -> bool:
    names = (*STREAMS, VALUES, ".journal")

    return any((directory / name).is_dir() for name in names)


def tell_skipped(lines: int) -> None:
    """Say how many lines of a captured console were none of ours, if any was."""
    if lines:
        click.echo(f"{lines} lines that are no records were skipped", err=True)


class _Failure(click.ClickException):
    exit_code = 2


def _failure(error: Exception) -> _Failure:
    # What it names may be a file whose name moves a cursor.
    return _Failure(safe(str(error).encode(errors="surrogateescape")))


@contextmanager
def failing() -> Iterator[None]:
    """Turn what hinders a command into a message and exit code 2."""
    try:
        yield
    except AuditError as error:
        raise _failure(error) from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # who read our output has gone: click's matter
            raise
        raise _failure(error) from error
