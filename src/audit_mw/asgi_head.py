# An ASGI scope -> the head of a request.
from collections.abc import Iterable, MutableMapping
from typing import Any

from audit_mw.auditor import Vouched
from audit_mw.event import RequestHead

__all__ = ["field_lines", "request_head", "vouched"]

Scope = MutableMapping[str, Any]


def request_head(scope: Scope) -> RequestHead:
    """Return the head of the request that `scope` describes."""
    raw_path = scope.get("raw_path")
    tls = scope.get("extensions", {}) or {}

    return RequestHead(
        type="request" if scope["type"] == "http" else "websocket",
        method=scope.get("method", "GET").encode("latin-1", "replace"),
        path=_path(scope["path"], raw_path),
        query=scope.get("query_string") or b"",
        fields=field_lines(scope.get("headers")),
        scheme=scope.get("scheme"),
        http_version=scope.get("http_version"),
        peer=_peer(scope),
        reconstructed=raw_path is None,
        tls=_tls(tls.get("tls") or {}),
    )


def _path(path: str, raw_path: bytes | None) -> bytes:
    if raw_path is None:
        try:
            return path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # half a surrogate pair, which is no byte
            return path.encode("utf-8", "surrogatepass")

    return bytes(raw_path).partition(b"?")[0]  # some servers leave the query on it


def field_lines(items: Iterable[Iterable[bytes]] | None) -> list[tuple[bytes, bytes]]:
    """Return (name in lower case, value) of each header of a scope or a message."""
    return [(bytes(name).lower(), bytes(value)) for name, value in items or ()]


def _peer(scope: Scope) -> tuple[str, int | None] | None:
    host, port = (*(scope.get("client") or ()), None, None)[:2]
    if not host:
        # Behind a unix socket there is no address; `server` then is (path, None).
        server = (*(scope.get("server") or ()), 0)
        return ("unix", None) if server[0] and server[1] is None else None

    return str(host), int(port) if str(port).isdecimal() else None


def _tls(found: Any) -> dict[str, bytes]:
    # The TLS extension of ASGI gives numbers: 0x0304 is TLS 1.3.
    version, cipher = found.get("tls_version"), found.get("cipher_suite")
    told = {
        "tls_version": _VERSIONS.get(version, version),
        "tls_cipher": f"0x{cipher:04X}" if isinstance(cipher, int) else cipher,
        "client_cert": found.get("client_cert_name"),
    }

    return {
        name: str(value).encode("utf-8", "surrogatepass")
        for name, value in told.items()
        if value is not None
    }


_VERSIONS = {0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


def vouched(scope: Scope) -> Vouched:
    """Return whom the application vouches for, and what served the request."""
    endpoint = scope.get("endpoint")
    name = getattr(endpoint, "__qualname__", None)
    if not isinstance(name, str):
        return Vouched(scope.get("user"), getattr(scope.get("route"), "path", None))

    return Vouched(scope.get("user"), f"{getattr(endpoint, '__module__', '')}.{name}")
