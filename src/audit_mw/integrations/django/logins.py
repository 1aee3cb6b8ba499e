# Django's signals of authentication -> the session stream.
from functools import partial
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, get_user_model

from audit_mw import voice
from audit_mw.integrations.django.requests import (
    roles_of,
    session_key,
    user_name,
    when_named,
)
from audit_mw.integrations.hearing import contained, name_of

__all__ = ["logged_in", "logged_out", "login_failed"]

# By the last part of its path; of any other backend the whole path is told.
_METHODS = {
    "ModelBackend": "password",
    "AllowAllUsersModelBackend": "password",
    "RemoteUserBackend": "remote user",
    "AllowAllUsersRemoteUserBackend": "remote user",
}


@contained
def logged_in(request: Any = None, user: Any = None, **_: object) -> None:
    """Say that somebody logged in, and which session is theirs from now on."""
    said = partial(
        voice.login,
        user_name(user),
        method=_method(request),
        roles=roles_of(user),
    )
    key = session_key(request)
    if key is None and request is not None:
        # The session of somebody else was thrown away. What comes in its place has no
        # id before it is saved, at the end of the request.
        when_named(request, said)
    else:
        said(session=key)


def _method(request: Any) -> str:
    session = getattr(request, "session", None) or {}
    path = str(session.get(BACKEND_SESSION_KEY) or "")

    return _METHODS.get(path.rpartition(".")[2], path or "unknown")


@contained
def logged_out(user: Any = None, **_: object) -> None:
    """Say that somebody logged out; if nobody was logged in, nobody did."""
    name = None if user is None else user_name(user)
    if name:
        voice.logout(name)


@contained
def login_failed(credentials: Any = None, **_: object) -> None:
    """Say that somebody tried to log in, and as whom."""
    # Django has starred what is secret in it; only the name is looked at, all the same.
    given = dict(credentials or {})
    method = "password" if "password" in given else " ".join(given) or "unknown"
    voice.login(
        name_of({key: given.get(key) for key in ("username", "email")})
        or _own_name(given),
        method=method,
        outcome="FAILURE",
        reason=voice.Own("refused by all backends"),
    )


def _own_name(given: dict[str, object]) -> str | None:
    """Return what stands under the name that a user model of its own gives it."""
    field = getattr(get_user_model(), "USERNAME_FIELD", None)
    found = given.get(str(field))

    return found if isinstance(found, str) else None
