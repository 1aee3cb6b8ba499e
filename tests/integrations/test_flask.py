# A Flask application that is heard: its user, its endpoints, its errors, its logins.
import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import flask_login
import pytest
from flask import Blueprint, Flask, Response, abort, request
from flask.sessions import SessionInterface, SessionMixin
from tests.canary.spellings import leaks
from tests.edges.audited import Audited, read_trail
from tests.integrations.slots import no_slot_left
from tests.serving import ROOT
from werkzeug.exceptions import Conflict, Forbidden

import audit_mw
from audit_mw import AuditUnavailable, ConfigError
from audit_mw.event import Event
from audit_mw.integrations.flask import listen

PASSWORD = "correct horse battery"
CANARY = "c4n4ry-0f-a-s3cret-value"


class User(flask_login.UserMixin):  # type: ignore[misc] # it has no types
    """A user as the application has it."""

    def __init__(self, name: str) -> None:
        self.id = f"number-{name}"
        self.username = name


class BrokenUser(flask_login.UserMixin):  # type: ignore[misc] # it has no types
    """A user that cannot be asked: the database is gone."""

    id = "17"

    @property
    def is_authenticated(self) -> bool:
        """Tell whether it is logged in."""
        raise ConnectionError("database gone")


class Insufficient(Exception):
    """An error of the application's own, which it answers."""


def _login() -> str:
    name = request.form["name"]
    if request.form["password"] != PASSWORD:
        audit_mw.login(name, outcome="FAILURE", reason="unknown")
        abort(401)
    flask_login.login_user(User(name))
    return "hello"


@flask_login.login_required  # type: ignore[untyped-decorator]
def _private() -> str:
    audit_mw.error("insufficient funds")
    return "yours"


def _logout() -> str:
    flask_login.logout_user()
    return "bye"


def _fail() -> str:
    raise LookupError("no such account")


def _abort(status: int) -> str:
    abort(status, "so it is")


def _spend() -> str:
    raise Insufficient(CANARY)


def _field() -> str:
    return request.form["amount"]


def make_app() -> Flask:
    """Make an application that knows nothing of its trail."""
    app = Flask("shop")
    app.logger.setLevel(logging.CRITICAL)
    app.secret_key = "of your own"
    rules: dict[str, Callable[..., str]] = {
        "/login": _login,
        "/logout": _logout,
        "/private": _private,
        "/fail": _fail,
        "/abort/<int:status>": _abort,
        "/spend": _spend,
        "/field": _field,
    }
    for rule, view in rules.items():
        name = view.__name__.strip("_")
        app.add_url_rule(rule, name, view, methods=["GET", "POST"])
    app.register_error_handler(Insufficient, lambda _error: ("not enough", 409))
    manager = flask_login.LoginManager(app)
    manager.user_loader(lambda key: User(key.removeprefix("number-")))

    return app


def heard(app: Flask, audited: Audited, **options: Any) -> Flask:
    """Let an application be heard, as a user would."""
    app.wsgi_app = audited(app.wsgi_app, **options)  # type: ignore[method-assign]
    listen(app)

    return app


@pytest.fixture
def app(audited: Audited) -> Iterator[Flask]:
    """Return an application that is heard."""
    app = heard(make_app(), audited)
    yield app
    # Or else it goes on in a cycle that pytest holds, its exceptions with it.
    app.wsgi_app = None  # type: ignore[method-assign,assignment]


def _told(event: Event) -> tuple[str, str, object, object]:
    return event.type, event.outcome, event.user, event.details.get("reason")


def _login_as_alice(client: Any) -> None:
    client.post("/login", data={"name": "alice", "password": PASSWORD}, buffered=True)


def test_login(app: Flask, audited: Audited) -> None:
    """A login of Flask-Login is in the session stream, and names the request's user."""
    _login_as_alice(app.test_client())
    event, (login,) = audited.event(), audited.events("session")

    assert _told(login) == ("authn_login_success", "SUCCESS", b"alice", None)
    assert login.details["method"] == b"password"
    assert (event.user, event.action, event.event) == (b"alice", b"login", login.event)


