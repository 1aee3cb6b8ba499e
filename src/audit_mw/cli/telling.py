# What a reading command saw beside what it prints: told on standard error, and in its
# exit code.
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import click

from audit_mw.cli.render import safe
from audit_mw.cli.trail import tell_skipped
from audit_mw.trail.merging import Found
from audit_mw.trail.reader import Damage, Unreadable

__all__ = ["Sight", "tell_damage"]

_MOST = 1000  # that are remembered
_NONE, _UNREADABLE, _DAMAGED = 1, 2, 3


def tell_damage(item: Damage) -> None:
    """Say on standard error what is wrong, and where."""
    # A path may hold what moves a cursor.
    shown = safe(str(item).encode(errors="surrogateescape"))
    word = "unread" if isinstance(item, Unreadable) else "damaged"
    click.echo(f"{word}: {shown}", err=True)


@dataclass(slots=True)
class Sight:
    """How many records were found, and what was wrong on the way."""

    found: int = 0
    late: int = 0
    damaged: int = 0
    unreadable: int = 0
    told_of: set[Damage] = field(default_factory=set)

    def told(self, items: Iterable[Found | Damage]) -> Iterator[Found]:
        """Yield the records; say what is damaged as soon as it is met."""
        for item in items:
            if isinstance(item, Damage):
                self.tell(item)
            else:
                yield item

    def tell(self, item: Damage) -> None:
        """Say what is damaged, and end with the exit code of that; once."""
        if item in self.told_of:
            return
        if len(self.told_of) < _MOST:
            self.told_of.add(item)
        is_lost = isinstance(item, Unreadable)
        self.damaged += not is_lost
        self.unreadable += is_lost
        tell_damage(item)

    def end(self, skipped: int = 0) -> None:
        """
        Say what is to be said at the end, and end with the exit code.

        Args:
            skipped: lines of consoles that were none of ours.
        """
        tell_skipped(skipped)
        if self.late:
            click.echo(
                f"{self.late} records stand here behind younger ones: they were "
                "written long after they began; sort the lines by their time",
                err=True,
            )
        raise click.exceptions.Exit(self._code())

    def _code(self) -> int:
        if self.unreadable:
            return _UNREADABLE
        if self.damaged:
            return _DAMAGED

        return 0 if self.found else _NONE
