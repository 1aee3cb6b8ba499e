# FastAPI, wrapped with its own add_middleware; a dependency vouches for the user.
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Form, HTTPException, Request, UploadFile
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.websockets import WebSocket
from starlette.authentication import SimpleUser
from starlette.middleware.sessions import SessionMiddleware

from audit_mw import AuditMiddleware

app = FastAPI(title="shop", default_response_class=PlainTextResponse)
app.add_middleware(SessionMiddleware, secret_key=os.urandom(16).hex())
app.add_middleware(AuditMiddleware)  # the last that is added is the outermost


def who(request: Request) -> str:
    """Return who is logged in, and vouch for it."""
    name = request.session.get("user")
    if name is None:
        raise HTTPException(401)
    request.scope["user"] = SimpleUser(name)

    return str(name)


@app.get("/")
def page() -> str:
    return "hello"


@app.post("/form")
def form(item: Annotated[list[str], Form()]) -> str:
    return ",".join(item)


@app.post("/json")
def document(body: Annotated[dict[str, Any], Body()]) -> str:
    return str(body["order"]["item"])


@app.post("/upload")
async def upload(photo: UploadFile) -> str:
    return str(len(await photo.read()))


@app.post("/login")
def login(request: Request, user: Annotated[str, Form()]) -> str:
    request.session["user"] = user

    return "welcome"


@app.get("/me")
def me(name: Annotated[str, Depends(who)]) -> str:
    return name


@app.get("/fail")
def fail() -> str:
    raise LookupError("no such account")


async def _chunks() -> AsyncIterator[bytes]:
    for chunk in (b"one,", b"two,", b"three"):
        yield chunk


@app.get("/stream")
def stream() -> StreamingResponse:
    return StreamingResponse(_chunks(), media_type="text/plain")


@app.get("/old")
def old() -> RedirectResponse:
    return RedirectResponse("/")


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