def test_failed_login(app: Flask, audited: Audited) -> None:
    """What the application says of a failed login is all that is said of it."""
    app.test_client().post(
        "/login", data={"name": "alice", "password": "wrong"}, buffered=True
    )
    (login,) = audited.events("session")

    assert _told(login) == ("authn_login_fail", "FAILURE", b"alice", b"unknown")
    assert audited.events("error") == audited.events("security") == []
    assert (audited.event().outcome, audited.event().user) == ("FAILURE", None)


def test_user(app: Flask, audited: Audited) -> None:
    """A user that Flask-Login has loaded is that of the request and what it says."""
    client = app.test_client()
    _login_as_alice(client)
    client.get("/private", buffered=True)
    _, event = audited.events()
    (error,) = audited.events("error")

    assert (event.user, event.action) == (b"alice", b"private")
    assert _told(error) == ("error", "FAILURE", b"alice", b"insufficient funds")


def test_user_not_loaded(app: Flask, audited: Audited) -> None:
    """A user whom the application does not ask for is not loaded for the trail."""
    app.login_manager.user_loader(_never)  # type: ignore[attr-defined]
    client = app.test_client()
    _login_as_alice(client)
    client.get("/spend", buffered=True)

    assert [event.user for event in audited.events()] == [b"alice", None]


def _never(_key: str) -> None:
    raise AssertionError("loaded")


def test_logout(app: Flask, audited: Audited) -> None:
    """A logout is in the session stream; that of nobody is none."""
    client = app.test_client()
    _login_as_alice(client)
    client.get("/logout", buffered=True)
    client.get("/logout", buffered=True)
    _, logout = audited.events("session")

    assert _told(logout) == ("session_expired", "SUCCESS", b"alice", b"logout")


def test_login_required(app: Flask, audited: Audited) -> None:
    """Who is not logged in where it is required is asked to, which is no alarm."""
    app.test_client().get("/private", buffered=True)

    assert audited.event().outcome == "ATTEMPT"
    assert audited.events("security") == []
    assert audited.events("error") == []


def test_confirmation(app: Flask, audited: Audited) -> None:
    """Who logs in once more, to a session that is there, is told as such."""

    def confirm() -> str:
        assert flask_login.current_user.is_authenticated
        flask_login.confirm_login()
        return ""

    app.add_url_rule("/confirm", "confirm", confirm)
    client = app.test_client()
    _login_as_alice(client)
    client.get("/confirm", buffered=True)
    _, event = audited.events("session")

    assert _told(event) == ("authn_login_success", "SUCCESS", b"alice", None)
    assert event.details["method"] == b"confirmation"


def test_fault(app: Flask, audited: Audited) -> None:
    """An exception that Flask makes a 500 of has a fault record, by the user's name."""
    client = app.test_client()
    _login_as_alice(client)

    def fail() -> str:
        assert flask_login.current_user.is_authenticated
        return _fail()

    app.view_functions["fail"] = fail
    assert client.get("/fail", buffered=True).status_code == 500
    _, event = audited.events()
    (fault,) = audited.faults()

    assert _told(fault) == ("request", "ERROR", b"alice", b"LookupError")
    assert (event.outcome, event.status, fault.event) == ("ERROR", 500, event.event)
    assert audited.events("error") == []


def test_fault_that_propagates(app: Flask, audited: Audited) -> None:
    """An exception that goes on is recorded once."""
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(LookupError):
        app.test_client().get("/fail", buffered=True)

    assert [fault.details["reason"] for fault in audited.faults()] == [b"LookupError"]


@pytest.mark.parametrize(
    ("status", "stream", "expected"),
    [
        (400, "error", ("error", "FAILURE", None, b"so it is")),
        (404, "error", ("error", "FAILURE", None, b"so it is")),
        (503, "error", ("error", "ERROR", None, b"so it is")),
        (403, "security", ("authz_fail", "FAILURE", None, b"so it is")),
    ],
)
def test_abort(
    status: int,
    stream: str,
    expected: tuple[object, ...],
    app: Flask,
    audited: Audited,
) -> None:
    """What a view aborts with is an error that the user was shown; 403 is security."""
    app.test_client().get(f"/abort/{status}", buffered=True)
    (event,) = audited.events(stream)

    assert _told(event) == expected
    assert audited.faults() == []


@pytest.mark.parametrize("path", ["/nowhere", "/abort/401", "/abort/words"])
def test_no_error(path: str, app: Flask, audited: Audited) -> None:
    """What no route serves, and what asks for a login, is in the request's line only."""
    app.test_client().get(path, buffered=True)

    assert audited.event().outcome in {"FAILURE", "ATTEMPT"}
    assert audited.events("error") == audited.events("security") == []


