# A client certificate that nginx asked for and verified -> the record; and who forges
# the headers that tell of it.
import ssl

import pytest
from tests.compat.proxies.document import put
from tests.compat.proxies.machines import SERVERS, Behind, Machines, send
from tests.compat.tls.page import block
from tests.compat.tls.pki import Pki

from audit_mw.event import Event

each_server = pytest.mark.parametrize("server", SERVERS)
FORGED = (
    ("X-Client-Cert", "CN=root"),
    ("X-TLS-Version", "SSLv2"),
    ("X-TLS-Cipher", "NULL"),
    ("X_Client_Cert", "CN=root"),
)
NAMES = ("tls_version", "tls_cipher", "client_cert")
_SUBJECT = "$ssl_client_s_dn"
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def front(machines: Machines, pki: Pki, behind: Behind, sends: str = _SUBJECT) -> int:
    """Return the port of the nginx of the page, which sends one of its variables."""
    changes = {
        "listen 443 ssl;": "listen {listen} ssl;",
        "/etc/ssl/shop.pem": pki.pem,
        "/etc/ssl/shop.key": pki.key,
        "/etc/ssl/clients.pem": pki.ca,
        "127.0.0.1:8000": f"127.0.0.1:{behind.port}",
        _SUBJECT: sends,
    }

    return machines.proxy("nginx", put(block("nginx"), changes))


def serve(machines: Machines, server: str) -> Behind:
    """Return a server with the options of the page."""
    return machines.behind(SERVERS[server], block("options"))


def facts(event: Event) -> dict[str, object]:
    """Return what the record tells of TLS."""
    return {name: event.details.get(name) for name in NAMES}


@each_server
@pytest.mark.parametrize("fields", [(), FORGED], ids=["honest", "forged"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_subject(
    machines: Machines,
    pki: Pki,
    server: str,
    fields: tuple[tuple[str, str], ...],
    version: str,
) -> None:
    """The subject that nginx verified is on record, whatever the client claims."""
    behind = serve(machines, server)
    port = front(machines, pki, behind)
    event = behind.event(
        send(port, *fields, tls=pki.client("alice", _VERSIONS[version]))
    )
    found = facts(event)

    assert found["client_cert"] == pki.shown("alice")["subject"]
    assert found["tls_version"] == version.encode()
    assert b"GCM" in bytes(str(found["tls_cipher"]), "ascii")


@each_server
def test_whole_certificate(machines: Machines, pki: Pki, server: str) -> None:
    """Of a certificate that comes whole there is what openssl shows of it."""
    behind = serve(machines, server)
    port = front(machines, pki, behind, "$ssl_client_escaped_cert")
    event = behind.event(send(port, *FORGED, tls=pki.client("alice")))

    assert event.details["client_cert"] == pki.shown("alice")


@each_server
@pytest.mark.parametrize("sends", [_SUBJECT, "$ssl_client_escaped_cert"])
def test_without(machines: Machines, pki: Pki, server: str, sends: str) -> None:
    """Who brings no certificate cannot claim one through nginx."""
    behind = serve(machines, server)
    port = front(machines, pki, behind, sends)
    event = behind.event(send(port, *FORGED, tls=pki.client()))
    found = facts(event)

    assert found["client_cert"] is None
    assert found["tls_version"] == b"TLSv1.3"
    assert b"CN=root" not in {param.value for param in event.params}


@each_server
def test_of_another_authority(machines: Machines, pki: Pki, server: str) -> None:
    """A certificate that nobody vouches for does not come as far as a record."""
    port = front(machines, pki, serve(machines, server))

    with pytest.raises(AssertionError, match="400 Bad Request"):
        send(port, tls=pki.client("mallory"))


@each_server
def test_around_nginx(machines: Machines, pki: Pki, server: str) -> None:
    """Who goes around nginx claims; none of it is taken for a fact."""
    behind = serve(machines, server)
    event = behind.event(send(behind.port, *FORGED))

    assert pki.ca.exists()
    assert set(facts(event).values()) == {None}
    assert b"CN=root" in {param.value for param in event.params}


def test_line(machines: Machines, pki: Pki) -> None:
    """A request with a certificate leaves the line of the page."""
    behind = serve(machines, "uvicorn")
    line = behind.line(send(front(machines, pki, behind), tls=pki.client("alice")))

    assert block("line").splitlines() == [line]
