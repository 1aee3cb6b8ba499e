# What an ASGI server tells of TLS -> the facts of a head.
#
# The extension `tls` of a scope (ASGI TLS extension 0.2) is the server's word. No
# release of a server has it yet, and drafts differ in what a value is, so numbers and
# names are taken, and a certificate whole or by its name alone.
#
# uvicorn and gunicorn tell nothing, but `receive` is a method of what holds the
# transport, and that knows: TLS ends at that very socket, whoever speaks over it.
from collections.abc import MutableMapping
from typing import Any

from audit_mw.tls_socket import socket_tls

__all__ = ["find_tls"]

_HOLDERS = ("uvicorn.", "gunicorn.")
_VERSIONS: dict[object, str] = {
    0x0301: "TLSv1",
    0x0302: "TLSv1.1",
    0x0303: "TLSv1.2",
    0x0304: "TLSv1.3",
}


def find_tls(scope: MutableMapping[str, Any], receive: object) -> dict[str, bytes]:
    """Return any of tls_version, tls_cipher, client_cert, client_verify."""
    told = (scope.get("extensions") or {}).get("tls")
    if isinstance(told, dict) and told:
        return _of_extension(told)
    if scope.get("scheme") not in ("https", "wss"):
        return {}

    return _of_transport(getattr(receive, "__self__", None))


def _of_extension(told: dict[str, Any]) -> dict[str, bytes]:
    found = {
        "tls_version": _version(told.get("tls_version")),
        "tls_cipher": _cipher(told.get("cipher_suite")),
        "client_cert": _certificate(told),
        # None where there is nothing to tell: it was verified, or there is none.
        "client_verify": told.get("client_cert_error"),
    }

    return {name: _octets(value) for name, value in found.items() if value is not None}


def _version(told: object) -> object:
    return _VERSIONS.get(told, told) if isinstance(told, int) else told


def _cipher(told: object) -> object:
    if isinstance(told, tuple):  # as Python's ssl module tells it
        return next(iter(told), None)

    return f"0x{told:04X}" if isinstance(told, int) else told


def _certificate(told: dict[str, Any]) -> object:
    chain: Any = told.get("client_cert_chain")
    if hasattr(chain, "__next__"):
        # It can be read once, and is the application's to read.
        chain = told["client_cert_chain"] = tuple(chain)
    if isinstance(chain, (list, tuple)):
        chain = next(iter(chain), None)

    return chain or told.get("client_cert") or told.get("client_cert_name")


def _octets(value: object) -> bytes:
    if isinstance(value, bytes):
        return value

    return str(value).encode("utf-8", "surrogatepass")


def _of_transport(owner: object) -> dict[str, bytes]:
    if not type(owner).__module__.startswith(_HOLDERS):
        return {}
    holder = getattr(owner, "protocol", owner)  # gunicorn's receiver has a protocol
    look = getattr(getattr(holder, "transport", None), "get_extra_info", None)

    return socket_tls(look("ssl_object")) if look else {}