def test_handled(app: Flask, audited: Audited) -> None:
    """An exception that the application answers is told by its class alone."""
    app.test_client().get("/spend", buffered=True)
    (event,) = audited.events("error")
    name = f"{__name__}.Insufficient".encode()

    assert _told(event) == ("error", "FAILURE", None, name)
    assert event.details["app"] == {"exception": name, "status": 409}
    assert leaks(audited.trail, CANARY.encode()) == []


def test_missing_field(app: Flask, audited: Audited) -> None:
    """A form without a field that the view reads is invalid input."""
    app.test_client().post("/field", data={"password": CANARY}, buffered=True)
    (event,) = audited.events("error")

    assert event.type == "input_validation_fail"
    assert event.details["app"] == {
        "problems": [{"field": b"amount", "type": b"missing"}]
    }
    assert leaks(audited.trail, CANARY.encode()) == []


def test_quoted_password(app: Flask, audited: Audited) -> None:
    """A password that the application quotes, to the user or in an exception, is withheld."""

    def quote() -> str:
        if request.args:
            raise LookupError(request.form["password"])
        abort(400, f"not {request.form['password']}, {request.form['token']}")

    app.view_functions["spend"] = quote
    form = {"password": CANARY, "token": CANARY[::-1]}
    client = app.test_client()
    client.post("/spend", data=form, buffered=True)
    client.post("/spend?fail=1", data=form, buffered=True)

    assert len(audited.events("error")) == len(audited.faults()) == 1
    assert leaks(audited.trail, CANARY.encode()) == []
    assert leaks(audited.trail, CANARY[::-1].encode()) == []


def test_blueprint(audited: Audited) -> None:
    """The endpoint of a blueprint has its name; it may be registered afterwards."""
    app = heard(Flask("shop"), audited)
    accounts = Blueprint("accounts", "accounts", url_prefix="/accounts")
    accounts.add_url_rule("/<number>", "show", lambda number: f"{number}")
    app.register_blueprint(accounts)
    app.test_client().get("/accounts/22051102", buffered=True)

    assert audited.event().action == b"accounts.show"


def test_several(audited: Audited) -> None:
    """Of several applications each is heard for itself, though heard twice."""
    apps = [heard(make_app(), audited) for _ in range(2)]
    for app in apps:
        listen(app)
        app.test_client().get("/fail", buffered=True)

    assert len(audited.events()) == len(audited.faults()) == 2


def test_own_word_counts_more(app: Flask, audited: Audited) -> None:
    """What the application says of user and action stands."""

    def own() -> str:
        found = audit_mw.current()
        assert found is not None
        found.user, found.action = "bob", "own"
        return ""

    app.view_functions["logout"] = own
    client = app.test_client()
    _login_as_alice(client)
    client.get("/logout", buffered=True)
    _, event = audited.events()

    assert (event.user, event.action) == (b"bob", b"own")


def test_user_that_breaks(app: Flask, audited: Audited) -> None:
    """A user that cannot be asked disturbs nobody, and the record says so."""

    def login() -> str:
        flask_login.login_user(BrokenUser())
        return "hello"

    app.view_functions["login"] = login
    assert app.test_client().get("/login", buffered=True).status_code == 200
    event = audited.event()

    assert (event.user, event.action, event.outcome) == (None, b"login", "SUCCESS")
    assert event.details["app"] == {"integration": b"_logged_in: ConnectionError"}


def test_unheard(audited: Audited, tmp_path: Path) -> None:
    """An application that is heard, and not wrapped, is served; it is no request's."""
    app = make_app()
    listen(app)
    client = app.test_client()
    with audit_mw.open(trail=str(tmp_path / "outside"), automation="tests"):
        _login_as_alice(client)
        answers = [
            client.get(path).status_code
            for path in ("/private", "/abort/400", "/fail", "/nowhere")
        ]

    assert answers == [200, 400, 500, 404]
    assert audited.events() == []
    for stream, kind in (("session", "authn_login_success"), ("fault", "exception")):
        (event,) = read_trail(tmp_path / "outside", stream)
        assert event.type == kind


