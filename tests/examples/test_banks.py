# Both banks behave alike, and leave the same trail.
#
# Each test drives both, wrapped as their users would wrap them, through the test
# clients of their frameworks.
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from examples.fastapi_app import app as fastapi_app
from examples.fastapi_app.app import make_app as make_fastapi
from examples.flask_app import app as flask_app
from examples.flask_app.app import make_app as make_flask
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.edges.audited import read_trail

from audit_mw import AuditMiddleware
from audit_mw.event import Event, Param, Redacted, Upload

BOB = "22051102"


@dataclass
class Clock:
    """The clock of a bank's sessions, in seconds; time passes when a test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Bank:
    """A bank behind its middleware: send a request, get (status, body); its trail."""

    send: Callable[..., tuple[int, Any]]
    trail: Path
    clock: Clock
    log: logging.Logger
    forget: Callable[[], object]  # the cookies, as another device has none

    def login(self) -> None:
        """Log in as Alice."""
        status, _ = self.send(
            "POST", "/login", data={"user": "alice", "password": "correct horse"}
        )
        assert status == 200

    def events(self, stream: str = "request") -> list[Event]:
        """Return all events of a stream."""
        return read_trail(self.trail, stream)


@pytest.fixture(params=["fastapi", "flask"])
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bank]:
    """Return each bank in turn."""
    if request.param == "flask":
        yield _flask(tmp_path)
        return
    clock = Clock()
    app = AuditMiddleware(
        make_fastapi(clock),
        trail=str(tmp_path),
        service="bank",
        types=fastapi_app.EVENTS,
    )
    with TestClient(app, raise_server_exceptions=False) as client:

        def send(method: str, path: str, **content: Any) -> tuple[int, Any]:
            answer = client.request(method, path, **content)
            is_json = (
                "json" in answer.headers.get("content-type", "") and answer.content
            )
            return answer.status_code, answer.json() if is_json else answer.text

        yield Bank(send, tmp_path, clock, fastapi_app.log, client.cookies.clear)


def _flask(tmp_path: Path) -> Bank:
    clock = Clock()
    app = make_flask(clock)
    app.wsgi_app = AuditMiddleware(  # type: ignore[method-assign] # as Flask's manual says
        app.wsgi_app, trail=str(tmp_path), service="bank", types=flask_app.EVENTS
    )
    client = app.test_client()

    def send(method: str, path: str, **content: Any) -> tuple[int, Any]:
        files = content.pop("files", {})
        if files:
            name, data = files["files"]
            content["data"] |= {"files": (io.BytesIO(data), name)}
        answer = client.open(path, method=method, **content)
        body = answer.get_data()  # read as a server would, so that it is closed
        answer.close()
        return answer.status_code, answer.json if answer.is_json else body.decode()

    return Bank(
        send, tmp_path, clock, flask_app.log, lambda: client.delete_cookie("sessionid")
    )


def test_login(bank: Bank) -> None:
    """A login succeeds with the right password, and only its length is on record."""
    bank.login()
    [event] = bank.events()

    assert event.outcome == "SUCCESS"
    assert event.user == b"alice"
    assert Param("form", b"user", b"alice") in event.params
    assert Param("form", b"password", Redacted(13, "password")) in event.params


def test_wrong_password(bank: Bank) -> None:
    """A login with a wrong password is a failure; one without any an attempt."""
    for password in ("hunter2", ""):
        bank.send("POST", "/login", data={"user": "alice", "password": password})

    assert [event.outcome for event in bank.events()] == ["FAILURE", "ATTEMPT"]


def test_session(bank: Bank) -> None:
    """What one session did is joined by the digest of its id, and has its user."""
    bank.login()
    bank.send("GET", "/profile")
    bank.send("GET", "/accounts/22051101")
    _, *after = bank.events()

    assert {event.user for event in after} == {b"alice"}
    assert len({event.session for event in after}) == 1
    assert after[0].session is not None


def test_other_account(bank: Bank) -> None:
    """Somebody else's account is not shown, and the look at it is on record."""
    bank.login()
    status, _ = bank.send("GET", "/accounts/22051102")
    event = bank.events()[-1]

    assert status == 403
    assert (event.outcome, event.path, event.user) == (
        "FAILURE",
        b"/accounts/22051102",
        b"alice",
    )


