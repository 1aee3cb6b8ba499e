# What `scale` measures within a process of its own, as JSON on stdout.
#
#     python -m benchmarks.scale_worker params SOURCE NUMBER SECONDS
#     python -m benchmarks.scale_worker trail SECONDS
#
# CPU time counts, of all threads: so the writer's is in it.
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.micro import apps
from benchmarks.micro.inputs import PLAIN_QUERY, scope

from audit_mw import AuditMiddleware
from audit_mw.upkeep.recover import recover_trail

__all__ = ["SOURCES", "main"]

_FRONTIER = b"multipart/form-data; boundary=frontier"
_PART = b'--frontier\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nv%d\r\n'
Asked = tuple[dict[str, object], bytes]


def _query(number: int) -> Asked:
    return scope("GET", b"&".join(b"f%d=v%d" % (at, at) for at in range(number))), b""


def _form(number: int) -> Asked:
    asked = scope("POST", b"", b"application/x-www-form-urlencoded")

    return asked, b"&".join(b"f%d=v%d" % (at, at) for at in range(number))


def _json(number: int) -> Asked:
    members = b",".join(b'"f%d":"v%d"' % (at, at) for at in range(number))

    return scope("POST", b"", b"application/json"), b"{%s}" % members


def _multipart(number: int) -> Asked:
    parts = b"".join(_PART % (at, at) for at in range(number))

    return scope("POST", b"", _FRONTIER), parts + b"--frontier--\r\n"


def _cookies(number: int) -> Asked:
    asked = scope()
    asked["headers"] = [(b"cookie", b"; ".join(b"f%d=v" % at for at in range(number)))]

    return asked, b""


SOURCES: dict[str, Callable[[int], Asked]] = {
    "query": _query,
    "form": _form,
    "json": _json,
    "multipart": _multipart,
    "cookies": _cookies,
}


async def _micros(app: Any, asked: Asked, seconds: float) -> float:
    """Return the CPU time of one request, in microseconds."""
    head, body = asked

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_message: object) -> None:
        pass

    await app(dict(head), receive, send)
    number, until = 0, time.monotonic() + seconds
    start = time.process_time_ns()
    while not number or time.monotonic() < until:
        await app(dict(head), receive, send)
        number += 1

    return (time.process_time_ns() - start) / number / 1000


def _params(source: str, number: int, seconds: float) -> dict[str, float]:
    asked = SOURCES[source](number)
    audited = AuditMiddleware(apps.asgi, service="bench")

    return {
        "alone": asyncio.run(_micros(apps.asgi, asked, seconds / 4)),
        "with": asyncio.run(_micros(audited, asked, seconds)),
    }


def _trail(seconds: float) -> dict[str, float]:
    """Return what a process takes to adopt a dead one, to start, and for a request."""
    begun = time.process_time_ns()
    journals = list(recover_trail(Path(os.environ["AUDIT_MW_TRAIL"])))
    start = time.process_time_ns()
    audited: Any = AuditMiddleware(apps.asgi, service="bench")
    asked = scope("GET", PLAIN_QUERY), b""
    asyncio.run(_micros(audited, asked, 0))
    started = time.process_time_ns()

    return {
        "adopted": sum(is_done for _, is_done in journals),
        "recover": (start - begun) / 1000,
        "start": (started - start) / 1000,
        "request": asyncio.run(_micros(audited, asked, seconds)),
    }


def main(what: str, *options: str) -> None:
    """Measure, say it, and end at once: what is in the journal stays there."""
    if what == "params":
        source, number, seconds = options
        found = _params(source, int(number), float(seconds))
    else:
        found = _trail(float(options[0]))
    print(json.dumps(found), flush=True)
    os._exit(0)  # as if killed: the next process on this trail has a journal to adopt


if __name__ == "__main__":
    main(*sys.argv[1:])
