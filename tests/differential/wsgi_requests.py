# The grammar of WSGI conversations (PEP 3333): what an application does, what it
# returns, and what befalls both.
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.differential.chances import cut, pick, some

__all__ = ["Trouble", "WsgiRequest", "draw_wsgi", "smaller_wsgi"]

Step = tuple[Any, ...]


@dataclass(frozen=True)
class Trouble:
    """
    What befalls a call from outside.

    Args:
        what: `leaves`: the server takes no more chunks; `forgets`: it does not close;
            `start`, `send` and `input` raise.
        at: at which chunk or call, from 0.
        error: what is raised, by its name in `ERRORS`.
    """

    what: str = "none"
    at: int = 0
    error: str = "os"


@dataclass(frozen=True)
class WsgiRequest:
    """
    One conversation.

    Args:
        environ: what its environ has beside the usual.
        body: what the client sends.
        stream: what `wsgi.input` has: all that a `file` has, what PEP 3333 asks for as
            an `iterator`, or as an `iterable` that is no iterator.
        steps: what the application does.
        shape: what it returns; see `RESULTS`.
        catches: what it catches at each step, and goes on: `nothing`, `errors`, `all`.
        asks_again: the server asks once more after the end.
        moves: the server iterates in another thread than it called in.
        meets: all applications of its batch wait for each other.
        trouble: what befalls it.
    """

    environ: dict[str, Any]
    body: bytes = b""
    stream: str = "file"
    steps: tuple[Step, ...] = ()
    shape: str = "list"
    catches: str = "nothing"
    asks_again: bool = False
    moves: bool = False
    meets: bool = False
    trouble: Trouble = Trouble()


def draw_wsgi(rng: Random, size: int) -> tuple[WsgiRequest, ...]:
    """Return any conversations that are held at once."""
    requests = tuple(_draw(rng) for _ in range(size))
    if size > 1 and rng.random() < 0.05:
        return tuple(replace(request, meets=True) for request in requests)

    return requests


def _draw(rng: Random) -> WsgiRequest:
    environ, body = _request(rng)

    return WsgiRequest(
        environ=environ,
        body=body,
        stream=pick(rng, file=4, iterator=2, iterable=1),
        steps=tuple(_steps(rng)),
        shape=_shape(rng),
        catches=pick(rng, nothing=6, errors=2, all=1),
        asks_again=rng.random() < 0.05,
        moves=rng.random() < 0.05,
        trouble=_trouble(rng),
    )


def _shape(rng: Random) -> str:
    return pick(
        rng,
        generator=10,
        list=4,
        tuple=2,
        closing_list=2,
        lazy_list=1,
        iterator=6,
        iterable=2,
        sized=2,
        file=1,
        file_wrapper=3,
        own_wrapper=1,
        nothing=1,
    ).replace("_", " ")


def _trouble(rng: Random) -> Trouble:
    what = pick(rng, none=12, leaves=4, forgets=2, start=1, send=4, input=2)
    error = rng.choice(["os", "pipe", "runtime", "stopped"])

    return Trouble(what, rng.randint(0, 4), error) if what != "none" else Trouble()


_FORM = "application/x-www-form-urlencoded"
_BODIES = [
    (_FORM, b"user=alice&password=secret&a=%zz&&=&a=1"),
    ("application/json", b'{"a": [1, {"b": null}],\n "a": "\\ud800"}'),
    ("text/plain", b"\xff\x00 hello\nline\n\nlast"),
    ("", b""),
]


def _request(rng: Random) -> tuple[dict[str, Any], bytes]:
    type_, body = rng.choice(_BODIES)
    environ = {
        "REQUEST_METHOD": rng.choice(["GET", "HEAD", "POST", "post"]),
        "CONTENT_TYPE": type_,
        "HTTP_COOKIE": "a=1; sessionid=\xff",
        "server.key": ["of", "the", "server"],
    }
    if rng.random() < 0.7:
        environ["CONTENT_LENGTH"] = str(len(body))

    return environ, body


# --- what it does

_STATUS = ["200 OK", "200", "204 No Content", "304 Not Modified", "404 Ni\xe7e  One", "500 Oh No"]  # fmt: skip
_HEADERS: list[list[Any]] = [
    [],
    [("Content-Type", "text/plain"), ("Content-Length", "5")],
    [("Set-Cookie", "a=1"), ("X-Id", "\xe9"), ("Set-Cookie", "b=2")],
    [("content-length", "0")],
    [["X-Lists", "1"]],
]
_CHUNKS = [b"", b"h", b"hello", b"hello, world", b"\x00\xff" * 40]


def _steps(rng: Random) -> list[Step]:
    steps = some(rng, 4, _anything)
    if rng.random() < 0.95:
        steps.append(_start(rng))
    for chunk in cut(rng, rng.choice(_CHUNKS)):
        step = "write" if rng.random() < 0.15 else "yield"
        steps += [(step, chunk), *some(rng, 1, _rarely)]

    return steps


def _start(rng: Random) -> Step:
    how = pick(rng, plain=8, keyword=1, none=1)

    return ("start", rng.choice(_STATUS), rng.choice(_HEADERS), how)


def _anything(rng: Random) -> Step:
    return rng.choice([_reading, _reading, _reading, _aside])(rng)


def _rarely(rng: Random) -> Step:
    if rng.random() < 0.5:
        return ("note",)
    if rng.random() < 0.2:
        return ("start again", rng.choice(_STATUS), rng.choice(_HEADERS))

    return _anything(rng)


def _reading(rng: Random) -> Step:
    size = rng.choice([-1, 0, 1, 3, 9, 200])
    name = rng.choice(["read", "read", "readline", "readlines", "read1", "readinto"])
    step: Step = rng.choice(
        [(name, size), (name, size), ("read",), ("iterate", rng.randint(1, 3))]
    )

    return step


_ASIDE: list[Step] = [
    ("set",),
    ("set",),
    ("reset",),
    ("reset",),
    ("environ", "add"),
    ("environ", "delete"),
    ("raise", "value"),
    ("raise", "os"),
    ("raise", "stopped"),
    ("raise from",),
    ("has", "seek"),
    ("has", "fileno"),
    ("next",),
]


def _aside(rng: Random) -> Step:
    return rng.choice(_ASIDE)


_PLAIN = WsgiRequest({})
_SIMPLE = [
    {name: getattr(_PLAIN, name)}
    for name in ("trouble", "catches", "asks_again", "moves", "shape", "stream", "body")
]


def smaller_wsgi(request: WsgiRequest) -> Iterator[WsgiRequest]:
    """Give each request that has one thing less."""
    for at in range(len(request.steps)):
        yield replace(request, steps=request.steps[:at] + request.steps[at + 1 :])
    for change in _SIMPLE:
        simple = replace(request, **change)
        if simple != request:
            yield simple
