# How an exchange ended -> its record: the table of the design, on both interfaces.
#
# The columns are outcome, status, bytes sent, and the reason in details. Beside each
# stands how many fault records there are with the same event id.
import asyncio
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.edges import apps_asgi, apps_wsgi
from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment

from audit_mw.event import Event, Param, Unread

Ending = tuple[str, int | None, int | None, str | None]

_HERE = Path(__file__).parent
_BROKEN = "broken after start"
_GONE = "client gone"
_BASIC = "Basic " + b64encode(b"alice:wrong").decode()
_ASGI_SIZE = (_HERE / "apps_asgi.py").stat().st_size
_WSGI_SIZE = (_HERE / "apps_wsgi.py").stat().st_size


def _ending(event: Event) -> Ending:
    reason = event.details.get("reason")
    assert reason is None or isinstance(reason, bytes)
    shown = None if reason is None else reason.decode()

    return event.outcome, event.status, event.sent, shown


def _assert_ended(audited: Audited, expected: Ending, faults: int) -> None:
    event = audited.event()

    assert expected == _ending(event)
    assert [event.event] * faults == [fault.event for fault in audited.faults()]


# --- what the odd applications do


@pytest.mark.parametrize(
    ("name", "expected", "faults"),
    [
        pytest.param(name, ending, faults, id=name)
        for name, ending, faults in [
            ("plain", ("SUCCESS", 200, 5, None), 0),
            ("several chunks", ("SUCCESS", 200, 5, None), 0),
            ("empty chunks", ("SUCCESS", 200, 5, None), 0),
            ("no body key", ("SUCCESS", 200, 0, None), 0),
            ("memoryview", ("SUCCESS", 200, 5, None), 0),
            ("headers given once", ("SUCCESS", 200, 5, None), 0),
            ("status of the standard library", ("SUCCESS", 200, 5, None), 0),
            ("head", ("SUCCESS", 200, 0, None), 0),
            ("no content", ("SUCCESS", 204, 0, None), 0),
            ("not modified", ("SUCCESS", 304, 0, None), 0),
            ("content-length 0", ("SUCCESS", 200, 0, None), 0),
            ("content length then empty", ("SUCCESS", 200, 5, None), 0),
            ("trailers", ("SUCCESS", 200, 5, None), 0),
            ("pathsend", ("SUCCESS", 200, _ASGI_SIZE, None), 0),
            ("pathsend of no file", ("SUCCESS", 200, 5, None), 0),
            ("zerocopysend", ("SUCCESS", 200, _ASGI_SIZE, None), 0),
            ("zerocopysend of the rest", ("SUCCESS", 200, _ASGI_SIZE - 9, None), 0),
            ("zerocopysend of no file", ("SUCCESS", 200, 0, None), 0),
            ("early hints", ("SUCCESS", 200, 5, None), 0),
            ("unknown messages", ("SUCCESS", 200, 5, None), 0),
            ("works on afterwards", ("SUCCESS", 200, 5, None), 0),
            ("reads after response", ("SUCCESS", 200, 5, None), 0),
            ("listens for disconnect", ("SUCCESS", 200, 5, None), 0),
            ("client leaves", ("ABORTED", 200, 0, _GONE), 0),
            ("raises before start", ("ERROR", None, 0, "ValueError"), 1),
            ("raises after start", ("ERROR", 200, 0, "ValueError"), 1),
            ("raises after a chunk", ("ERROR", 200, 5, "ExceptionGroup"), 1),
            ("raises after last", ("SUCCESS", 200, 5, None), 1),
            ("is stopped", ("ERROR", 200, 0, "tests.edges.apps_asgi.Stopped"), 0),
            ("no response", ("ERROR", None, 0, "no response"), 0),
            ("no start", ("ERROR", None, 5, "no response"), 0),
            ("no end", ("ERROR", 200, 5, _BROKEN), 0),
            ("closes with None", ("SUCCESS", 101, 0, None), 0),
            ("closes with 1001", ("SUCCESS", 101, 0, None), 0),
            ("closes with 1011", ("ERROR", 101, 0, None), 0),
            ("closes with 3000", ("SUCCESS", 101, 0, None), 0),
            ("echo until 1000", ("SUCCESS", 101, 0, None), 0),
            ("echo until 1005", ("SUCCESS", 101, 0, None), 0),
            ("echo until 1006", ("ABORTED", 101, 0, _GONE), 0),
            ("echo until no code", ("SUCCESS", 101, 0, None), 0),
            ("echo until whatever", ("SUCCESS", 101, 0, None), 0),
            ("denies", ("FAILURE", 403, 0, None), 0),
            ("denies with a response", ("FAILURE", 429, 8, None), 0),
            ("denies by half", ("ERROR", 401, 4, _BROKEN), 0),
            ("accepts and returns", ("SUCCESS", 101, 0, None), 0),
            ("accepts and raises", ("ERROR", 101, 0, "ValueError"), 1),
            ("left before accept", ("ABORTED", 403, 0, _GONE), 0),
            ("neither accepts nor denies", ("ERROR", None, 0, "no response"), 0),
        ]
    ],
)
def test_asgi(name: str, expected: Ending, faults: int, audited: Audited) -> None:
    """What an ASGI application did is what its one record says."""
    odd = apps_asgi.ODD[name]
    odd.server().run(odd.app, audited)

    _assert_ended(audited, expected, faults)


