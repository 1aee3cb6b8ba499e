"""
A request leaves nothing that only a collection of garbage would find: what it held goes
when it is over, at once, as it does without the middleware.
"""

import asyncio
import gc
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import ref

import pytest
from tests.edges.asgi_server import http_scope
from tests.edges.audited import Audited
from tests.edges.wsgi_server import Environ, StartResponse, environment


class _Stream(io.BytesIO):
    """A body of which is known when it goes."""


class _State:
    """What a server keeps with a scope."""


def _reads(environ: Environ, start_response: StartResponse) -> Any:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


def _reads_lines(environ: Environ, start_response: StartResponse) -> Any:
    list(environ["wsgi.input"])
    start_response("200 OK", [])

    return iter([b"o", b"k"])


def _writes(_environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [])(b"ok")

    return []


def _raises(environ: Environ, _start_response: StartResponse) -> Any:
    raise KeyError(environ["wsgi.input"].read(1))


@contextmanager
def _uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _start(*_: object) -> Callable[[bytes], None]:
    return lambda _chunk: None


def _serve(middleware: Any, *, closes: bool) -> "ref[_Stream]":
    stream = _Stream(b"a=1")
    environ = environment(REQUEST_METHOD="POST", CONTENT_LENGTH="3")
    environ["wsgi.input"] = stream
    with suppress(KeyError):
        result = middleware(environ, _start)
        list(result)
        if closes and hasattr(result, "close"):
            result.close()

    return ref(stream)


@pytest.mark.parametrize("compiled", ["auto", "off"])
@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("app", [_reads, _reads_lines, _writes, _raises])
def test_wsgi(audited: Audited, app: Any, compiled: str, closes: bool) -> None:
    """Environ and body go with the request."""
    middleware = audited(app, compiled=compiled)
    _serve(middleware, closes=closes)
    with _uncollected():
        left = [_serve(middleware, closes=closes)() for _ in range(3)]

    assert left == [None] * 3


async def _answers(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def _receive() -> dict[str, Any]:
    return {"type": "http.request"}


async def _send(_message: Any) -> None:
    pass


async def _fails(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()
    raise KeyError("failed")


@pytest.mark.parametrize("compiled", ["auto", "off"])
@pytest.mark.parametrize("app", [_answers, _fails])
def test_asgi(audited: Audited, app: Any, compiled: str) -> None:
    """The scope goes with the request."""
    middleware = audited(app, compiled=compiled)

    async def serve() -> "ref[_State]":
        state = _State()
        scope = http_scope(state={"its": state})
        with suppress(KeyError):
            await middleware(scope, _receive, _send)

        return ref(state)

    async def all_of_them() -> list[object]:
        await serve()
        with _uncollected():
            return [(await serve())() for _ in range(3)]

    assert asyncio.run(all_of_them()) == [None] * 3
