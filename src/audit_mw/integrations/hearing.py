# What the integrations of frameworks share: hear what a framework does, and say it.
#
# Rule 1: whatever fails in here does not reach the application; the request's record
#         says that something was not heard. The one exception is AuditUnavailable: what
#         cannot be recorded is not answered.
# Rule 2: of an error that a user was shown it is said where it was and of what kind;
#         never the value that was wrong, nor a text that quotes it.
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any, NamedTuple

from audit_mw import voice
from audit_mw.errors import AuditUnavailable
from audit_mw.event import USER_NAMES

__all__ = [
    "Problem",
    "class_name",
    "contained",
    "name_of",
    "put_around",
    "refusal",
    "rejected_input",
    "vouch_by",
]

Knows = Callable[[], str | None]

# More are counted: a client can have a million wrong values in one document.
_SHOWN = 100
_UNAUTHORIZED, _FORBIDDEN, _LOWEST = 401, 403, 400


class Problem(NamedTuple):
    """One thing that is wrong with what the user sent: where, and of what kind."""

    field: str
    type: str


def contained(hear: Callable[..., Any]) -> Callable[..., None]:
    """Return `hear` such that nothing but AuditUnavailable leaves it."""

    @wraps(hear)
    def heard(*args: Any, **named: Any) -> None:
        try:
            hear(*args, **named)
        except AuditUnavailable:
            raise
        except Exception as slip:  # noqa: BLE001 - see rule 1
            _note(hear.__name__, slip)

    return heard


def _note(where: str, slip: Exception) -> None:
    found = voice.current()
    if found is not None:
        with suppress(Exception):
            found.note(integration=f"{where}: {type(slip).__name__}")


def vouch_by(
    *,
    user: Knows | None = None,
    action: Knows | None = None,
    only_first: bool = False,
) -> None:
    """
    Let the exchange ask what a framework knows, whenever it makes a record.

    What the application says itself counts more, and what the server knows less.
    Outside of an exchange nothing happens.

    Args:
        user: tells who is logged in. May be called in any thread, and must neither
            block nor load anything. What it raises is nobody.
        action: tells what serves the request, likewise.
        only_first: not where somebody vouches already.
    """
    found = voice.current()
    if found is None or (only_first and found.recorder.is_vouched):
        return

    def vouched(server: Any) -> Any:
        return server._replace(
            user=_asked(user) or server.user, action=_asked(action) or server.action
        )

    found.recorder.vouch_by(vouched)


def _asked(know: Knows | None) -> str | None:
    with suppress(Exception):
        return know() if know else None

    return None


def name_of(user: object) -> str | None:
    """Return the name of a user: a text, a number, or an object that has one."""
    if isinstance(user, Mapping):
        given = (user.get(key) for key in (*USER_NAMES, "sub"))
        return next((str(each) for each in given if _is_name(each)), None)
    if _is_name(user):
        return str(user)
    for attribute in USER_NAMES:
        with suppress(Exception):
            found = getattr(user, attribute)
            if _is_name(found):
                return str(found)

    return None


def _is_name(found: object) -> bool:
    return isinstance(found, (str, int)) and not isinstance(found, bool) and found != ""


def class_name(error: object) -> str:
    """Return the whole name of the class of an object, as a fault has it."""
    name = f"{type(error).__module__}.{type(error).__qualname__}"

    return voice.Own(name.removeprefix("builtins."))


def refusal(status: int, message: str, **details: Any) -> None:
    """
    Say that the application answered with an error, on purpose.

    403 goes to the security officer. 401 asks for a login, and is no error yet: the
    request's own record says ATTEMPT or FAILURE.

    Args:
        status: of the answer.
        message: what the user was told.
        details: what else is to be kept.
    """
    if status < _LOWEST or status == _UNAUTHORIZED:
        return
    if status == _FORBIDDEN:
        voice.security("authz_fail", reason=message, **details)
        return
    outcome = "FAILURE" if status < 500 else "ERROR"
    voice.error(message, outcome=outcome, status=status, **details)


def rejected_input(message: str, problems: Iterable[Problem], **details: Any) -> None:
    """Say that what the user sent was found invalid, and where."""
    named = [
        {"field": problem.field, "type": voice.Own(problem.type)}
        for problem in problems
    ]
    more = len(named) - _SHOWN
    if more > 0:
        details["more"] = more

    voice.error(
        message, type="input_validation_fail", problems=named[:_SHOWN], **details
    )


def put_around(owner: Any, name: str, around: Callable[[Any], Any]) -> None:
    """
    Replace an attribute by what `around` makes of it, once; nothing if it is not there.

    Frameworks have no signal for some of what happens in them.
    """
    before = getattr(owner, name, None)
    if before is None or getattr(before, "is_heard_by_audit_mw", False):
        return
    after = around(before)
    after.is_heard_by_audit_mw = True
    setattr(owner, name, after)