@pytest.mark.parametrize(
    ("name", "expected", "faults"),
    [
        pytest.param(name, ending, faults, id=name)
        for name, ending, faults in [
            ("a list", ("SUCCESS", 200, 5, None), 0),
            ("a list of several", ("SUCCESS", 200, 5, None), 0),
            ("a tuple", ("SUCCESS", 200, 5, None), 0),
            ("an empty list", ("SUCCESS", 200, 0, None), 0),
            ("a lazy list", ("SUCCESS", 200, 13, None), 0),
            ("a list of no bytes", ("SUCCESS", 200, 0, None), 0),
            ("sized", ("SUCCESS", 200, 5, None), 0),
            ("file wrapper", ("SUCCESS", 200, 10, None), 0),
            ("file wrapper of a file", ("SUCCESS", 200, _WSGI_SIZE, None), 0),
            ("a file", ("SUCCESS", 200, 10, None), 0),
            ("generator", ("SUCCESS", 200, 5, None), 0),
            ("generator starts", ("SUCCESS", 200, 5, None), 0),
            ("iterator", ("SUCCESS", 200, 5, None), 0),
            ("empty iterator", ("SUCCESS", 200, 0, None), 0),
            ("iterable", ("SUCCESS", 200, 5, None), 0),
            ("a class", ("SUCCESS", 200, 5, None), 0),
            ("head", ("SUCCESS", 200, 0, None), 0),
            ("head iterator", ("SUCCESS", 200, 0, None), 0),
            ("no content", ("SUCCESS", 204, 0, None), 0),
            ("no content iterator", ("SUCCESS", 204, 0, None), 0),
            ("not modified", ("SUCCESS", 304, 0, None), 0),
            ("content-length 0", ("SUCCESS", 200, 0, None), 0),
            ("content length then more", ("SUCCESS", 200, 5, None), 0),
            ("writes alone", ("SUCCESS", 200, 5, None), 0),
            ("writes then returns", ("SUCCESS", 200, 5, None), 0),
            ("writes content length", ("SUCCESS", 200, 5, None), 0),
            ("writes then raises", ("ERROR", 200, 2, "ValueError"), 1),
            ("starts again", ("ERROR", 500, 18, None), 0),
            ("starts again too late", ("ERROR", 200, 3, "ValueError"), 1),
            ("starts twice", ("ERROR", 200, 0, "AssertionError"), 1),
            ("status without reason", ("SUCCESS", 200, 5, None), 0),
            ("status with odd reason", ("SUCCESS", 299, 5, None), 0),
            ("status of other digits", ("SUCCESS", 0, 5, None), 0),
            ("no status", ("SUCCESS", 0, 5, None), 0),
            ("never starts", ("ERROR", None, 5, "no response"), 0),
            ("raises before start", ("ERROR", None, 0, "ValueError"), 1),
            ("raises after start", ("ERROR", 200, 0, "ValueError"), 1),
            ("raises at first", ("ERROR", 200, 0, "ValueError"), 1),
            ("raises in the middle", ("ERROR", 200, 5, "ValueError"), 1),
            ("raises after last", ("SUCCESS", 200, 5, None), 1),
            ("raises in close", ("SUCCESS", 200, 5, None), 1),
            ("is stopped", ("ERROR", 200, 0, "tests.edges.apps_wsgi.Stopped"), 0),
            ("returns nothing", ("ERROR", 200, 0, "TypeError"), 1),
        ]
    ],
)
def test_wsgi(name: str, expected: Ending, faults: int, audited: Audited) -> None:
    """What a WSGI application did is what its one record says."""
    odd = apps_wsgi.ODD[name]
    odd.server().run(odd.app, audited)

    _assert_ended(audited, expected, faults)


