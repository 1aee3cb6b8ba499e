# A Django project that is heard, over both interfaces: what is told of each step that
# the visitors of tests/integrations/project took.
from pathlib import Path

import pytest
from tests.canary.spellings import leaks
from tests.integrations.project.site import STREAMS, Site, site_of
from tests.integrations.project.visits import CANARY, PASSWORD, WRONG

from audit_mw.event import Event, Redacted

_VIEWS = b"tests.integrations.project.urls."


def _told(event: Event) -> tuple[str, str, object, object]:
    return event.type, event.outcome, event.user, event.details.get("reason")


def _app(event: Event) -> object:
    return event.details.get("app")


@pytest.mark.parametrize(
    ("case", "user", "action"),
    [
        ("public", None, _VIEWS + b"public"),
        ("nowhere", None, None),
        ("login", b"alice", _VIEWS + b"log_in"),
        ("public alice", None, _VIEWS + b"public"),
        ("private", b"alice", b"private-page"),
        ("private async", b"alice", _VIEWS + b"private_async"),
        ("own", b"bob", b"own"),
        ("fail", b"alice", _VIEWS + b"fail"),
        ("other", b"bob", _VIEWS + b"log_in"),
        ("login async", b"alice", _VIEWS + b"log_in_async"),
        ("add user", b"root", b"admin:auth_user_add"),
    ],
)
def test_request(
    case: str, user: bytes | None, action: bytes | None, site: Site
) -> None:
    """A request has the user, if it was asked for, and the view; own words count more."""
    event = site.request(case)

    assert (event.user, event.action) == (user, action)
    assert event.status == site.answers[case]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("wrong", ("authn_login_fail", "FAILURE", b"alice")),
        ("nobody", ("authn_login_fail", "ATTEMPT", b"")),
        ("no password", ("authn_login_fail", "ATTEMPT", b"alice")),
        ("login", ("authn_login_success", "SUCCESS", b"alice")),
        ("login async", ("authn_login_success", "SUCCESS", b"alice")),
        ("other", ("authn_login_success", "SUCCESS", b"bob")),
        ("logout", ("session_expired", "SUCCESS", b"bob")),
        ("admin", ("authn_login_success", "SUCCESS", b"root")),
    ],
)
def test_session(case: str, expected: tuple[object, ...], site: Site) -> None:
    """Logins, failed ones and logouts are in the session stream, by name."""
    event = site.one(case, "session")

    assert _told(event)[:3] == expected
    assert event.details.get("method") in {b"password", None}


@pytest.mark.parametrize(
    "case", ["nobody out", "public", "nowhere", "good form", "own"]
)
def test_nothing_to_tell(case: str, site: Site) -> None:
    """A logout of nobody, a page, a path without a view, are in the request's line only."""
    assert [each for name in STREAMS for each in site.told(case, name)] == []


@pytest.mark.parametrize(
    ("before", "case"), [("begin", "login"), ("transfer", "other")]
)
def test_rotation(before: str, case: str, site: Site) -> None:
    """A login has the session that was and the one that is, and the request the latter."""
    login, event = site.one(case, "session"), site.request(case)
    old = site.request("begin" if before == "begin" else "private").session

    assert old
    assert login.details["session_before"] == old.encode()
    assert login.session == event.session != old


def test_login_that_is_given_up(visited: Path) -> None:
    """A login that waits for its session is told, though the request is given up."""
    login = site_of(visited, "wsgi").one("given up", "session")

    assert _told(login) == ("authn_login_success", "SUCCESS", b"bob", None)


def test_login_by_another_request(site: Site) -> None:
    """A login by a request that Django did not make is on record all the same."""
    login = site.one("wrapped", "session")

    assert _told(login)[:3] == ("authn_login_success", "SUCCESS", b"bob")


def test_request_within_another(site: Site) -> None:
    """What Django is let serve within a request changes nothing of whose that is."""
    event = site.request("within")

    assert (event.user, event.action) == (b"alice", b"within-page")
    assert event.session == site.request("private").session
    assert "roles" not in event.details


def test_session_that_is_deleted(site: Site) -> None:
    """An object whose key is a secret is on record by its digest."""
    event = site.one("delete session", "security")
    app = event.details["app"]

    assert isinstance(app, dict)
    (hole,) = app["object"]["session_key"]
    assert (hole.len, hole.cls) == (32, "token")
    assert hole.hmac


def test_session_goes_on(site: Site) -> None:
    """All requests of a session have its digest, and no other has."""
    session = site.request("login").session
    names = ["public alice", "private", "private async", "fail", "found", "form"]

    assert {site.request(name).session for name in names} == {session}
    assert site.request("logout").session == site.request("other").session != session
    assert site.request("login async").session not in {None, session}


@pytest.mark.parametrize("case", ["signed", "other session"])
def test_no_session_id(case: str, site: Site) -> None:
    """A session that is kept in the cookie has no id; nor has one that is not Django's."""
    event = site.request(case)

    assert (event.session, event.status) == (None, 200)
    assert "app" not in event.details


def test_admin_in_its_own_words(site: Site) -> None:
    """An entry of the admin's log that says nothing that we know is told without it."""
    event = site.one("log", "security")

    assert (event.type, _app(event)) == ("authz_admin", None)


def test_roles(site: Site) -> None:
    """The roles are those that a user has without a query, in each request."""
    for case in ("admin", "add user"):
        assert site.request(case).details["roles"] == [b"superuser", b"staff"]
    assert site.one("admin", "session").details["roles"] == [b"superuser", b"staff"]
    assert "roles" not in site.one("login", "session").details


