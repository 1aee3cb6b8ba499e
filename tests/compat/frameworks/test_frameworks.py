# Every framework behaves the same behind the middleware, on a real server, and its
# requests have the same records. Where one differs, the table says so.
#
# (Longer than 250 lines, since all frameworks are held to one list of behaviours.)
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.compat.frameworks.frameworks import FRAMEWORKS, Framework, Served, Servers
from tests.serving import ROOT, SECONDS, new_word
from websockets.sync.client import connect

from audit_mw.event import Event, Param, Redacted, Upload

EACH = pytest.mark.parametrize("name", FRAMEWORKS)
SOCKETS = pytest.mark.parametrize(
    "name", [name for name, framework in FRAMEWORKS.items() if framework.websocket]
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start servers on demand, and end all of them."""
    servers = Servers(tmp_path_factory.mktemp("frameworks"))
    try:
        yield servers
    finally:
        for served in servers.values():
            served.running.end()


@pytest.fixture
def served(name: str, servers: Servers) -> Served:
    """Return the application of the framework called `name`."""
    return servers[name, False]


@pytest.fixture
def framework(name: str) -> Framework:
    """Return the row of the table."""
    return FRAMEWORKS[name]


@pytest.fixture
def case() -> str:
    """Return a word that no other request has."""
    return new_word()


def _params(event: Event, *sources: str) -> list[tuple[str, object, object]]:
    return [(p.source, p.name, p.value) for p in event.params if p.source in sources]


def _shown(event: Event) -> tuple[str, int | None, int | None]:
    return event.outcome, event.status, event.sent


@EACH
def test_page(served: Served, framework: Framework, case: str) -> None:
    """A page is served, and its record says what was asked for, by whom, and where."""
    path = f"/?a=1&a=2&empty=&flag&case={case}"
    response, body = served.running.ask("GET", path)
    (event,) = served.events(case)

    assert (response.status, body) == (200, b"hello")
    assert _shown(event) == ("SUCCESS", 200, 5)
    assert (event.method, event.path, event.client) == (b"GET", b"/", b"127.0.0.1")
    assert event.service == (framework.service or ROOT.name).encode()
    assert event.action == framework.action
    assert (event.user, event.session) == (None, None)
    assert _params(event, "query") == [
        ("query", b"a", b"1"),
        ("query", b"a", b"2"),
        ("query", b"empty", b""),
        ("query", b"flag", None),
        ("query", b"case", case.encode()),
    ]


@EACH
def test_form(served: Served, case: str) -> None:
    """A form is on record in its order, names repeated, the password withheld."""
    fields = [("item", "tea"), ("password", PASSWORD), ("item", "milk & honey")]
    _, body = served.running.ask(
        "POST", f"/form?case={case}", body=urlencode(fields), headers=FORM
    )
    (event,) = served.events(case)

    assert body == b"tea,milk & honey"
    assert _shown(event) == ("SUCCESS", 200, 16)
    assert _params(event, "form") == [
        ("form", b"item", b"tea"),
        ("form", b"password", Redacted(len(PASSWORD), "password")),
        ("form", b"item", b"milk & honey"),
    ]


@EACH
def test_json(served: Served, case: str) -> None:
    """A JSON document is on record by its pointers, the password withheld."""
    document = {"order": {"item": "tea"}, "user": {"password": PASSWORD}}
    _, body = served.running.ask(
        "POST",
        f"/json?case={case}",
        body=json.dumps(document),
        headers={"Content-Type": "application/json"},
    )
    (event,) = served.events(case)

    assert body == b"tea"
    assert _params(event, "json", "body") == [
        ("json", b"/order/item", b"tea"),
        ("json", b"/user/password", Redacted(len(PASSWORD), "password")),
    ]


_PHOTO = bytes(range(256)) * 600  # more than a chunk of any server
_PARTS = (
    b'--cut\r\nContent-Disposition: form-data; name="note"\r\n\r\na cat\r\n'
    b'--cut\r\nContent-Disposition: form-data; name="photo"; filename="cat.png"\r\n'
    b"Content-Type: image/png\r\n\r\n" + _PHOTO + b"\r\n--cut--\r\n"
)


@EACH
def test_upload(served: Served, case: str) -> None:
    """A file that is uploaded is on record by its name, type and length."""
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    _, body = served.running.ask(
        "POST", f"/upload?case={case}", body=_PARTS, headers=headers
    )
    (event,) = served.events(case)
    (note, photo) = [p for p in event.params if p.source in ("form", "file")]

    assert body == str(len(_PHOTO)).encode()
    assert (note.name, note.value) == (b"note", b"a cat")
    assert (photo.name, _file(photo)) == (b"photo", (b"cat.png", b"image/png"))
    assert photo.value.len == len(_PHOTO)  # type: ignore[union-attr] # seen above
    assert event.details["request_len"] == len(_PARTS)


def _file(param: Param) -> tuple[object, object]:
    assert isinstance(param.value, Upload)

    return param.value.filename, param.value.type


def _login(served: Served, case: str) -> str:
    body = urlencode({"user": "alice", "password": PASSWORD})
    response, said = served.running.ask(
        "POST", f"/login?case={case}", body=body, headers=FORM
    )
    assert (response.status, said) == (200, b"welcome")

    return str(response.headers["Set-Cookie"]).partition(";")[0]


@EACH
def test_session(served: Served, framework: Framework, case: str) -> None:
    """Who logged in is vouched for; the cookie is a token, and an id joins requests."""
    cookie = _login(served, new_word())
    response, body = served.running.ask(
        "GET", f"/me?case={case}", headers={"Cookie": f"theme=dark; {cookie}"}
    )
    (event,) = served.events(case)
    theme, token = [p.value for p in event.params if p.source == "cookie"]

    assert (response.status, body) == (200, b"alice")
    assert event.user == b"alice"
    assert theme == b"dark"
    assert isinstance(token, Redacted)
    assert (token.cls, token.len) == ("token", len(cookie.partition("=")[2]))
    assert event.session == (token.hmac if framework.session else None)


@EACH
def test_session_is_nowhere(served: Served) -> None:
    """No file of the trail holds the cookie of a session."""
    cookie = _login(served, new_word()).partition("=")[2].strip('"')
    served.running.ask("GET", "/me", headers={"Cookie": f"session={cookie}"})
    kept = b"".join(f.read_bytes() for f in served.trail.rglob("*") if f.is_file())

    assert cookie.encode() not in kept
    assert PASSWORD.encode() not in kept


@EACH
def test_not_found(served: Served, case: str) -> None:
    """A page that nobody serves has a record: a failure, 404, and no action."""
    response, body = served.running.ask("GET", f"/missing?case={case}")
    (event,) = served.events(case)

    assert response.status == 404
    assert _shown(event) == ("FAILURE", 404, len(body))
    assert event.action is None


@EACH
def test_exception(served: Served, framework: Framework, case: str) -> None:
    """An exception is an error, 500; the fault is on record where it gets to us."""
    response, _ = served.running.ask("GET", f"/fail?case={case}")
    (event,) = served.awaited(case)
    faults = served.awaited(case, "fault") if framework.raises else []

    assert response.status == 500
    assert event.outcome == "ERROR"
    assert event.status == (None if framework.raises else 500)
    assert [fault.details["reason"] for fault in faults] == (
        [b"LookupError"] if framework.raises else []
    )
    assert served.events(case, "fault") == faults


@EACH
def test_exception_let_through(
    servers: Servers, name: str, framework: Framework, case: str
) -> None:
    """Told to let exceptions through, each framework leaves a fault with traceback."""
    served = servers[name, not framework.raises]
    response, _ = served.running.ask("GET", f"/fail?case={case}")
    (event,) = served.awaited(case)
    (fault,) = served.awaited(case, "fault")
    traceback = _bytes(fault.details["traceback"])

    assert response.status == 500
    assert (event.outcome, event.status) == ("ERROR", None)
    assert fault.details["reason"] == b"LookupError"
    assert framework.file in traceback
    assert traceback.endswith(b"LookupError: no such account\n")


@EACH
def test_not_found_where_let_through(
    servers: Servers, name: str, framework: Framework, case: str
) -> None:
    """Told to let exceptions through, a framework answers 404 as before."""
    served = servers[name, not framework.raises]
    response, _ = served.running.ask("GET", f"/missing?case={case}")

    assert response.status == 404
    assert len(served.events(case)) == 1
    assert served.events(case, "fault") == []


def _bytes(text: Any) -> bytes:
    assert isinstance(text, bytes)

    return text


@EACH
def test_stream(served: Served, case: str) -> None:
    """A response in chunks arrives whole, and all of it is counted."""
    response, body = served.running.ask("GET", f"/stream?case={case}")

    assert (response.status, body) == (200, b"one,two,three")
    assert [_shown(e) for e in served.awaited(case)] == [("SUCCESS", 200, 13)]


@EACH
def test_redirect(served: Served, case: str) -> None:
    """A redirect is a success of its own status."""
    response, _ = served.running.ask("GET", f"/old?case={case}")
    (event,) = served.events(case)

    assert response.status in (302, 303, 307)
    assert response.headers["Location"].endswith("/")
    assert (event.outcome, event.status) == ("SUCCESS", response.status)


@SOCKETS
def test_websocket(served: Served, case: str) -> None:
    """A websocket has one record: its messages both ways are counted."""
    url = f"ws://127.0.0.1:{served.running.port}/echo?case={case}"
    with connect(url, compression=None, proxy=None, open_timeout=SECONDS) as client:
        for text in ("hello", "again"):
            client.send(text)
            assert client.recv() == text
    (event,) = served.awaited(case)

    assert (event.type, event.outcome, event.status) == ("websocket", "SUCCESS", 101)
    assert event.details["close_code"] == 1000
    for way in ("messages_in", "messages_out"):
        told = event.details[way]
        assert isinstance(told, dict)
        assert (told["count"], told["len"]) == (2, 10)
