# What stays of an Authorization line (RFC 9110 11.6.2): the scheme, and with Basic
# (RFC 7617 2) the user's name, unless that is the secret.
import re
from base64 import b64decode
from binascii import Error as BadBase64
from typing import NamedTuple

__all__ = ["Credentials", "is_machine_made", "parse_credentials"]

# A scheme is kept if it is one. What else stands there may be the secret.
_SCHEMES = set(
    b"basic bearer digest dpop gnap hoba mutual negotiate oauth privatetoken "
    b"scram-sha-1 scram-sha-256 vapid ntlm kerberos hawk token apikey api-key jwt "
    b"aws aws4-hmac-sha256 aws4-ecdsa-p256-sha256 sharedkey sharedkeylite "
    b"sharedaccesssignature googlelogin splunk signature hmac key macaroon".split()
)
_USER_BYTES = 256
_RUN = re.compile(
    rb"(?<![A-Za-z0-9+/_-])(?=[A-Za-z+/_-]*+[0-9])(?=[0-9+/_-]*+[A-Za-z])"
    rb"[A-Za-z0-9+/_-]{16}"
)
_HEX = re.compile(rb"[0-9a-fA-F-]{16,}")


class Credentials(NamedTuple):
    """
    What an Authorization line says.

    `kept` stays; `is_password` tells whether what is withheld may be guessed at.
    """

    kept: bytes
    secret: bytes
    is_password: bool


def parse_credentials(value: bytes) -> Credentials:
    """Return the parts of the value of an Authorization line."""
    scheme, space, credentials = value.partition(b" ")
    if not space or scheme.lower() not in _SCHEMES:
        return Credentials(b"", value, is_password=False)
    if scheme.lower() != b"basic":
        return Credentials(scheme + space, credentials.strip(), is_password=False)
    try:
        user, colon, password = b64decode(credentials, validate=True).partition(b":")
    except BadBase64:
        colon = b""
    if not colon or len(user) > _USER_BYTES or is_machine_made(user):
        # Some interfaces take a token for the user's name, and any password or none.
        return Credentials(scheme + space, credentials, is_password=True)

    return Credentials(b"%s %s:" % (scheme, user), password, is_password=True)


def is_machine_made(word: bytes) -> bool:
    """Tell whether a word looks like no name: long, of letters and digits mixed."""
    return _RUN.search(word) is not None or _HEX.fullmatch(word) is not None