# --- whether the server took the last message


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "taken"),
        ("head", "taken"),
        ("several chunks", "taken"),
        ("trailers", "taken"),
        ("pathsend", "taken"),
        ("reads after response", "taken"),
        ("raises after last", "taken"),
        ("closes with 1011", "taken"),
        ("denies", "taken"),
        ("denies with a response", "taken"),
        ("left before accept", "taken"),
        ("echo until 1000", "unknown"),
        ("accepts and returns", "unknown"),
        ("client leaves", "failed"),
        ("echo until 1006", "failed"),
        ("raises before start", "failed"),
        ("raises after a chunk", "failed"),
        ("is stopped", "failed"),
        ("no response", "failed"),
        ("no end", "failed"),
    ],
)
def test_asgi_delivery(name: str, expected: str, audited: Audited) -> None:
    """A last message is taken when `send` returned; a response without one failed."""
    odd = apps_asgi.ODD[name]
    odd.server().run(odd.app, audited)

    assert expected.encode() == audited.event().details["delivery"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("generator", "taken"),
        ("sized", "taken"),
        ("a lazy list", "taken"),
        ("a file", "taken"),
        ("empty iterator", "taken"),
        ("head iterator", "taken"),
        ("no content iterator", "taken"),
        ("content length then more", "taken"),
        ("writes content length", "taken"),
        ("writes then returns", "taken"),
        ("raises after last", "taken"),
        ("raises in close", "taken"),
        ("a list", "unknown"),
        ("a tuple", "unknown"),
        ("an empty list", "unknown"),
        ("file wrapper", "unknown"),
        ("file wrapper function", "unknown"),
        ("no content", "unknown"),
        ("raises before start", "failed"),
        ("raises in the middle", "failed"),
        ("starts again too late", "failed"),
        ("returns nothing", "failed"),
    ],
)
def test_wsgi_delivery(name: str, expected: str, audited: Audited) -> None:
    """A chunk is taken when the next is asked for; after lists nobody says."""
    odd = apps_wsgi.ODD[name]
    odd.server().run(odd.app, audited)

    assert expected.encode() == audited.event().details["delivery"]


@pytest.mark.parametrize(
    ("name", "leaves_after", "forgets_close", "expected"),
    [
        ("generator", 1, False, b"failed"),
        ("generator", 1, True, b"failed"),
        ("generator", 99, False, b"taken"),
        ("generator", 99, True, b"unknown"),  # the end was told; nobody came back
        ("content length then more", 2, False, b"unknown"),
        ("content length then more", 2, True, b"unknown"),
    ],
)
def test_wsgi_delivery_where_the_client_leaves(
    *,
    name: str,
    leaves_after: int,
    forgets_close: bool,
    expected: bytes,
    audited: Audited,
) -> None:
    """Nobody says whether the chunk that was given last was taken."""
    odd = apps_wsgi.ODD[name]
    server = odd.server(leaves_after=leaves_after, forgets_close=forgets_close)
    server.run(odd.app, audited)
    server.result = None  # a server that forgets close() forgets the result, too

    assert expected == audited.event().details["delivery"]


# --- what the status says, on both interfaces


