# What is told of TLS -> details of a record: whose word it is, and what of a
# certificate is kept.
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.edges.asgi_server import http_scope
from tests.edges.audited import Audited
from tests.edges.wsgi_server import WsgiServer, environment
from tests.wire.test_certificate import DER, PEM, SHA256, SUBJECT

from audit_mw import asgi_head, wsgi_head

PROXY, FIELDS = "192.0.2.7", "tls_version=x-v, tls_cipher=x-c, client_cert=x-cert"
WHOLE = {"subject": SUBJECT, "serial": b"F1", "sha256": SHA256.encode()}


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Audited]:
    audited = Audited(tmp_path / "trail")
    yield audited
    audited.close()


def _app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


def _told(audited: Audited, environ: Mapping[str, object], **options: Any) -> Any:
    """Return the facts of TLS of a request with these variables."""
    WsgiServer(environment() | dict(environ)).run(audited(_app, **options))
    details = audited.event().details

    return {name: details[name] for name in details if name in _NAMES}


_NAMES = {"tls_version", "tls_cipher", "client_cert"}
_TRUSTING = {"trusted_proxies": [PROXY], "tls_fields": FIELDS}


def test_of_a_server(audited: Audited) -> None:
    """What the server says is on record, a certificate by what names it."""
    told = _told(
        audited,
        {
            "SSL_PROTOCOL": "TLSv1.3",
            "SSL_CIPHER": "0x1301",
            "SSL_CLIENT_S_DN": "CN=short",
            "SSL_CLIENT_CERT": PEM.decode(),
            "SSL_CLIENT_VERIFY": "SUCCESS",
        },
    )

    assert told == {
        "tls_version": b"TLSv1.3",
        "tls_cipher": b"TLS_AES_128_GCM_SHA256",
        "client_cert": WHOLE,
    }


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        pytest.param("CN=alice", b"CN=alice", id="subject"),
        pytest.param(quote(PEM), WHOLE, id="escaped"),
        pytest.param("-----BEGIN CERTIFICATE-----", {"sha256": None}, id="broken"),
        pytest.param("(null)", None, id="as Apache says none"),
        pytest.param("", None, id="empty"),
    ],
)
def test_of_a_proxy(audited: Audited, certificate: str, expected: Any) -> None:
    """Of a trusted proxy a certificate is a name, and never whole."""
    environ: dict[str, object] = {
        "HTTP_X_CERT": certificate,
        "HTTP_X_C": "0xC02F",
        "HTTP_X_V": "-",
    }
    told = _told(audited, environ, **_TRUSTING)
    found = told.pop("client_cert", None)
    if expected == {"sha256": None}:
        assert found.keys() == {"sha256"}
    else:
        assert found == expected
    assert told == {"tls_cipher": b"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}


_HOP = {"SSL_CLIENT_S_DN": "CN=proxy", "SSL_CIPHER": "X"}


@pytest.mark.parametrize(
    ("environ", "options", "expected"),
    [
        pytest.param(
            {"HTTP_X_V": "TLSv1.2"}, _TRUSTING, {"tls_version": b"TLSv1.2"}, id="told"
        ),
        pytest.param(
            {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, _TRUSTING, {}, id="not told"
        ),
        pytest.param(
            {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
            {"trusted_proxies": [PROXY]},
            {},
            id="not asked for",
        ),
        pytest.param(
            {},
            _TRUSTING,
            {"client_cert": b"CN=proxy", "tls_cipher": b"X"},
            id="speaks for itself",
        ),
    ],
)
def test_hop_of_the_proxy(
    audited: Audited,
    environ: dict[str, str],
    options: dict[str, Any],
    expected: dict[str, bytes],
) -> None:
    """The certificate that a proxy itself brings is not taken for its client's."""
    assert _told(audited, _HOP | environ, **options) == expected


def test_of_anybody(audited: Audited) -> None:
    """Of who is not trusted the headers are claims, and the server's word counts."""
    environ = {"HTTP_X_CERT": "CN=root", "HTTP_X_V": "x", "SSL_CLIENT_S_DN": "CN=eve"}
    options = _TRUSTING | {"trusted_proxies": ["203.0.113.1"]}

    assert _told(audited, environ, **options) == {"client_cert": b"CN=eve"}


@pytest.mark.parametrize("name", ["SSL_CLIENT_S_DN", "SSL_CLIENT_CERT"])
def test_not_verified(audited: Audited, name: str) -> None:
    """Of a certificate that nobody verified the record says so first."""
    value = {"SSL_CLIENT_S_DN": "CN=root", "SSL_CLIENT_CERT": PEM.decode()}[name]
    told = _told(audited, {name: value, "SSL_CLIENT_VERIFY": "GENEROUS"})
    shown = WHOLE if name == "SSL_CLIENT_CERT" else {"subject": b"CN=root"}

    assert told == {"client_cert": {"verify": b"GENEROUS", **shown}}
    assert next(iter(told["client_cert"])) == "verify"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"client_cert_chain": [PEM.decode()]}, PEM, id="chain"),
        pytest.param({"client_cert_chain": iter([PEM.decode()])}, PEM, id="once"),
        pytest.param({"client_cert_chain": PEM.decode()}, PEM, id="a text"),
        pytest.param({"client_cert": DER}, DER, id="DER, as uvicorn drafts it"),
        pytest.param({"client_cert_name": "CN=x"}, b"CN=x", id="name"),
        pytest.param({"client_cert_chain": []}, None, id="none"),
    ],
)
def test_extension(changes: dict[str, Any], expected: bytes | None) -> None:
    """The certificate is the first of the chain, else its name."""
    tls = {"tls_version": "TLSv1.3", "cipher_suite": 0xC02F} | changes
    head = asgi_head.request_head(http_scope(extensions={"tls": tls}))
    found = dict(head.tls)

    assert found.pop("client_cert", None) == expected
    assert found == {"tls_version": b"TLSv1.3", "tls_cipher": b"0xC02F"}


