# Who: the identity that the application vouched for, or nobody.
#
# WSGI has REMOTE_USER (RFC 3875 4.1.11). ASGI has no such thing, but Starlette's
# authentication puts an object into scope["user"], and others follow it. Such an
# object is the application's own code: anything may happen when it is asked, and
# none of that may reach the application.
from contextlib import suppress

__all__ = ["principal_of"]

# `display_name` is what Starlette's own users have; its `identity` is not implemented
# by them and raises.
_NAMES = ("identity", "display_name", "username", "id")


def principal_of(user: object) -> str | None:
    """Return the name of `user`: a text, or an object that says it is authenticated."""
    if user is None or isinstance(user, bool):
        return None
    if isinstance(user, (str, int)):
        return str(user) or None
    if isinstance(user, bytes):
        return user.decode("latin-1") or None
    with suppress(Exception):
        if not getattr(user, "is_authenticated", False):
            return None
    for name in _NAMES:
        with suppress(Exception):
            found = getattr(user, name)
            if isinstance(found, (str, int)) and str(found):
                return str(found)

    return None