def _asked_asgi(
    audited: Audited, status: int, authorization: str | None, body: bytes
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await apps_asgi.answering(status)(_scope, receive, send)

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    if authorization is not None:
        headers.append((b"authorization", authorization.encode()))
    scope = http_scope(headers=headers, method="POST")
    AsgiServer(scope, [{"type": "http.request", "body": body}]).run(app, audited)


def _asked_wsgi(
    audited: Audited, status: int, authorization: str | None, body: bytes
) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        environ["wsgi.input"].read(-1)
        return apps_wsgi.answering(f"{status} Whatever")(environ, start_response)

    changes = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
    if authorization is not None:
        changes["HTTP_AUTHORIZATION"] = authorization
    environ = environment(body, REQUEST_METHOD="POST", **changes)
    WsgiServer(environ).run(app, audited)


BOTH = pytest.mark.parametrize(
    "asked", [_asked_asgi, _asked_wsgi], ids=["asgi", "wsgi"]
)
Asked = Callable[[Audited, int, str | None, bytes], None]


@pytest.mark.parametrize(
    ("status", "authorization", "body", "expected"),
    [
        pytest.param(200, None, b"", "SUCCESS", id="200"),
        pytest.param(302, None, b"", "SUCCESS", id="302"),
        pytest.param(400, None, b"", "FAILURE", id="400"),
        pytest.param(404, None, b"", "FAILURE", id="404"),
        pytest.param(499, None, b"", "FAILURE", id="499"),
        pytest.param(500, None, b"", "ERROR", id="500"),
        pytest.param(503, None, b"", "ERROR", id="503"),
        pytest.param(599, None, b"", "ERROR", id="599"),
        pytest.param(401, None, b"", "ATTEMPT", id="401 without credentials"),
        pytest.param(407, None, b"", "ATTEMPT", id="407 without credentials"),
        pytest.param(401, _BASIC, b"", "FAILURE", id="401 with credentials"),
        pytest.param(407, _BASIC, b"", "FAILURE", id="407 with credentials"),
        pytest.param(401, "Bearer x", b"", "FAILURE", id="401 with a token"),
        pytest.param(401, None, b"password=x", "FAILURE", id="401 with a password"),
        pytest.param(401, None, b"password=", "ATTEMPT", id="401, empty password"),
        pytest.param(401, "", b"", "ATTEMPT", id="401, empty credentials"),
    ],
)
@BOTH
def test_status(  # noqa: PLR0917 - one row of the table
    asked: Asked,
    status: int,
    authorization: str | None,
    body: bytes,
    expected: str,
    audited: Audited,
) -> None:
    """A status is a success, a failure, an attempt or an error."""
    asked(audited, status, authorization, body)

    assert (expected, status, 5, None) == _ending(audited.event())


@BOTH
def test_many_requests(asked: Asked, audited: Audited) -> None:
    """Each request has one record, and an id of its own."""
    for status in range(200, 230):
        asked(audited, status, None, b"")
    events = audited.events()

    # Each was served by a middleware of its own, whose thread writes when it will.
    assert list(range(200, 230)) == sorted(event.status or 0 for event in events)
    assert len({event.event for event in events}) == 30


# --- who cut it short


@pytest.mark.parametrize(
    ("error", "expected", "faults"),
    [
        pytest.param(BrokenPipeError, ("ABORTED", _GONE), 0, id="OSError"),
        pytest.param(asyncio.CancelledError, ("ABORTED", "cancelled"), 0, id="cancel"),
        pytest.param(ValueError, ("ERROR", "ValueError"), 1, id="ValueError"),
        pytest.param(
            apps_asgi.Stopped, ("ERROR", "tests.edges.apps_asgi.Stopped"), 0, id="stop"
        ),
    ],
)
@pytest.mark.parametrize(("failing", "sent"), [("start", 0), ("body", 5)])
def test_asgi_send_raises(  # noqa: PLR0917 - one row of the table
    failing: str,
    sent: int,
    error: type[BaseException],
    expected: tuple[str, str],
    faults: int,
    audited: Audited,
) -> None:
    """What `send` raises says why the response is not whole, the last message too."""
    kind = f"http.response.{failing}"
    server = AsgiServer(http_scope(), failing=kind, error=error())
    server.run(apps_asgi.answering(), audited)
    outcome, reason = expected

    _assert_ended(audited, (outcome, 200, sent, reason), faults)
    assert audited.event().details["delivery"] == b"failed"


def test_asgi_send_raises_after_the_end(audited: Audited) -> None:
    """What follows the last message and is not taken says nothing of the last message."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        odd = apps_asgi.ODD["plain"]
        await odd.app(_scope, _receive, send)
        await send({"type": "example.later"})

    error = BrokenPipeError()
    server = AsgiServer(http_scope(), failing="example.later", error=error)
    server.run(app, audited)
    (fault,) = audited.faults()

    assert fault.details["reason"] == b"BrokenPipeError"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param("receive", ("ABORTED", None, 0, "cancelled"), id="in receive"),
        pytest.param(
            "http.response.start", ("ABORTED", 200, 0, "cancelled"), id="in the start"
        ),
        pytest.param(
            "http.response.body",
            ("ABORTED", 200, 7, "cancelled"),
            id="in the last message",
        ),
    ],
)
def test_asgi_cancelled(where: str, expected: Ending, audited: Audited) -> None:
    """A request is aborted if its task is cancelled before its last message is taken."""

    def interrupt(server: AsgiServer, here: str) -> None:
        if here == where and server.task is not None:
            server.task.cancel()

    odd = apps_asgi.ODD["reads all"]
    server = odd.server(interrupt=interrupt).run(odd.app, audited)

    assert isinstance(server.raised, asyncio.CancelledError)
    assert expected == _ending(audited.event())


@pytest.mark.parametrize(
    ("name", "leaves_after", "expected"),
    [
        pytest.param("generator", 0, ("ABORTED", 200, 0, _GONE), id="before the first"),
        pytest.param("generator", 1, ("ABORTED", 200, 2, _GONE), id="after the first"),
        pytest.param(
            "generator starts", 0, ("ABORTED", None, 0, _GONE), id="unstarted"
        ),
        pytest.param(
            "content length then more", 1, ("ABORTED", 200, 2, _GONE), id="within"
        ),
        pytest.param(
            "content length then more", 2, ("SUCCESS", 200, 5, None), id="at the length"
        ),
        pytest.param("a list of several", 1, ("SUCCESS", 200, 5, None), id="a list"),
        pytest.param("a lazy list", 1, ("ABORTED", 200, 5, _GONE), id="a lazy list"),
    ],
)
@pytest.mark.parametrize("forgets_close", [False, True], ids=["closed", "forgotten"])
def test_wsgi_client_leaves(
    *,
    name: str,
    leaves_after: int,
    forgets_close: bool,
    expected: Ending,
    audited: Audited,
) -> None:
    """A result that the server gives up before its end is an aborted request."""
    odd = apps_wsgi.ODD[name]
    server = odd.server(leaves_after=leaves_after, forgets_close=forgets_close)
    server.run(odd.app, audited)
    server.result = None  # a server that forgets close() forgets the result, too

    assert expected == _ending(audited.event())


@pytest.mark.parametrize(
    ("name", "error", "failing", "expected", "faults"),
    [
        pytest.param(
            "writes alone",
            BrokenPipeError,
            1,
            ("ABORTED", 200, 5, _GONE),
            0,
            id="client gone",
        ),
        pytest.param(
            "writes alone",
            ValueError,
            0,
            ("ERROR", 200, 2, "ValueError"),
            1,
            id="server at fault",
        ),
        pytest.param(
            "writes content length",
            BrokenPipeError,
            1,
            ("ABORTED", 200, 5, _GONE),
            0,
            id="last message",
        ),
    ],
)
def test_wsgi_write_raises(  # noqa: PLR0917 - one row of the table
    name: str,
    error: type[Exception],
    failing: int,
    expected: Ending,
    faults: int,
    audited: Audited,
) -> None:
    """What `write` raises says why the response is not whole, the last chunk too."""
    odd = apps_wsgi.ODD[name]
    odd.server(error=error(), failing=failing).run(odd.app, audited)

    _assert_ended(audited, expected, faults)


# --- what else the record of the edges holds


@pytest.mark.parametrize(
    ("name", "estimated"),
    [
        ("plain", None),
        ("pathsend", True),
        ("zerocopysend", True),
    ],
)
def test_asgi_estimated(
    name: str,
    estimated: object,
    audited: Audited,
) -> None:
    """Bytes that the server takes from a file are marked as estimated."""
    odd = apps_asgi.ODD[name]
    odd.server().run(odd.app, audited)

    assert estimated == audited.event().details.get("estimated")


class _NotLookedAt:
    """The path of a file that only the server may look at."""

    def __fspath__(self) -> str:
        raise AssertionError("looked at")


def test_asgi_declared_file(audited: Audited) -> None:
    """A file whose length is declared is not looked at: that would block the loop."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"7")]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.pathsend", "path": _NotLookedAt()})

    server = AsgiServer(http_scope()).run(app, audited)

    assert server.raised is None
    assert _ending(audited.event()) == ("SUCCESS", 200, 7, None)


