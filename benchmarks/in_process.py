# What the middleware costs a request, without a server: app alone against app wrapped.
#
#     python -m benchmarks.in_process [--profile]
#
# Both are run in turn, several times, in one process; the median and the spread of CPU
# time per request are printed, the writer's thread counted. It is a ratio to watch, not
# a promise about a machine. `same` sends one request again and again; `typical` has a
# search of its own each time, by one of a thousand users; `form` is that as a form, and
# `json` 2 kB of JSON with it; `empty json` is `{}`, which shows what a value costs.
#
# With --profile it tells on which floor of the package the time goes. A profiler makes
# calls dearer than they are, so these are shares.
import argparse
import asyncio
import cProfile
import pstats
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from itertools import count
from pathlib import PurePath
from typing import Any

from benchmarks.typical import BROWSER, PATH, QUERY, TAG, USERS

from audit_mw import AuditMiddleware
from benchmarks import typical

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]

ROUNDS = 7
REQUESTS = 2000
SCOPE: Scope = {
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
_NUMBERS = count()
# The first that a module's name begins with, or contains.
_FLOORS = {
    "asgi": "edge",
    "current": "edge",
    "auditor": "composer",
    "recorder": "composer",
    "ids": "composer",
    "exchange": "exchange",
    "request": "exchange",
    "ordinary": "exchange: the short road",
    "policy/": "policy",
    "wire/": "wire",
    "trail/encoding": "trail: coding",
    "trail/params": "trail: coding",
    "trail/record": "trail: coding",
    "trail/sheet": "trail: coding",
    "trail/": "trail: journal",
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


# --- what is asked


def _same() -> Scope:
    return dict(SCOPE)


def _typical() -> Scope:
    number = next(_NUMBERS)
    user = b"%08x" % (number % USERS)
    # New objects, as a server makes them: what is hashed once is not hashed again.
    headers = [
        (bytes(bytearray(name)), value.replace(b"01234567", user, 1))
        for name, value in SCOPE["headers"]
    ]
    query = b"q=shoes-%08x&page=2&sort=price&colour=red" % number

    return SCOPE | {"query_string": query, "headers": headers}


def _form() -> Scope:
    scope = _typical()
    length = b"%d" % len(scope["query_string"])
    media = (b"content-type", b"application/x-www-form-urlencoded")
    headers = [*scope["headers"], media, (b"content-length", length)]

    return scope | {"method": "POST", "headers": headers}


def _json() -> Scope:
    number = next(_NUMBERS)
    return _document(_JSON.replace(TAG, f"{number:08x}").encode())


def _empty_json() -> Scope:
    return _document(b"{}")


def _document(body: bytes) -> Scope:
    scope = _typical()
    media = (b"content-type", b"application/json")
    headers = [*scope["headers"], media, (b"content-length", b"%d" % len(body))]

    # As with a form, the body stands in the query's place until it is read.
    return scope | {"method": "POST", "headers": headers, "query_string": body}


_JSON = typical.REQUESTS["json"].body

KINDS = {
    "same": _same,
    "typical": _typical,
    "form": _form,
    "json": _json,
    "empty json": _empty_json,
}


async def micros(application: Any, make: Callable[[], Scope]) -> float:
    """Return the CPU time of one request, in microseconds."""
    start = time.process_time_ns()
    for _ in range(REQUESTS):
        scope = make()
        receive = _body(scope) if scope["method"] == "POST" else _receive
        await application(scope, receive, _send)

    return (time.process_time_ns() - start) / REQUESTS / 1000


def _body(scope: Scope) -> Callable[[], Awaitable[Message]]:
    body, scope["query_string"] = scope["query_string"], b""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


# --- what is told


async def main(*, profile: bool) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as trail:
        wrapped = AuditMiddleware(app, trail=trail, service="bench")
        for kind, make in KINDS.items():
            await micros(wrapped, make)
            rounds = [
                (await micros(app, make), await micros(wrapped, make))
                for _ in range(ROUNDS)
            ]
            added = sorted(with_it - alone for alone, with_it in rounds)
            print(f"{kind:11} adds {statistics.median(added):8.1f} us", end="")
            print(f"  ({added[0]:.1f} to {added[-1]:.1f} in {ROUNDS} rounds)")
        for kind, make in KINDS.items() if profile else ():
            profiler = cProfile.Profile()
            profiler.enable()
            await micros(wrapped, make)
            profiler.disable()
            for line in shares(kind, pstats.Stats(profiler)):
                print(line)


def shares(kind: str, stats: pstats.Stats) -> Iterator[str]:
    """Yield which share of the time, and how many calls, each floor takes."""
    time_of: Counter[str] = Counter()
    calls_of: Counter[str] = Counter()
    found = stats.stats  # type: ignore[attr-defined] # pstats has no types for it
    for (path, _, _), (_, calls, own, _, callers) in found.items():
        if _floor_of(path):
            time_of[_floor_of(path)] += own
            calls_of[_floor_of(path)] += calls
        for (caller, _, _), (_, made, its_own, _) in callers.items():
            if path == "~" and _floor_of(caller):  # a function in C is who called it
                time_of[_floor_of(caller)] += its_own
                calls_of[_floor_of(caller)] += made
    whole = sum(time_of.values())
    yield f"\n{kind}"
    for floor, own in time_of.most_common():
        calls = calls_of[floor] / REQUESTS
        yield f"  {floor:26} {own / whole:6.0%} {calls:8.1f} calls a request"


def _floor_of(path: str) -> str:
    _, found, module = PurePath(path).as_posix().rpartition("/audit_mw/")
    names = (_FLOORS[start] for start in _FLOORS if module.startswith(start))

    return next(names, "others of ours") if found else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", action="store_true")
    asyncio.run(main(profile=parser.parse_args().profile))
