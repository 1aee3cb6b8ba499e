# What frameworks do to parse what `hostile.py` sends, their own limits lifted, so that
# the whole of it is parsed.
import asyncio
import math
from collections.abc import Callable, MutableMapping
from typing import Any

from benchmarks.hostile_requests import Hostile
from starlette.requests import Request

__all__ = ["PARSERS"]

CHUNK = 1 << 16


def _request(hostile: Hostile) -> Request:
    media = [(b"content-type", hostile.media)] if hostile.media else []
    chunks = [
        hostile.body[at : at + CHUNK] for at in range(0, len(hostile.body), CHUNK)
    ]
    chunks.reverse()

    async def receive() -> MutableMapping[str, Any]:
        chunk = chunks.pop() if chunks else b""

        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/things",
        "query_string": hostile.query,
        "headers": [*media, *hostile.fields],
    }

    return Request(scope, receive)


async def _form(request: Request) -> object:
    try:
        return await request.form(
            max_files=math.inf, max_fields=math.inf, max_part_size=1 << 30
        )
    except Exception as error:  # noqa: BLE001 - that it is broken is found by parsing
        return error


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except (ValueError, RecursionError) as error:
        return error


async def _query(request: Request) -> object:
    return request.query_params


async def _cookies(request: Request) -> object:
    return request.cookies


async def _fields(request: Request) -> object:
    return dict(request.headers)


def _run(parse: Callable[[Request], Any]) -> Callable[[Hostile], object]:
    return lambda hostile: asyncio.run(parse(_request(hostile)))


PARSERS: dict[str, Callable[[Hostile], object]] = {
    "form": _run(_form),
    "multipart": _run(_form),
    "json": _run(_json),
    "query": _run(_query),
    "cookies": _run(_cookies),
    "fields": _run(_fields),
}
