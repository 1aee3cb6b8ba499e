# An ASGI application that does what its request says, step by step, and notes all that
# it sees.
import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar, Token
from typing import Any

from tests.differential.asgi_requests import AsgiRequest
from tests.differential.notes import ERRORS, Notes
from tests.differential.runtimes import Runtime
from tests.edges.asgi_server import Message, Receive, Scope, Send

__all__ = ["OF_APP", "OF_SERVER", "STEPS", "AsgiScript"]

OF_APP: ContextVar[Any] = ContextVar("OF_APP", default="nothing")
OF_SERVER: ContextVar[Any] = ContextVar("OF_SERVER", default="nothing")

_CAUGHT: dict[str, tuple[type[BaseException], ...]] = {
    "nothing": (),
    "errors": (Exception,),
    "all": (BaseException,),
}
_ENOUGH = 9  # of what a client sends


class AsgiScript:
    """
    The application of one call.

    Args:
        request: says what to do.
        notes: take what is seen.
        runtime: the loop.
        tasks: take each task that is started.
    """

    def __init__(
        self, request: AsgiRequest, notes: Notes, runtime: Runtime, tasks: list[Any]
    ) -> None:
        self._request = request
        self._notes = notes
        self._runtime = runtime
        self._tasks = tasks
        self._tokens: list[Token[Any]] = []
        self._result: Any = None
        self._message: Message = {"type": "example.again"}
        self._body_number = 0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        """Be called as an application, in the shape that the request asks for."""
        self._scope, self._receive, self._send = scope, receive, send
        self._notes.note("app called", scope, *scope.values())
        if self._request.shape == "awaitable":
            return _Awaitable(self._run)
        run: Awaitable[Any] = self._run()
        if self._request.shape == "future":
            run = self._task(run)

        return run

    async def _run(self) -> Any:
        self._notes.note("app runs", self._runtime.current(), OF_SERVER.get())
        caught = _CAUGHT[self._request.catches]
        try:
            for name, *arguments in self._request.steps:
                try:
                    await STEPS[name](self, *arguments)
                except caught as error:
                    self._notes.error("app catches", error)
        except BaseException as error:
            self._notes.error("app ends with", error)
            raise
        finally:
            if self._request.lingers:
                await self._runtime.pause()
            self._notes.note("app leaves", OF_SERVER.get(), *self._scope.values())

        return self._result

    def _task(self, work: Any) -> Any:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)

        return task

    # --- the request

    async def _receive_one(self) -> Message:
        self._notes.note("app asks")
        message = await self._receive()
        self._notes.note("app got", message, OF_SERVER.get(), self._runtime.current())

        return message

    async def _receive_all(self) -> None:
        for _ in range(_ENOUGH):
            if not (await self._receive_one()).get("more_body", False):
                return

    async def _until_left(self) -> None:
        for _ in range(_ENOUGH):
            if (await self._receive_one())["type"].endswith(".disconnect"):
                return

    async def _receive_impatiently(self) -> None:
        async with asyncio.timeout(0):
            await self._receive_one()

    async def _listen(self) -> None:
        self._task(self._until_left())

    async def _join(self) -> None:
        await asyncio.wait(self._tasks[-1:] or [self._task(asyncio.sleep(0))])
        self._notes.note("app joined")

    # --- the response

    async def _say(self, message: Message) -> None:
        self._message = message
        self._notes.note("app sends", message)
        await self._send(message)
        self._notes.note("app sent", OF_SERVER.get(), self._runtime.current())

    async def _start(self, prefix: str, status: int, headers: Any, more: Any) -> None:
        message: Message = {"type": f"{prefix}.start", "status": status}
        if headers is not None:
            message["headers"] = type(headers)(headers)
        if more:
            message["trailers"] = True
        await self._say(message)

    async def _body(self, prefix: str, kind: str, chunk: bytes, more: Any) -> None:
        body = {} if kind == "absent" else {"body": _MAKE[kind](chunk)}
        self._body_number += 1
        # Where there is no more, the key may be there or not.
        ended = {"more_body": False} if self._body_number % 2 else {}
        last = {"more_body": True} if more else ended
        await self._say({"type": f"{prefix}.body", **body, **last})

    async def _body_from_task(self, *arguments: Any) -> None:
        await self._task(self._body(*arguments))

    async def _trailers(self, more: Any) -> None:
        kind, lines = "http.response.trailers", [(b"x-sum", b"1")]
        await self._say({"type": kind, "headers": lines, "more_trailers": more})

    async def _send_this(self, message: Message) -> None:
        await self._say(dict(message))

    async def _again(self) -> None:
        await self._say(self._message)

    async def _mutate(self) -> None:
        self._message["late"] = self._message.get("late", 0) + 1

    # --- all else

    async def _pause(self) -> None:
        await self._runtime.pause()
        self._notes.note("app paused", OF_SERVER.get())

    async def _set(self) -> None:
        self._tokens.append(OF_APP.set(len(self._notes)))

    async def _reset(self) -> None:
        if self._tokens:
            OF_APP.reset(self._tokens.pop())

    async def _change_scope(self, what: str) -> None:
        if what == "delete":
            self._scope.pop("query_string", None)
        elif what == "headers":
            self._scope["headers"].append((b"x-added", b"1"))
        else:
            self._scope["user"] = self._scope["state"]["user"] = "alice"

    async def _raise(self, name: str) -> None:
        raise ERRORS[name]("as the script has it")

    async def _raise_cancelled(self) -> None:
        if self._runtime.cancelled is asyncio.CancelledError:
            raise asyncio.CancelledError("by the application")

    async def _raise_from(self) -> None:
        try:
            int("first")
        except ValueError as error:
            raise ExceptionGroup("then", [ValueError(1)]) from error

    async def _have_result(self) -> None:
        self._result = ["a result"]

    async def _hang(self) -> None:
        await self._runtime.gate().wait()


class _Awaitable:
    """What is neither a coroutine nor a future, and can be awaited."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self._run().__await__())


_MAKE: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
}
STEPS: dict[str, Callable[..., Awaitable[Any]]] = {
    "receive": AsgiScript._receive_one,
    "receive all": AsgiScript._receive_all,
    "receive in time": AsgiScript._receive_impatiently,
    "until left": AsgiScript._until_left,
    "listen": AsgiScript._listen,
    "join": AsgiScript._join,
    "start": AsgiScript._start,
    "body": AsgiScript._body,
    "body from task": AsgiScript._body_from_task,
    "trailers": AsgiScript._trailers,
    "send": AsgiScript._send_this,
    "again": AsgiScript._again,
    "mutate": AsgiScript._mutate,
    "pause": AsgiScript._pause,
    "set": AsgiScript._set,
    "reset": AsgiScript._reset,
    "scope": AsgiScript._change_scope,
    "raise": AsgiScript._raise,
    "raise cancelled": AsgiScript._raise_cancelled,
    "raise from": AsgiScript._raise_from,
    "result": AsgiScript._have_result,
    "hang": AsgiScript._hang,
}
