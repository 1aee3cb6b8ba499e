# What happened in one call, so that it can be compared with another call: each thing by
# its value as it was then, and by its identity as the number of its first appearance.
#
# A copy that is passed on in the place of the object has a number of its own, so two
# stories are equal only if the very objects went the same ways.
from typing import Any

from tests.edges.tracing import Step, Trace, plain

__all__ = ["ERRORS", "Notes", "Stopped", "Story"]

Story = list[tuple[str, tuple[Any, ...], tuple[int | None, ...]]]


class Stopped(BaseException):
    """What ends a process, as SystemExit does, but not that of the tests."""


ERRORS: dict[str, type[BaseException]] = {
    "value": ValueError,
    "os": OSError,
    "pipe": BrokenPipeError,
    "stopped": Stopped,
    "exit": GeneratorExit,
    "runtime": RuntimeError,
}


class Notes(Trace):
    """What happened in one call; all that is noted stays alive."""

    def note(self, what: str, *things: Any) -> None:
        """Note a step with any number of things."""
        self.append(Step(what, things, tuple(map(plain, things))))

    def place(self, what: str, *things: Any) -> None:
        """Note a step with things of which only the identity counts."""
        self.append(Step(what, things, ()))

    def error(self, what: str, error: BaseException) -> None:
        """Note an exception with those that it is tied to."""
        things = (error, error.__cause__, error.__context__)
        self.append(Step(what, things, tuple(map(_shown, things))))

    def story(self) -> Story:
        """Return what can be compared with another call's."""
        numbers: dict[int, int] = {}

        return [
            (
                step.what,
                step.shown,
                tuple(_number(numbers, each) for each in step.thing),
            )
            for step in self
        ]


def _shown(error: BaseException | None) -> Any:
    # Trio's names the task that cancelled, with its address.
    return plain(error) if type(error).__name__ != "Cancelled" else "Cancelled"


def _number(numbers: dict[int, int], thing: Any) -> int | None:
    if thing is None or isinstance(thing, (str, int, float)):
        return None  # the interpreter may share these, or not

    return numbers.setdefault(id(thing), len(numbers))