def test_wsgi_estimated(audited: Audited) -> None:
    """Bytes that the server takes from a file are marked as estimated."""
    odd = apps_wsgi.ODD["file wrapper of a file"]
    odd.server().run(odd.app, audited)

    assert audited.event().details["estimated"] is True


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("closes with 3000", 3000),
        ("echo until 1006", 1006),
        ("echo until no code", None),
        ("echo until whatever", 1005),
    ],
)
def test_websocket_close_code(
    name: str, expected: int | None, audited: Audited
) -> None:
    """The record of a websocket holds the code with which either side closed it."""
    odd = apps_asgi.ODD[name]
    odd.server().run(odd.app, audited)

    assert expected == audited.event().details.get("close_code")


def test_websocket_messages(audited: Audited) -> None:
    """Messages are counted in both directions, empty ones too."""
    odd = apps_asgi.ODD["echo until 1000"]
    odd.server().run(odd.app, audited)
    details = audited.event().details
    came, went = details["messages_in"], details["messages_out"]

    assert isinstance(came, dict)
    assert (came["count"], came["len"]) == (5, 8)
    assert came == went


def _body_params(event: Event) -> list[Param]:
    return [param for param in event.params if param.source in {"form", "body"}]


_A = Param("form", b"a", b"1")
_WSGI_FORM = [_A, Param("form", b"\nb", b"2"), Param("form", b"\nc", b"3")]
_ASGI_FORM = [_A, Param("form", b"b", b"2")]


