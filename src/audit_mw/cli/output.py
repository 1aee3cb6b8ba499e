# How the reading commands print: whole lines, in colour or through a pager where a
# person reads them, and nothing else anywhere else.
#
# Rule: a terminal gets no byte but printable ASCII, LF, and the colours that are ours.
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import click

__all__ = ["pager_option", "paint", "print_lines", "uses_colours"]

_COLOURS = {
    "SUCCESS": "green",
    "FAILURE": "yellow",
    "ATTEMPT": "cyan",
    "ERROR": "red",
    "ABORTED": "magenta",
}
_Command = TypeVar("_Command", bound=Callable[..., object])


def pager_option(command: _Command) -> _Command:
    """Add the option that keeps a long output out of the pager."""
    option = click.option(
        "--no-pager", is_flag=True, help="On a terminal, too: print, and page nothing."
    )

    return option(command)


def uses_colours() -> bool:
    """Tell whether there is a terminal that has some, and NO_COLOR is not set."""
    is_dumb = os.environ.get("TERM") == "dumb"

    return sys.stdout.isatty() and not is_dumb and not os.environ.get("NO_COLOR")


def paint(line: str, outcome: str) -> str:
    """Return a line in which the outcome has its colour, where colours are used."""
    colour = _COLOURS.get(outcome)
    if colour is None or not uses_colours():
        return line

    return line.replace(f" {outcome}", " " + click.style(outcome, fg=colour), 1)


def print_lines(lines: Iterable[str], *, pages: bool = False) -> None:
    """
    Print lines as they come.

    Args:
        lines: without their ends.
        pages: through the pager, where there is a terminal.
    """
    if pages and sys.stdout.isatty() and _has_pager():
        # What fits on the screen needs no key; colours are ours; long lines are cut.
        os.environ.setdefault("LESS", "FRSX")
        click.echo_via_pager(_ended(lines), color=uses_colours())
        return
    # Buffered, for click would hand over each line alone.
    for line in _ended(lines):
        sys.stdout.write(line)
    sys.stdout.flush()


def _has_pager() -> bool:
    # What a shell cannot read, click does not survive.
    try:
        shlex.split(os.environ.get("PAGER", ""))
    except ValueError:
        return False

    return True


def _ended(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"{line}\n"
