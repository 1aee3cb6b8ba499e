# The edge for ASGI 3: tee what passes, parse nothing, keep nothing.
#
# Rule 1: the application gets the server's own scope; `receive` and `send` are wrapped,
#         and pass every message on as the object that it is, known or not.
# Rule 2: nothing is received before the application asks: servers answer
#         `Expect: 100-continue` at the first receive.
# Rule 3: the record is committed before the last message is handed over, and if that
#         fails it is not. All else is passed on first and noted afterwards.
# Rule 4: whatever the application returns or raises goes on unchanged.
#
# (Longer than 250 lines, since requests and websockets are served by the same rules.)
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from audit_mw.asgi_head import lasting, request_head, vouched
from audit_mw.asgi_tell import STARTS, TELL, payload
from audit_mw.asgi_wait import answered
from audit_mw.auditor import Auditor, Receipt, Recorder
from audit_mw.current import Current, enter, leave
from audit_mw.errors import AuditUnavailable

__all__ = ["ASGIApp", "AsgiAuditMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]

_REFUSAL: list[tuple[bytes, bytes]] = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"retry-after", b"5"),
]
_REFUSAL_BODY = b"Service Unavailable\n"
_UNAVAILABLE = 503


class AsgiAuditMiddleware:
    """An ASGI application around another one; made by `AuditMiddleware`."""

    def __init__(self, app: ASGIApp, auditor: Auditor) -> None:
        self.app = app
        self._auditor = auditor
        self._types = auditor.config.types
        header = auditor.config.event_header
        self._event_header = header.encode() if header else None
        self._kinds = {
            "http": self._http,
            "websocket": self._websocket,
            "lifespan": self._lifespan,
        }

    def close_trail(self) -> None:
        """Write what is recorded: this process ends."""
        self._auditor.close(at_exit=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one connection scope."""
        watched = self._kinds.get(scope["type"], self.app)

        return await watched(scope, receive, send)

    async def _http(  # noqa: C901 - a further call for each message has its price
        self, scope: Scope, receive: Receive, send: Send
    ) -> Any:
        try:
            recorder = self._begin(scope, receive)
            if recorder is not None and recorder.opening:
                recorder = await self._opened(recorder, scope, receive)
        except AuditUnavailable:
            return await _refuse_http(send)
        if recorder is None:
            return await self.app(scope, receive, send)
        exchange, event_header = recorder.exchange, self._event_header
        started = False

        async def tee_receive() -> Message:
            message = await receive()
            kind = message["type"]
            if kind == "http.request":
                body = message.get("body") or b""
                steps = recorder.read(
                    bytes(body), ended=not message.get("more_body", False)
                )
                if steps:
                    await _keep(steps)
            elif kind == "http.disconnect":
                exchange.gone()
            return message

        async def tee_send(message: Message) -> None:
            nonlocal started
            steps, message = _told(recorder, message, event_header)
            if steps:
                await _kept(recorder, steps)
            try:
                await send(message)
            except BaseException as error:
                recorder.undelivered(error)
                raise
            recorder.taken()
            started = started or message["type"] == "http.response.start"

        async def refuse() -> None:
            if not started:
                with suppress(OSError):  # the client may have left
                    await _refuse_http(send)

        return await self._serve(scope, tee_receive, tee_send, recorder, refuse)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            recorder = self._begin(scope, receive)
            if recorder is not None and recorder.opening:
                recorder = await self._opened(recorder, scope, receive)
        except AuditUnavailable:
            return await _refuse_websocket(receive, send)
        if recorder is None:
            return await self.app(scope, receive, send)
        exchange = recorder.exchange

        async def tee_receive() -> Message:
            message = await receive()
            kind = message["type"]
            if kind == "websocket.receive":
                exchange.message_in(payload(message))
            elif kind == "websocket.disconnect":
                exchange.disconnected(message.get("code", 1005))
            return message

        async def tee_send(message: Message) -> None:
            steps, message = _told(recorder, message)
            await _kept(recorder, steps)
            try:
                await send(message)
            except BaseException as error:
                recorder.undelivered(error)
                raise
            recorder.taken()

        async def refuse() -> None:
            return None  # the exception that goes up ends the connection

        return await self._serve(scope, tee_receive, tee_send, recorder, refuse)

    def _begin(self, scope: Scope, receive: Receive) -> Recorder | None:
        return self._auditor.begin(
            lambda: request_head(scope, receive), lambda: vouched(scope)
        )

    async def _opened(
        self, recorder: Recorder, scope: Scope, receive: Receive
    ) -> Recorder | None:
        """Wait until the head is on record."""
        try:
            for receipt in recorder.opening:
                await answered(receipt)
                receipt.check()
        except Exception as error:  # noqa: BLE001 - what cannot be recorded is not served
            recorder.drop()
            self._auditor.refuse(error, lambda: request_head(scope, receive))
            return None
        except BaseException:
            recorder.drop()
            raise

        return recorder

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        recorder: Recorder,
        refuse: Callable[[], Awaitable[None]],
    ) -> Any:
        current = Current(recorder, self._types)
        before = enter(current)
        try:
            result = await self.app(scope, receive, send)
        except Exception as error:
            caught = recorder.refused
            recorder.failed(error)
            recorder.end()
            if recorder.refused is not None:
                await refuse()
            if recorder.refused is not caught:
                raise recorder.refused from error  # type: ignore[misc] # it is set
            raise
        except BaseException as error:
            # Who cancels or stops us waits for this very exception, and sends nothing.
            recorder.failed(error)
            recorder.end()
            raise
        else:
            recorder.end()
            if recorder.refused is not None:
                await refuse()
                # Be it now or before: the application may have caught it and gone on.
                raise recorder.refused
            return result
        finally:
            current.end()
            leave(before)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> Any:
        failed = False

        async def tee_receive() -> Message:
            nonlocal failed
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self._auditor.open()
                except AuditUnavailable as error:
                    failed = True
                    # An exception would be taken for "lifespan unsupported", and the
                    # server would run on.
                    said = f"audit_mw: {error}"
                    await send({"type": "lifespan.startup.failed", "message": said})
                    raise
            return message

        async def tee_send(message: Message) -> None:
            if failed:
                return  # the server has its answer
            await send(message)
            if message["type"].startswith("lifespan.shutdown."):
                self._auditor.close()

        return await self.app(scope, tee_receive, tee_send)


def _told(
    recorder: Recorder, message: Message, event_header: bytes | None = None
) -> tuple[Iterable[Receipt], Message]:
    """Tell of a message; return what to wait for, and what to hand over."""
    kind = message["type"]
    tell = TELL.get(kind)
    if tell is None:
        return (), message
    if kind not in STARTS:
        return tell(recorder, message), message
    message = _readable(message)
    steps = tell(recorder, message)
    if event_header and kind == "http.response.start":
        message = _with_event(message, event_header, recorder.event)

    return steps, message


async def _kept(recorder: Recorder, steps: Iterable[Receipt]) -> None:
    for receipt in steps:
        await answered(receipt)
        recorder.check(receipt)


async def _keep(steps: Iterable[Receipt]) -> None:
    for receipt in steps:
        await answered(receipt)
        with suppress(AuditUnavailable):
            receipt.check()
            continue
        break  # the head is on record; the end will be, or else be refused


def _readable(message: Message) -> Message:
    headers = message.get("headers")
    kept = lasting(headers)

    return message if kept is headers else {**message, "headers": kept}


# --- refusal


def _with_event(message: Message, name: bytes, event: str) -> Message:
    # A copy: message and list may be the application's constants.
    headers = [*(message.get("headers") or ()), (name, event.encode())]

    return {**message, "headers": headers}


async def _refuse_http(send: Send) -> None:
    length = (b"content-length", b"%d" % len(_REFUSAL_BODY))
    await send(
        {
            "type": "http.response.start",
            "status": _UNAVAILABLE,
            "headers": [*_REFUSAL, length],
        }
    )
    await send({"type": "http.response.body", "body": _REFUSAL_BODY})


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect: nothing may be sent before it
    await send({"type": "websocket.close", "code": 1013})  # try again later