def _unread(length: int, read: int) -> Param:
    return Param("body", None, Unread(length, read))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("never reads", [_unread(13, 0)]),
        ("read(0)", [_unread(13, 0)]),
        ("read part", [_A, _unread(13, 3)]),
        *(
            (name, _WSGI_FORM)
            for name in [
                "read",
                "read(-1)",
                "read(n)",
                "readline",
                "readlines",
                "readlines(n)",
                "iteration",
                "mixed",
                "readinto",
                "read1",
            ]
        ),
    ],
)
def test_wsgi_body(name: str, expected: list[Param], audited: Audited) -> None:
    """Whatever way a body is read, its params are what was read, and what was not."""
    odd = apps_wsgi.ODD[name]
    odd.server().run(odd.app, audited)

    assert expected == _body_params(audited.event())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("never reads", [_unread(7, 0)]),
        ("reads part", [_A, _unread(7, 3)]),
        ("reads all", _ASGI_FORM),
        ("reads after response", [_unread(7, 0)]),
        ("listens for disconnect", _ASGI_FORM),
    ],
)
def test_asgi_body(name: str, expected: list[Param], audited: Audited) -> None:
    """What the application read of a body is in params, and what it did not read."""
    odd = apps_asgi.ODD[name]
    odd.server().run(odd.app, audited)

    assert expected == _body_params(audited.event())


def test_wsgi_user_named_late(audited: Audited) -> None:
    """REMOTE_USER counts as it stands when the response ends."""
    odd = apps_wsgi.ODD["names user late"]
    odd.server().run(odd.app, audited)

    assert audited.event().user == b"alice"


def test_asgi_user(audited: Audited) -> None:
    """The user of the scope counts as it stands when the response ends."""
    odd = apps_asgi.ODD["changes scope"]
    odd.server().run(odd.app, audited)
    event = audited.event()

    assert (event.user, event.path) == (b"alice", b"/a%20b")


@pytest.mark.parametrize("name", ["lifespan", "scope of no known type"])
def test_asgi_no_record(name: str, audited: Audited) -> None:
    """A scope that is no request leaves no record of one."""
    odd = apps_asgi.ODD[name]
    odd.server().run(odd.app, audited)

    assert audited.events() == []
