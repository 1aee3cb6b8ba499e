# An ASGI scope -> the head of a request.
from collections.abc import Iterable, MutableMapping
from typing import Any

from audit_mw.asgi_peer import find_peer
from audit_mw.asgi_tls import find_tls
from audit_mw.auditor import Vouched
from audit_mw.event import NO_TLS, RequestHead

__all__ = ["field_lines", "lasting", "request_head", "vouched"]

Scope = MutableMapping[str, Any]


def request_head(scope: Scope, receive: object = None) -> RequestHead:
    """Return the head of the request that `scope` describes."""
    peer, rewritten = find_peer(scope, receive)
    raw_path = scope.get("raw_path")

    # By place, since names cost as much as the rest of it.
    return RequestHead(
        scope.get("method", "GET").encode("latin-1", "replace"),
        _path(scope.get("path") or "", raw_path),
        scope.get("query_string") or b"",
        tuple(_headers(scope) or ()),
        "request" if scope["type"] == "http" else "websocket",
        scope.get("scheme"),
        scope.get("http_version"),
        peer,
        rewritten,
        False,  # noqa: FBT003 - it folds no lines
        raw_path is None,
        find_tls(scope, receive) if _may_tell(scope) else NO_TLS,
    )


def _may_tell(scope: Scope) -> bool:
    # Of TLS: here, since nearly all requests come over plain HTTP from a proxy.
    return scope.get("scheme") not in _PLAIN or "tls" in (scope.get("extensions") or ())


_PLAIN = ("http", "ws")


def _headers(scope: Scope) -> Any:
    headers = scope.get("headers")
    kept = lasting(headers)
    if kept is not headers:
        scope["headers"] = kept

    return kept


def lasting(headers: Any) -> Any:
    """Return `headers` as they are, or a copy if they can be read only once."""
    # ASGI lets headers be any iterable, of any iterables of a name and a value.
    if headers is None:
        return None
    if type(headers) in _PAIRS and set(map(type, headers)) <= _PAIRS:
        return headers
    if not hasattr(headers, "__iter__"):
        return headers  # malformed: the server's to judge
    if isinstance(headers, (list, tuple)) and not _are_read_once(headers):
        return headers

    return [tuple(pair) for pair in headers]


def _are_read_once(pairs: Iterable[Any]) -> bool:
    return any(hasattr(kind, "__next__") for kind in set(map(type, pairs)))


_PAIRS = frozenset({list, tuple})


def _path(path: str, raw_path: bytes | None) -> bytes:
    if raw_path is None:
        try:
            return path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # half a surrogate pair, which is no byte
            return path.encode("utf-8", "surrogatepass")

    return bytes(raw_path).partition(b"?")[0]  # some servers leave the query on it


def field_lines(items: Iterable[Iterable[bytes]] | None) -> list[tuple[bytes, bytes]]:
    """Return (name in lower case, value) of each header of a scope or a message."""
    return [(_octets(name).lower(), _octets(value)) for name, value in items or ()]


def _octets(found: Any) -> bytes:
    # Some servers take text from an application, where ASGI has bytes.
    return (
        found.encode("latin-1", "replace") if isinstance(found, str) else bytes(found)
    )


def vouched(scope: Scope) -> Vouched:
    """Return whom the application vouches for, and what served the request."""
    endpoint = scope.get("endpoint")
    name = getattr(endpoint, "__qualname__", None)
    if not isinstance(name, str):
        return Vouched(scope.get("user"), getattr(scope.get("route"), "path", None))

    return Vouched(scope.get("user"), f"{getattr(endpoint, '__module__', '')}.{name}")
