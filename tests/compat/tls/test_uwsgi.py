# nginx that ends TLS and speaks to uWSGI by its own protocol: variables, no headers.
import pytest
from tests.compat.proxies.document import put
from tests.compat.proxies.machines import CLIENT, SHOP, Machines, send
from tests.compat.tls.page import block
from tests.compat.tls.pki import Pki

UWSGI = (
    f"uwsgi --master --need-app --die-on-term --enable-threads --module {SHOP}:wsgi"
    " --disable-logging"
)
FORGED = (("SSL-Client-Cert", "CN=root"), ("SSL-Client-Verify", "SUCCESS"))


@pytest.mark.parametrize("who", ["alice", "mallory", ""])
def test_certificate(machines: Machines, pki: Pki, who: str) -> None:
    """What nginx found is on record; of whom nobody vouches for, that first."""
    listen = "--socket 127.0.0.1:{port}"
    behind = machines.behind(UWSGI, "[tool.audit_mw]\n", listen)
    changes = {
        "listen 443 ssl;": "listen {listen} ssl;",
        "/etc/ssl/shop.pem": pki.pem,
        "/etc/ssl/shop.key": pki.key,
        "/etc/ssl/clients.pem": pki.ca,
        "127.0.0.1:8000": f"127.0.0.1:{behind.port}",
    }
    port = machines.proxy("nginx", put(block("uwsgi"), changes))
    event = behind.event(send(port, *FORGED, tls=pki.client(who)))
    found = event.details.get("client_cert")
    if who == "mallory":
        assert isinstance(found, dict)
        assert str(found.pop("verify")).startswith("b'FAILED")

    assert event.client == CLIENT.encode()
    assert event.details["tls_version"] == b"TLSv1.3"
    assert found == (pki.shown(who) if who else None)