class Numbered:
    """A user that has no name, only what Flask-Login asks for."""

    is_authenticated = is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """Return its number."""
        return "17"


def test_user_without_a_name(app: Flask, audited: Audited) -> None:
    """A user that has no name is called by what Flask-Login keeps of it."""

    def login() -> str:
        flask_login.login_user(Numbered())
        return "hello"

    app.view_functions["login"] = login
    app.test_client().get("/login", buffered=True)

    assert audited.event().user == b"17"


def test_without_flask_login(tmp_path: Path) -> None:
    """Where there is no Flask-Login, an application is heard as well."""
    code = (
        "import sys\n"
        "sys.modules['flask_login'] = None\n"
        "from audit_mw import AuditMiddleware\n"
        "from audit_mw.integrations.flask import listen\n"
        "from flask import Flask, abort\n"
        "app = Flask('shop')\n"
        "app.add_url_rule('/pay', 'pay', lambda: abort(409))\n"
        "app.wsgi_app = AuditMiddleware(app.wsgi_app, trail=sys.argv[1])\n"
        "listen(app)\n"
        "app.test_client().get('/pay', buffered=True)\n"
    )
    trail = tmp_path / "trail"
    _run(code, str(trail))
    (error,) = read_trail(trail, "error")

    assert (error.user, error.details["reason"]) == (None, b"Conflict")
    assert read_trail(trail)[0].action == b"pay"


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (("sorry", "404 Not Found"), 1),
        (
            (
                "sorry",
                {"X-A": "b"},
            ),
            0,
        ),
        ("fine", 0),
        (Response("sorry", 418), 1),
        (Forbidden(), 0),
        (Conflict(response=Response("sorry", 409)), 1),
    ],
)
def test_answers(answer: Any, count: int, app: Flask, audited: Audited) -> None:
    """Whatever form a handler's answer has, its status decides."""
    app.register_error_handler(KeyError, lambda _error: answer)

    def fail() -> str:
        raise KeyError(CANARY)

    app.view_functions["spend"] = fail
    app.test_client().get("/spend", buffered=True)

    assert len(audited.events("error")) == count


