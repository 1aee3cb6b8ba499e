# Servers that end TLS themselves, and ask for a certificate -> the record.
import ssl

import pytest
from tests.compat.proxies.machines import SHOP, Behind, Machines, send
from tests.compat.tls.pki import Pki

_GUNICORN = "--graceful-timeout 1 --no-control-socket --log-level warning"
_PYTHON = "--certfile {pem} --keyfile {key} --ca-certs {ca} --cert-reqs 2"
_UVICORN = "--port {port} --ssl-certfile {pem} --ssl-keyfile {key} --ssl-ca-certs {ca}"
_HYPERCORN = (
    "--certfile {pem} --keyfile {key} --ca-certs {ca} --verify-mode CERT_REQUIRED"
)
_UWSGI = (
    f"--master --need-app --die-on-term --enable-threads --module {SHOP}:wsgi"
    " --disable-logging"
)
SERVERS = {
    **{
        f"uvicorn {http}": (
            f"uvicorn {SHOP}:asgi --http {http} --no-proxy-headers --log-level warning",
            f"{_UVICORN} --ssl-cert-reqs 2",
        )
        for http in ("auto", "h11", "httptools")
    },
    **{
        f"gunicorn {worker}": (
            f"gunicorn {SHOP}:{interface} -k {worker} {_GUNICORN}",
            f"--bind 127.0.0.1:{{port}} {_PYTHON}",
        )
        for worker, interface in {
            "sync": "wsgi",
            "gthread": "wsgi",
            "gevent": "wsgi",
            "asgi": "asgi",
            "uvicorn_worker.UvicornWorker": "asgi",
        }.items()
    },
    "uWSGI": (f"uwsgi {_UWSGI}", "--https 127.0.0.1:{port},{pem},{key},HIGH,!{ca}"),
    "uWSGI socket": (
        f"uwsgi {_UWSGI}",
        "--https-socket 127.0.0.1:{port},{pem},{key},HIGH,!{ca}",
    ),
    "hypercorn": (
        f"hypercorn {SHOP}:asgi --graceful-timeout 1",
        f"--bind 127.0.0.1:{{port}} {_HYPERCORN}",
    ),
}
TELL_CONNECTION = {name for name in SERVERS if name.startswith(("uvicorn", "gunicorn"))}
TELL_CERTIFICATE = TELL_CONNECTION | {"uWSGI"}


def started(machines: Machines, pki: Pki, name: str) -> Behind:
    """Return a server that asks for a certificate."""
    command, listen = SERVERS[name]
    for word in ("pem", "key", "ca"):
        listen = listen.replace(f"{{{word}}}", str(getattr(pki, word)))

    return machines.behind(command, "[tool.audit_mw]\n", listen)


@pytest.mark.parametrize("name", SERVERS)
def test_certificate(machines: Machines, pki: Pki, name: str) -> None:
    """What a server knows of TLS is on record; some tell nothing."""
    behind = started(machines, pki, name)
    client = pki.client("alice", ssl.TLSVersion.TLSv1_2)
    event = behind.event(send(behind.port, tls=client))
    tells = name in TELL_CONNECTION

    assert event.details["scheme"] == b"https"
    assert event.details.get("tls_version") == (b"TLSv1.2" if tells else None)
    assert ("tls_cipher" in event.details) == tells
    assert event.details.get("client_cert") == (
        pki.shown("alice") if name in TELL_CERTIFICATE else None
    )


HANDSHAKE = (
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


@pytest.mark.parametrize("name", ["uvicorn auto", "gunicorn asgi"])
def test_websocket(machines: Machines, pki: Pki, name: str) -> None:
    """A websocket has the facts of TLS, too."""
    behind = started(machines, pki, name)
    sent = send(behind.port, *HANDSHAKE, tls=pki.client("alice"), upgrade="websocket")
    event = behind.event(sent)

    assert (event.type, event.details["scheme"]) == ("websocket", b"wss")
    assert event.details["tls_version"] == b"TLSv1.3"
    assert event.details["client_cert"] == pki.shown("alice")
