# ASGI middlewares that each do one thing wrong, as real ones did. The differential test
# must catch every one of them.
#
# (Longer than 250 lines, since it is a list.)
import asyncio
import contextvars
from contextlib import suppress
from functools import partial
from typing import Any

from tests.edges.asgi_server import Message, Receive, Scope, Send

__all__ = ["FAULTY_ASGI", "PassingAsgi"]


class PassingAsgi:
    """A middleware that does nothing, and does it right."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one connection scope."""
        return await self.serve(
            scope, partial(self.receive, receive), partial(self.send, send)
        )

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the application."""
        return await self.app(scope, receive, send)

    async def receive(self, receive: Receive) -> Message:
        """Take a message of the server."""
        return await receive()

    async def send(self, send: Send, message: Message) -> None:
        """Take a message of the application."""
        await send(message)


FAULTY_ASGI: dict[str, type[PassingAsgi]] = {}


def _faulty(middleware: type[PassingAsgi]) -> type[PassingAsgi]:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in middleware.__name__)
    FAULTY_ASGI[words.replace("_", "").strip()] = middleware

    return middleware


def _is_body(message: Message) -> bool:
    return bool(message["type"] == "http.response.body")


def _has_headers(message: Message) -> bool:
    return bool(message.get("headers"))


# --- the call


@_faulty
class _DropsResult(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        await self.app(scope, receive, send)


@_faulty
class _CopiesScope(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return await self.app(dict(scope), receive, send)


@_faulty
class _TouchesState(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        scope.setdefault("state", {})["event"] = "1"
        return await self.app(scope, receive, send)


@_faulty
class _AddsToScope(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        scope["audit.event"] = "1"
        return await self.app(scope, receive, send)


@_faulty
class _CopiesRequestHeaders(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        scope["headers"] = [(name.lower(), value) for name, value in scope["headers"]]
        return await self.app(scope, receive, send)


@_faulty
class _MovesToAnotherTask(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return await asyncio.create_task(_run(self.app, scope, receive, send))


async def _run(app: Any, *arguments: Any) -> Any:
    return await app(*arguments)


@_faulty
class _Shields(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return await asyncio.shield(_run(self.app, scope, receive, send))


@_faulty
class _CopiesContext(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        # As decorators do that run each step of a coroutine in a context of its own.
        return await _InContext(self.app(scope, receive, send).__await__())


class _InContext:
    def __init__(self, steps: Any) -> None:
        self._steps = steps
        self._context = contextvars.copy_context()

    def __await__(self) -> "_InContext":
        return self

    def __iter__(self) -> "_InContext":
        return self

    def __next__(self) -> Any:
        return self._context.run(self._steps.send, None)

    def send(self, value: Any) -> Any:
        return self._context.run(self._steps.send, value)

    def throw(self, *error: Any) -> Any:
        return self._context.run(self._steps.throw, *error)

    def close(self) -> None:
        self._context.run(self._steps.close)


@_faulty
class _PausesFirst(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        await asyncio.sleep(0)
        return await self.app(scope, receive, send)


@_faulty
class _PausesLast(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        finally:
            await asyncio.sleep(0)


@_faulty
class _SkipsLifespan(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] != "lifespan":
            return await self.app(scope, receive, send)
        await receive()
        return await send({"type": "lifespan.startup.complete"})


@_faulty
class _RefusesUnknownScopes(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] not in ("http", "websocket", "lifespan"):
            raise ValueError(f"no such scope: {scope['type']}")
        return await self.app(scope, receive, send)


@_faulty
class _AwaitsCoroutinesOnly(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        result = self.app(scope, receive, send)
        return await result if asyncio.iscoroutine(result) else None


@_faulty
class _KeepsSendOnItself(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        self._send = send
        return await self.app(scope, receive, self._later)

    async def _later(self, message: Message) -> None:
        await self._send(message)


@_faulty
class _ServesOneAtATime(PassingAsgi):
    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._lock = asyncio.Lock()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        async with self._lock:
            return await self.app(scope, receive, send)


_KEPT: contextvars.ContextVar[str] = contextvars.ContextVar("_KEPT")


@_faulty
class _LeavesAVariable(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        _KEPT.set("never reset")
        return await self.app(scope, receive, send)


# --- what is raised


@_faulty
class _SwallowsCancelled(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        with suppress(asyncio.CancelledError):
            return await self.app(scope, receive, send)


@_faulty
class _TurnsCancelledIntoError(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except asyncio.CancelledError as error:
            raise RuntimeError("cancelled") from error


@_faulty
class _RaisesAnotherCancelled(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except asyncio.CancelledError:
            raise asyncio.CancelledError from None


@_faulty
class _SwallowsWhatStops(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except (Exception, asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException:  # noqa: BLE001 - the fault
            return None


@_faulty
class _SwallowsGeneratorExit(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        with suppress(GeneratorExit):
            return await self.app(scope, receive, send)


@_faulty
class _AwaitsWhenClosed(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except GeneratorExit:
            await asyncio.sleep(0)
            raise


@_faulty
class _SwallowsErrors(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        with suppress(ValueError, OSError, RuntimeError):
            return await self.app(scope, receive, send)


@_faulty
class _WrapsErrors(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except ValueError as error:
            raise type(error)(*error.args) from error.__cause__


@_faulty
class _TiesErrors(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except Exception as error:
            raise error from LookupError("seen by the middleware")


@_faulty
class _AnswersErrors(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except Exception:
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 500})
                await send({"type": "http.response.body"})
            raise


@_faulty
class _HidesErrorsOfSend(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        with suppress(OSError):
            await send(message)


@_faulty
class _HidesErrorsOfReceive(PassingAsgi):
    async def receive(self, receive: Receive) -> Message:
        try:
            return await receive()
        except OSError:
            return {"type": "http.disconnect"}


# --- the request


@_faulty
class _ReceivesEarly(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        first = [await receive()]

        async def later() -> Message:
            return first.pop() if first else await receive()

        return await self.app(scope, later, send)


@_faulty
class _DrainsBefore(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        kept = [await receive()] if scope["type"] == "http" else []
        while kept and kept[-1].get("more_body", False):
            kept.append(await receive())

        async def later() -> Message:
            return kept.pop(0) if kept else await receive()

        return await self.app(scope, later, send)


@_faulty
class _DrainsAfter(PassingAsgi):
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                await receive()


@_faulty
class _ReadsAheadByOne(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        kept: list[Message] = []

        async def ahead() -> Message:
            message = kept.pop() if kept else await receive()
            if message.get("more_body", False):
                kept.append(await receive())
            return message

        return await self.app(scope, ahead, send)


@_faulty
class _CopiesWhatIsReceived(PassingAsgi):
    async def receive(self, receive: Receive) -> Message:
        return {**await receive()}


@_faulty
class _AddsKeysToWhatIsReceived(PassingAsgi):
    async def receive(self, receive: Receive) -> Message:
        message = await receive()
        if message["type"] == "http.request":
            message.setdefault("more_body", False)
        return message


@_faulty
class _HidesDisconnect(PassingAsgi):
    async def receive(self, receive: Receive) -> Message:
        message = await receive()
        return message if message["type"] != "http.disconnect" else await receive()


@_faulty
class _InventsDisconnect(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ended = False

        async def told() -> Message:
            nonlocal ended
            if ended:
                return {"type": "http.disconnect"}
            message = await receive()
            ended = not message.get("more_body", True)
            return message

        return await self.app(scope, told, send)


@_faulty
class _DropsEmptyChunksReceived(PassingAsgi):
    async def receive(self, receive: Receive) -> Message:
        message = await receive()
        while message.get("more_body", False) and not message.get("body"):
            message = await receive()
        return message


@_faulty
class _DropsEmptyFramesReceived(PassingAsgi):
    async def receive(self, receive: Receive) -> Message:
        message = await receive()
        while message["type"] == "websocket.receive" and not (
            message.get("text") or message.get("bytes")
        ):
            message = await receive()
        return message


@_faulty
class _LocksReceive(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        lock = asyncio.Lock()

        async def locked() -> Message:
            async with lock:
                return await receive()

        return await self.app(scope, locked, send)


@_faulty
class _ReceivesInTask(PassingAsgi):
    async def receive(self, receive: Receive) -> Message:
        return await asyncio.create_task(receive())  # type: ignore[arg-type] # it is


# --- the response


@_faulty
class _CopiesWhatIsSent(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        await send(dict(message))


@_faulty
class _ChangesAfterSend(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        await send(message)
        if _is_body(message):
            message["body"] = b""


@_faulty
class _AddsHeader(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if isinstance(message.get("headers"), list):
            message["headers"].append((b"x-event", b"1"))
        await send(message)


@_faulty
class _LowersHeaders(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if _has_headers(message):
            headers = [(name.lower(), value) for name, value in message["headers"]]
            message["headers"][:] = headers
        await send(message)


@_faulty
class _SortsHeaders(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if isinstance(message.get("headers"), list):
            message["headers"].sort()
        await send(message)


@_faulty
class _FoldsHeaders(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if _has_headers(message):
            message["headers"] = list(dict(message["headers"]).items())
        await send(message)


@_faulty
class _ListsHeaders(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if _has_headers(message):
            message["headers"] = list(message["headers"])
        await send(message)


@_faulty
class _SetsDefaultsOfWhatIsSent(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if _is_body(message):
            message.setdefault("more_body", False)
        await send(message)


@_faulty
class _AssertsThatTheStartIsFirst(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        started = False

        async def strict(message: Message) -> None:
            nonlocal started
            started = started or message["type"].endswith(".start")
            assert started or not message["type"].startswith("http."), message
            await send(message)

        return await self.app(scope, receive, strict)


@_faulty
class _HoldsTheStart(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        held: list[Message] = []

        async def holding(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            while held:
                await send(held.pop())
            await send(message)

        return await self.app(scope, receive, holding)


@_faulty
class _JoinsChunks(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        chunks: list[bytes] = []

        async def joining(message: Message) -> None:
            if not _is_body(message):
                return await send(message)
            chunks.append(bytes(message.get("body", b"")))
            if message.get("more_body", False):
                return None
            return await send({**message, "body": b"".join(chunks)})

        return await self.app(scope, receive, joining)


@_faulty
class _AddsEmptyChunk(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if _is_body(message) and not message.get("more_body", False):
            await send({**message, "body": b"", "more_body": True})
        await send(message)


@_faulty
class _DropsEmptyChunks(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if message.get("body") or not message.get("more_body", False):
            await send(message)


@_faulty
class _DropsUnknownMessages(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if message["type"].startswith(("http.", "websocket.", "lifespan.")):
            await send(message)


@_faulty
class _DropsTrailers(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if message["type"] != "http.response.trailers":
            await send(message)


@_faulty
class _DropsEarlyHints(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if message["type"] != "http.response.early_hint":
            await send(message)


@_faulty
class _DropsEmptyFrames(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        payload = message.get("text") or message.get("bytes")
        if payload or message["type"] != "websocket.send":
            await send(message)


@_faulty
class _StopsAfterTheLastChunk(PassingAsgi):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ended = False

        async def until_end(message: Message) -> None:
            nonlocal ended
            if not ended:
                await send(message)
            ended = ended or (_is_body(message) and not message.get("more_body", False))

        return await self.app(scope, receive, until_end)


@_faulty
class _MakesBytes(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if isinstance(message.get("body"), memoryview):
            message["body"] = bytes(message["body"])
        await send(message)


@_faulty
class _GivesCloseACode(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        if message["type"] == "websocket.close":
            message.setdefault("code", 1000)
        await send(message)


@_faulty
class _SendsLater(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        self._task = asyncio.create_task(_run(send, message))


@_faulty
class _SendsInTask(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        await asyncio.create_task(_run(send, message))


@_faulty
class _ShieldsSend(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        await asyncio.shield(_run(send, message))


@_faulty
class _PausesAfterSend(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        await send(message)
        await asyncio.sleep(0)


@_faulty
class _SendsTwice(PassingAsgi):
    async def send(self, send: Send, message: Message) -> None:
        await send(message)
        if message["type"] == "http.response.debug":
            await send(message)
