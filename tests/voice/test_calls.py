# What each call of the voice leaves on record.
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.edges.audited import Audited
from tests.voice.stages import INTERFACES, Stage, only

import audit_mw
from audit_mw.config import Config
from audit_mw.event import Hole
from audit_mw.event_types import OWASP, type_rows
from audit_mw.policy.keyring import Keyring

DIGEST = Keyring(bytes(range(32))).digest
BEFORE, AFTER = "sessionid=0123456789abcdef0123", "fedcba9876543210fedc"


def exchange() -> Any:
    """Return the current exchange."""
    found = audit_mw.current()
    assert found is not None

    return found


# --- the request's own record


def test_word_on_a_request(stage: Stage) -> None:
    """What is assigned stands in the request's own record."""

    def act() -> None:
        current = exchange()
        current.user, current.roles = "alice", ["clerk", "teller"]
        current.session, current.action = "server-side-id", "users.search"
        current.rows, current.outcome = 4, "FAILURE"
        current.note(order=17, amount=Decimal("1.50"))
        current.note(order=18, tags=["a", None, True])

    stage.serve(act)
    event = stage.event("request")

    assert (event.user, event.action, event.rows) == (b"alice", b"users.search", 4)
    assert (event.outcome, event.status) == ("FAILURE", 200)
    assert event.session == DIGEST(b"server-side-id")
    assert event.details["roles"] == [b"clerk", b"teller"]
    assert event.details["app"] == {
        "order": 18,
        "amount": b"1.50",
        "tags": [b"a", None, True],
    }


def test_read_again(stage: Stage) -> None:
    """What was assigned can be read; of the session only its digest."""

    def act() -> None:
        current = exchange()
        assert (current.user, current.roles, current.rows) == (None, (), None)
        assert current.session == DIGEST(BEFORE.partition("=")[2].encode())
        current.user, current.session, current.roles = 7, AFTER, ("clerk",)
        assert (current.user, current.roles) == ("7", ("clerk",))
        assert current.session == DIGEST(AFTER.encode())

    server = stage.serve(act, cookie=BEFORE)

    assert server.raised is None
    assert stage.event("request").user == b"7"


@pytest.mark.parametrize(
    ("assign", "error", "said"),
    [
        (lambda it: setattr(it, "user", object()), TypeError, "user must be a text"),
        (lambda it: setattr(it, "user", True), TypeError, "not a bool"),
        (lambda it: setattr(it, "roles", "clerk"), TypeError, "a list of names"),
        (lambda it: setattr(it, "rows", "4"), TypeError, "rows must be a number"),
        (lambda it: setattr(it, "rows", -1), ValueError, "from 0"),
        (lambda it: setattr(it, "rows", 1 << 63), ValueError, "from 0"),
        (lambda it: setattr(it, "outcome", "success"), ValueError, "SUCCESS, FAILURE"),
        (lambda it: setattr(it, "session", 17), TypeError, "a session id is a text"),
        (lambda it: it.note(app=object()), TypeError, "a object cannot be recorded"),
    ],
)
def test_slip_of_a_developer(
    stage: Stage, assign: Callable[[Any], None], error: type[Exception], said: str
) -> None:
    """What cannot be recorded is an error in the line that says it, and no harm."""

    def act() -> None:
        with pytest.raises(error, match=said):
            assign(exchange())

    server = stage.serve(act)

    assert server.raised is None
    assert stage.event("request").outcome == "SUCCESS"


# --- records of their own


def test_joined(stage: Stage) -> None:
    """All records of an exchange have its event id, client, user and session."""

    def act() -> None:
        exchange().user = "alice"
        audit_mw.security("authz_fail", resource="/admin", reason="not an admin")
        audit_mw.error("insufficient funds", account="22051102")
        audit_mw.call("smtp://mail", outcome="FAILURE", micros=1200, rows=0)
        audit_mw.system("sys_deploy", version="2026.11.1")
        audit_mw.login("alice")
        audit_mw.logout()

    stage.serve(act, cookie=BEFORE)
    *calls, request = stage.events("request")
    said = [
        only(calls),
        stage.event("security"),
        stage.event("error"),
        *stage.events("session"),
        *(it for it in stage.events("system") if it.type == "sys_deploy"),
    ]

    assert {it.event for it in said} == {request.event}
    assert {(it.client, it.peer) for it in said} == {(request.client, request.peer)}
    assert {it.user for it in said} == {b"alice"}
    assert {it.session for it in said} == {request.session}
    assert {it.service for it in said} == {b"edges"}
    assert [(it.type, it.outcome, it.stream) for it in said] == [
        ("call", "FAILURE", "request"),
        ("authz_fail", "FAILURE", "security"),
        ("error", "FAILURE", "error"),
        ("authn_login_success", "SUCCESS", "session"),
        ("session_expired", "SUCCESS", "session"),
        ("sys_deploy", "SUCCESS", "system"),
    ]
    assert [it.details for it in said] == [
        {},
        {"reason": b"not an admin", "app": {"resource": b"/admin"}},
        {"reason": b"insufficient funds", "app": {"account": b"22051102"}},
        {"method": b"password"},
        {"reason": b"logout"},
        {"version": b"2026.11.1"},
    ]
    assert (said[0].action, said[0].rows, said[0].micros) == (b"smtp://mail", 0, 1200)


