# The loops that a call can run in: what the in-memory server needs of asyncio (uvloop is
# the same) and of trio. Nothing waits for a clock: a call that stands still is seen by
# turns of the loop in which nothing was noted.
import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import trio

__all__ = ["Asyncio", "Runtime", "Trio"]

Work = Coroutine[Any, Any, None]


class Runtime(Protocol):
    """A loop."""

    cancelled: type[BaseException]

    async def pause(self) -> None:
        """Let all others go on."""

    def current(self) -> Any:
        """Return the task that runs."""

    def gate(self) -> Any:
        """Return an event."""

    def spawn(self, work: Work) -> "Task":
        """Start a task."""


class Task(Protocol):
    """A task that was spawned."""

    def done(self) -> bool:
        """Tell whether it is over."""

    def cancel(self) -> Any:
        """Have it cancelled."""


class Asyncio:
    """The loop of asyncio that runs."""

    cancelled: type[BaseException] = asyncio.CancelledError

    async def pause(self) -> None:
        """Let all others go on."""
        await asyncio.sleep(0)

    def current(self) -> Any:
        """Return the task that runs."""
        return asyncio.current_task()

    def gate(self) -> Any:
        """Return an event."""
        return asyncio.Event()

    def spawn(self, work: Work) -> Task:
        """Start a task."""
        return asyncio.create_task(work)


class Trio:
    """The loop of trio; `nursery` holds what is spawned."""

    cancelled: type[BaseException] = trio.Cancelled

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    async def pause(self) -> None:
        """Let all others go on."""
        await trio.lowlevel.checkpoint()

    def current(self) -> Any:
        """Return the task that runs."""
        return trio.lowlevel.current_task()

    def gate(self) -> Any:
        """Return an event."""
        return trio.Event()

    def spawn(self, work: Work) -> Task:
        """Start a task."""
        task = _TrioTask(work)
        self._nursery.start_soon(task.run)

        return task


class _TrioTask:
    def __init__(self, work: Work) -> None:
        self._work = work
        self._scope = trio.CancelScope()
        self._over = False
        self.cancel: Callable[[], None] = self._scope.cancel

    async def run(self) -> None:
        with self._scope:
            await self._work
        self._over = True

    def done(self) -> bool:
        return self._over
