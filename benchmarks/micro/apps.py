# The applications of whole requests: the least that can answer, so that what is added
# to them stands out.
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["asgi", "wsgi"]

_BODY = b'{"status":"ok"}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"15")],
}
_FIELDS = [("Content-Type", "application/json"), ("Content-Length", "15")]

Message = MutableMapping[str, Any]


async def asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Read the body, if there may be one, and answer over ASGI."""
    if scope["method"] != "GET":
        while (await receive()).get("more_body"):
            pass
    await send(dict(_START))
    await send({"type": "http.response.body", "body": _BODY})


def wsgi(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Read the body and answer over WSGI."""
    environ["wsgi.input"].read()
    start_response("200 OK", _FIELDS)

    return [_BODY]
