# The application that is measured, for each interface.
#
# It reads the body in pieces and answers as a small JSON endpoint does: the less it
# costs, the plainer is what is added to it. What is added stands in `contenders/`.
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["ANSWER", "asgi", "wsgi"]

ANSWER = b'{"status":"ok"}'

Message = MutableMapping[str, Any]


async def asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer over ASGI."""
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"15")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def wsgi(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer over WSGI."""
    while environ["wsgi.input"].read(65536):
        pass
    headers = [("Content-Type", "application/json"), ("Content-Length", "15")]
    start_response("200 OK", headers)

    return [ANSWER]
