# Falcon's WSGI application, wrapped. It has no sessions: ours is a cookie with an id.
import os
import secrets
from typing import Any

import falcon

from audit_mw import AuditMiddleware

_SESSIONS: dict[str, str] = {}


class Page:
    """GET / and POST /form, /json, /upload, /login; by suffix."""

    def on_get(self, _req: Any, resp: Any) -> None:
        resp.text = "hello"

    def on_post_form(self, req: Any, resp: Any) -> None:
        resp.text = ",".join(req.get_media()["item"])

    def on_post_json(self, req: Any, resp: Any) -> None:
        resp.text = req.get_media()["order"]["item"]

    def on_post_upload(self, req: Any, resp: Any) -> None:
        sizes = {part.name: len(part.get_data()) for part in req.get_media()}
        resp.text = str(sizes["photo"])

    def on_post_login(self, req: Any, resp: Any) -> None:
        session = secrets.token_hex(16)
        _SESSIONS[session] = req.get_media()["user"]
        resp.set_cookie("sessionid", session, secure=False)
        resp.text = "welcome"

    def on_get_me(self, req: Any, resp: Any) -> None:
        name = _SESSIONS.get(req.cookies.get("sessionid", ""))
        if name is None:
            raise falcon.HTTPUnauthorized
        req.env["REMOTE_USER"] = resp.text = name

    def on_get_fail(self, _req: Any, _resp: Any) -> None:
        raise LookupError("no such account")

    def on_get_stream(self, _req: Any, resp: Any) -> None:
        resp.stream = iter([b"one,", b"two,", b"three"])

    def on_get_old(self, _req: Any, _resp: Any) -> None:
        raise falcon.HTTPTemporaryRedirect("/")


def _raise(_req: Any, _resp: Any, error: Exception, _params: Any) -> None:
    raise error


falcon_app = falcon.App(media_type=falcon.MEDIA_TEXT)
falcon_app.add_route("/", Page())
for _name in ("form", "json", "upload", "login", "me", "fail", "stream", "old"):
    falcon_app.add_route(f"/{_name}", Page(), suffix=_name)
if "LET_THROUGH" in os.environ:
    falcon_app.add_error_handler(Exception, _raise)
app = AuditMiddleware(falcon_app)
