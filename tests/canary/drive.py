# Requests, over either interface, through the real middleware into a trail.
#
# They come one after the other, so the records are in their order.
import asyncio
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit_mw import AuditMiddleware

__all__ = ["DRIVERS", "Request", "drive_asgi", "drive_wsgi"]

_KEY = bytes(range(32))

Message = MutableMapping[str, Any]
Environ = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    What a client sends, and what the application makes of it.

    Args:
        error: what the application raises once it has read the body.
    """

    type: str = "http"
    method: str = "POST"
    path: bytes = b"/things"
    query: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    error: Callable[[], Exception] | None = None


def drive_asgi(requests: Iterable[Request], trail: Path, **options: object) -> None:
    """Send `requests` over ASGI messages, each body in two chunks."""
    asked: list[Request] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        while (await receive()).get("more_body"):
            pass
        if asked[-1].error is not None:
            raise asked[-1].error()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    wrapped = _wrapped(app, "asgi", trail, options)

    async def send_all() -> None:
        for request in requests:
            asked.append(request)
            with _failing():
                await _converse(wrapped, request)

    asyncio.run(send_all())
    wrapped._auditor.close()


async def _converse(app: Any, request: Request) -> None:
    half = len(request.body) // 2
    messages: list[Message] = [
        {"type": "http.request", "body": request.body[:half], "more_body": True},
        {"type": "http.request", "body": request.body[half:]},
    ]
    if request.type == "websocket":
        messages = [{"type": "websocket.connect"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_message: Message) -> None:
        pass

    scope = {
        "type": request.type,
        "method": request.method,
        "path": request.path.decode("latin-1"),
        "raw_path": request.path,
        "query_string": request.query,
        "headers": request.fields,
        "client": ("192.0.2.7", 41522),
        "scheme": "http",
        "http_version": "1.1",
    }
    await app(scope, receive, send)


def drive_wsgi(requests: Iterable[Request], trail: Path, **options: object) -> None:
    """Send `requests` as a WSGI environ, as a server that knows the raw path does."""
    asked: list[Request] = []

    def app(environ: Environ, start_response: Callable[..., object]) -> list[bytes]:
        environ["wsgi.input"].read()
        if asked[-1].error is not None:
            raise asked[-1].error()
        start_response("200 OK", [])
        return [b"ok"]

    wrapped = _wrapped(app, "wsgi", trail, options)
    for request in requests:
        asked.append(request)
        with _failing():
            wrapped(_environ(request), lambda *_: None)
    wrapped._auditor.close()


def _wrapped(app: Any, interface: Any, trail: Path, options: Mapping[str, Any]) -> Any:
    # A key of the trail's own is made durable first, which takes longer than all else.
    given = {"key": _KEY, "service": "shop", **options}

    return AuditMiddleware(app, trail=str(trail), interface=interface, **given)


@contextmanager
def _failing() -> Iterator[None]:
    # What an application raises reaches its server; what a test raises, the test.
    try:
        yield
    except Exception as error:
        if isinstance(error, AssertionError):
            raise


def _environ(request: Request) -> Environ:
    target = request.path + (b"?" + request.query if request.query else b"")
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "RAW_URI": target.decode("latin-1"),
        "PATH_INFO": request.path.decode("latin-1"),
        "QUERY_STRING": request.query.decode("latin-1"),
        "REMOTE_ADDR": "192.0.2.7",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.url_scheme": "http",
    }
    for key, value in _joined(request.fields):
        environ[key] = value
    if request.body:
        environ["CONTENT_LENGTH"] = str(len(request.body))

    return environ


def _joined(fields: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    # Servers fold repeated lines into one (RFC 3875 4.1.18).
    found: dict[str, str] = {}
    for name, value in fields:
        key = name.decode().upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        glue = "; " if key == "HTTP_COOKIE" else ","
        text = value.decode("latin-1")
        found[key] = f"{found[key]}{glue}{text}" if key in found else text
    yield from found.items()


DRIVERS = {"asgi": drive_asgi, "wsgi": drive_wsgi}
