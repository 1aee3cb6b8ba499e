# The grammar of ASGI conversations: any of them is drawn from a `Random`.
from collections.abc import Callable
from random import Random
from typing import Any

from tests.differential.asgi_requests import AsgiRequest, Step, Trouble
from tests.differential.chances import cut, pick, some
from tests.edges.asgi_server import Message

__all__ = ["draw_asgi"]


def draw_asgi(rng: Random) -> AsgiRequest:
    """Return any conversation."""
    kind = pick(rng, http=16, websocket=6, lifespan=1, example=1)
    scope, incoming, steps = _KINDS[kind](rng)
    trouble = _trouble(rng)
    # To await something while one is being closed is an error in any coroutine.
    is_free = trouble.what != "abandon"

    return AsgiRequest(
        scope={"type": kind, **scope},
        incoming=tuple(incoming),
        steps=tuple(steps),
        catches=pick(rng, nothing=6, errors=2, all=int(is_free)),
        lingers=is_free and rng.random() < 0.1,
        shape=pick(rng, coroutine=8, awaitable=1, future=1),
        delays=tuple(rng.choice([0, 1, 1, 2]) for _ in range(rng.randint(1, 4))),
        trouble=trouble,
    )


def _trouble(rng: Random) -> Trouble:
    what = pick(
        rng, none=10, cancel=3, cancel_twice=1, abandon=1, send=3, receive=1
    ).replace("_", " ")
    error = rng.choice(["os", "pipe", "runtime", "stopped"])

    return Trouble(what, rng.randint(0, 8), error) if what != "none" else Trouble()


# --- http

_FORM = b"application/x-www-form-urlencoded"
_BODIES: list[tuple[bytes, bytes]] = [
    (_FORM, b"user=alice&password=secret&a=%zz&&=&a=1"),
    (b"application/json", b'{"a": [1, {"b": null}], "a": "\\ud800"}'),
    (b"application/json", b'{"a": [1, '),
    (b"multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n\x00\xff\r\n--x--\r\n'),
    (b"text/plain", b"\xff\x00 hello"),
    (b"", b""),
]  # fmt: skip
_HEADERS: list[Any] = [
    [],
    [(b"x-id", b"1")],
    [(b"set-cookie", b"a=1"), (b"x-id", b"\xe9\xff"), (b"set-cookie", b"b=2")],
    [(b"X-Upper", b"A"), (b"content-length", b"5")],
    [[b"content-length", b"0"]],
    ((b"z", b"1"), (b"a", b"2")),
    None,
]


def _http(rng: Random) -> tuple[dict[str, Any], list[Message], list[Step]]:
    type_, body = rng.choice(_BODIES)
    headers = [(b"host", b"example.org"), (b"Cookie", b"a=1; sessionid=\xff")]
    if type_:
        headers.append((b"content-type", type_))
    if rng.random() < 0.5:
        headers.append((b"content-length", b"%d" % len(body)))
    method = rng.choice(["GET", "HEAD", "POST", "post", "PATCH"])
    scope = {"method": method, "headers": headers, "state": {"pool": "of the server"}}

    return scope, _request(rng, body), _answer(rng)


def _request(rng: Random, body: bytes) -> list[Message]:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True}
        for chunk in cut(rng, body)
    ]
    if rng.random() < 0.2:
        messages.insert(0, {"type": "http.request", "more_body": True})
    end: Message = rng.choice(
        [{"body": b""}, {"more_body": False}, {}, {"body": body[:1]}]
    )
    if rng.random() < 0.1:  # the client leaves while it sends
        return [*messages[: rng.randint(0, 2)], {"type": "http.disconnect"}]

    return [*messages, {"type": "http.request", **end}]


def _answer(rng: Random) -> list[Step]:
    steps = some(rng, 4, _anything)
    if rng.random() < 0.1:
        return steps  # it never answers
    trailers = rng.random() < 0.2
    status = rng.choice([200, 200, 200, 204, 304, 404, 500])
    steps.append(("start", "http.response", status, rng.choice(_HEADERS), trailers))
    for _ in range(rng.randint(0, 5)):
        steps.append(_body(rng, more=True) if rng.random() < 0.6 else _anything(rng))
    if rng.random() < 0.85:
        steps.append(_body(rng, more=False))
    if trailers:
        steps += some(rng, 1, lambda _: ("trailers", True))
        steps.append(("trailers", False))

    return [*steps, *some(rng, 2, _anything)]


def _body(rng: Random, *, more: bool) -> Step:
    chunk = rng.choice([b"", b"h", b"hello", b"hello, world", b"\x00\xff" * 40])
    kind = pick(rng, bytes=8, bytearray=1, memoryview=1, absent=1)
    step = "body from task" if rng.random() < 0.05 else "body"

    return (step, "http.response", kind, chunk, more)


def _anything(rng: Random) -> Step:
    step: Step = rng.choice(_ANYTHING)

    return step


