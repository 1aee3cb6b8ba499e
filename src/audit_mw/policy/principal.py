# Who: the identity that the application vouched for, or nobody.
#
# WSGI has REMOTE_USER (RFC 3875 4.1.11). ASGI has no such thing, but Starlette's
# authentication puts an object into scope["user"], and others follow it. Such an
# object is the application's own code: anything may happen when it is asked, and
# none of that may reach the application.
from contextlib import suppress

from audit_mw.event import USER_NAMES

__all__ = ["principal_of"]


def principal_of(user: object) -> str | None:
    """Return the name of `user`: a text, or an object that says it is authenticated."""
    if user is None:
        return None
    with suppress(Exception):
        if isinstance(user, (str, bytes, int)):
            return _name(user)
        # Some say it in a method, which as such is always true.
        said = getattr(user, "is_authenticated", False)
        if said() if callable(said) else said:
            return _name_of(user)

    return None


def _name_of(user: object) -> str | None:
    for attribute in USER_NAMES:
        with suppress(Exception):
            name = _name(getattr(user, attribute))
            if name is not None:
                return name

    return None


def _name(found: object) -> str | None:
    if isinstance(found, bytes):
        return found.decode("latin-1") or None
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        return None

    return str(found) or None
