# The interfaces with the loops that serve them, ready to be compared.
import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any

import trio
from tests.differential import asgi_call, wsgi_call
from tests.differential.asgi_call import serve_asgi
from tests.differential.asgi_grammar import draw_asgi
from tests.differential.asgi_requests import AsgiRequest, smaller_asgi
from tests.differential.comparing import Batch, Interface
from tests.differential.notes import Story
from tests.differential.runtimes import Asyncio, Trio
from tests.differential.wsgi_requests import draw_wsgi, smaller_wsgi

__all__ = ["asgi_asyncio", "asgi_trio", "wsgi"]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def _draw_asgi(rng: Random, size: int) -> Batch:
    return tuple(draw_asgi(rng) for _ in range(size))


@contextmanager
def asgi_asyncio(factory: LoopFactory | None = None) -> Iterator[Interface]:
    """Give ASGI in a loop of asyncio, which all calls share."""
    with asyncio.Runner(debug=False, loop_factory=factory) as runner:
        loop = runner.get_loop()
        # What an application leaves behind in a task of its own is its own affair.
        loop.set_exception_handler(lambda *_: None)

        def serve(app: Any, batch: Batch) -> list[Story]:
            return loop.run_until_complete(serve_asgi(app, batch, Asyncio()))

        yield Interface(asgi_call.dispatch, _draw_asgi, smaller_asgi, serve)


def asgi_trio() -> Interface:
    """Return ASGI in a loop of trio, one for each call."""

    def serve(app: Any, batch: Batch) -> list[Story]:
        # Trio runs tasks in a random order, so one at a time.
        return [trio.run(_serve_one, app, request) for request in batch]

    return Interface(asgi_call.dispatch, _draw_asgi, smaller_asgi, serve)


async def _serve_one(app: Any, request: AsgiRequest) -> Story:
    async with trio.open_nursery() as nursery:
        (story,) = await serve_asgi(app, (request,), Trio(nursery))

    return story


@contextmanager
def wsgi(patience: float = 60) -> Iterator[Interface]:
    """Give WSGI; `patience` is for applications that wait for each other."""
    with ThreadPoolExecutor(1) as elsewhere:

        def serve(app: Any, batch: Batch) -> list[Story]:
            return wsgi_call.serve_wsgi(app, batch, elsewhere, patience)

        yield Interface(wsgi_call.dispatch, draw_wsgi, smaller_wsgi, serve)
