# Starlette, wrapped with its own add_middleware; who is logged in comes from its
# AuthenticationMiddleware.
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import (
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from audit_mw import AuditMiddleware


class FromSession(AuthenticationBackend):
    """Takes the user that the session names."""

    async def authenticate(
        self, conn: HTTPConnection
    ) -> tuple[AuthCredentials, BaseUser] | None:
        """Return who it is, or None."""
        name = conn.session.get("user")

        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


async def page(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def form(request: Request) -> Response:
    return PlainTextResponse(",".join(map(str, (await request.form()).getlist("item"))))


async def document(request: Request) -> Response:
    return PlainTextResponse((await request.json())["order"]["item"])


async def upload(request: Request) -> Response:
    async with request.form() as fields:
        photo = fields["photo"]
        assert not isinstance(photo, str)
        return PlainTextResponse(str(len(await photo.read())))


async def login(request: Request) -> Response:
    request.session["user"] = (await request.form())["user"]

    return PlainTextResponse("welcome")


async def me(request: Request) -> Response:
    return PlainTextResponse(request.user.display_name)


async def fail(_request: Request) -> Response:
    raise LookupError("no such account")


async def _chunks() -> AsyncIterator[bytes]:
    for chunk in (b"one,", b"two,", b"three"):
        yield chunk


async def stream(_request: Request) -> Response:
    return StreamingResponse(_chunks(), media_type="text/plain")


async def old(_request: Request) -> Response:
    return RedirectResponse("/")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


app = Starlette(
    routes=[
        Route("/", page),
        Route("/form", form, methods=["POST"]),
        Route("/json", document, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/login", login, methods=["POST"]),
        Route("/me", me),
        Route("/fail", fail),
        Route("/stream", stream),
        Route("/old", old),
        WebSocketRoute("/echo", echo),
    ]
)
app.add_middleware(AuthenticationMiddleware, backend=FromSession())
app.add_middleware(SessionMiddleware, secret_key=os.urandom(16).hex())
app.add_middleware(AuditMiddleware)  # the last that is added is the outermost