@pytest.mark.parametrize(("case", "count"), [("private", 1), ("private async", 2)])
def test_said_in_a_view(case: str, count: int, site: Site) -> None:
    """What a view says has the user, in a thread and in a task, too."""
    errors = site.told(case, "error")

    expected = ("error", "FAILURE", b"alice", b"insufficient funds")
    assert [_told(error) for error in errors] == [expected] * count


@pytest.mark.parametrize(("case", "user"), [("fail", b"alice"), ("fail async", None)])
def test_fault(case: str, user: bytes | None, site: Site) -> None:
    """An exception that Django makes a 500 of has a fault record."""
    fault = site.one(case, "fault")

    assert _told(fault) == ("request", "ERROR", user, b"LookupError")
    assert (site.request(case).status, site.request(case).outcome) == (500, "ERROR")


@pytest.mark.parametrize(
    ("case", "stream", "type_", "reason"),
    [
        ("found", "error", "error", b"django.http.response.Http404"),
        ("bad", "error", "input_validation_fail", b"django.core.exceptions.BadRequest"),
        (
            "suspicious",
            "error",
            "input_validation_fail",
            b"django.core.exceptions.SuspiciousOperation",
        ),
        (
            "denied",
            "security",
            "authz_fail",
            b"django.core.exceptions.PermissionDenied",
        ),
        ("forged", "security", "authz_fail", b"request forgery: CSRF "),
    ],
)
def test_refused(case: str, stream: str, type_: str, reason: bytes, site: Site) -> None:
    """What a view, or Django before it, refuses is told by the class of the error."""
    event = site.one(case, stream)

    assert (event.type, event.outcome) == (type_, "FAILURE")
    assert str(event.details["reason"]).startswith(str(reason)[:-1])


@pytest.mark.parametrize(
    ("case", "form", "problems"),
    [
        (
            "form",
            b"tests.integrations.project.urls.Transfer",
            [(b"amount", b"invalid"), (b"to", b"invalid_choice")],
        ),
        ("bad group", b"django.forms.widgets.GroupForm", [(b"name", b"required")]),
        (
            "no staff",
            b"django.contrib.admin.forms.AdminAuthenticationForm",
            [(b"__all__", b"invalid_login")],
        ),
    ],
)
def test_form(
    case: str, form: bytes, problems: list[tuple[bytes, bytes]], site: Site
) -> None:
    """A form that is not valid is told by its fields and kinds of errors."""
    event = site.one(case, "error")
    named = [{"field": field, "type": kind} for field, kind in problems]

    assert event.type == "input_validation_fail"
    assert _app(event) == {"problems": named, "form": form}


_ADMIN = {
    "add user": ("user_created", b"addition", []),
    "change user": ("user_updated", b"change", [b"First name"]),
    "promote": ("authz_change", b"change", [b"Staff status"]),
    "password": ("authn_password_change", b"change", [b"password"]),
    "delete user": ("user_deleted", b"deletion", []),
}


@pytest.mark.parametrize("case", _ADMIN)
def test_admin_of_users(case: str, site: Site) -> None:
    """What is done to a user in the admin is told, by whom, to whom, and in which fields."""
    kind, change, fields = _ADMIN[case]
    event = site.one(case, "security")
    app = _app(event)

    assert isinstance(app, dict)
    assert (event.type, event.outcome, event.user) == (kind, "SUCCESS", b"root")
    assert (app["model"], app["change"], app["account"]) == (
        b"auth.user",
        change,
        b"carol",
    )
    # Django's own form also finds a date that has no microseconds changed.
    assert [each for each in app.get("fields", ()) if each != b"Date joined"] == fields


def test_admin_of_others(site: Site) -> None:
    """Another object is told by its model and key, and each of those deleted together."""
    added = [_app(site.one(f"group {name}", "security")) for name in ("one", "two")]
    deleted = [_app(event) for event in site.told("delete groups", "security")]

    def sorted_(found: list[object]) -> list[object]:
        return sorted(found, key=str)

    assert [each["change"] for each in added] == [b"addition"] * 2  # type: ignore[index]
    assert sorted_(deleted) == sorted_(
        [{**each, "change": b"deletion"} for each in added]  # type: ignore[dict-item]
    )


def test_user_that_breaks(site: Site) -> None:
    """A user that cannot be asked disturbs nobody, and the record says so."""
    event = site.request("broken")

    assert (event.status, event.user) == (200, None)
    assert _app(event) == {"integration": b"logged_out: ConnectionError"}


def test_unavailable(site: Site) -> None:
    """A login that cannot be recorded is not answered, though the view goes on."""
    event = site.request("unrecordable")

    assert site.answers["unrecordable"] == 503
    assert (event.outcome, event.details["reason"]) == (
        "ERROR",
        b"audit trail unavailable",
    )


def test_admin_rolled_back(site: Site) -> None:
    """What is done in the admin and cannot be recorded is not done."""
    assert (site.answers["unrecorded"], site.answers["mallory"]) == (503, 0)


def test_no_secret(site: Site) -> None:
    """No password and no session id is in any file."""
    for secret in (PASSWORD, WRONG, *site.keys):
        assert leaks(site.trail, secret.encode()) == []
    assert len(site.keys) > 3


def test_no_value(site: Site) -> None:
    """What a client sent is in the request's record, and in no other."""
    beside = [str(each) for name in STREAMS for each in site.events[name]]

    assert [each for each in beside if CANARY in each] == []
    sent = {param.value for param in site.request("fail").params}
    assert Redacted(len(CANARY), "password") in sent
