# Bottle: its default application is wrapped. It has no sessions: ours is a cookie that
# it signs.
import os
from collections.abc import Iterator
from typing import Any

import bottle
from bottle import request, response

from audit_mw import AuditMiddleware

_SECRET = os.urandom(16).hex()


def page() -> str:
    return "hello"


def form() -> str:
    return ",".join(request.forms.getall("item"))


def document() -> str:
    return str(request.json["order"]["item"])


def upload() -> str:
    return str(len(request.files["photo"].file.read()))


def login() -> str:
    response.set_cookie("session", request.forms["user"], secret=_SECRET)

    return "welcome"


def me() -> str:
    name = request.get_cookie("session", secret=_SECRET)
    if name is None:
        bottle.abort(401)
    request.environ["REMOTE_USER"] = name

    return str(name)


def fail() -> str:
    raise LookupError("no such account")


def stream() -> Iterator[bytes]:
    yield from (b"one,", b"two,", b"three")


def old() -> Any:
    bottle.redirect("/")


for _method, _path, _view in (
    ("GET", "/", page),
    ("POST", "/form", form),
    ("POST", "/json", document),
    ("POST", "/upload", upload),
    ("POST", "/login", login),
    ("GET", "/me", me),
    ("GET", "/fail", fail),
    ("GET", "/stream", stream),
    ("GET", "/old", old),
):
    bottle.route(_path, _method, _view)
bottle.default_app().catchall = "LET_THROUGH" not in os.environ
app = AuditMiddleware(bottle.default_app())