_START = "http.response.start"
_MALFORMED: list[dict[str, Any]] = [
    {"type": _START, "status": 200, "headers": [("x-text", "1"), (b"x", "\u20ac")]},
    {"type": _START, "status": 200, "headers": [(b"x-alone",), 7]},
    {"type": _START, "status": 200, "headers": 7},
    {"type": _START, "status": "200 OK"},
    {"type": _START},
    {"type": "http.response.body", "body": "text"},
    {"type": "http.response.body", "body": 7, "more_body": True},
    {"type": "http.response.body", "body": None},
    {"type": "http.response.pathsend"},
    {"type": "http.response.zerocopysend", "file": 7, "count": "7"},
    {"type": "websocket.send", "bytes": "text"},
    {"type": "websocket.send", "text": 7},
    {"type": "websocket.send"},
    {"type": "websocket.close", "code": "1000"},
]
_ANYTHING: list[Step] = [
    *[("receive",)] * 6,
    *[("receive all",)] * 4,
    *[("receive in time",)] * 2,
    *[("pause",)] * 4,
    *[("listen",)] * 3,
    *[("set",)] * 2,
    *[("reset",)] * 2,
    ("join",),
    ("until left",),
    ("again",),
    ("mutate",),
    ("scope", "user"),
    ("scope", "headers"),
    ("scope", "delete"),
    ("raise", "value"),
    ("raise", "os"),
    ("raise", "stopped"),
    ("raise", "exit"),
    ("raise cancelled",),
    ("raise from",),
    ("result",),
    ("hang",),
    ("send", {"type": "http.response.early_hint", "links": [b"</a.css>"]}),
    ("send", {"type": "http.response.push", "path": "/a.css", "headers": []}),
    ("send", {"type": "http.response.debug", "info": {"template": "t"}}),
    ("send", {"type": "example.unknown", "status": "none", "body": "7"}),
    ("send", {"type": "http.response.pathsend", "path": __file__}),
    ("send", {"type": "http.response.pathsend", "path": "/nowhere\0"}),
    ("send", {"type": "http.response.zerocopysend", "file": None, "count": 7}),
    # What no server has to take; which one does is not for us to say.
    *[("send", message) for message in _MALFORMED],
]


# --- websockets, lifespan, and what nobody knows

_SAID: list[dict[str, Any]] = [
    {"text": "hello"},
    {"text": ""},
    {"text": "h\xe9\ud800", "bytes": None},
    {"bytes": b"\x00\xff"},
    {"bytes": b"", "text": None},
    {"bytes": b""},
]
_CLOSES: list[dict[str, Any]] = [{}, {"code": 1000}, {"code": 3000, "reason": "so"}]
_LEFT: list[dict[str, Any]] = [{"code": 1001, "reason": ""}, {"code": None}, {}]


def _websocket(rng: Random) -> tuple[dict[str, Any], list[Message], list[Step]]:
    scope = {"scheme": "ws", "subprotocols": ["chat"]}
    incoming: list[Message] = [
        {"type": "websocket.connect"},
        *some(rng, 4, lambda r: {"type": "websocket.receive", **r.choice(_SAID)}),
    ]
    if rng.random() < 0.5:
        incoming.append({"type": "websocket.disconnect", **rng.choice(_LEFT)})
    steps = [("receive",), *some(rng, 2, _anything)]
    if rng.random() < 0.25:
        return scope, incoming, steps + _denial(rng)

    return scope, incoming, steps + _talk(rng)


def _denial(rng: Random) -> list[Step]:
    if rng.random() < 0.5:
        return [("send", {"type": "websocket.close", "code": 4001})]
    status, headers = rng.choice([401, 429]), rng.choice(_HEADERS)
    prefix = "websocket.http.response"

    return [
        ("start", prefix, status, headers, False),
        *some(rng, 2, lambda _: ("body", prefix, "bytes", b"too ", True)),
        ("body", prefix, "bytes", b"many", False),
    ]


def _talk(rng: Random) -> list[Step]:
    more = {"subprotocol": "chat", "headers": [(b"a", b"b")]}
    accept = more if rng.random() < 0.3 else {}
    steps: list[Step] = [("send", {"type": "websocket.accept", **accept})]
    for _ in range(rng.randint(0, 6)):
        said = ("send", {"type": "websocket.send", **rng.choice(_SAID)})
        steps.append(said if rng.random() < 0.6 else _anything(rng))
    if rng.random() < 0.6:
        steps.append(("send", {"type": "websocket.close", **rng.choice(_CLOSES)}))

    return [*steps, *some(rng, 1, _anything)]


def _lifespan(rng: Random) -> tuple[dict[str, Any], list[Message], list[Step]]:
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    started: list[Step] = [
        ("send", {"type": "lifespan.startup.complete"}),
        ("send", {"type": "lifespan.startup.failed", "message": "no database"}),
    ]
    steps: list[Step] = [("receive",), *some(rng, 2, _anything), rng.choice(started)]
    if rng.random() < 0.7:
        end = ("send", {"type": "lifespan.shutdown.complete"})
        steps += [("receive",), end, *some(rng, 1, _anything)]

    return {"state": {}}, list(incoming), steps


def _example(rng: Random) -> tuple[dict[str, Any], list[Message], list[Step]]:
    incoming = some(rng, 3, lambda _: {"type": "example.hello"})

    return {}, incoming, some(rng, 5, _anything)


_KINDS: dict[str, Callable[[Random], Any]] = {
    "http": _http,
    "websocket": _websocket,
    "lifespan": _lifespan,
    "example": _example,
}
