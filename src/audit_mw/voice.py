# What the application may say of its own events.
#
# Each call makes one record, in the stream that its kind has, with the event id of the
# exchange that it runs in. When it returns the record outlives the process.
#
# Rule: text goes through the same redaction as a client's, and what is said in an
#       exchange stands with its client, user and session.
#
# (Longer than 250 lines, since each word is explained where it is said.)
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar, cast

from audit_mw.current_exchange import Current, bind, current, session_id
from audit_mw.event_types import check_type
from audit_mw.outside import Trail, find_trail, open_trail
from audit_mw.recorder import fault_of
from audit_mw.said import Own, check_count, check_name, check_outcome, check_roles
from audit_mw.statements import Statement

__all__ = [
    "Own",
    "call",
    "carry",
    "current",
    "error",
    "fault",
    "log",
    "login",
    "logout",
    "open",
    "security",
    "session_expired",
    "session_invalidated",
    "system",
]

_PASSWORD = Own("password")
# As a client may have one of them for a password.
_METHODS = {_PASSWORD, *("id-card", "mobile-id", "token", "oidc", "saml", "passkey")}
_P = ParamSpec("_P")
_R = TypeVar("_R")
Name = str | int | None
Session = str | bytes | None


def login(  # noqa: PLR0913 - each has its column
    user: Name,
    /,
    *,
    method: str = _PASSWORD,
    outcome: str = "SUCCESS",
    reason: str | None = None,
    session: Session = None,
    roles: Sequence[str] | None = None,
    **details: object,
) -> None:
    """
    Record that somebody logged in, or tried to.

    After a success the request's own record has the user, the roles and the session,
    too. A failure without a user's name, or with a password that nobody typed, is an
    attempt: it lacks what could make it succeed.

    Args:
        user: the account; None or empty if none was named.
        method: password, id-card, token, oidc, ...
        outcome: SUCCESS, FAILURE or ATTEMPT.
        reason: why it failed.
        session: the id of the session from now on, of which only a digest is kept; the
            one until now stands beside it, so that a rotation is one record.
        roles: privileges of the user.
        details: what else is to be kept, under `app`; `automation` and `responsible`
            say who did it where nobody is at the keyboard.

    Raises:
        TypeError: a value cannot be recorded.
        ValueError: a value is wrong.
        AuditUnavailable: it cannot be recorded; the response will be broken off.
    """
    found = current()
    name, new = check_name("user", user), session_id(session)
    said = check_roles(roles)
    outcome = check_outcome(outcome)
    if outcome == "FAILURE" and _lacks(found, name, method):
        outcome = "ATTEMPT"
    before = found.recorder.exchange.session_id if found is not None else None
    _say(
        found,
        stream="session",
        type="authn_login_success" if outcome == "SUCCESS" else "authn_login_fail",
        outcome=outcome,
        user=name or "",
        method=_method(method),
        reason=check_name("reason", reason),
        session=new,
        session_before=before if new and before != new else None,
        roles=said,
        details=details,
    )
    # Last: what cannot be recorded lets nobody in.
    if found is not None and outcome == "SUCCESS":
        found.user = name or found.user
        if said:
            found.roles = said
        if new is not None:
            found.session = new


def _method(method: object) -> str | None:
    name = check_name("method", method)

    return Own(name) if name in _METHODS else name


def _lacks(found: Current | None, user: str | None, method: str) -> bool:
    if not user:
        return True
    if found is None or method != _PASSWORD:
        return False

    return not found.recorder.exchange.has_credentials


def logout(
    user: Name = None,
    /,
    *,
    reason: str = Own("logout"),
    session: Session = None,
    **details: object,
) -> None:
    """
    Record that somebody logged out: `session_expired`, by reason of a logout.

    Args:
        user: who; else the user of the exchange.
        reason: in words.
        session: the id of the session that ended; else that of the exchange.
        details: as with `login`.

    Raises:
        TypeError, ValueError, AuditUnavailable: as with `login`.
    """
    _end_session(user, reason, session, details)


