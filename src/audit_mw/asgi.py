# The edge for ASGI 3: tee what passes, parse nothing, keep nothing.
#
# Rule 1: the application gets the server's own scope; `receive` and `send` are wrapped,
#         and pass every message on as the object that it is, known or not.
# Rule 2: nothing is received before the application asks: servers answer
#         `Expect: 100-continue` at the first receive.
# Rule 3: the record is committed before the last message is handed over, and if that
#         fails it is not. All else is passed on first and noted afterwards.
# Rule 4: whatever the application returns or raises goes on unchanged.
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from audit_mw import asgi_tees
from audit_mw.asgi_head import request_head, vouched
from audit_mw.asgi_peer import known_peers, peer_of_socket
from audit_mw.asgi_tees import (
    Message,
    Receive,
    Receiving,
    Send,
    Sending,
    SocketReceiving,
    SocketSending,
    Teed,
    refuse_http,
)
from audit_mw.asgi_wait import answered
from audit_mw.auditor import Auditor, Recorder
from audit_mw.current_exchange import Current, enter, leave
from audit_mw.errors import AuditUnavailable

__all__ = ["ASGIApp", "AsgiAuditMiddleware"]

Scope = MutableMapping[str, Any]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]


class AsgiAuditMiddleware:
    """An ASGI application around another one; made by `AuditMiddleware`."""

    def __init__(self, app: ASGIApp, auditor: Auditor) -> None:
        self.app = app
        self._auditor = auditor
        self._types = auditor.config.types
        header = auditor.config.event_header
        self._event_header = header.encode() if header else None
        self._begin_short = auditor.short_road.begin_asgi(
            vouched, known_peers(), peer_of_socket, asgi_tees
        )
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
        if self._begin_short is not None and scope["type"] == "http":
            sending = self._begin_short(scope, receive, send)
            if sending is not None:
                return await self._serve(
                    scope, sending.receiving, sending, sending.recorder
                )
        watched = self._kinds.get(scope["type"], self.app)

        return await watched(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            recorder = await self._begun(scope, receive)
        except AuditUnavailable:
            return await refuse_http(send)
        if recorder is None:
            return await self.app(scope, receive, send)
        sending = Sending(recorder, send, self._event_header)

        return await self._serve(scope, Receiving(recorder, receive), sending, recorder)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            recorder = await self._begun(scope, receive)
        except AuditUnavailable:
            return await _refuse_websocket(receive, send)
        if recorder is None:
            return await self.app(scope, receive, send)
        receiving = SocketReceiving(recorder, receive)

        return await self._serve(
            scope, receiving, SocketSending(recorder, send), recorder
        )

    async def _begun(self, scope: Scope, receive: Receive) -> Recorder | None:
        recorder = self._auditor.begin(
            lambda: request_head(scope, receive), lambda: vouched(scope)
        )
        if recorder is not None and recorder.opening:
            return await self._opened(recorder, scope, receive)

        return recorder

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
        send: Teed,
        recorder: Recorder,
    ) -> Any:
        current = Current(recorder, self._types)
        before = None
        try:
            before = enter(current)
            result = await self.app(scope, receive, send)
        except Exception as error:
            caught = recorder.refused
            recorder.failed(error)
            recorder.end()
            if recorder.refused is not None:
                await send.refuse()
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
                await send.refuse()
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


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect: nothing may be sent before it
    await send({"type": "websocket.close", "code": 1013})  # try again later
