# Whether a cookie holds the id of a session, or the session itself.
#
# Some frameworks keep no state on the server: the cookie is the session, signed, and
# changes with each answer. As an id it would join nothing. What they look like:
#     payload.time.signature      itsdangerous (Flask, Starlette), JWT
#     payload:time:signature      Django's signed cookies
#     payload--digest             Rails, signed; the digest in hex
#     payload--iv--tag            Rails, encrypted; the tag of 16 bytes in base64
# An id is random, and two hyphens in a row are nothing rare in base64url: only the
# whole form tells.
import re

__all__ = ["is_session_id"]

_ID_BYTES = 256
_STATE = re.compile(
    rb".*\..*\..*|.*:.*:.*|eyJ.*"
    rb"|.*--[0-9a-f]{40,}"
    rb"|.*--[A-Za-z0-9+/%]{16,24}--[A-Za-z0-9+/]{22}(?:==|%3[Dd]%3[Dd])",
    re.DOTALL,
)


def is_session_id(value: bytes) -> bool:
    """Tell whether the value of a session's cookie is an id that stays the same."""
    return len(value) <= _ID_BYTES and _STATE.fullmatch(value) is None
