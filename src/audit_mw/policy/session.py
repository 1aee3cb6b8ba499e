# Whether a cookie holds the id of a session, or the session itself.
#
# Some frameworks keep no state on the server: the cookie is the session, signed, and
# changes with each answer. As an id it would join nothing. What they look like:
#     payload.time.signature      itsdangerous (Flask, Starlette), JWT
#     payload:time:signature      Django's signed cookies
#     payload--digest             Rails, signed; the digest in hex
#     payload--iv--tag            Rails, encrypted; the tag of 16 bytes in base64
#     !signature?payload          Bottle's signed cookies
#     base64(signature payload)   Pyramid; 64 bytes, then JSON: [time, time, {...}]
#     base64(payload ... expiry)  Litestar, encrypted; it says what stands behind
#     base64(JSON)                cookie-session (Express); its signature is elsewhere
# An id is random, and two hyphens in a row are nothing rare in base64url: only the
# whole form tells.
import re
from base64 import b64encode

__all__ = ["is_session_id"]

_ID_BYTES = 256
# Litestar's mark begins at any byte; in base64, that is three spellings.
_EXPIRY = b"|".join(
    b64encode(bytes(before) + b"additional_authenticated_data=")[4:-4]
    for before in range(3)
)
_STATE = re.compile(
    rb".*\..*\..*|.*:.*:.*|\"?!.*\?.*"
    # '{"', and ASCII to the 16th byte: some ids begin with these three letters as well.
    rb"|eyJ[\w+/-]{0,18}(?:=|%3[Dd]){0,2}"
    rb"|eyJ.(?:[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][\w+/-]){4}.*"
    # "[" and ten digits, from bit 512 on.
    rb"|[\w-]{85}[FVl1]s[xy](?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){3}[\w-]+"
    rb"|.*(?:" + _EXPIRY + rb").*"
    rb"|.*--[0-9a-f]{40,}"
    rb"|.*--[A-Za-z0-9+/%]{16,24}--[A-Za-z0-9+/]{22}(?:==|%3[Dd]%3[Dd])",
    re.DOTALL,
)


def is_session_id(value: bytes) -> bool:
    """Tell whether the value of a session's cookie is an id that stays the same."""
    return len(value) <= _ID_BYTES and _STATE.fullmatch(value) is None