def session_expired(
    user: Name = None,
    /,
    *,
    reason: str = Own("timeout"),
    session: Session = None,
    **details: object,
) -> None:
    """Record that a session ended by itself; as `logout`."""
    _end_session(user, reason, session, details)


def session_invalidated(
    user: Name = None,
    /,
    *,
    reason: str = Own("revoked"),
    session: Session = None,
    **details: object,
) -> None:
    """Record that a session was ended by somebody else; as `logout`."""
    _end_session(user, reason, session, details)


def _end_session(
    user: Name, reason: str, session: Session, details: dict[str, object]
) -> None:
    found = current()
    name = check_name("user", user)
    _say(
        found,
        stream="session",
        type="session_expired",
        outcome="SUCCESS",
        user=name,
        reason=check_name("reason", reason),
        session=session_id(session),
        details=details,
    )
    if found is not None and name is not None and found.user is None:
        found.user = name


def security(
    type: str,  # noqa: A002 - as the column is called
    /,
    *,
    outcome: str = "FAILURE",
    reason: str | None = None,
    user: Name = None,
    action: str | None = None,
    **details: object,
) -> None:
    """
    Record what the security officer is to see.

    Args:
        type: a name of OWASP's logging vocabulary, such as `authz_fail`, or one that
            the option `types` declares.
        outcome: SUCCESS, FAILURE, ATTEMPT, ERROR or ABORTED.
        reason: why.
        user: whom it is about; else the user of the exchange.
        action: what it was tried on; else what serves the request.
        details: as with `login`.

    Raises:
        ValueError: there is no such name; the nearest is suggested.
        TypeError, AuditUnavailable: as with `login`.
    """
    found = current()
    _say(
        found,
        stream="security",
        type=_type(found, type),
        outcome=check_outcome(outcome),
        user=check_name("user", user),
        action=check_name("action", action),
        reason=check_name("reason", reason),
        details=details,
    )


def error(
    message: str,
    /,
    *,
    type: str = "error",  # noqa: A002 - as the column is called
    outcome: str = "FAILURE",
    user: Name = None,
    **details: object,
) -> None:
    """
    Record an error that was handled, and that the user was shown (2.5.2).

    Args:
        message: what the user was told.
        type: another name of OWASP's vocabulary, such as `input_validation_fail`.
        outcome: SUCCESS, FAILURE, ATTEMPT, ERROR or ABORTED.
        user: whom it is about; else the user of the exchange.
        details: as with `login`.

    Raises:
        TypeError, ValueError, AuditUnavailable: as with `security`.
    """
    found = current()
    _say(
        found,
        stream="error",
        type=_type(found, type),
        outcome=check_outcome(outcome),
        user=check_name("user", user),
        reason=check_name("message", message),
        details=details,
    )


def call(
    resource: str,
    /,
    *,
    outcome: str = "SUCCESS",
    reason: str | None = None,
    rows: int | None = None,
    micros: int | None = None,
    **details: object,
) -> None:
    """
    Record that the application used an external resource (2.2).

    Args:
        resource: a URL, or a name; secrets in it are withheld.
        outcome: SUCCESS, FAILURE, ATTEMPT, ERROR or ABORTED.
        reason: why.
        rows: returned results.
        micros: how long it took, in microseconds.
        details: as with `login`.

    Raises:
        TypeError, ValueError, AuditUnavailable: as with `login`.
    """
    _say(
        current(),
        stream="request",
        type="call",
        outcome=check_outcome(outcome),
        action=check_name("resource", resource),
        is_url=True,
        reason=check_name("reason", reason),
        rows=check_count("rows", rows),
        micros=check_count("micros", micros),
        details=details,
    )


