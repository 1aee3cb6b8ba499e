# One request, over either interface, through the real middleware into a trail.
import asyncio
import io
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit_mw import AuditMiddleware

__all__ = ["DRIVERS", "Request", "drive_asgi", "drive_wsgi"]

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


def drive_asgi(request: Request, trail: Path, **options: object) -> None:
    """Send `request` over ASGI messages, its body in two chunks."""

    async def app(_scope: object, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        if request.error is not None:
            raise request.error()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def socket_app(_scope: object, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1000})

    wrapped = AuditMiddleware(
        app if request.type == "http" else socket_app,
        trail=str(trail),
        interface="asgi",
        service="shop",
        **options,
    )
    _run(lambda: asyncio.run(_converse(wrapped, request)))
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


def drive_wsgi(request: Request, trail: Path, **options: object) -> None:
    """Send `request` as a WSGI environ, as a server that knows the raw path does."""

    def app(environ: Environ, start_response: Callable[..., object]) -> list[bytes]:
        environ["wsgi.input"].read()
        if request.error is not None:
            raise request.error()
        start_response("200 OK", [])
        return [b"ok"]

    wrapped = AuditMiddleware(
        app, trail=str(trail), interface="wsgi", service="shop", **options
    )
    _run(lambda: wrapped(_environ(request), lambda *_: None))
    wrapped._auditor.close()


def _run(serve: Callable[[], object]) -> None:
    try:
        serve()
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
