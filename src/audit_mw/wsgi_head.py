# environ (PEP 3333, RFC 3875) -> the head of a request.
#
# environ is a dict of text that is bytes in Latin-1. Field lines are folded by the
# server, in an order of its own; a raw path is there only where the server gives one.
from typing import Any

from audit_mw.auditor import Vouched
from audit_mw.event import RequestHead
from audit_mw.tls_socket import socket_tls
from audit_mw.wsgi_peer import find_peer, untouched

__all__ = [
    "FIELD_NAMES",
    "field_name",
    "request_head",
    "tells_no_tls",
    "vouched",
]

Environ = dict[str, Any]


def request_head(environ: Environ) -> RequestHead:
    """Return the head of the request that `environ` describes."""
    peer, rewritten = find_peer(environ)
    environ = untouched(environ)
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return RequestHead(
        method=_latin(environ.get("REQUEST_METHOD", "")),
        path=_path(environ, raw),
        query=_latin(environ.get("QUERY_STRING", "")),
        fields=_fields(environ),
        scheme=environ.get("wsgi.url_scheme"),
        http_version=environ.get("SERVER_PROTOCOL", "").removeprefix("HTTP/") or None,
        peer=peer,
        rewritten=rewritten,
        joined=True,
        reconstructed=not raw,
        tls=_tls(environ),
    )


def _latin(text: Any) -> bytes:
    return str(text).encode("latin-1", "replace")


def _path(environ: Environ, target: str | None) -> bytes:
    if target:
        return _latin(target).partition(b"?")[0]

    return _latin(environ.get("SCRIPT_NAME", "")) + _latin(environ.get("PATH_INFO", ""))


def _fields(environ: Environ) -> list[tuple[bytes, bytes]]:
    found = []
    for key, value in environ.items():
        name = FIELD_NAMES[key] if key in FIELD_NAMES else field_name(key)
        if name is not None and (value or key not in _BARE):
            found.append((name, _latin(value)))

    return found


_BARE = ("CONTENT_TYPE", "CONTENT_LENGTH")  # there, but empty, where none was sent
_REMEMBERED = 1024
FIELD_NAMES: dict[str, bytes | None] = {}  # most keys are the same in each request


def field_name(key: str) -> bytes | None:
    """Return the name of the field line that a key of environ has; None: of none."""
    name = None
    if key.startswith("HTTP_"):
        name = _latin(key[5:]).replace(b"_", b"-").lower()
    elif key in _BARE:
        name = _latin(key).replace(b"_", b"-").lower()
    if len(FIELD_NAMES) < _REMEMBERED and len(key) <= _REMEMBERED:
        FIELD_NAMES[key] = name

    return name


_TLS = {
    # As mod_ssl names them, which others took over; uWSGI has names of its own for the
    # certificate, and none for the rest. Of several that are there the first counts.
    "tls_version": ("SSL_PROTOCOL", "HTTPS_PROTOCOL"),
    "tls_cipher": ("SSL_CIPHER", "HTTPS_CIPHER"),
    "client_cert": (
        "SSL_CLIENT_CERT",
        "HTTPS_CLIENT_CERTIFICATE",
        "HTTPS_CC",
        "SSL_CLIENT_S_DN",
        "HTTPS_DN",
    ),
    # mod_ssl with SSLVerifyClient optional_no_ca tells of certificates of anybody.
    "client_verify": ("SSL_CLIENT_VERIFY",),
}


_TLS_KEYS = frozenset(name for names in _TLS.values() for name in names)
# Whether an environ has none of them.
tells_no_tls = _TLS_KEYS.isdisjoint


def _tls(environ: Environ) -> dict[str, bytes]:
    if tells_no_tls(environ):
        return socket_tls(environ.get("gunicorn.socket"))
    told = {
        detail: _latin(environ[name])
        for detail, names in _TLS.items()
        for name in names[::-1]
        if environ.get(name)
    }

    return told or socket_tls(environ.get("gunicorn.socket"))


def vouched(environ: Environ) -> Vouched:
    """Return whom the application, or the server before it, vouches for."""
    return Vouched(environ.get("REMOTE_USER"))