def test_unheard_without_a_trail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no trail at all, an application that is heard is served."""
    monkeypatch.delenv("AUDIT_MW_TRAIL", raising=False)
    code = (
        "from tests.integrations.test_flask import make_app, listen, PASSWORD\n"
        "app = make_app()\n"
        "listen(app)\n"
        "form = {'name': 'alice', 'password': PASSWORD}\n"
        "client = app.test_client()\n"
        "assert client.post('/login', data=form).status_code == 200\n"
        "assert client.get('/fail').status_code == 500\n"
        "assert client.get('/logout').status_code == 200\n"
    )
    _run(code)


def _run(code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", code, *arguments]
    subprocess.run(command, check=True, timeout=60, cwd=ROOT)


def test_async_view(app: Flask, audited: Audited) -> None:
    """A view that is a coroutine, in a loop of its own, is heard as any other."""

    async def private() -> str:
        assert flask_login.current_user.is_authenticated
        await asyncio.to_thread(audit_mw.error, "insufficient funds")
        abort(409, "so it is")

    app.view_functions["private"] = private
    client = app.test_client()
    _login_as_alice(client)
    client.get("/private", buffered=True)
    errors = audited.events("error")

    assert [_told(error)[2:] for error in errors] == [
        (b"alice", b"insufficient funds"),
        (b"alice", b"so it is"),
    ]


# (Flask-Login 0.6.3 sets its cookie by what Python 3.12 warns of.)
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_remembered(app: Flask, audited: Audited) -> None:
    """Who comes back by the cookie that remembers them is logged in by it."""

    def login() -> str:
        flask_login.login_user(User("alice"), remember=True)
        return "hello"

    app.view_functions["login"] = login
    client = app.test_client()
    client.get("/login", buffered=True)
    client.delete_cookie("session")
    client.get("/private", buffered=True)
    _, event = audited.events("session")

    assert event.details["method"] == b"remember me"
    assert (event.type, event.user) == ("authn_login_success", b"alice")


def test_method(app: Flask, audited: Audited) -> None:
    """The application may say how its users log in."""
    listen(app, method="id-card")
    _login_as_alice(app.test_client())
    (event,) = audited.events("session")

    assert event.details["method"] == b"id-card"


def test_stale_login(app: Flask, audited: Audited) -> None:
    """Who has to log in once more, for a page of weight, is told."""
    view = flask_login.fresh_login_required(lambda: "")
    app.view_functions["spend"] = view

    def login() -> str:
        flask_login.login_user(User("alice"), fresh=False)
        return ""

    app.view_functions["login"] = login
    client = app.test_client()
    client.get("/login", buffered=True)
    client.get("/spend", buffered=True)
    (event,) = audited.events("security")

    assert _told(event) == ("authz_fail", "ATTEMPT", b"alice", b"fresh login required")


def test_protected_session(app: Flask, audited: Audited) -> None:
    """A session that another browser brings is noted, and no alarm."""
    client = app.test_client()
    _login_as_alice(client)
    client.get("/private", buffered=True, headers={"User-Agent": "another"})
    noted = audited.events()[-1].details["app"]

    assert noted == {"suspicion": b"address or browser changed"}
    assert audited.events("security") == []


def test_response_is_the_same(audited: Audited) -> None:
    """A response varies by what it did without us: nobody looks at the session."""

    def plain() -> Flask:
        app = Flask("shop")
        app.secret_key = "of your own"
        app.add_url_rule("/", view_func=lambda: "x")
        return app

    both = plain(), heard(plain(), audited)
    answers = [app.test_client().get("/", buffered=True).headers for app in both]

    assert [headers.get("Vary") for headers in answers] == [None, None]
    assert list(answers[0]) == list(answers[1])


def test_user_that_fades(app: Flask, audited: Audited) -> None:
    """A user's name is taken when it is loaded: after a commit it would be a query."""

    class Fading(flask_login.UserMixin):  # type: ignore[misc] # has no types
        id = "17"
        asked: ClassVar[list[str]] = []
        is_fresh = True

        @property
        def username(self) -> str:
            self.asked.append("name")
            if not self.is_fresh:
                raise RuntimeError("a query, and no session for it")
            return "alice"

    user = Fading()
    app.login_manager.user_loader(lambda _: user)  # type: ignore[attr-defined]

    def commit() -> str:
        assert flask_login.current_user.get_id() == "17"
        user.is_fresh = False
        user.asked.clear()
        return "done"

    app.view_functions["private"] = commit
    client = app.test_client()
    _login_as_alice(client)
    client.get("/private", buffered=True)

    assert audited.events()[-1].user == b"alice"
    assert user.asked == []


def test_not_an_application(app: Flask) -> None:
    """What is around the application cannot be listened to."""
    with pytest.raises(ConfigError, match="Flask application itself"):
        listen(app.wsgi_app)  # type: ignore[arg-type] # that is the mistake


def test_unavailable(audited: Audited) -> None:
    """A login that cannot be recorded is not answered."""
    app = heard(make_app(), audited, max_slots=64)

    def login() -> str:
        with no_slot_left(app.wsgi_app):
            flask_login.login_user(User("alice"))
        return "hello"

    app.view_functions["login"] = login
    with pytest.raises(AuditUnavailable):  # so Werkzeug's client shows a late 503
        app.test_client().get("/login", buffered=True)

    assert audited.event().details["reason"] == b"audit trail unavailable"


class KeptSession(dict[str, Any], SessionMixin):
    """A session that is kept on the server, as extensions have it."""

    sid = CANARY


class KeptSessions(SessionInterface):
    """Where such sessions are kept."""

    def open_session(self, *_: object) -> SessionMixin:
        """Return a session."""
        return KeptSession()

    def save_session(self, *_: object) -> None:
        """Keep it."""


def test_server_side_session(app: Flask, audited: Audited) -> None:
    """The id of a session that an extension keeps on the server is that of the record."""
    app.session_interface = KeptSessions()
    _login_as_alice(app.test_client())
    event, (login,) = audited.event(), audited.events("session")

    assert event.session
    assert event.session == login.session
    assert leaks(audited.trail, CANARY.encode()) == []


def test_forbidden_without_words(app: Flask, audited: Audited) -> None:
    """An error without words of its own is called as the standard calls it."""

    def forbid() -> str:
        raise Forbidden

    app.view_functions["spend"] = forbid
    app.test_client().get("/spend", buffered=True)
    (event,) = audited.events("security")

    assert event.details["reason"] == b"Forbidden"
