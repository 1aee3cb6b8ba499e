# Requests of fifty users at once, over all ways that an application has to go on
# elsewhere: no record attributes anything to another request, or its user.
import asyncio
import random
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.edges.asgi_server import AsgiServer, http_scope
from tests.edges.audited import Audited
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment

import audit_mw
from audit_mw.event import Event

_USERS = [f"user{number}" for number in range(50)]
_SLOTS = 8192  # each record needs one, until the writer has it
_pool = ThreadPoolExecutor(4)


def say(user: str, number: int) -> None:
    """Say something that names both user and request."""
    audit_mw.error(user, request=number)


def know(user: str) -> None:
    """Let the current exchange be of a user."""
    current = audit_mw.current()
    assert current is not None
    current.user = user


# --- ways to go on elsewhere


async def in_task(user: str, number: int) -> None:
    async def later() -> None:
        await asyncio.sleep(random.random() / 200)
        say(user, number)

    await asyncio.gather(*(asyncio.create_task(later()) for _ in range(2)))


async def in_thread(user: str, number: int) -> None:
    await asyncio.to_thread(say, user, number)


async def in_threadpool(user: str, number: int) -> None:
    await run_in_threadpool(say, user, number)


async def in_executor(user: str, number: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(_pool, audit_mw.carry(say), user, number)


async def at_once(user: str, number: int) -> None:
    await asyncio.sleep(random.random() / 200)
    say(user, number)


WAYS: list[Callable[[str, int], Awaitable[None]]] = [
    *(in_task, in_thread, in_threadpool, in_executor, at_once)
]


class Known(BaseHTTPMiddleware):
    """Names the user in another task than the endpoint's; shares `state` as servers do."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        user = request.query_params["user"]
        request.scope["state"]["user"] = user  # one dict for all: the last one's user
        if random.random() < 0.5:
            know(user)
        answer: Response = await call_next(request)

        return answer


async def endpoint(request: Request) -> Response:
    user, number = request.query_params["user"], int(request.query_params["n"])
    know(user)
    await WAYS[number % len(WAYS)](user, number)
    background = BackgroundTask(say, user, number) if number % 7 == 0 else None

    return PlainTextResponse("ok", background=background)


def wsgi(environ: Environ, start_response: StartResponse) -> Any:
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    user, number = query["user"], int(query["n"])
    know(user)
    threads = [
        threading.Thread(target=audit_mw.carry(say), args=(user, number)),
        threading.Thread(target=_pool.submit(audit_mw.carry(say), user, number).result),
    ]
    for thread in threads:
        thread.start()
    start_response("200 OK", [])

    def chunks() -> Any:
        for thread in threads:
            thread.join()
            say(user, number)
            yield b"."

    return chunks()


# --- what must hold


def crossed(audited: Audited) -> list[str]:
    """Return what was attributed to another request or user, or to none."""
    requests = {it.event: it for it in audited.events()}
    found = defaultdict(list)
    for error in audited.events("error"):
        found[error.event].append(error)

    return [
        f"{event} has {error.details}, user {error.user!r}"
        for event, errors in found.items()
        for error in errors
        if event not in requests or not _is_of(error, requests[event])
    ] + [f"{event} says nothing" for event in requests if event not in found]


def _is_of(error: Event, request: Event) -> bool:
    # By the user alone, what another request of the same user says would pass.
    sent = {it.name: it.value for it in request.params if it.source == "query"}
    users = {error.details["reason"], error.user, request.user, sent[b"user"]}

    return len(users) == 1 and sent[b"n"] == b"%d" % number_of(error)


def number_of(error: Event) -> int:
    """Return the number of the request that an error names."""
    app = error.details["app"]
    assert isinstance(app, dict)

    return int(app["request"])


def numbers(errors: list[Event]) -> set[int]:
    """Return the numbers of all of them."""
    return set(map(number_of, errors))


# Each way many times, with as many at once as in a thousand.
any_count = pytest.mark.parametrize(
    "count", [300, pytest.param(1000, marks=pytest.mark.long)]
)


@any_count
def test_asgi(audited: Audited, count: int) -> None:
    """Tasks, threads, thread pools, executors, BaseHTTPMiddleware, a shared state."""
    routes = [Route("/{path:path}", endpoint)]
    app = audited(
        Starlette(routes=routes, middleware=[Middleware(Known)]), max_slots=_SLOTS
    )
    state: dict[str, Any] = {}

    async def one(number: int) -> None:
        query = f"user={random.choice(_USERS)}&n={number}".encode()
        scope = http_scope(query_string=query, state=state)
        body = {"type": "http.request", "body": b""}
        server = AsgiServer(scope, [body], probed=False)
        async with gate:
            await server.serve(app)
        assert server.status == 200

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, range(count)))

    gate = asyncio.Semaphore(60)
    asyncio.run(all_of_them())

    assert len(audited.events()) == count
    assert crossed(audited) == []
    assert numbers(audited.events("error")) == set(range(count))


@any_count
def test_wsgi(audited: Audited, count: int) -> None:
    """Threads that serve, threads that they start, pools, and lazy responses."""
    app = audited(wsgi, max_slots=_SLOTS)

    def one(number: int) -> None:
        query = f"user={random.choice(_USERS)}&n={number}"
        server = WsgiServer(environment(QUERY_STRING=query)).run(app)
        assert server.status == "200 OK"

    with ThreadPoolExecutor(12) as servers:
        list(servers.map(one, range(count)))

    assert len(audited.events()) == count
    assert crossed(audited) == []
    assert numbers(audited.events("error")) == set(range(count))
