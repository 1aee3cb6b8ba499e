# What a socket that TLS ends at knows, where a server tells nothing of it.
from typing import Any

__all__ = ["socket_tls"]


def socket_tls(found: Any) -> dict[str, bytes]:
    """
    Return tls_version, tls_cipher, client_cert of a socket of Python's module ssl, or
    of its SSLObject; nothing of any other.

    A certificate that is there was verified: else the handshake had failed.
    """
    if not hasattr(found, "cipher"):  # as those of most servers: to try costs more
        return {}
    try:
        return _told(found)
    except (AttributeError, LookupError, OSError, TypeError, ValueError):
        return {}  # no such socket, or closed by now: no reason to refuse a request


def _told(found: Any) -> dict[str, bytes]:
    version, cipher = found.version(), found.cipher()[0]
    certificate = found.getpeercert(binary_form=True)
    told = {"tls_version": version.encode(), "tls_cipher": cipher.encode()}

    return told | ({"client_cert": certificate} if certificate else {})
