# An hour of ordinary use of both examples makes no security record.
import asyncio
import re
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from examples.fastapi_app.app import make_app as make_fastapi
from examples.flask_app.app import make_app as make_flask
from tests.detectors.traffic import Request, headers, hour
from tests.edges.asgi_server import AsgiServer, http_scope
from tests.edges.audited import Audited

from audit_mw.event import Event
from audit_mw.option_readers import DETECTORS

_SESSION = re.compile(r"sessionid=([^;]+)")
_MAJORITY = 100  # requests; fewer would be no hour


def _cookie(fields: list[tuple[str, str]], session: str | None) -> str | None:
    found = [_SESSION.search(value) for name, value in fields if name == "set-cookie"]

    return next((match[1] for match in found if match), session)


async def _serve_asgi(app: Any, requests: list[Request]) -> None:
    session: str | None = None
    for request in requests:
        target = request.target.encode()
        path, _, query = target.partition(b"?")
        sent = headers(request, session) | {"content-length": f"{len(request.body)}"}
        scope = http_scope(
            method=request.method,
            path=unquote_to_bytes(path).decode("utf-8", "replace"),
            raw_path=path,
            query_string=query,
            headers=[(name.encode(), value.encode()) for name, value in sent.items()],
        )
        incoming = [{"type": "http.request", "body": request.body, "more_body": False}]
        server = AsgiServer(scope, incoming, probed=False)
        await server.serve(app)
        start = next(iter(server.headers), [])
        got = [(name.decode().lower(), value.decode()) for name, value in start]
        session = _cookie(got, session)


def _fastapi(audited: Audited, requests: list[Request]) -> None:
    asyncio.run(_serve_asgi(audited(make_fastapi()), requests))


def _flask(audited: Audited, requests: list[Request]) -> None:
    app = make_flask()
    app.wsgi_app = audited(app.wsgi_app)  # type: ignore[method-assign] # as Flask's manual says
    session: str | None = None
    for request in requests:
        fields: list[tuple[str, str]] = []

        def start(
            _status: str,
            given: list[tuple[str, str]],
            _error: object = None,
            fields: list[tuple[str, str]] = fields,
        ) -> Callable[[bytes], object]:
            fields += [(name.lower(), value) for name, value in given]
            return lambda _: None

        result = app(_environ(request, session), start)
        list(result)
        if hasattr(result, "close"):
            result.close()
        session = _cookie(fields, session)


def _environ(request: Request, session: str | None) -> dict[str, Any]:
    path, _, query = request.target.partition("?")
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": request.target,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "192.0.2.7",
        "SERVER_NAME": "bank.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": f"{len(request.body)}",
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers(request, session).items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value

    return environ


@pytest.mark.parametrize("serve", [_fastapi, _flask])
def test_ordinary_hour(serve: Callable[..., None], audited: Audited) -> None:
    """What people, browsers and apps send by themselves alarms nobody."""
    requests = hour()
    serve(audited, requests)
    events = audited.events()

    assert [_shown(event) for event in _alarms(audited)] == []
    assert len(events) == len(requests) > _MAJORITY
    assert {event.outcome for event in events} >= {"SUCCESS", "FAILURE", "ATTEMPT"}
    assert len({event.session for event in events} - {None}) >= 1


def _alarms(audited: Audited) -> list[Event]:
    # What the application says of its own is due: a look at somebody else's account.
    audited.events()  # then what was found is on its line, too
    is_there = (audited.trail / "security").exists()

    return [
        event
        for event in (audited.events("security") if is_there else [])
        if event.type in DETECTORS
    ]


def _shown(event: Event) -> tuple[str, object]:
    return event.type, event.details


@pytest.mark.parametrize("serve", [_fastapi, _flask])
def test_due_among_ordinary(serve: Callable[..., None], audited: Audited) -> None:
    """Amid ordinary requests what is due is found, and belongs to its request."""
    odd = Request("POST", "/search?user_id=1", b"user_id=2")
    requests = hour()[:5]
    serve(audited, [*requests, odd, *requests])
    [alarm] = _alarms(audited)
    event = audited.events()[len(requests)]

    assert (alarm.type, alarm.event) == ("param_mismatch", event.event)
    assert event.details["findings"] == [b"param_mismatch"]