def test_chain_is_the_applications() -> None:
    """A chain that can be read once is left to the application whole."""
    tls = {"client_cert_chain": iter(["first", "second"])}
    scope = http_scope(extensions={"tls": tls})
    head = asgi_head.request_head(scope)

    assert head.tls == {"client_cert": b"first"}
    assert list(scope["extensions"]["tls"]["client_cert_chain"]) == ["first", "second"]


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        pytest.param({"cipher_suite": ("A", "TLSv1.3", 256)}, {"tls_cipher": b"A"}),
        pytest.param({"tls_version": [1], "cipher_suite": ()}, {"tls_version": b"[1]"}),
        pytest.param({"client_cert_chain": 5}, {"client_cert": b"5"}),
        pytest.param("TLSv1.3", {}),
        pytest.param(7, {}),
    ],
)
def test_odd_extension(tls: object, expected: dict[str, bytes]) -> None:
    """A server that has its own idea of the extension does not hinder a request."""
    head = asgi_head.request_head(http_scope(extensions={"tls": tls}))

    assert head.tls == expected


def test_extension_not_verified() -> None:
    """What the server found wrong with a certificate goes with it."""
    tls = {"client_cert_name": "CN=x", "client_cert_error": "expired"}
    head = asgi_head.request_head(http_scope(extensions={"tls": tls}))

    assert head.tls == {"client_cert": b"CN=x", "client_verify": b"expired"}


class _Socket:
    """What a socket that TLS ends at tells."""

    def cipher(self) -> tuple[str, str, int]:
        return ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)

    def version(self) -> str:
        return "TLSv1.3"

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        return DER if binary_form else None


def test_socket() -> None:
    """A socket tells what its server does not."""
    head = wsgi_head.request_head(environment() | {"gunicorn.socket": _Socket()})

    assert head.tls == {
        "tls_version": b"TLSv1.3",
        "tls_cipher": b"TLS_AES_256_GCM_SHA384",
        "client_cert": DER,
    }


class _Closed(_Socket):
    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        raise ValueError(f"handshake not done yet ({binary_form})")


@pytest.mark.parametrize(
    "found", [_Closed(), object(), ssl.create_default_context(), None]
)
def test_no_socket(found: object) -> None:
    """What is no socket that TLS ends at, or is closed, tells nothing."""
    head = wsgi_head.request_head(environment() | {"gunicorn.socket": found})

    assert head.tls == {}


def test_receive_of_others() -> None:
    """Of a server that is not known no transport is looked for."""

    class Holder:
        transport = "not to be touched"

        async def receive(self) -> None: ...

    scope = http_scope(scheme="https")

    assert asgi_head.request_head(scope, Holder().receive).tls == {}
