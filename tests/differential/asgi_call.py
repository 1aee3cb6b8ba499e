# An ASGI server in memory that serves requests of the grammar, several at once, and
# notes what it is told, when the application suspends, and how it ended.
import itertools
import types
from collections.abc import Callable, Generator, Iterable
from contextvars import Token, copy_context
from typing import Any

from tests.differential.asgi_app import OF_APP, OF_SERVER, AsgiScript
from tests.differential.asgi_requests import AsgiRequest, fresh_scope
from tests.differential.notes import ERRORS, Notes, Story
from tests.differential.runtimes import Runtime
from tests.edges.asgi_server import App, Message

__all__ = ["dispatch", "serve_asgi"]

_QUIET = 6  # turns of the loop without a note: nobody goes on
_PATIENCE = 60  # nudges for an application that catches whatever comes


def dispatch(scope: Any, receive: Any, send: Any) -> Any:
    """Call the application of the call that `scope` is of."""
    return scope["test.call"].app(scope, receive, send)


async def serve_asgi(
    app: App, requests: Iterable[AsgiRequest], runtime: Runtime
) -> list[Story]:
    """Serve all requests at once with `app`, and return what happened to each."""
    calls = [_Call(request, runtime) for request in requests]
    for call in calls:
        call.task = runtime.spawn(call.serve(app))
    for _ in range(_PATIENCE):
        await _until_quiet(calls, runtime)
        open_calls = [call for call in calls if not call.task.done()]
        if not open_calls:
            break
        open_calls[0].nudge()
    for call in calls:
        call.drop_tasks()
    await _until_quiet(calls, runtime)

    return [call.story() for call in calls]


async def _until_quiet(calls: list["_Call"], runtime: Runtime) -> None:
    quiet, before = 0, -1
    while quiet < _QUIET:
        await runtime.pause()
        now = sum(len(call.notes) for call in calls)
        quiet, before = (quiet + 1 if now == before else 0), now


class _Call:
    def __init__(self, request: AsgiRequest, runtime: Runtime) -> None:
        self._request = request
        self._runtime = runtime
        self.notes = Notes()
        self.task: Any = None
        self._tasks: list[Any] = []
        self.app = AsgiScript(request, self.notes, runtime, self._tasks)
        self._scope = fresh_scope(request) | {"test.call": self}
        self._incoming = [dict(message) for message in request.incoming]
        self._delays = itertools.cycle(request.delays)
        self._left = runtime.gate()
        self._is_nudged = False
        self._messages: list[Message] = []
        self._counts = {"receive": 0, "send": 0, "suspension": 0}
        self._tokens: list[Token[Any]] = []

    async def serve(self, app: App) -> None:
        """Call the application and see it through."""
        self.notes.note("server calls", self._scope, self._runtime.current())
        OF_SERVER.set("before the call")
        try:
            awaitable = app(self._scope, self._receive, self._send)
            result = await _watched(awaitable, self._suspended)
        except BaseException as error:  # noqa: BLE001 - it is what is compared
            self.notes.error("server sees raised", error)
        else:
            self.notes.note("server sees returned", result)
        self.notes.note("server sees in context", OF_APP.get(), OF_SERVER.get())
        self.notes.note("in context are", sorted(each.name for each in copy_context()))

    def _suspended(self) -> bool:
        self.notes.note("suspended")
        trouble, number = self._request.trouble, self._count("suspension")
        if trouble.what == "cancel" and number == trouble.at:
            self.task.cancel()
        if trouble.what == "cancel twice" and number in (trouble.at, trouble.at + 1):
            self.task.cancel()

        return trouble.what == "abandon" and number == trouble.at

    async def _receive(self) -> Message:
        self._enter("receive", "server is asked")
        await self._delay()
        if self._incoming:
            message: Message = self._incoming.pop(0)
        else:
            await self._left.wait()
            message = {"type": f"{self._scope['type']}.disconnect"}
        self._messages.append(message)
        self.notes.note("server gives", message)

        return message

    async def _send(self, message: Message) -> None:
        self._messages.append(message)
        self._enter("send", "server takes", message, message.get("headers"))
        await self._delay()
        if message["type"] in _LAST and not message.get("more_body", False):
            self._left.set()
        self.notes.note("server took", message)

    def _enter(self, what: str, said: str, *things: Any) -> None:
        task, number = self._runtime.current(), self._count(what)
        self.notes.note(said, *things, task, OF_APP.get())
        self._tokens.append(OF_SERVER.set(f"{what} {number}"))
        if what == "send" and len(self._tokens) > 1:
            self._reset(self._tokens.pop(0))
        trouble = self._request.trouble
        if trouble.what == what and number == trouble.at:
            raise ERRORS[trouble.error]("by the server")

    def _reset(self, token: Token[Any]) -> None:
        try:
            OF_SERVER.reset(token)
        except ValueError:
            self.notes.note("server is in another context")

    def _count(self, what: str) -> int:
        self._counts[what] += 1

        return self._counts[what] - 1

    async def _delay(self) -> None:
        for _ in range(next(self._delays)):
            await self._runtime.pause()

    def nudge(self) -> None:
        """Have the client leave; then cancel until it ends."""
        self.notes.note("server waits for the client to leave")
        if self._is_nudged:
            self.task.cancel()
        self._is_nudged = True
        self._left.set()

    def drop_tasks(self) -> None:
        """Cancel what the application started and left."""
        self.notes.note("server ends", [task.done() for task in self._tasks])
        for task in self._tasks:
            task.cancel()

    def story(self) -> Story:
        """Return what happened, with all messages as they are in the end."""
        self.notes.note("in the end", self._scope, *self._scope.values())
        self.notes.note("messages in the end", *self._messages)

        return self.notes.story()


_LAST = {"http.response.body", "http.response.pathsend"}


@types.coroutine
def _watched(awaitable: Any, suspended: Callable[[], bool]) -> Generator[Any, Any, Any]:
    # As `await awaitable`, but for `suspended`, which is called at each suspension and
    # tells whether the server closes the coroutine there.
    steps = awaitable.__await__()
    value, error = None, None
    while True:
        try:
            trap = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as stop:
            return stop.value
        if suspended():
            steps.close()
            return "abandoned"
        value = error = None
        try:
            value = yield trap
        except BaseException as thrown:  # noqa: BLE001 - thrown on at once
            error = thrown
