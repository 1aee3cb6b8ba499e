"""
Ordinary requests do go the compiled road: else what compares the roads is void.
"""

import gc
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.compiled.roads import Road
from tests.edges.audited import read_trail
from tests.serving import BIN, free_port, serving

import audit_mw
from audit_mw.integrations.hearing import vouch_by
from audit_mw.recorder import Recorder

_native = pytest.importorskip("audit_mw._native", reason="it was not built")

_FORM = b"application/x-www-form-urlencoded"
_LARGE = b"[%b]" % b",".join(b'{"sku":"red-shoe","size":%d}' % at for at in range(99))
_FIELDS = (
    (b"host", b"shop.example"),
    (b"user-agent", b"Mozilla/5.0"),
    (b"cookie", b"sessionid=0123456789abcdef0123456789abcdef; theme=dark"),
    (b"authorization", b"Bearer 0123456789abcdef"),
)


class App:
    """Reads all and answers; keeps what recorded it."""

    recorder: Any = None
    says: Mapping[str, object] = {}
    knows: Mapping[str, Any] = {}

    async def asgi(self, _scope: Any, receive: Any, send: Any) -> None:
        self._note()
        while (await receive()).get("more_body"):
            pass
        length = (b"content-length", b"2")
        start = {"type": "http.response.start", "status": 200, "headers": [length]}
        await send(start)
        await send({"type": "http.response.body", "body": b"ok"})

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self._note()
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", "2")])

        return [b"ok"]

    def _note(self) -> None:
        found = audit_mw.current()
        self.recorder = found and found.recorder
        for name, value in self.says.items():
            setattr(found, name, value)
        if self.knows:
            vouch_by(**self.knows)

    @property
    def went_all_the_way(self) -> bool:
        """Whether no whole recorder took over."""
        held = gc.get_referents(self.recorder)
        is_short = isinstance(self.recorder, _native.ShortRecorder)

        return is_short and not any(isinstance(each, Recorder) for each in held)


@pytest.fixture
def app() -> App:
    """An application."""
    return App()


def post(
    road: Road,
    body: bytes,
    media: bytes | None = None,
    query: bytes = b"q=1",
    **changes: Any,
) -> None:
    """Serve a request of ASGI, with a body if there is one, in chunks if it says so."""
    sent = chunks_of(body, changes.pop("chunk", None) or len(body) or 1)

    async def receive() -> Any:
        return next(sent)

    async def send(_message: Any) -> None:
        pass

    media = media or _media(body).encode()
    about = (b"content-type", media), (b"content-length", b"%d" % len(body))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST" if body else "GET",
        "scheme": "http",
        "path": "/search",
        "raw_path": b"/search",
        "query_string": query,
        "headers": [*_FIELDS, *(about if body else ())],
        "client": ("192.0.2.7", 4711),
    }
    with pytest.raises(StopIteration):
        road.middleware(scope | changes, receive, send).send(None)


def chunks_of(body: bytes, size: int) -> Iterator[dict[str, Any]]:
    """Yield the messages in which a server hands a body over."""
    for at in range(0, len(body) or 1, size):
        more = at + size < len(body)
        yield {"type": "http.request", "body": body[at : at + size], "more_body": more}


@pytest.fixture
def asgi(app: App, tmp_path: Path) -> Iterator[Any]:
    """Serve a request of ASGI."""
    road = Road(app.asgi, tmp_path, compiled="on")

    def serve(query: bytes, body: bytes = b"", **changes: Any) -> None:
        post(road, body, query=query, **changes)

    yield serve
    road.close()


@pytest.fixture
def wsgi(app: App, tmp_path: Path) -> Iterator[Any]:
    """Serve a request of WSGI."""
    road = Road(app.wsgi, tmp_path, compiled="on")

    def serve(query: bytes, body: bytes = b"", **changes: Any) -> None:
        about = {"CONTENT_TYPE": _media(body), "CONTENT_LENGTH": str(len(body))}
        fields = {
            f"HTTP_{name.decode().upper().replace('-', '_')}": value.decode()
            for name, value in _FIELDS
        }
        environ = {
            "REQUEST_METHOD": "POST" if body else "GET",
            "RAW_URI": "/search",
            "QUERY_STRING": query.decode(),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "REMOTE_PORT": "4711",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
        }
        environ |= fields | (about if body else {})
        road.middleware(environ | changes, lambda *_: print)

    yield serve
    road.close()


def _media(body: bytes) -> str:
    return "application/json" if body[:1] in (b"{", b"[") else _FORM.decode()