@pytest.mark.parametrize("content", ["json", "data"])
def test_transfer(bank: Bank, content: str) -> None:
    """Money moves by a form or by JSON, and the amount is on record as sent."""
    bank.login()
    order = {"from": "22051101", "to": "22051102", "amount": "12.50"}
    status, answer = bank.send("POST", "/transfer", **{content: order})
    names = {param.name: param.value for param in bank.events()[-1].params}

    assert (status, answer) == (200, {"balance": "237.50"})
    assert names[b"/amount" if content == "json" else b"amount"] == b"12.50"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param({"to": BOB, "amount": "9999"}, 422, id="insufficient"),
        pytest.param({"to": BOB, "amount": "0.00"}, 400, id="nothing"),
        pytest.param({"to": BOB, "amount": "-1"}, 400, id="negative"),
        pytest.param({"to": BOB, "amount": "x"}, 400, id="no number"),
        pytest.param({"to": BOB, "amount": "NaN"}, 400, id="not finite"),
        pytest.param({"to": BOB, "amount": "1e999999"}, 400, id="exponent"),
        pytest.param({"to": BOB, "amount": "0.001"}, 400, id="below a cent"),
        pytest.param({"to": BOB, "amount": 1}, 400, id="no text"),
        pytest.param({"to": BOB, "amount": "1", "from": BOB}, 403, id="another's"),
        pytest.param({"to": "22051101", "amount": "1"}, 404, id="to oneself"),
        pytest.param({"to": "1", "amount": "1"}, 404, id="no such account"),
        pytest.param(["1"], 400, id="no object"),
    ],
)
def test_transfer_refused(bank: Bank, order: object, expected: int) -> None:
    """What cannot be transferred is refused, and no money moves."""
    bank.login()
    if isinstance(order, dict):
        order = {"from": "22051101"} | order
    status, _ = bank.send("POST", "/transfer", json=order)
    _, account = bank.send("GET", "/accounts/22051101")

    assert status == expected
    assert account["balance"] == "250.00"


def test_search(bank: Bank) -> None:
    """Repeated parameters arrive, and are on record in their order."""
    status, answer = bank.send("GET", "/search?q=a&user_id=Alice&user_id=Bob")
    sent = [
        param.value for param in bank.events()[-1].params if param.name == b"user_id"
    ]

    assert (status, answer["found"]) == (200, ["alice"])
    assert answer["user_id"] == ["Alice", "Bob"]
    assert sent == [b"Alice", b"Bob"]


def test_profile(bank: Bank) -> None:
    """A nested profile is kept; a body that is no JSON object is refused."""
    bank.login()
    bank.send("POST", "/profile", json={"address": {"city": "Tallinn"}})
    _, answer = bank.send("GET", "/profile")

    assert answer["profile"] == {"address": {"city": "Tallinn"}}
    assert bank.send("POST", "/profile", json=[1])[0] == 400
    assert bank.send("POST", "/transfer", data={"amount": "1"})[0] == 403


def test_upload(bank: Bank) -> None:
    """A file is answered with its size, and is on record by its digest."""
    status, answer = bank.send(
        "POST", "/upload", data={"note": "hi"}, files={"files": ("a.txt", b"content")}
    )
    uploads = [p.value for p in bank.events()[-1].params if isinstance(p.value, Upload)]

    assert status == 200
    assert answer == {"note": "hi", "files": [{"name": "a.txt", "size": 7}]}
    assert [(upload.filename, upload.len) for upload in uploads] == [(b"a.txt", 7)]


def test_statement(bank: Bank) -> None:
    """A stream arrives whole, and its bytes are counted."""
    bank.login()
    status, text = bank.send("GET", "/statement")

    assert status == 200
    assert text.endswith("balance,250.00\n")
    assert bank.events()[-1].sent == len(text)


def test_crash(bank: Bank) -> None:
    """A crash is an error on record."""
    bank.login()
    bank.send("GET", "/crash")

    assert (bank.events()[-1].status, bank.events()[-1].outcome) == (500, "ERROR")


def test_logout(bank: Bank) -> None:
    """After the logout the session counts for nothing."""
    bank.login()

    assert bank.send("POST", "/logout")[0] == 204
    assert bank.send("GET", "/profile")[0] == 401
    assert bank.send("GET", "/statement")[0] == 401
    assert bank.send("GET", "/health") == (200, {"status": "ok"})