def fault(error: BaseException, /) -> None:
    """
    Record an exception that nobody handled, with its traceback (2.5.1).

    Integrations call it where a framework makes a 500 of an exception and lets nobody
    see it. In one exchange an exception is recorded once, though it goes on.

    Raises:
        ConfigError: outside of any exchange, and no trail is named.
        AuditUnavailable: outside of any exchange, and it cannot be recorded.
    """
    found = current()
    if found is not None:
        found.recorder.fault(error)
    else:
        _say_outside(fault_of(error, "exception"))


def system(
    type: str,  # noqa: A002 - as the column is called
    /,
    *,
    outcome: str = "SUCCESS",
    reason: str | None = None,
    version: str | None = None,
    **details: object,
) -> None:
    """
    Record what happened to the system: a deployment, a restart, a monitor stopped.

    Args:
        type: a name of OWASP's vocabulary, `sys_deploy`, or one that `types` declares.
        outcome: SUCCESS, FAILURE, ATTEMPT, ERROR or ABORTED.
        reason: why.
        version: of the service.
        details: as with `login`.

    Raises:
        TypeError, ValueError, AuditUnavailable: as with `security`.
    """
    found = current()
    _say(
        found,
        stream="system",
        version=check_name("version", version),
        type=_type(found, type),
        outcome=check_outcome(outcome),
        reason=check_name("reason", reason),
        details=details,
    )


def carry(function: Callable[_P, _R], /) -> Callable[_P, _R]:
    """
    Bind a function to this exchange, for a thread that does not inherit it.

        pool.submit(audit_mw.carry(work), order)

    Outside of any exchange it binds to none.
    """
    return cast("Callable[_P, _R]", bind(function))


def open(  # noqa: A001 - audit_mw.open is what it is called
    *, automation: str | None = None, **options: object
) -> Trail:
    """
    Open a trail for a script or a job: `with audit_mw.open(trail="...", ...):`.

    Args:
        automation: name of the script or job; else the program's.
        options: as of `AuditMiddleware`; `responsible` names the person who answers.

    Raises:
        ConfigError: an option is wrong, or nothing names the trail.
        AuditUnavailable: it takes no record.
    """
    return open_trail(options, automation)


# --- how it is said


def _type(found: Current | None, name: object) -> str:
    own = found.types if found is not None else find_trail().auditor.config.types

    return check_type(name, own)


def _say(found: Current | None, *, details: dict[str, object], **columns: Any) -> None:
    automation = check_name("automation", details.pop("automation", None))
    responsible = check_name("responsible", details.pop("responsible", None))
    said = Statement(
        app=details, automation=automation, responsible=responsible, **columns
    )
    if found is not None:
        found.recorder.say(said)
    else:
        _say_outside(said)


def _say_outside(said: Statement) -> None:
    trail = find_trail()
    automatic = replace(
        said,
        automation=said.automation or trail.automation,
        responsible=said.responsible or trail.auditor.config.responsible,
    )
    trail.auditor.say(automatic)


def log(
    stream: str,
    details: dict[str, object],
    *,
    outcome: str,
    error: BaseException | None = None,
    traceback: str | None = None,
) -> None:
    """
    Record a record of the application's own logging, for `integrations.logging`.

    Of one exception in one exchange there is one fault; what is logged of it later is
    an error, which has its name.

    Args:
        stream: that it goes to.
        details: what it says.
        outcome: that its level stands for.
        error: the exception that it has with it.
        traceback: of that, or of where it was made.

    Raises:
        ConfigError, AuditUnavailable: as with `fault`.
    """
    found = current()
    said = Statement(
        stream=stream, type="log", outcome=outcome, traceback=traceback, app=details
    )
    if error is not None:
        told = fault_of(error, "log")
        trace = f"{told.traceback}{traceback or ''}"  # with a stack, if it has one
        said = replace(said, reason=told.reason, traceback=trace)
    if found is None:
        _say_outside(said)
        return
    if stream == "fault" and error is not None and not found.recorder.mark_told(error):
        said = replace(said, stream="error", traceback=None)
    found.recorder.say(said)
