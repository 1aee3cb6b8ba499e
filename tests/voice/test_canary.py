# A secret that a client sent, or that the application names as one, is said in every
# way that the voice has; it must be nowhere.
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.canary.places import ALL, CANARIES
from tests.canary.spellings import leaks
from tests.edges.audited import Audited, read_trail
from tests.voice.stages import INTERFACES, Stage

import audit_mw

Say = Callable[[str], object]


def _current(name: str, made: Callable[[str], object]) -> Say:
    return lambda shown: setattr(audit_mw.current(), name, made(shown))


def _note(**details: object) -> None:
    current = audit_mw.current()
    assert current is not None
    current.note(**details)


def _fault(shown: str) -> None:
    audit_mw.voice.fault(RuntimeError(f"wrong: {shown!r}"))


OPENED = ["alphanumeric", "non-ascii", "parted", "punctuated"]
# Where the client sent it as a password, and the application says it anywhere.
SAID: dict[str, Say] = {
    "error": lambda shown: audit_mw.error(f"it was {shown}"),
    "error, quoted": lambda shown: audit_mw.error(f"it was {shown!r}"),
    "a detail": lambda shown: audit_mw.error("e", seen=shown),
    "bytes": lambda shown: audit_mw.error("e", seen=shown.encode()),
    "deep inside": lambda shown: audit_mw.error("e", seen=[{"a": (shown, 1)}]),
    "a key": lambda shown: audit_mw.error("e", seen={shown: 1}),
    "much": lambda shown: audit_mw.error("e", seen=[shown] * 300),
    "reason": lambda shown: audit_mw.login("alice", outcome="FAILURE", reason=shown),
    "method": lambda shown: audit_mw.login("alice", method=shown),
    "roles of a login": lambda shown: audit_mw.login("alice", roles=[shown]),
    "logout": lambda shown: audit_mw.logout("alice", reason=f"typed {shown}"),
    "expired": lambda shown: audit_mw.session_expired("alice", reason=f"as {shown}"),
    "invalidated": lambda shown: audit_mw.session_invalidated("alice", reason=shown),
    "security": lambda shown: audit_mw.security("authz_fail", resource=f"/{shown}"),
    "security, reason": lambda shown: audit_mw.security("authz_fail", reason=shown),
    "action": lambda shown: audit_mw.security("authz_fail", action=f"try {shown}"),
    "automation": lambda shown: audit_mw.error("e", automation=shown),
    "responsible": lambda shown: audit_mw.error("e", responsible=f"by {shown}"),
    "call": lambda shown: audit_mw.call(f"ldap://dir/{shown}"),
    "call, coded": lambda shown: audit_mw.call(f"https://x/?q={quote(shown)}"),
    "call, reason": lambda shown: audit_mw.call("x", reason=shown),
    "system": lambda shown: audit_mw.system("sys_deploy", reason=shown),
    "version": lambda shown: audit_mw.system("sys_deploy", version=shown),
    "own action": _current("action", lambda shown: f"log in {shown}"),
    "own roles": _current("roles", lambda shown: [shown]),
    "note": lambda shown: _note(seen=f"it was {shown}"),
    "fault": _fault,
}
# Where only its name, or its place, says that it is one.
NAMED: dict[str, Say] = {
    "detail": lambda shown: audit_mw.error("e", password=shown),
    "below a name": lambda shown: audit_mw.error("e", password={"new": [shown]}),
    "note": lambda shown: _note(api_key=shown),
    "session": _current("session", lambda shown: shown),
    "session of a login": lambda shown: audit_mw.login("alice", session=shown),
    "session that ended": lambda shown: audit_mw.logout("alice", session=shown),
    "session that expired": lambda shown: audit_mw.session_expired(session=shown),
    "session revoked": lambda shown: audit_mw.session_invalidated(session=shown),
}


def shown_of(canary: bytes) -> str:
    """Return the text that an application has of a canary."""
    return canary.decode("utf-8", "surrogateescape")


def turns(said: dict[str, Say]) -> list[tuple[str, str]]:
    """Return each way with each canary, in turns where there are many."""
    kinds = sorted(ALL)

    return [
        (name, kinds[(place + turn) % len(kinds)])
        for place, name in enumerate(said)
        for turn in range(2)
    ]


@pytest.mark.parametrize(("name", "kind"), turns(SAID))
def test_what_was_sent(name: str, kind: str, audited: Audited) -> None:
    """A password of the request is in no file, whatever the application says of it."""
    canary = CANARIES[kind]
    stage = Stage(INTERFACES[len(name) % 2], audited)
    body = b"user=alice&password=" + quote(canary, safe="").encode()
    server = stage.serve(lambda: SAID[name](shown_of(canary)), body)

    assert server.raised is None
    assert stage.events("request")
    assert leaks(audited.trail, canary) == []


@pytest.mark.parametrize(("name", "kind"), turns(NAMED))
def test_what_is_named(name: str, kind: str, audited: Audited) -> None:
    """A secret that is called one is in no file, though nobody sent it."""
    canary = CANARIES[kind]
    stage = Stage(INTERFACES[len(name) % 2], audited)
    server = stage.serve(lambda: NAMED[name](shown_of(canary)))

    assert server.raised is None
    assert stage.events("request")
    assert leaks(audited.trail, canary) == []


def _job(audited: Audited, called: str, *seen: str) -> Path:
    """Say something with a second trail open; return the directory of both."""
    trail = audited.trail.with_name("job")
    with audit_mw.open(trail=str(trail), automation=called, responsible=called):
        for each in seen:
            audit_mw.error(each)

    return trail.parent


@pytest.mark.parametrize("kind", OPENED)
def test_opened_in_a_request(kind: str, audited: Audited) -> None:
    """A trail that is opened inside of a request keeps its password no more."""
    canary = CANARIES[kind]
    shown = shown_of(canary)
    stage = Stage(INTERFACES[len(kind) % 2], audited)
    body = b"user=alice&password=" + quote(canary, safe="").encode()
    server = stage.serve(lambda: _job(audited, shown, shown), body)

    assert server.raised is None
    assert len(stage.events("error")) == 1
    assert read_trail(audited.trail.with_name("job"), "system")
    assert leaks(audited.trail.parent, canary) == []


@pytest.mark.parametrize("kind", OPENED)
def test_opened(kind: str, audited: Audited) -> None:
    """Outside of any request, what is called a secret is none to be kept."""
    canary = CANARIES[kind]
    both = _job(audited, f"job --password={shown_of(canary)}", "e")
    (error,) = read_trail(audited.trail.with_name("job"), "error")

    assert {"automation", "responsible"} <= set(error.details)
    assert leaks(both, canary) == []
