# What each server tells of a request, in its own way -> one RequestHead.
from typing import Any

import pytest
from tests.detectors.exchanges import make_rules
from tests.edges.asgi_server import http_scope
from tests.edges.wsgi_server import environment

from audit_mw import asgi_head, wsgi_head
from audit_mw.event import RequestHead
from audit_mw.request import Request


def _asgi(**changes: Any) -> RequestHead:
    return asgi_head.request_head(http_scope(**changes))


def _wsgi(**changes: Any) -> RequestHead:
    return wsgi_head.request_head(environment(**changes))


@pytest.mark.parametrize(
    ("client", "server", "expected"),
    [
        pytest.param(("1.2.3.4", 5), ("h", 80), ("1.2.3.4", 5), id="a tuple"),
        pytest.param(["1.2.3.4", 5], None, ("1.2.3.4", 5), id="a list, as daphne"),
        pytest.param(("1.2.3.4", "5"), None, ("1.2.3.4", 5), id="text, as granian"),
        pytest.param(("1.2.3.4", None), None, ("1.2.3.4", None), id="no port"),
        pytest.param(("1.2.3.4",), None, ("1.2.3.4", None), id="the address alone"),
        pytest.param(("::1", 0), None, ("::1", 0), id="IPv6"),
        pytest.param(None, ("/run/app.sock", None), ("unix", None), id="unix socket"),
        pytest.param(
            ("", 0), ("/run/app.sock", None), ("unix", None), id="unix, empty"
        ),
        pytest.param(("", "0"), ("/s", "0"), ("unix", None), id="unix, as granian"),
        pytest.param(None, ("/", "r"), ("unix", None), id="unix, as gunicorn"),
        pytest.param(None, ("example.org", 80), None, id="unknown"),
        pytest.param(None, None, None, id="nothing at all"),
    ],
)
def test_asgi_peer(client: Any, server: Any, expected: Any) -> None:
    """The peer is read from whatever shape a server gives it."""
    assert expected == _asgi(client=client, server=server).peer


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"REMOTE_PORT": "5"}, ("192.0.2.7", 5), id="address and port"),
        pytest.param({"REMOTE_PORT": 5}, ("192.0.2.7", 5), id="a number"),
        pytest.param({"REMOTE_PORT": ""}, ("192.0.2.7", None), id="empty port"),
        pytest.param({"REMOTE_PORT": "\xb2"}, ("192.0.2.7", None), id="other digits"),
        pytest.param({"REMOTE_ADDR": ""}, ("unix", None), id="unix, as gunicorn"),
        pytest.param(
            {"REMOTE_ADDR": "0.0.0.0", "REMOTE_PORT": ""},
            ("unix", None),
            id="unix, as uWSGI",
        ),
        pytest.param(
            {"REMOTE_ADDR": "localhost", "SERVER_PORT": "/run/app.sock"},
            ("unix", None),
            id="unix, as waitress",
        ),
        pytest.param({"REMOTE_ADDR": None}, None, id="unknown"),
    ],
)
def test_wsgi_peer(environ: dict[str, Any], expected: Any) -> None:
    """The peer is read from REMOTE_ADDR and REMOTE_PORT, whatever they hold."""
    assert expected == _wsgi(**environ).peer


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, (b"/a%20b", False), id="raw"),
        pytest.param({"raw_path": b"/%2e?q=1"}, (b"/%2e", False), id="with its query"),
        pytest.param({"raw_path": b""}, (b"", False), id="raw and empty"),
        pytest.param({"raw_path": None}, (b"/a b", True), id="none"),
        pytest.param(
            {"raw_path": None, "path": "/é\udcff"}, (b"/\xc3\xa9\xff", True), id="bytes"
        ),
        pytest.param(
            {"raw_path": None, "path": "/\ud800"}, (b"/\xed\xa0\x80", True), id="half"
        ),
    ],
)
def test_asgi_path(changes: dict[str, Any], expected: tuple[bytes, bool]) -> None:
    """The raw path counts; without one the decoded path is marked as reconstructed."""
    head = _asgi(**changes)

    assert expected == (head.path, head.reconstructed)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"RAW_URI": "/%2e?q=1"}, (b"/%2e", False), id="as gunicorn"),
        pytest.param({"REQUEST_URI": "/%2e?q=1"}, (b"/%2e", False), id="as uWSGI"),
        pytest.param(
            {"SCRIPT_NAME": "/app", "PATH_INFO": "/\xc3\xa9 b"},
            (b"/app/\xc3\xa9 b", True),
            id="decoded",
        ),
    ],
)
def test_wsgi_path(changes: dict[str, Any], expected: tuple[bytes, bool]) -> None:
    """A raw path counts where there is one; else both decoded halves, marked as such."""
    head = _wsgi(**changes)

    assert expected == (head.path, head.reconstructed)


def test_asgi_tls() -> None:
    """The numbers of the TLS extension have their names."""
    tls = {
        "tls_version": 0x0304,
        "cipher_suite": 0x1301,
        "client_cert_name": "CN=é",
        "server_cert": "not asked for",
    }

    assert _asgi(extensions={"tls": tls}).tls == {
        "tls_version": b"TLSv1.3",
        "tls_cipher": b"0x1301",
        "client_cert": b"CN=\xc3\xa9",
    }


@pytest.mark.parametrize("extensions", [{}, None, {"tls": None}, {"tls": {}}])
def test_asgi_no_tls(extensions: Any) -> None:
    """A server that tells nothing of TLS leaves nothing of it."""
    assert _asgi(extensions=extensions).tls == {}


def test_wsgi_tls() -> None:
    """What mod_ssl and uWSGI say of TLS is read by either's names."""
    head = _wsgi(SSL_PROTOCOL="TLSv1.3", HTTPS_DN="CN=x", SSL_CIPHER="")

    assert head.tls == {"tls_version": b"TLSv1.3", "client_cert": b"CN=x"}


def test_asgi_fields() -> None:
    """Headers go on as they are; names in any case, and any bytes, are read."""
    headers = [[b"X-A", b"1"], (b"x-b", bytearray(b"\xff")), ("X-a", "2")]
    head = _asgi(headers=headers)

    assert head.fields == tuple(headers)
    assert Request(make_rules(), head, []).head.fields == [
        (b"x-a", b"1"),
        (b"x-b", b"\xff"),
        (b"x-a", b"2"),
    ]


def test_wsgi_fields() -> None:
    """Headers are read from environ alone; an empty Content-Type is none."""
    fields = dict(
        _wsgi(HTTP_X_ODD="\xe9\xff", CONTENT_TYPE="", CONTENT_LENGTH="5").fields
    )

    assert (fields[b"x-odd"], fields[b"content-length"]) == (b"\xe9\xff", b"5")
    assert b"content-type" not in fields


def test_head_of_little() -> None:
    """A server that says little is no error."""
    head = asgi_head.request_head({"type": "websocket", "headers": None})

    assert (head.method, head.query, head.peer) == (b"GET", b"", None)
    assert (head.path, head.reconstructed) == (b"", True)
    assert (wsgi_head.request_head({}).method, head.query) == (b"", b"")
