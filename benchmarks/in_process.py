# What the middleware costs a request, without a server: app alone against app wrapped.
#
#     python -m benchmarks.in_process [--profile]
#
# Both are run in turn, several times, in one process; the median and the spread of CPU
# time per request are printed. It is a ratio to watch, not a promise about a machine.
import argparse
import asyncio
import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from benchmarks.typical import BROWSER, PATH, QUERY

from audit_mw import AuditMiddleware

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

ROUNDS = 7
REQUESTS = 2000
SCOPE = {
    "type": "http",
    "method": "GET",
    "path": PATH,
    "raw_path": PATH.encode(),
    "query_string": QUERY.encode(),
    "headers": [(it.lower().encode(), BROWSER[it].encode()) for it in BROWSER],
    "client": ("192.0.2.7", 41522),
    "scheme": "http",
    "http_version": "1.1",
}


async def app(_scope: Any, receive: Any, send: Send) -> None:
    """Answer as a small JSON endpoint does."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"15")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"status":"ok"}'})


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Message) -> None:
    pass


async def micros(application: Any) -> float:
    """Return the CPU time of one request, in microseconds."""
    start = time.process_time_ns()
    for _ in range(REQUESTS):
        await application(dict(SCOPE), _receive, _send)

    return (time.process_time_ns() - start) / REQUESTS / 1000


async def main(*, profile: bool) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as trail:
        wrapped = AuditMiddleware(app, trail=trail, service="bench")
        await micros(wrapped)
        rounds = [(await micros(app), await micros(wrapped)) for _ in range(ROUNDS)]
        added = sorted(with_it - alone for alone, with_it in rounds)
        print(f"app alone   {statistics.median(alone for alone, _ in rounds):8.1f} us")
        print(f"added       {statistics.median(added):8.1f} us", end="")
        print(f"  ({added[0]:.1f} to {added[-1]:.1f} in {ROUNDS} rounds)")
        if profile:
            profiler = cProfile.Profile()
            profiler.enable()
            await micros(wrapped)
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", action="store_true")
    asyncio.run(main(profile=parser.parse_args().profile))