def test_login_said(bank: Bank) -> None:
    """Each attempt to log in has a record of its own, joined by the event id."""
    for password in ("hunter2", ""):
        bank.send("POST", "/login", data={"user": "alice", "password": password})
    bank.login()
    said = bank.events("session")

    assert [(event.type, event.outcome, event.user) for event in said] == [
        ("authn_login_fail", "FAILURE", b"alice"),
        ("authn_login_fail", "ATTEMPT", b"alice"),
        ("authn_login_success", "SUCCESS", b"alice"),
    ]
    assert said[0].details["reason"] == b"wrong name or password"
    assert said[2].details["roles"] == [b"customer"]
    assert [event.event for event in said] == [
        event.event for event in bank.events() if event.path == b"/login"
    ]


def test_rotation(bank: Bank) -> None:
    """A new login ends the session before; the record has both digests."""
    for _ in range(2):
        bank.login()
    first, second = bank.events("session")

    assert first.session is not None
    assert second.details["session_before"] == first.session.encode()
    assert second.session != first.session
    assert bank.events()[-1].session == second.session


def test_who_and_what(bank: Bank) -> None:
    """A request has user, roles, rows and action, and what the bank adds of its own."""
    bank.login()
    bank.send("GET", "/search?q=b")
    order = {"from": "22051101", "to": BOB, "amount": "12.50"}
    bank.send("POST", "/transfer", json=order)
    _, search, transfer = bank.events()
    noted = transfer.details["app"]

    assert search.rows == 1
    assert str(search.action).strip("b'/") == "search"
    assert (transfer.user, transfer.action) == (b"alice", b"accounts.transfer")
    assert transfer.details["roles"] == [b"customer"]
    assert isinstance(noted, dict)
    assert noted["balance"] == b"237.50"
    assert len(noted["order"]) == 8


@pytest.mark.parametrize("way", ["account", "transfer"])
def test_other_account_said(bank: Bank, way: str) -> None:
    """A reach for somebody else's account is told to the security officer, once."""
    bank.login()
    if way == "account":
        bank.send("GET", f"/accounts/{BOB}")
    else:
        bank.send("POST", "/transfer", json={"from": BOB, "amount": "1"})
    (said,) = bank.events("security")

    assert (said.type, said.outcome, said.user) == ("authz_fail", "FAILURE", b"alice")
    assert said.details["app"] == {"account": BOB.encode()}
    assert said.event == bank.events()[-1].event


def test_insufficient_funds(bank: Bank) -> None:
    """What the user is shown is in the error stream, once."""
    bank.login()
    order = {"from": "22051101", "to": BOB, "amount": "9999"}
    bank.send("POST", "/transfer", json=order)
    (said,) = bank.events("error")

    assert (said.type, said.outcome) == ("error", "FAILURE")
    assert said.details["reason"] == b"insufficient funds"
    assert said.details["app"] == {"account": b"22051101", "amount": b"9999"}


@pytest.mark.parametrize(
    ("currency", "answer", "outcome"),
    [("USD", (200, "275.00"), "SUCCESS"), ("XXX", (404, None), "FAILURE")],
)
def test_rates(
    bank: Bank, currency: str, answer: tuple[int, str | None], outcome: str
) -> None:
    """A use of the service of rates is on record, whatever came of it."""
    bank.login()
    status, got = bank.send("GET", f"/accounts/22051101?currency={currency}")
    balance = got["balance"] if status == 200 else None
    *_, call, request = bank.events()

    assert (status, balance) == answer
    assert (call.type, call.outcome) == ("call", outcome)
    assert call.action == f"http://rates.example/EUR/{currency}".encode()
    assert call.event == request.event


def test_logout_said(bank: Bank) -> None:
    """A logout ends the session that the login began; one of nobody is none."""
    bank.login()
    bank.send("POST", "/logout")
    bank.send("POST", "/logout")
    login, logout = bank.events("session")

    assert (logout.type, logout.user) == ("session_expired", b"alice")
    assert logout.details["reason"] == b"logout"
    assert logout.session == login.session


def test_session_expired(bank: Bank) -> None:
    """A session that nobody used for long ends, and that is on record once."""
    bank.login()
    bank.clock.now += 15 * 60 + 1
    statuses = [bank.send("GET", "/profile")[0] for _ in range(2)]
    login, expired = bank.events("session")
    _, profile, _ = bank.events()

    assert statuses == [401, 401]
    assert (expired.type, expired.user) == ("session_expired", b"alice")
    assert expired.details["reason"] == b"timeout"
    assert (expired.session, expired.event) == (login.session, profile.event)


