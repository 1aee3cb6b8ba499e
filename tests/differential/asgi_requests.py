# One ASGI conversation as a value: what the application does, step by step, what its
# client sends, and what befalls both. It is drawn from the grammar, printed, run as
# often as one likes, and made smaller.
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.edges.asgi_server import Message, http_scope

__all__ = ["AsgiRequest", "Step", "Trouble", "fresh_scope", "smaller_asgi"]

Step = tuple[Any, ...]


@dataclass(frozen=True)
class Trouble:
    """
    What befalls a call from outside.

    Args:
        what: `cancel` and `cancel twice` at a suspension, `abandon` there (the server
            closes the coroutine), `send` and `receive` raise.
        at: at which suspension or call, from 0.
        error: what is raised, by its name in `ERRORS`.
    """

    what: str = "none"
    at: int = 0
    error: str = "os"


@dataclass(frozen=True)
class AsgiRequest:
    """
    One conversation.

    Args:
        scope: what its scope has instead of the usual.
        incoming: messages of the client; after them it is silent until it leaves.
        steps: what the application does.
        catches: what it catches at each step, and goes on: `nothing`, `errors`, `all`.
        lingers: awaits something on its way out, whatever the way.
        shape: what calling it gives: a `coroutine`, an `awaitable`, or a `future`.
        delays: how often the server suspends in each of its calls, in turn.
        trouble: what befalls it.
    """

    scope: dict[str, Any]
    incoming: tuple[Message, ...] = ()
    steps: tuple[Step, ...] = ()
    catches: str = "nothing"
    lingers: bool = False
    shape: str = "coroutine"
    delays: tuple[int, ...] = (1,)
    trouble: Trouble = Trouble()

    @property
    def is_alone(self) -> bool:
        """Whether its application starts no task."""
        tasks = {"listen", "join", "body from task", "receive in time"}
        shapes = {"coroutine", "awaitable"}

        return not tasks & {step[0] for step in self.steps} and self.shape in shapes


def fresh_scope(request: AsgiRequest) -> dict[str, Any]:
    """Return a scope that is nobody else's."""
    scope = http_scope(**request.scope)
    scope["headers"] = list(scope["headers"])
    scope["state"] = dict(scope["state"])

    return scope


def smaller_asgi(request: AsgiRequest) -> Iterator[AsgiRequest]:
    """Give each request that has one thing less."""
    for at in range(len(request.steps)):
        steps = request.steps[:at] + request.steps[at + 1 :]
        yield replace(request, steps=steps)
    for at in range(len(request.incoming)):
        incoming = request.incoming[:at] + request.incoming[at + 1 :]
        yield replace(request, incoming=incoming)
    plain = AsgiRequest(request.scope)
    for name in ("trouble", "catches", "lingers", "shape", "delays"):
        simple = replace(request, **{name: getattr(plain, name)})
        if simple != request:
            yield simple
