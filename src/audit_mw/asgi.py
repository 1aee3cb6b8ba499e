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
from pathlib import Path
from typing import Any

from audit_mw.asgi_head import field_lines, request_head, vouched
from audit_mw.auditor import Auditor, Recorder
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
        header = auditor.config.event_header
        self._event_header = header.encode() if header else None
        self._kinds = {
            "http": self._http,
            "websocket": self._websocket,
            "lifespan": self._lifespan,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one connection scope."""
        watched = self._kinds.get(scope["type"], self.app)

        return await watched(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            recorder = self._auditor.begin(request_head(scope), lambda: vouched(scope))
        except AuditUnavailable:
            return await _refuse_http(send)
        exchange = recorder.exchange
        started = False

        async def tee_receive() -> Message:
            message = await receive()
            kind = message["type"]
            if kind == "http.request":
                body = message.get("body") or b""
                exchange.read(bytes(body), ended=not message.get("more_body", False))
            elif kind == "http.disconnect":
                exchange.gone()
            return message

        async def tee_send(message: Message) -> None:
            nonlocal started
            tell = _TELL.get(message["type"])
            if tell is not None:
                tell(recorder, message)
            passed = message
            if self._event_header and message["type"] == "http.response.start":
                passed = _with_event(message, self._event_header, recorder.event)
            await _hand_over(send, passed, recorder)
            started = started or message["type"] == "http.response.start"

        async def refuse() -> None:
            if not started:
                await _refuse_http(send)

        return await self._serve(scope, tee_receive, tee_send, recorder, refuse)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            recorder = self._auditor.begin(request_head(scope), lambda: vouched(scope))
        except AuditUnavailable:
            return await _refuse_websocket(receive, send)
        exchange = recorder.exchange

        async def tee_receive() -> Message:
            message = await receive()
            kind = message["type"]
            if kind == "websocket.receive":
                exchange.message_in(_payload(message))
            elif kind == "websocket.disconnect":
                exchange.disconnected(message.get("code", 1005))
            return message

        async def tee_send(message: Message) -> None:
            tell = _TELL.get(message["type"])
            if tell is not None:
                tell(recorder, message)
            await _hand_over(send, message, recorder)

        async def refuse() -> None:
            return None  # the exception that goes up ends the connection

        return await self._serve(scope, tee_receive, tee_send, recorder, refuse)

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        recorder: Recorder,
        refuse: Callable[[], Awaitable[None]],
    ) -> Any:
        try:
            result = await self.app(scope, receive, send)
        except BaseException as error:
            recorder.failed(error)
            try:
                recorder.end()
            except AuditUnavailable as unavailable:
                await refuse()
                raise unavailable from error
            if error is recorder.refused:
                await refuse()
            raise
        try:
            recorder.end()
        except AuditUnavailable:
            await refuse()
            raise
        if recorder.refused is not None:
            # The application caught it and went on as if it had answered.
            await refuse()
            raise recorder.refused

        return result

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


async def _hand_over(send: Send, message: Message, recorder: Recorder) -> None:
    try:
        await send(message)
    except BaseException as error:
        # OSError is how a server tells that the client left (ASGI 2.4).
        if recorder.committed or isinstance(error, OSError):
            recorder.undelivered()
        raise


# --- what a message tells; a message of another type is passed on and nothing else


def _tell_start(recorder: Recorder, message: Message) -> None:
    fields = field_lines(message.get("headers"))
    trailers = bool(message.get("trailers", False))
    recorder.start(message["status"], fields, trailers=trailers)


def _tell_body(recorder: Recorder, message: Message) -> None:
    more = bool(message.get("more_body", False))
    recorder.send(len(message.get("body") or b""), more=more)


def _tell_trailers(recorder: Recorder, message: Message) -> None:
    recorder.send_trailers(more=bool(message.get("more_trailers", False)))


def _tell_path(recorder: Recorder, message: Message) -> None:
    # http.response.pathsend: the server reads the file, so its size is what is known.
    try:
        size = Path(message["path"]).stat().st_size
    except OSError:
        size = 0
    recorder.send(size, more=False, estimated=True)


def _tell_zerocopy(recorder: Recorder, message: Message) -> None:
    more = bool(message.get("more_body", False))
    recorder.send(message.get("count") or 0, more=more, estimated=True)


def _tell_accept(recorder: Recorder, _message: Message) -> None:
    recorder.exchange.accept()


def _tell_message(recorder: Recorder, message: Message) -> None:
    recorder.exchange.message_out(_payload(message))


def _tell_close(recorder: Recorder, message: Message) -> None:
    recorder.close_socket(message.get("code", 1000))


_TELL: dict[str, Callable[[Recorder, Message], None]] = {
    "http.response.start": _tell_start,
    "http.response.body": _tell_body,
    "http.response.trailers": _tell_trailers,
    "http.response.pathsend": _tell_path,
    "http.response.zerocopysend": _tell_zerocopy,
    "websocket.accept": _tell_accept,
    "websocket.send": _tell_message,
    "websocket.close": _tell_close,
    "websocket.http.response.start": _tell_start,
    "websocket.http.response.body": _tell_body,
}


def _payload(message: Message) -> bytes:
    text = message.get("text")
    if text is not None:
        return str(text).encode(errors="surrogatepass")

    return message.get("bytes") or b""


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
