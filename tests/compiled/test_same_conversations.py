"""
Whatever happens in a request, both roads keep the same of it.

The grammar is that of the differential test, around heads that are ordinary; and the
application speaks at any of its steps, so that the whole recorder takes over there.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.chance import seed_of
from tests.compiled.roads import Pair
from tests.compiled.talking import WORDS, talking_asgi, talking_wsgi
from tests.differential.asgi_requests import AsgiRequest
from tests.differential.comparing import Batch, Interface, batches
from tests.differential.interfaces import asgi_asyncio, wsgi
from tests.differential.wsgi_requests import WsgiRequest
from tests.effort import EFFORT

SEED = seed_of("DIFFERENTIAL_SEED")
FEW, MANY = 200, 1_000 * EFFORT
_STEPS = 9
_FORM = "application/x-www-form-urlencoded"
_BODIES = (
    *(b"a=1&b=2", b"u=x&pw=hunter2", b"a=4111111111111111", b""),
    *(b'{"a":1,"b":["x y"]}', b'{"u":"x","pw":"hunter2"}', b'{"a":', b'{"q":"shoes"}'),
)
_JSON = "application/json", "application/json", "application/problem+json"
_QUERIES = "q=shoes&page=2", "", "q=0123456789abcdefghij-zz", "q=a+b"
_COOKIES = "", "theme=dark", "q=1", *(f"sessionid={at:032x}; a=b" for at in range(3))
_CLIENTS = ("192.0.2.7", 4711), ("192.0.2.8", 4712), ("2001:db8::1", 3)

Opened = Callable[[], AbstractContextManager[Interface]]
BOTH = pytest.mark.parametrize(
    ("opened", "talking"),
    [(asgi_asyncio, talking_asgi), (wsgi, talking_wsgi)],
    ids=["asgi", "wsgi"],
)


class _Ordinary:
    """Puts ordinary heads, and forms, in the place of those of the grammar."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)

    def __call__(self, request: Any) -> Any:
        if isinstance(request, WsgiRequest):
            return self._wsgi(request)

        return self._asgi(request) if request.scope["type"] == "http" else request

    def _query(self) -> str:
        query = self._rng.choice(_QUERIES)
        if self._rng.random() < 0.4:
            return query
        word = self._rng.randrange(len(WORDS))

        return f"{query}&say={word}-{self._rng.randrange(_STEPS)}".lstrip("&")

    def _fields(self, method: str, body: bytes) -> dict[str, str]:
        fields = {"host": "shop.example", "user-agent": "Mozilla/5.0"}
        if cookie := self._rng.choice(_COOKIES):
            fields["cookie"] = cookie
        if self._rng.random() < 0.2:
            fields["authorization"] = "Basic YWxpY2U6aHVudGVyMg=="
        if method == "POST":
            is_json = body[:1] == b"{"
            fields["content-type"] = self._rng.choice(_JSON) if is_json else _FORM
            length = self._rng.choice([len(body)] * 4 + [len(body) + 1, 3])
            fields["content-length"] = str(length)

        return fields

    def _asgi(self, request: AsgiRequest) -> AsgiRequest:
        rng = self._rng
        method, body = rng.choice(["GET", "HEAD", "POST", "POST"]), rng.choice(_BODIES)
        fields = self._fields(method, body)
        scope = request.scope | {
            "method": method,
            "query_string": self._query().encode(),
            "headers": [(it.encode(), fields[it].encode()) for it in fields],
            "client": rng.choice(_CLIENTS),
            "raw_path": b"/a",
        }
        if method != "POST":
            return replace(request, scope=scope)
        first, second = rng.choice([(0, 0), (0, 0), (3, 3), (1, 5), (2, len(body))])
        pieces = body[:first], body[first:second], body[second:]
        chunks = [it for it in pieces if it] or [b""]
        if rng.random() < 0.1:
            chunks.insert(rng.randrange(len(chunks)), b"")
        incoming = tuple(
            {
                "type": "http.request",
                "body": chunk,
                "more_body": at < len(chunks),
            }
            for at, chunk in enumerate(chunks, 1)
        )

        return replace(request, scope=scope, incoming=incoming)

    def _wsgi(self, request: WsgiRequest) -> WsgiRequest:
        rng, query = self._rng, self._query()
        method, body = rng.choice(["GET", "HEAD", "POST", "POST"]), rng.choice(_BODIES)
        address, port = rng.choice(_CLIENTS)
        environ = {
            "REQUEST_METHOD": method,
            "RAW_URI": f"/a?{query}",
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": address,
            "REMOTE_PORT": str(port),
            "wsgi.url_scheme": "http",
        }
        for name, value in self._fields(method, body).items():
            key = name.upper().replace("-", "_")
            environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value

        return replace(request, environ=environ, body=body if method == "POST" else b"")


@pytest.fixture
def _no_collector() -> Iterator[None]:
    # It would end a generator that is part of a cycle now on one road, then on another.
    gc.disable()
    yield
    gc.enable()


def _in_turn_before(batch: Batch) -> Iterator[Batch]:
    # What is new of a session is told once: of requests that meet, by whichever comes
    # first. Where threads race, it shall be new no more.
    if getattr(batch[0], "meets", False):
        yield tuple(replace(each, meets=False) for each in batch)
    yield batch


def _check(opened: Opened, talking: Any, trail: Path, seed: int, count: int) -> None:
    ordinary, records = _Ordinary(seed), 0
    with opened() as interface:
        pair = Pair(talking(interface.app), trail)
        try:
            for drawn in batches(interface, seed, count):
                for batch in _in_turn_before(tuple(map(ordinary, drawn))):
                    on = interface.serve(pair.on.middleware, batch)

                    assert interface.serve(pair.off.middleware, batch) == on
                    records += pair.check()
        finally:
            pair.close()

    assert records > count // 2


@BOTH
@pytest.mark.usefixtures("_no_collector")
def test_same(opened: Opened, talking: Any, tmp_path: Path) -> None:
    """Told of in each step, failing, cancelled or left: the records are the same."""
    _check(opened, talking, tmp_path, SEED, FEW)


@pytest.mark.long
@pytest.mark.parametrize("part", range(1, 3))  # so that all workers have some
@BOTH
@pytest.mark.usefixtures("_no_collector")
def test_same_at_length(
    opened: Opened, talking: Any, part: int, tmp_path: Path
) -> None:
    """The same over many more, others in each part."""
    print(f"DIFFERENTIAL_SEED={SEED + part}")
    _check(opened, talking, tmp_path, SEED + part, MANY)