_ordinary = pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"", b""),
        (b"q=shoes&page=2", b""),
        (b"q=blue+suede+shoes", b""),
        (b"order=0f8fad5b-d9cb-469f-a165-70867728950e", b""),
        (b"q=1", b"a=1&b=2"),
        (b"q=1", b"{}"),
        (b"q=1", b'{"a":1,"b":[true,{"c":"caf\xc3\xa9 two"}]}'),
        (b"q=1", b'{"username":"alice","password":"hunter2"}'),
        (b"q=1", _LARGE),
    ],
)


@_ordinary
@pytest.mark.parametrize("edge", ["asgi", "wsgi"])
def test_ordinary(edge: str, query: bytes, body: bytes, app: App, request: Any) -> None:
    """They go it from their head to their record, from the second one on."""
    serve = request.getfixturevalue(edge)
    serve(query, body)
    serve(query, body)

    assert app.went_all_the_way


def test_known_user(asgi: Any, app: App) -> None:
    """So do those of users that a framework vouches for."""
    for _ in range(2):
        asgi(b"q=1", user="alice")

    assert app.went_all_the_way


@_ordinary
@pytest.mark.parametrize("chunk", [1, 7])
def test_chunks(
    chunk: int, query: bytes, body: bytes, app: App, asgi: Callable[..., None]
) -> None:
    """So do those of which the body comes in several chunks."""
    for _ in range(2):
        asgi(query, body, chunk=chunk)

    assert app.went_all_the_way


def test_json_of_a_kind(app: App, tmp_path: Path) -> None:
    """So does JSON that is of a kind of its own (RFC 6839 3.1)."""
    road = Road(app.asgi, tmp_path, compiled="on")
    for _ in range(2):
        post(road, b'{"title":"x"}', b"application/vnd.api+json; charset=utf-8")
    road.close()

    assert app.went_all_the_way


@pytest.mark.parametrize("edge", ["asgi", "wsgi"])
def test_said(edge: str, app: App, request: Any) -> None:
    """So do those of which the application says who it was, and what came of it."""
    app.says = {"user": "alice", "rows": 7, "outcome": "FAILURE"}
    serve = request.getfixturevalue(edge)
    for body in (b"", b"", b"a=1"):
        serve(b"q=1", body)

    assert app.went_all_the_way


@pytest.mark.parametrize("edge", ["asgi", "wsgi"])
def test_vouched(edge: str, app: App, request: Any) -> None:
    """So do those of which an integration says who it was, and what served it."""
    app.knows = {"user": lambda: "alice", "action": lambda: "shop.search"}
    serve = request.getfixturevalue(edge)
    for body in (b"", b"", b"a=1"):
        serve(b"q=1", body)

    assert app.went_all_the_way


def test_event_header(app: App, tmp_path: Path) -> None:
    """So do those of which the response gets the event."""
    road = Road(app.asgi, tmp_path, compiled="on", event_header="x-event")
    for _ in range(2):
        post(road, b"a=1")
    road.close()

    assert app.went_all_the_way


@pytest.mark.parametrize(
    ("query", "body"),
    [
        *[(query, b"") for query in (b"q=1&q=2", b"password=x", b"q=%41", b"q")],
        (b"q=1", b'{"q":1}'),
        (b"q=1", b'{"a":1,"a":1}'),
        (b"q=1", b'{"a":1'),
        (b"q=1", b'{"a":"%b"}' % (b"x" * 300)),
    ],
)
def test_others(asgi: Any, app: App, query: bytes, body: bytes) -> None:
    """What is odd does not."""
    for _ in range(2):
        asgi(query, body)

    assert not app.went_all_the_way


_SERVERS = {
    "uvicorn": ("uvicorn", "tests.compiled.served:asgi", "--port", "{port}"),
    "gunicorn": ("gunicorn", "tests.compiled.served:wsgi", "-b", "127.0.0.1:{port}"),
    "gunicorn, preload": (
        *("gunicorn", "tests.compiled.served:wsgi", "-b", "127.0.0.1:{port}"),
        *("--preload", "-w", "2", "-k", "gthread"),
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="as it is deployed")
@pytest.mark.parametrize("server", _SERVERS)
def test_server(server: str, tmp_path: Path) -> None:
    """Under real servers requests of a real client go it, and each has its record."""
    port, trail = free_port(), tmp_path / "trail"
    name, *rest = (part.format(port=port) for part in _SERVERS[server])
    environ = {"COMPILED_TRAIL": str(trail), "AUDIT_MW_COMPILED": "on"}
    with serving([BIN / name, *rest], port, tmp_path, env=environ) as running:
        told = [running.ask("GET", f"/search?q={at}")[1] for at in range(20)]

    # The first request of a worker opens its trail, and so takes the whole way.
    assert {b"ShortRecorder", b"Recorder"} >= set(told)
    assert told.count(b"Recorder") <= 2
    kept = [event.params[0].value for event in read_trail(trail)]
    assert sorted(kept, key=str) == sorted((b"%d" % at for at in range(20)), key=str)
