# Facts of TLS as they were told -> details of a record (11.9, 21.4).
#
# A cipher has a name, whatever it was told as. A client certificate is its subject; if
# it came whole it is `{"subject":..,"serial":..,"sha256":..}`, and never whole again.
# Of one that nobody verified the record says so before anything else: `verify`.
import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache

from audit_mw.event import Text
from audit_mw.wire.certificate import Certificate, find_der, parse_certificate
from audit_mw.wire.ciphers import name_cipher

__all__ = ["show_tls"]

_Show = Callable[[bytes], Text]
_SERIAL = 64  # digits; RFC 5280 4.1.2.2 allows 40


def show_tls(told: Mapping[str, bytes], show: _Show) -> dict[str, object]:
    """
    Return details.

    Args:
        told: any of tls_version, tls_cipher, client_cert, client_verify.
        show: redacts and bounds a text.
    """
    found: dict[str, object] = {}
    if "tls_version" in told:
        found["tls_version"] = show(told["tls_version"])
    if "tls_cipher" in told:
        found["tls_cipher"] = show(name_cipher(told["tls_cipher"]))
    if "client_cert" in told:
        found["client_cert"] = _whose(told["client_cert"], _doubt(told), show)

    return found


def _doubt(told: Mapping[str, bytes]) -> bytes | None:
    verified = told.get("client_verify")

    return None if verified in (None, b"SUCCESS") else verified


def _whose(told: bytes, doubt: bytes | None, show: _Show) -> object:
    doubtful: dict[str, object] = {} if doubt is None else {"verify": show(doubt)}
    read = _read(told)
    if read is None:
        return doubtful | {"subject": show(told)} if doubtful else show(told)
    certificate, sha256 = read
    if certificate is not None:
        doubtful |= {
            "subject": show(certificate.subject),
            # Hex digits are no secret, though some look like a number of a card.
            "serial": certificate.serial[:_SERIAL],
        }

    return doubtful | {"sha256": sha256}


# A connection brings the same one with each request.
@lru_cache(maxsize=64)
def _read(told: bytes) -> tuple[Certificate | None, bytes] | None:
    """Return what a certificate says, and its digest; None of what is a mere name."""
    der = find_der(told)
    if der is None:
        # One that is cut, or in a form that nobody knows, is not shown whole either.
        broken = b"-----BEGIN" in told
        return (None, _sha256(told)) if broken else None

    return parse_certificate(der), _sha256(der)


def _sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).hexdigest().encode()