def test_session_in_use(bank: Bank) -> None:
    """A session that is made use of goes on, however long."""
    bank.login()
    for _ in range(3):
        bank.clock.now += 10 * 60
        assert bank.send("GET", "/profile")[0] == 200

    assert len(bank.events("session")) == 1


@pytest.mark.parametrize("everywhere", [True, False])
def test_logout_everywhere(bank: Bank, *, everywhere: bool) -> None:
    """A logout ends the sessions on other devices if asked to; each is on record."""
    bank.login()
    bank.forget()
    bank.login()
    bank.send("POST", "/logout?all=1" if everywhere else "/logout")
    other, own, *ends = bank.events("session")
    ended = [(end.session, end.details["reason"], end.user) for end in ends]
    invalidated = (other.session, b"logged out everywhere", b"alice")

    assert other.session != own.session
    assert ended[0] == (own.session, b"logout", b"alice")
    assert ended[1:] == ([invalidated] if everywhere else [])
    assert {end.event for end in ends} == {bank.events()[-1].event}


def test_large_transfer(bank: Bank) -> None:
    """A transfer that must be reported is, by a name of the bank's own."""
    bank.login()
    for amount in ("99.99", "100.00"):
        order = {"from": "22051101", "to": BOB, "amount": amount}
        bank.send("POST", "/transfer", json=order)
    (said,) = bank.events("security")

    assert (said.type, said.outcome) == ("large_transfer", "SUCCESS")
    assert said.details["app"] == {"amount": b"100.00"}
    assert (said.user, said.event) == (b"alice", bank.events()[-1].event)


def test_logged_error(bank: Bank) -> None:
    """An error that the bank logs, in a thread of a pool, is on record."""
    bank.login()
    bank.send("GET", "/accounts/22051101?currency=XXX")
    (logged,) = (event for event in bank.events("error") if event.type == "log")
    said = logged.details["app"]

    assert isinstance(said, dict)
    assert said["message"] == b"rates.example has no rate of 'XXX'"
    assert (logged.user, logged.event) == (b"alice", bank.events()[-1].event)


def test_usual_log(bank: Bank) -> None:
    """A line of the usual log has the event id of its request."""
    usual = bank.log.handlers[0]
    assert isinstance(usual, logging.StreamHandler)
    before = usual.setStream(written := io.StringIO())
    try:
        bank.login()
    finally:
        usual.setStream(before)
    _date, _time, event, said = written.getvalue().split(maxsplit=3)

    assert (event, said) == (bank.events()[-1].event, "alice logged in\n")


def test_crash_in_fault_stream(bank: Bank) -> None:
    """A crash is in the fault stream, with its traceback and the event id."""
    bank.login()
    bank.send("GET", "/crash")
    (fault,) = bank.events("fault")
    traceback = fault.details["traceback"]

    assert (fault.event, fault.user) == (bank.events()[-1].event, b"alice")
    assert isinstance(traceback, bytes)
    assert traceback.endswith(b"RuntimeError: the ledger does not add up\n")


def test_websocket(tmp_path: Path) -> None:
    """A websocket is one record, with what passed over it counted."""
    app = AuditMiddleware(make_fastapi(), trail=str(tmp_path), service="bank")
    client = TestClient(app)
    client.post("/login", data={"user": "alice", "password": "correct horse"})
    with client.websocket_connect("/ws") as socket:
        for number, expected in (("22051101", "250.00"), ("1", "?")):
            socket.send_text(number)
            assert socket.receive_text() == expected
        socket.send_text("bye")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
    *_, event = read_trail(tmp_path, "request")
    messages = event.details["messages_in"]

    assert (event.type, event.status, event.outcome) == ("websocket", 101, "SUCCESS")
    assert isinstance(messages, dict)
    assert (messages["count"], messages["len"]) == (3, 12)
    assert (event.details["close_code"], event.user) == (1000, b"alice")


def test_websocket_denied(tmp_path: Path) -> None:
    """A websocket that is denied is a failure."""
    app = AuditMiddleware(make_fastapi(), trail=str(tmp_path), service="bank")
    client = TestClient(app)
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/ws?deny=true"),
    ):
        pass
    [event] = read_trail(tmp_path, "request")

    assert (event.status, event.outcome) == (403, "FAILURE")
