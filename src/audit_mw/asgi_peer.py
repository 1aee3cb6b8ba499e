# An ASGI scope -> the peer, and what was put in its place.
#
# uvicorn, by default, and proxy middlewares overwrite scope["client"] with what a
# header says. What the socket said is then known to uvicorn's own transport alone:
# `receive` is a method of the object that holds it.
#
# Of other servers nothing is taken this way: with the PROXY protocol, gunicorn's socket
# is not what counts.
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary

__all__ = ["find_peer", "known_peers", "peer_of_socket"]

Peer = tuple[str, int | None] | None
Found = tuple[Peer, Mapping[str, str] | None]

_UNIX = ("unix", None)
_PAIR = 2


def find_peer(scope: MutableMapping[str, Any], receive: object) -> Found:
    """Return the peer; and who put which address in its place, if that is known."""
    told = _told(scope)
    own = peer_of_socket(getattr(receive, "__self__", None))
    if own is None or own == told or told is None or not scope.get("client"):
        return told, None
    host, port = told
    shown = f"[{host}]" if ":" in host else host

    return own, {"by": "uvicorn", "to": shown if port is None else f"{shown}:{port}"}


def _told(scope: MutableMapping[str, Any]) -> Peer:
    client = scope.get("client")
    if type(client) is tuple and len(client) == _PAIR:
        host, port = client
        if host and type(host) is str and type(port) is int:
            return host, port if port >= 0 else None
    host, port = (*(client or ()), None, None)[:2]
    if not host:
        # Behind a unix socket there is no address; `server` then is (path, None). Of
        # granian it is (path, "0"), of gunicorn the first two letters of the path.
        at, port = (*(scope.get("server") or ()), None, 0)[:2]
        return _UNIX if at and (port is None or str(at)[0] == "/") else None

    return str(host), int(port) if str(port).isdecimal() else None


def peer_of_socket(owner: object) -> Peer:
    """Return the peer that the transport of an object of uvicorn's knows, if any."""
    if not type(owner).__module__.startswith("uvicorn."):
        return None
    transport = getattr(owner, "transport", None)
    try:
        return _known[transport]
    except (KeyError, TypeError):
        peer = _asked(transport)
    with suppress(TypeError):  # it can have no weak reference
        _known[transport] = peer

    return peer


# To ask is a system call under uvloop, and a connection has many requests.
_known: WeakKeyDictionary[Any, Peer] = WeakKeyDictionary()


def known_peers() -> dict[ReferenceType[Any], Peer]:
    """Return peers by weak references to transports, as they come to be known."""
    known: dict[ReferenceType[Any], Peer] = vars(_known)["data"]

    return known


def _asked(transport: Any) -> Peer:
    look = getattr(transport, "get_extra_info", None)
    name = look("peername") if look else None
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])

    return _UNIX if name == "" else None
