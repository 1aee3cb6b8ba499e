# A tiny application of either interface that says whether the trails are well: 200 if
# all are, 503 if not, the report as JSON.
#
# Rule 1: whoever asks from outside learns as little as a load balancer needs. Paths,
#         numbers and errors are for `detailed` ones, which are not for everybody.
# Rule 2: it takes no lock and touches no disk: it answers while the trail does not.
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

from audit_mw.errors import ConfigError
from audit_mw.health_report import Health, health

__all__ = ["health", "health_app"]

_METHODS = ("GET", "HEAD")
_JSON = ("content-type", "application/json")
_TEXT = ("content-type", "text/plain; charset=utf-8")
# An answer from a cache is one of another time, and of another process.
_NOT_KEPT = ("cache-control", "no-store")
_DENIED = 1008  # policy violation: there is no websocket here

_STATUS = {
    200: "200 OK",
    405: "405 Method Not Allowed",
    503: "503 Service Unavailable",
}

Answer = tuple[int, list[tuple[str, str]], bytes]


def health_app(interface: str, *, detailed: bool = False) -> Any:
    """
    Return an application that answers whether the trails of its process are well.

    Each worker process has trails of its own, and answers for itself.

    Args:
        interface: `asgi` or `wsgi`.
        detailed: whether to show all of `health()`, paths, numbers and errors; else
            the name of each trail and its state.

    Raises:
        ConfigError: there is no such interface.
    """
    if interface not in _MAKERS:
        right = f"give one of {', '.join(_MAKERS)}"
        raise ConfigError("interface", interface, right, "health_app")

    return _MAKERS[interface](detailed)


def _answer(method: str, *, detailed: bool) -> Answer:
    if method not in _METHODS:
        body = b"Method Not Allowed\n"
        return 405, [("allow", ", ".join(_METHODS)), _TEXT, _length(body)], body
    report = health()
    shown = report if detailed else _brief(report)
    # Not orjson: a path may hold half a surrogate pair, and that is no reason to fail.
    body = f"{json.dumps(shown)}\n".encode("ascii")
    fields = [_JSON, _NOT_KEPT, _length(body)]

    return 200 if report["healthy"] else 503, fields, b"" if method == "HEAD" else body


def _length(body: bytes) -> tuple[str, str]:
    return "content-length", str(len(body))


def _brief(report: Health) -> dict[str, object]:
    trails = [
        {"trail": Path(trail["trail"]).name, "state": trail["state"]}
        for trail in report["trails"]
    ]

    return {"healthy": report["healthy"], "trails": trails}


# --- ASGI

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def _asgi(detailed: bool) -> Any:  # noqa: FBT001 - from the table of makers
    async def asgi_health(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()  # websocket.connect: nothing may be sent before it
            await send({"type": "websocket.close", "code": _DENIED})
        elif scope["type"] == "http":
            await _send(send, _answer(scope["method"], detailed=detailed))
        else:
            raise NotImplementedError(f"the health of {scope['type']!r}")

    return asgi_health


async def _live(receive: Receive, send: Send) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})


async def _send(send: Send, answer: Answer) -> None:
    status, fields, body = answer
    headers = [(name.encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# --- WSGI


def _wsgi(detailed: bool) -> Any:  # noqa: FBT001 - from the table of makers
    def wsgi_health(
        environ: MutableMapping[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        status, fields, body = _answer(environ["REQUEST_METHOD"], detailed=detailed)
        start_response(_STATUS[status], fields)

        return [body]

    return wsgi_health


_MAKERS: dict[str, Callable[[bool], Any]] = {"asgi": _asgi, "wsgi": _wsgi}
