# One application for each interface that does, while it serves, what a test asks for.
import inspect
from collections.abc import Callable
from typing import Any

from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment

from audit_mw.event import Event

__all__ = ["INTERFACES", "Stage", "only"]

INTERFACES = ["asgi", "wsgi"]
Act = Callable[[], Any]
_FORM = "application/x-www-form-urlencoded"


class Stage:
    """
    A wrapped application of one interface, and the trail that it leaves.

    Args:
        interface: asgi or wsgi.
        audited: wraps it.
        options: of the middleware.
    """

    def __init__(self, interface: str, audited: Audited, **options: Any) -> None:
        self._act: Act = lambda: None
        self.audited = audited
        self._is_asgi = interface == "asgi"
        self.wrapped = audited(self._asgi if self._is_asgi else self._wsgi, **options)

    def serve(self, act: Act, body: bytes = b"", cookie: str = "") -> Any:
        """Serve a request in which the application calls `act`, the body read."""
        self._act = act
        server = self._asgi_server if self._is_asgi else self._wsgi_server

        return server(body, cookie).run(None, lambda _: self.wrapped)

    async def _asgi(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        said = self._act()
        if inspect.isawaitable(said):
            await said
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    def _wsgi(self, environ: Environ, start_response: StartResponse) -> Any:
        environ["wsgi.input"].read()
        self._act()
        start_response("200 OK", [("Content-Length", "2")])

        return [b"ok"]

    def _asgi_server(self, body: bytes, cookie: str) -> AsgiServer:
        headers = [(b"content-type", _FORM.encode())] if body else []
        headers += [(b"cookie", cookie.encode())] if cookie else []
        scope = http_scope(method="POST" if body else "GET", headers=headers)

        return AsgiServer(scope, [{"type": "http.request", "body": body}], probed=False)

    def _wsgi_server(self, body: bytes, cookie: str) -> WsgiServer:
        more = {"HTTP_COOKIE": cookie} if cookie else {}
        if body:
            more |= {"CONTENT_TYPE": _FORM, "CONTENT_LENGTH": str(len(body))}
        method = "POST" if body else "GET"

        return WsgiServer(environment(body, REQUEST_METHOD=method, **more))

    def events(self, stream: str) -> list[Event]:
        """Return the events of a stream."""
        return self.audited.events(stream)

    def event(self, stream: str) -> Event:
        """Return the one event of a stream."""
        return only(self.events(stream))


def only(events: list[Event]) -> Event:
    """Return the one of them."""
    (event,) = events

    return event
