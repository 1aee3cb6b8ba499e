# An exception that is told of while its request goes on.
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment
from tests.voice.stages import Stage

from audit_mw import voice
from audit_mw.event import Param, Redacted
from audit_mw.integrations.logging import AuditHandler

FORM = "application/x-www-form-urlencoded"
BODY = b"user=alice&password=hunter2&to=22051102"
PARAMS = [
    Param("form", b"user", b"alice"),
    Param("form", b"password", Redacted(7, "password")),
    Param("form", b"to", b"22051102"),
]


def _raised(text: str) -> ValueError:
    try:
        int(text)
    except ValueError as error:
        return error
    raise AssertionError(text)


def _by_voice() -> None:
    voice.fault(_raised("in between"))


def _by_logging() -> None:
    logging.getLogger("voice.faults").error("in between", exc_info=_raised("logged"))


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    handler = AuditHandler()
    logger = logging.getLogger("voice.faults")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


def forms(audited: Audited) -> list[Param]:
    """Return what the request's record has of the form, and of a body that was not."""
    found = audited.event().params

    return [param for param in found if param.source in ("form", "body")]


@pytest.mark.parametrize("tell", [_by_voice, _by_logging])
def test_before_the_body_wsgi(audited: Audited, tell: Any) -> None:
    """An exception that is told of before the body is read costs nothing of the body."""

    def app(environ: Environ, start_response: StartResponse) -> Any:
        tell()
        first = environ["wsgi.input"].read(13)
        tell()
        assert first + environ["wsgi.input"].read() == BODY
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    more = {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(BODY))}
    environ = environment(BODY, REQUEST_METHOD="POST", **more)
    server = WsgiServer(environ).run(app, audited)

    assert server.raised is None
    assert forms(audited) == PARAMS
    assert len(audited.faults()) == 2


@pytest.mark.parametrize("tell", [_by_voice, _by_logging])
def test_before_the_body_asgi(audited: Audited, tell: Any) -> None:
    """The same where the body comes in chunks."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        tell()
        while (await receive()).get("more_body"):
            tell()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    scope = http_scope(method="POST", headers=[(b"content-type", FORM.encode())])
    body: list[dict[str, Any]] = [
        {"type": "http.request", "body": BODY[:13], "more_body": True},
        {"type": "http.request", "body": BODY[13:]},
    ]
    server = AsgiServer(scope, body).run(app, audited)

    assert server.raised is None
    assert forms(audited) == PARAMS


def test_each_once(stage: Stage) -> None:
    """Each exception of an exchange is told once, in whatever order they come again."""
    first, second = _raised("first"), _raised("second")

    def act() -> None:
        for error in (first, second, first, second):
            voice.fault(error)

    stage.serve(act)

    assert len(stage.events("fault")) == 2


def test_a_value_that_pydantic_quotes(stage: Stage) -> None:
    """A password that was in no request is withheld where a library quotes it."""
    shown = (
        "2 validation errors for Login\npassword\n  String should have at least 12 "
        "characters [type=string_too_short, input_value='Zq8xkW8v', input_type=str]\n"
        "token\n  Invalid [type=x, input_value='a, input_type=str]Zq8xkW8v, input_type=str]\n"
        "user.name\n  Field required [type=missing, input_value='carol', input_type=str]"
    )
    stage.serve(lambda: voice.fault(ValueError(shown)))
    assert len(stage.events("fault")) == 1
    text = b"".join(p.read_bytes() for p in stage.audited.trail.rglob("*.log"))

    assert b"Zq8xkW8v" not in text
    assert b"carol" in text
    assert b"input_type=str" in text
