# Litestar, wrapped from outside: a middleware of its own sees no exception, and no
# request without a route.
import os
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, MediaType, Request, WebSocket, get, post, websocket
from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.response import Redirect, Stream

from audit_mw import AuditMiddleware


async def page() -> str:
    return "hello"


async def form(request: Request[Any, Any, Any]) -> str:
    return ",".join((await request.form()).getall("item"))


async def document(request: Request[Any, Any, Any]) -> str:
    return str((await request.json())["order"]["item"])


async def upload(request: Request[Any, Any, Any]) -> str:
    return str(len(await (await request.form())["photo"].read()))


async def login(request: Request[Any, Any, Any]) -> str:
    request.set_session({"user": (await request.form())["user"]})

    return "welcome"


async def me(request: Request[Any, Any, Any]) -> str:
    name = request.session.get("user")
    if name is None:
        raise NotAuthorizedException
    request.scope["user"] = name

    return str(name)


async def fail() -> str:
    raise LookupError("no such account")


async def stream() -> Stream:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"one,", b"two,", b"three"):
            yield chunk

    return Stream(chunks())


async def old() -> Redirect:
    return Redirect("/")


async def echo(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        return


def _raise(_request: Request[Any, Any, Any], error: Exception) -> None:
    raise error


_PLAIN = {"media_type": MediaType.TEXT, "status_code": 200}
litestar = Litestar(
    [
        get("/", **_PLAIN)(page),
        post("/form", **_PLAIN)(form),
        post("/json", **_PLAIN)(document),
        post("/upload", **_PLAIN)(upload),
        post("/login", **_PLAIN)(login),
        get("/me", **_PLAIN)(me),
        get("/fail", **_PLAIN)(fail),
        get("/stream")(stream),
        get("/old", status_code=307)(old),
        websocket("/echo")(echo),
    ],
    middleware=[ServerSideSessionConfig().middleware],
    exception_handlers={500: _raise} if "LET_THROUGH" in os.environ else {},
)
app = AuditMiddleware(litestar)
