"""
What the compiled road holds: no secret, nothing that grows, no reference too many.
"""

import gc
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.compiled.roads import Road
from tests.reaching import reachable, texts_in
from tests.serving import new_word

pytest.importorskip("audit_mw._native", reason="it was not built")

_START = {"type": "http.response.start", "status": 200, "headers": []}
_BODY = {"type": "http.response.body", "body": b"ok"}
_PAGE = 4096


async def _app(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(_START)
    await send(_BODY)


def _scope(query: bytes, *fields: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a",
        "raw_path": b"/a",
        "query_string": query,
        "headers": [(b"host", b"shop.example"), *fields],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
    } | more


def _posted(media: bytes, body: bytes) -> dict[str, Any]:
    about = (
        (b"content-type", b"application/" + media),
        (b"content-length", b"%d" % len(body)),
    )

    return _scope(b"q=1", *about, method="POST")


def _serve(road: Road, scope: dict[str, Any], body: bytes = b"") -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(_message: Any) -> None:
        pass

    # Without a loop, of which nothing here waits: it has memories of its own.
    coroutine = road.middleware(scope, receive, send)
    with pytest.raises(StopIteration):
        coroutine.send(None)


@pytest.fixture
def road(tmp_path: Path) -> Any:
    """A middleware on the compiled road."""
    made = Road(_app, tmp_path / "trail", compiled="on", max_slots=256)
    yield made
    made.close()


def test_no_secret_is_remembered(road: Road) -> None:
    """Of what is withheld nothing can be reached from the road and its memories."""
    names = (
        "query cookie key form json text below beside again alone flag named kind long "
        "words"
    ).split()
    secrets = {name: new_word().encode() for name in names}
    alone, flag = (b"Ab3%bZ9x" % secrets[name] for name in ("alone", "flag"))
    form = b"password=" + secrets["form"]
    lines = (
        (b"cookie", b"sessionid=" + secrets["cookie"] + b"; theme=dark"),
        (b"authorization", b"Bearer " + secrets["key"]),
    )
    documents = [
        b'{"a":"shoesandmore","password":"%b"}' % secrets["json"],
        b'{"a":"my password is %b"}' % secrets["text"],
        b'{"tokens":{"A1-%b":"x"}}' % secrets["below"],
        b'{"value":"%b","name":"password"}' % secrets["beside"],
        b'{"a":"password=%b=x"}' % secrets["again"],
        b'{"value":{"A1-%b":1},"name":"password"}' % secrets["named"],
        b'{"data":{"A1-%b":[{}]},"kind":"Secret"}' % secrets["kind"],
        b'{"value":{"A1-%b%b":1},"name":"pin"}' % (secrets["long"], b"x" * 99),
        b'{"value":"two words: %b=x","name":"password"}' % secrets["words"],
    ]
    for _ in range(3):
        _serve(road, _scope(b"q=shoesandmore", *lines))
        _serve(road, _scope(b"password=" + secrets["query"], *lines))
        _serve(road, _scope(alone, (b"cookie", flag)))
        _serve(road, _posted(b"x-www-form-urlencoded", form), form)
        for document in documents:
            _serve(road, _posted(b"json", document), document)
    road.flush()
    short = road.middleware._auditor.short_road
    held = texts_in(short, short._known, short._road)

    assert b"shop.example" in held
    assert [name for name, secret in secrets.items() if secret in held] == []


def _wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [])

    return [b"ok"]


def _environ(**more: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/a",
        "QUERY_STRING": "q=1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "4711",
        "HTTP_HOST": "shop.example",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    } | more


@pytest.fixture
def wsgi_road(tmp_path: Path) -> Any:
    """The same around an application of WSGI."""
    made = Road(_wsgi, tmp_path / "trail", compiled="on", max_slots=256)
    yield made
    made.close()


def test_no_secret_of_an_environ_is_remembered(wsgi_road: Road) -> None:
    """Nor of what an environ has."""
    names = "cookie", "key", "query", "odd", "referer", "agent"
    secrets = {name: new_word() for name in names}
    environ = {
        "HTTP_COOKIE": f"sessionid={secrets['cookie']}; theme=dark",
        "HTTP_AUTHORIZATION": f"Bearer {secrets['key']}",
        "HTTP_X_API_KEY": secrets["odd"],
        "HTTP_USER_AGENT": "shoesandmore",
    }
    others = [
        environ | {"QUERY_STRING": f"password={secrets['query']}"},
        environ | {"HTTP_REFERER": f"http://a.example/?token={secrets['referer']}"},
        environ | {"HTTP_USER_AGENT": f"password={secrets['agent']}"},
    ]
    for _ in range(3):
        for each in (environ, *others):
            result = wsgi_road.middleware(_environ(**each), lambda *_: None)
            assert result == [b"ok"]
    wsgi_road.flush()
    short = wsgi_road.middleware._auditor.short_road
    held = texts_in(short, short._known, short._road)

    assert b"shoesandmore" in held
    assert [name for name, it in secrets.items() if it.encode() in held] == []


def test_field_lines_are_forgotten(wsgi_road: Road) -> None:
    """Who sends names and values that never came before fills no memory."""
    for turn in range(6_000):
        more = {f"HTTP_X_{turn}": "1", "HTTP_USER_AGENT": f"agent {turn}"}
        wsgi_road.middleware(_environ(**more), lambda *_: None)
        if turn % 200 == 0:
            wsgi_road.flush()
    wsgi_road.flush()
    held = reachable(wsgi_road.middleware._auditor.short_road._road)

    keys = [each for each in held if type(each).__name__ == "Key"]
    assert 100 < len(keys) <= 4096
    assert sum(isinstance(each, str) and "agent" in each for each in held) < 2 * 4096


def test_documents_are_forgotten(road: Road) -> None:
    """Who sends keys and values that never came before fills no memory."""
    for turn in range(150):
        pairs = (b'"k%d_%d":"a value, %d"' % (turn, at, turn * at) for at in range(60))
        body = b"[{%b}]" % b",".join(pairs)
        _serve(road, _posted(b"json", body), body)
    road.flush()
    held = reachable(road.middleware._auditor.short_road)

    steps = [each for each in held if type(each).__name__ in ("Step", "Pointer")]
    assert 100 < len(steps) < 2 * 4096 + 200


def test_references(road: Road) -> None:
    """What is shared by requests has as many references after them as before."""
    key = (b"host", b"shop.example")
    shared: list[object] = [_START, _BODY, key, key[0], key[1], _app, b"request"]
    scope = _scope(b"q=1", key)
    for _ in range(5):
        _serve(road, dict(scope))
    road.flush()
    before = [sys.getrefcount(each) for each in shared]
    for _ in range(200):
        _serve(road, dict(scope))
    road.flush()
    gc.collect()
    after = [sys.getrefcount(each) for each in shared]

    assert all(abs(new - old) < 20 for old, new in zip(before, after, strict=True))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_memory_is_flat(road: Road) -> None:
    """Tens of thousands of requests, of which each has something new, leave nothing."""

    def serve(count: int) -> int:
        for turn in range(count):
            query = b"q=%d&w=abcdefghijklmnop%d" % (turn, turn)
            more = {"user": f"user{turn}"} if turn % 3 == 0 else {}
            _serve(road, _scope(query, **more))
            _serve(road, _scope(b"q=1&q=2"))
            if turn % 200 == 0:
                road.flush()
        road.flush()
        gc.collect()
        return _resident()

    serve(10_000)
    first = serve(10_000)

    assert serve(20_000) - first < 4 << 20
