# Quart; its asgi_app is wrapped, so that `app` stays Quart's own object.
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from quart import Quart, abort, redirect, request, session, websocket

from audit_mw import AuditMiddleware


async def page() -> str:
    return "hello"


async def form() -> str:
    return ",".join((await request.form).getlist("item"))


async def document() -> str:
    return str((await request.get_json())["order"]["item"])


async def upload() -> str:
    return str(len((await request.files)["photo"].read()))


async def login() -> str:
    session["user"] = (await request.form)["user"]

    return "welcome"


async def me() -> str:
    name = session.get("user") or abort(401)
    request.scope["user"] = name

    return str(name)


async def fail() -> str:
    raise LookupError("no such account")


async def stream() -> AsyncIterator[str]:
    async def chunks() -> AsyncIterator[str]:
        for chunk in ("one,", "two,", "three"):
            yield chunk

    return chunks()


async def old() -> Any:
    return redirect("/")


async def echo() -> None:
    while True:
        await websocket.send(await websocket.receive())


app = Quart(__name__)
app.secret_key = os.urandom(16)
app.config["PROPAGATE_EXCEPTIONS"] = "LET_THROUGH" in os.environ or None
_VIEWS: tuple[tuple[str, str, Callable[[], Any]], ...] = (
    ("GET", "/", page),
    ("POST", "/form", form),
    ("POST", "/json", document),
    ("POST", "/upload", upload),
    ("POST", "/login", login),
    ("GET", "/me", me),
    ("GET", "/fail", fail),
    ("GET", "/stream", stream),
    ("GET", "/old", old),
)
for _method, _path, _view in _VIEWS:
    app.add_url_rule(_path, view_func=_view, methods=[_method])
app.add_websocket("/echo", view_func=echo)
app.asgi_app = AuditMiddleware(app.asgi_app)
