# Falcon's ASGI application, wrapped. It has no sessions: ours is a cookie with an id.
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import falcon
import falcon.asgi

from audit_mw import AuditMiddleware

_SESSIONS: dict[str, str] = {}


async def _chunks() -> AsyncIterator[bytes]:
    for chunk in (b"one,", b"two,", b"three"):
        yield chunk


class Page:
    """GET / and POST /form, /json, /upload, /login; by suffix."""

    async def on_get(self, _req: Any, resp: Any) -> None:
        resp.text = "hello"

    async def on_post_form(self, req: Any, resp: Any) -> None:
        resp.text = ",".join((await req.get_media())["item"])

    async def on_post_json(self, req: Any, resp: Any) -> None:
        resp.text = (await req.get_media())["order"]["item"]

    async def on_post_upload(self, req: Any, resp: Any) -> None:
        parts = await req.get_media()
        sizes = {part.name: len(await part.get_data()) async for part in parts}
        resp.text = str(sizes["photo"])

    async def on_post_login(self, req: Any, resp: Any) -> None:
        session = secrets.token_hex(16)
        _SESSIONS[session] = (await req.get_media())["user"]
        resp.set_cookie("sessionid", session, secure=False)
        resp.text = "welcome"

    async def on_get_me(self, req: Any, resp: Any) -> None:
        name = _SESSIONS.get(req.cookies.get("sessionid", ""))
        if name is None:
            raise falcon.HTTPUnauthorized
        req.scope["user"] = resp.text = name

    async def on_get_fail(self, _req: Any, _resp: Any) -> None:
        raise LookupError("no such account")

    async def on_get_stream(self, _req: Any, resp: Any) -> None:
        resp.stream = _chunks()

    async def on_get_old(self, _req: Any, _resp: Any) -> None:
        raise falcon.HTTPTemporaryRedirect("/")

    async def on_websocket_echo(self, _req: Any, socket: Any) -> None:
        await socket.accept()
        with suppress(falcon.WebSocketDisconnected):
            while True:
                await socket.send_text(await socket.receive_text())


async def _raise(_req: Any, _resp: Any, error: Exception, _params: Any) -> None:
    raise error


falcon_app = falcon.asgi.App(media_type=falcon.MEDIA_TEXT)
falcon_app.add_route("/", Page())
_NAMES = ("form", "json", "upload", "login", "me", "fail", "stream", "old", "echo")
for _name in _NAMES:
    falcon_app.add_route(f"/{_name}", Page(), suffix=_name)
if "LET_THROUGH" in os.environ:
    falcon_app.add_error_handler(Exception, _raise)
app = AuditMiddleware(falcon_app)