def test_login(stage: Stage) -> None:
    """A login joins user, roles and session to the request, and to what follows."""

    def act() -> None:
        audit_mw.login(
            "alice", method="id-card", session=AFTER, roles=["clerk"], card="C-17"
        )

    stage.serve(act, cookie=BEFORE)
    request, login = stage.event("request"), stage.event("session")

    for event in (request, login):
        assert event.user == b"alice"
        assert event.session == DIGEST(AFTER.encode())
        assert event.details["roles"] == [b"clerk"]
    assert login.details["method"] == b"id-card"
    before = DIGEST(BEFORE.partition("=")[2].encode()).encode()
    assert login.details["session_before"] == before
    assert login.details["app"] == {"card": b"C-17"}


def test_session_stays(stage: Stage) -> None:
    """A login that keeps the session id has no other beside it."""
    stage.serve(
        lambda: audit_mw.login("alice", session=BEFORE.partition("=")[2]), cookie=BEFORE
    )

    assert "session_before" not in stage.event("session").details


PASSWORD = b"user=alice&password=hunter2"


@pytest.mark.parametrize(
    ("body", "arguments", "outcome", "user"),
    [
        (PASSWORD, ("alice", "FAILURE", "password"), "FAILURE", b"alice"),
        (PASSWORD, ("", "FAILURE", "password"), "ATTEMPT", b""),
        (PASSWORD, (None, "FAILURE", "token"), "ATTEMPT", b""),
        (
            b"user=alice&password=",
            ("alice", "FAILURE", "password"),
            "ATTEMPT",
            b"alice",
        ),
        (b"user=alice", ("alice", "FAILURE", "password"), "ATTEMPT", b"alice"),
        (b"user=alice", ("alice", "FAILURE", "token"), "FAILURE", b"alice"),
        (PASSWORD, ("alice", "ATTEMPT", "password"), "ATTEMPT", b"alice"),
    ],
)
def test_failed_login(
    stage: Stage,
    body: bytes,
    arguments: tuple[str | None, str, str],
    outcome: str,
    user: bytes,
) -> None:
    """A failure that lacked what could make it succeed is an attempt; nobody is in."""
    name, said, method = arguments
    stage.serve(
        lambda: audit_mw.login(name, outcome=said, method=method, reason="no"), body
    )
    login = stage.event("session")

    assert (login.type, login.outcome) == ("authn_login_fail", outcome)
    assert (login.user, login.details["reason"]) == (user, b"no")
    assert stage.event("request").user is None


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (audit_mw.logout, b"logout"),
        (audit_mw.session_expired, b"timeout"),
        (audit_mw.session_invalidated, b"revoked"),
    ],
)
def test_end_of_session(stage: Stage, end: Callable[..., None], reason: bytes) -> None:
    """A session ends by a reason; which one, and whose, may be said."""
    stage.serve(lambda: end("bob", session=AFTER))
    event = stage.event("session")

    assert (event.type, event.outcome, event.user) == (
        "session_expired",
        "SUCCESS",
        b"bob",
    )
    assert (event.details["reason"], event.session) == (reason, DIGEST(AFTER.encode()))


# --- names


def test_vocabulary() -> None:
    """All of OWASP's logging vocabulary is known, each with its level and meaning."""
    names = [each.name for each in type_rows()]

    assert len(names) == len(set(names))
    assert len(OWASP) == 49
    assert {each.level for each in type_rows()} <= {
        "INFO",
        "WARN",
        "CRITICAL",
        "INFO|CRITICAL",
    }
    assert all(each.meaning for each in type_rows())


def test_unknown_name(stage: Stage) -> None:
    """A name that nobody knows is an error that suggests the nearest."""

    def act() -> None:
        with pytest.raises(ValueError, match=r"'authz_fial'.*'authz_fail'\?.*types"):
            audit_mw.security("authz_fial")
        with pytest.raises(ValueError, match="no name of an event"):
            audit_mw.system("x" * 10_000)

    assert stage.serve(act).raised is None
    assert stage.events("security") == []


@pytest.mark.parametrize("name", ["log_gap", "sys_shutdown", "request", "log"])
def test_word_of_the_trail(stage: Stage, name: str) -> None:
    """What the trail says of itself nobody else says: readers rely on it."""

    def act() -> None:
        with pytest.raises(ValueError, match="a word of the trail's own"):
            audit_mw.system(name)

    assert stage.serve(act).raised is None


@pytest.mark.parametrize("interface", INTERFACES)
def test_own_name(interface: str, audited: Audited) -> None:
    """A name that the options declare is known."""
    stage = Stage(interface, audited, types="loan_granted,loan_denied")
    stage.serve(lambda: audit_mw.security("loan_denied", loan=17))

    assert stage.event("security").type == "loan_denied"


