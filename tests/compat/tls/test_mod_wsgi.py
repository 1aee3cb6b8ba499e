# Apache httpd that ends TLS, asks for a certificate and serves the application itself.
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.compat.proxies import test_mod_wsgi as httpd
from tests.compat.proxies.document import put
from tests.compat.proxies.machines import Machines, send
from tests.compat.tls.page import block
from tests.compat.tls.pki import Pki

shop = httpd.shop


@pytest.fixture
def machines(tmp_path: Path, shop: Path) -> Iterator[Machines]:
    """Start httpd, and end it before the directory of the shop goes."""
    assert shop.is_dir()
    machines = Machines(tmp_path)
    try:
        yield machines
    finally:
        machines.end()


WHOLE = {"+StdEnvVars": "+StdEnvVars +ExportCertData"}
ANYBODY = {"SSLVerifyClient optional": "SSLVerifyClient optional_no_ca"}


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        pytest.param("alice", {}, id="subject"),
        pytest.param("alice", WHOLE, id="whole"),
        pytest.param("mallory", WHOLE | ANYBODY, id="not verified"),
        pytest.param("", ANYBODY, id="none"),
    ],
)
def test_certificate(
    machines: Machines, shop: Path, pki: Pki, who: str, changes: dict[str, str]
) -> None:
    """What mod_ssl tells is on record; of whom nobody vouches for, that first."""
    text = put(block("mod_wsgi"), changes)
    places = {"shop.pem": pki.pem, "shop.key": pki.key, "clients.pem": pki.ca}
    for name, path in places.items():
        shutil.copy(path, shop / name)
    behind = httpd.serve(machines, shop, "", put(text, {"/etc/ssl": shop}))
    details = behind.event(send(behind.port, tls=pki.client(who))).details
    shown = pki.shown(who) if who else {}
    found = details.get("client_cert")

    assert details["tls_version"] == b"TLSv1.3"
    assert str(details["tls_cipher"]).startswith("b'TLS_")
    if who == "mallory":
        assert isinstance(found, dict)
        assert str(found.pop("verify")).startswith("b'FAILED")
    if who and "+StdEnvVars" not in changes:
        # mod_ssl leaves what is not ASCII as it is.
        assert found == shown["subject"].replace(rb"\C3\84", "Ä".encode())
    else:
        assert found == (shown or None)
