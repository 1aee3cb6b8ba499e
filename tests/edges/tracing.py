# What an application and its server tell each other, in order: the trace of one call.
#
# Two traces, one of the application bare and one of it wrapped, are compared by value;
# inside of the wrapped one, what went in at one end must come out at the other as the
# very object that it is.
from typing import Any, NamedTuple

__all__ = ["Step", "Trace", "plain"]


class Step(NamedTuple):
    """One thing that happened: what, and with which object as it was then."""

    what: str
    thing: Any
    shown: Any


class Trace(list[Step]):
    """The steps of one call."""

    def add(self, what: str, thing: Any = None) -> None:
        """Note a step; `thing` may change afterwards."""
        self.append(Step(what, thing, plain(thing)))

    def shown(self) -> list[tuple[str, Any]]:
        """Return what can be compared with the trace of another call."""
        return [(step.what, step.shown) for step in self]

    def things(self, what: str) -> list[Any]:
        """Return the objects of the steps called `what`."""
        return [step.thing for step in self if step.what == what]


def plain(thing: Any) -> Any:
    """Return a copy that compares by value; of an object of no value, its type."""
    if thing is None or isinstance(thing, (bytes, str, int, float)):
        return thing
    if isinstance(thing, (bytearray, memoryview)):
        return type(thing).__name__, bytes(thing)
    if isinstance(thing, BaseException):
        return type(thing).__name__, plain(thing.args)
    if isinstance(thing, dict):
        return {key: plain(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        items = list.__iter__(thing) if isinstance(thing, list) else iter(thing)
        return type(thing).__name__, [plain(item) for item in items]

    return type(thing).__name__
