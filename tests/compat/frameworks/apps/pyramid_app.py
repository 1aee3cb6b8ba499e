# Pyramid: what make_wsgi_app returns is wrapped.
import os
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound, HTTPUnauthorized
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory

from audit_mw import AuditMiddleware


def page(_request: Any) -> Any:
    return Response("hello")


def form(request: Any) -> Any:
    return Response(",".join(request.POST.getall("item")))


def document(request: Any) -> Any:
    return Response(request.json_body["order"]["item"])


def upload(request: Any) -> Any:
    return Response(str(len(request.POST["photo"].file.read())))


def login(request: Any) -> Any:
    request.session["user"] = request.POST["user"]

    return Response("welcome")


def me(request: Any) -> Any:
    name = request.session.get("user")
    if name is None:
        raise HTTPUnauthorized
    request.environ["REMOTE_USER"] = name

    return Response(name)


def fail(_request: Any) -> Any:
    raise LookupError("no such account")


def stream(_request: Any) -> Any:
    return Response(app_iter=iter([b"one,", b"two,", b"three"]))


def old(_request: Any) -> Any:
    return HTTPFound("/")


_VIEWS = {
    "/": page,
    "/form": form,
    "/json": document,
    "/upload": upload,
    "/login": login,
    "/me": me,
    "/fail": fail,
    "/stream": stream,
    "/old": old,
}
config = Configurator(session_factory=SignedCookieSessionFactory(os.urandom(16).hex()))
for _path, _view in _VIEWS.items():
    config.add_route(_path, _path)
    config.add_view(_view, route_name=_path)
if "ANSWERED" in os.environ:
    config.add_exception_view(lambda _: Response("sorry", status=500))
app = AuditMiddleware(config.make_wsgi_app())
