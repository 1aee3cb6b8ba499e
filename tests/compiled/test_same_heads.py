"""
Whatever request comes, both roads keep the same of it.

Each is served twice in a row, so that the memories know it the second time.
"""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.compiled.heads import as_environ, as_scope, requests
from tests.compiled.roads import Pair
from tests.effort import EFFORT
from tests.test_roads import OPTIONS

_served = st.lists(requests, min_size=1, max_size=5)
_few = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_many = settings(_few, max_examples=250 * EFFORT)


class _Served:
    """Applications that read all, and answer what the request says."""

    request: dict[str, Any]

    async def asgi(self, _scope: Any, receive: Any, send: Any) -> None:
        request = self.request
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", **_start(request)})
        await send({"type": "http.response.body", "body": b"ok"})

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(*() if self.request["cut"] is None else (4096,))
        start = _start(self.request)
        fields = [(name.decode(), value.decode()) for name, value in start["headers"]]
        start_response(f"{start['status']} Said", fields)

        return [b"ok"]


def _start(request: dict[str, Any]) -> dict[str, Any]:
    length = request["length"]

    return {
        "status": request["status"],
        "headers": [] if length is None else [(b"Content-Length", length)],
    }


def _incoming(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    body, at = request["body"], request["cut"]
    if at is not None:
        yield {"type": "http.request", "body": body[:at], "more_body": True}
        body = body[at:]
    yield {"type": "http.request", "body": body}
    yield {"type": "http.disconnect"}


async def _taken(_message: Any) -> None:
    pass


def _serve_asgi(middleware: Any, request: dict[str, Any]) -> str:
    messages = _incoming(request)

    async def receive() -> Any:
        return next(messages)

    try:
        asyncio.run(middleware(as_scope(request), receive, _taken))
    except Exception as error:  # noqa: BLE001 - it must be the same
        return repr(error)
    return ""


def _serve_wsgi(middleware: Any, request: dict[str, Any]) -> str:
    environ = as_environ(request)
    body = request["body"] if request["method"][0] == "P" else b""
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        result = middleware(environ, lambda *_: lambda _: None)
        getattr(result, "close", list)()
    except Exception as error:  # noqa: BLE001 - it must be the same
        return repr(error)
    return ""


_WAYS = {"asgi": (_Served.asgi, _serve_asgi), "wsgi": (_Served.wsgi, _serve_wsgi)}
_both = pytest.mark.parametrize("way", _WAYS)


def _check(trail: Path, way: str, served: Any, options: dict[str, Any]) -> None:
    app, serve = _WAYS[way]
    application = _Served()
    pair = Pair(app.__get__(application), trail, **options)
    try:
        for request in (*served, *served):
            application.request = request
            on = serve(pair.on.middleware, request)

            assert serve(pair.off.middleware, request) == on
        pair.check()
    finally:
        pair.close()


@pytest.mark.parametrize("options", [{}, OPTIONS[8]], ids=str)
@_both
def test_same(way: str, options: dict[str, Any], tmp_path_factory: Any) -> None:
    """The records are the same, and so is what the application sees raised."""

    @settings(_few, max_examples=12)
    @given(_served)
    def check(served: Any) -> None:
        _check(tmp_path_factory.mktemp("trail"), way, served, options)

    check()


@pytest.mark.long
@_both
def test_same_at_length(way: str, tmp_path_factory: Any) -> None:
    """The same of thousands, with any options."""

    @_many
    @given(_served, st.sampled_from(OPTIONS))
    def check(served: Any, options: dict[str, Any]) -> None:
        _check(tmp_path_factory.mktemp("trail"), way, served, options)

    check()
