# TLS that ends at nginx: its certificate, nginx itself, and clients of one version.
import ssl
import subprocess
from pathlib import Path

from tests.compat.proxies.document import block, put
from tests.compat.proxies.machines import Behind, Machines

__all__ = ["Certificate", "client_of", "front", "make_certificate"]

Certificate = tuple[Path, Path]


def make_certificate(directory: Path) -> Certificate:
    """Make a certificate for shop.example, and its key."""
    pem, key = directory / "shop.pem", directory / "shop.key"
    subprocess.run(
        [
            *"openssl req -x509 -newkey rsa:2048 -nodes -days 2".split(),
            *"-subj /CN=shop.example -out".split(),
            *(pem, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )

    return pem, key


def front(machines: Machines, certificate: Certificate, behind: Behind) -> int:
    """Return the port of an nginx that ends TLS."""
    pem, key = certificate
    changes = {
        "listen 443 ssl;": "listen {listen} ssl;",
        "/etc/ssl/shop.pem": pem,
        "/etc/ssl/shop.key": key,
        "127.0.0.1:8000": f"127.0.0.1:{behind.port}",
    }

    return machines.proxy("nginx", put(block("nginx tls"), changes))


def client_of(version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a client of one version of TLS that trusts everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version

    return context
