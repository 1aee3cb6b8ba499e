# environ (PEP 3333, RFC 3875) -> the peer, and what was put in its place.
#
# What rewrites REMOTE_ADDR seldom leaves a trace. These do, under keys that no client
# can name, for what it sends stands under HTTP_:
#
# - Werkzeug's ProxyFix keeps what it found.
# - waitress hands over a method of its own connection, which knows its peer.
# - gunicorn names the PROXY protocol. What the line of it says is then the peer.
# - Apache can be told to hand over the address of the connection: see docs/proxies.md.
#   It is not used as the peer: mod_remoteip has cut the header that would be walked.
from collections.abc import Mapping
from typing import Any

__all__ = ["find_peer", "untouched"]

Environ = dict[str, Any]
Peer = tuple[str, int | None] | None
Found = tuple[Peer, Mapping[str, str] | None]

_UNIX = ("unix", None)
_PROXY_FIX = "werkzeug.proxy_fix.orig"
_KEPT = ("REMOTE_ADDR", "HTTP_HOST", "SCRIPT_NAME", "wsgi.url_scheme")


def untouched(environ: Environ) -> Environ:
    """Return `environ` as it was before Werkzeug's ProxyFix, if that is around us."""
    kept = environ.get(_PROXY_FIX)
    if not isinstance(kept, dict):
        return environ

    restored = environ | {key: kept.get(key) for key in _KEPT}

    return {key: value for key, value in restored.items() if value is not None}


def find_peer(environ: Environ) -> Found:
    """Return the peer; and who put which address in its place, if that is known."""
    told, own = environ.get("REMOTE_ADDR"), untouched(environ).get("REMOTE_ADDR")
    if own != told:
        return _peer(own, environ), {"by": "werkzeug", "to": str(told)}
    channel = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    addr = getattr(channel, "addr", None)
    if addr and addr[0] != told:
        return tuple(addr[:2]), {"by": "waitress", "to": str(told)}
    if "PROXY_PROTOCOL" in environ:
        return _peer(told, environ), {"by": "proxy-protocol"}
    if environ.get("CONN_REMOTE_ADDR", told) != told:
        return _peer(told, environ), {"by": "apache"}

    return _peer(told, environ), None


def _peer(host: Any, environ: Environ) -> Peer:
    if not host:
        # gunicorn leaves it empty behind a unix socket; others leave it out.
        return _UNIX if host == "" else None
    port = str(environ.get("REMOTE_PORT", ""))
    # Behind a unix socket uWSGI says 0.0.0.0, and waitress gives the socket's path.
    unaddressed = host == "0.0.0.0" and not port  # noqa: S104 - read, not bound
    if unaddressed or str(environ.get("SERVER_PORT"))[:1] == "/":
        return _UNIX

    return str(host), int(port) if port.isdecimal() else None