def test_declared_badly() -> None:
    """A name that no record could have is an error at start."""
    with pytest.raises(audit_mw.ConfigError, match="loan_granted"):
        Config.load({"types": "loan\tgranted"}, {})


@pytest.mark.parametrize(
    "wrong", [{"reason": 5.5}, {"roles": "clerk"}, {"outcome": "in"}, {"session": 7}]
)
def test_login_said_wrongly(stage: Stage, wrong: dict[str, Any]) -> None:
    """A login that cannot be recorded lets nobody in."""

    def act() -> None:
        with pytest.raises((TypeError, ValueError)):
            audit_mw.login("mallory", **wrong)
        assert exchange().user is None

    assert stage.serve(act).raised is None
    assert stage.event("request").user is None
    assert stage.events("session") == []


def test_roles_once(stage: Stage) -> None:
    """Roles may be anything that yields them, once."""
    stage.serve(lambda: audit_mw.login("alice", roles=iter(["a", "b"])))  # type: ignore[arg-type] # but so it goes

    assert stage.event("session").details["roles"] == [b"a", b"b"]
    assert stage.event("request").details["roles"] == [b"a", b"b"]


def test_bytes_that_are_no_text(stage: Stage) -> None:
    """Bytes that are no UTF-8 are on record as they are, wherever they are said."""

    def act() -> None:
        audit_mw.login(b"al\xffice", reason=b"\xfe")  # type: ignore[arg-type] # from a database
        exchange().note(k={b"\xfd": b"\xfc"})

    stage.serve(act)
    login, request = stage.event("session"), stage.event("request")

    assert (login.user, login.details["reason"]) == (b"al\xffice", b"\xfe")
    assert request.user == b"al\xffice"
    assert request.details["app"] == {"k": {"key 0": [b"\xfd", b"\xfc"]}}


# --- secrets, and what is long


def test_shape_in_our_words(stage: Stage) -> None:
    """What has the shape of a secret is withheld in the words of an integration, too."""
    token = "ghp_" + "aB3dE6gH9jK2" * 3

    def act() -> None:
        audit_mw.security(
            "authz_fail",
            reason=audit_mw.voice.Own("see hunter2"),
            action=audit_mw.voice.Own(f"hunter2.{token}"),
        )

    stage.serve(act, b"user=alice&password=hunter2")
    event = stage.event("security")

    assert event.details["reason"] == b"see hunter2"
    assert isinstance(event.action, tuple)
    assert event.action[0] == b"hunter2."


@pytest.mark.parametrize("word", ["password", "logout", "look-alike", "token"])
def test_our_own_words(stage: Stage, word: str) -> None:
    """A password that is one of our words is not told by what is blanked out."""

    def act() -> None:
        audit_mw.login("аlice")  # its first letter is Cyrillic
        audit_mw.login("bob", method="token")
        audit_mw.logout("bob")

    stage.serve(act, b"user=%D0%B0lice&password=" + word.encode())
    session, security = stage.events("session"), stage.events("security")

    assert [it.details.get("method") for it in session] == [b"password", b"token", None]
    assert session[-1].details["reason"] == b"logout"
    for event in (*session, *security):
        assert not isinstance(event.details.get("reason", b""), tuple)
    assert [it.type for it in security] == ["deceptive_user"]


def test_secrets(stage: Stage) -> None:
    """Text of the application goes through the redaction; what was sent is found."""

    def act() -> None:
        exchange().note(password="hunter2", seen="it was hunter2", n=[{"pin": 1234}])
        audit_mw.error("wrong password hunter2 for alice", token="abcdefgh12345678")
        audit_mw.call("https://bob:pw12345@x.example/?token=tok12345")

    stage.serve(act, PASSWORD)
    text = b"".join(p.read_bytes() for p in stage.audited.trail.rglob("*.log"))

    app = stage.events("request")[-1].details["app"]
    assert isinstance(app, dict)
    assert app["password"] == (Hole(7, "password"),)
    assert app["seen"] == (b"it was ", Hole(7, "password"))
    for secret in (b"hunter2", b"1234}", b"abcdefgh12345678", b"pw12345", b"tok12345"):
        assert secret not in text


def test_long(stage: Stage) -> None:
    """What is long, or much, goes to the values stream whole."""
    much = {f"k{number}": "v" * 50 for number in range(500)}

    def act() -> None:
        audit_mw.error("e" * 300, **much)
        exchange().note(**much)

    stage.serve(act)
    error, request = stage.event("error"), stage.event("request")

    for event in (error, request):
        assert spilled(event.details["app"]).len > 25_000
    reason = spilled(error.details["reason"])
    stored = b"".join(p.read_bytes() for p in stage.audited.trail.glob("values/*"))
    assert reason.len == 300
    assert (reason.sha256 or "").encode() in stored


def spilled(text: object) -> Hole:
    """Return the one hole that a text is."""
    assert isinstance(text, tuple)
    (hole,) = text
    assert isinstance(hole, Hole)
    assert hole.sha256

    return hole
