# What Django knows of a request: who is logged in, which view serves it, its session.
#
# Rule: the user is taken as it was loaded. A page that did not ask who is there was not
#       served to anybody in particular, and a query of ours would make sessions vary.
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.utils.functional import LazyObject, empty

from audit_mw import voice
from audit_mw.integrations.hearing import contained, vouch_by

__all__ = [
    "asking",
    "asking_async",
    "roles_of",
    "session_key",
    "user_name",
    "when_named",
]

_ROLES = ("is_superuser", "is_staff")
_ASKED = "_audit_mw_asked"  # on the request: whether it is the exchange's own
_UNNAMED = "_audit_mw_unnamed"  # on the request: what waits for the session's id


def asking(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Put the question what Django knows around the handler's method."""

    @wraps(get_response)
    def asked(handler: Any, request: Any) -> Any:
        _ask(request)
        try:
            return get_response(handler, request)
        finally:  # be it answered, or given up
            _answered(request)

    return asked


def asking_async(
    get_response: Callable[..., Awaitable[Any]],
) -> Callable[..., Awaitable[Any]]:
    """Put it around the method of the handler for ASGI."""

    @wraps(get_response)
    async def asked(handler: Any, request: Any) -> Any:
        _ask(request)
        try:
            return await get_response(handler, request)
        finally:
            _answered(request)

    return asked


@contained
def _ask(request: Any) -> None:
    found = voice.current()
    vars(request)[_ASKED] = found is not None and not found.recorder.is_vouched
    # Of a request that Django is let serve within another one, nothing is the user's.
    vouch_by(
        user=lambda: user_name(_loaded(request)),
        action=lambda: _action(request),
        only_first=True,
    )


def _action(request: Any) -> str | None:
    match = getattr(request, "resolver_match", None)
    name = getattr(match, "view_name", None)

    return name if isinstance(name, str) else None


def _loaded(request: Any) -> Any:
    held = vars(request)
    user = held.get("user")
    if isinstance(user, LazyObject):
        user = user._wrapped  # noqa: SLF001 - anything else would load it
    if user is None or user is empty:
        user = held.get("_cached_user", held.get("_acached_user"))

    return user


def roles_of(user: Any) -> list[str]:
    """Return the roles that can be told without a query: groups cannot."""
    return [flag[3:] for flag in _ROLES if getattr(user, flag, False) is True]


def user_name(user: Any) -> str | None:
    """Return the name of a user that is logged in, or else its primary key."""
    if user is None or not user.is_authenticated:
        return None
    with suppress(Exception):
        if name := str(user.get_username()):
            return name

    return None if user.pk is None else str(user.pk)


@contained
def _answered(request: Any) -> None:
    key = session_key(request)
    for say in vars(request).pop(_UNNAMED, ()):
        say(session=key)
    if vars(request).get(_ASKED):
        _name_session(request, key)
        found = voice.current()
        if found is not None and not found.roles:
            found.roles = roles_of(_loaded(request))


def _name_session(request: Any, key: str | None) -> None:
    # One that nobody has looked at is what the client says, and not what is there.
    found, session = voice.current(), getattr(request, "session", None)
    if found is not None and key is not None and getattr(session, "accessed", False):
        found.session = key


def when_named(request: Any, say: Callable[..., None]) -> None:
    """Say something when the id of the session is known, or that there is none."""
    while _ASKED not in vars(request) and hasattr(request, "_request"):
        request = request._request  # noqa: SLF001 - as REST framework wraps it
    if _ASKED in vars(request):
        vars(request).setdefault(_UNNAMED, []).append(say)
    else:
        say(session=None)  # whoever made it, nobody comes back to it


def session_key(request: Any) -> str | None:
    """Return the id of a session that is kept on the server."""
    session = getattr(request, "session", None)
    if not isinstance(session, SessionBase):
        return None
    if any("signed_cookies" in each.__module__ for each in type(session).__mro__):
        return None  # that is the session itself, and changes with each answer
    key = session.session_key

    return key if isinstance(key, str) and key else None
