# Apache httpd that serves a wrapped application itself, and what mod_remoteip does.
#
# Its daemons run as www-data where the tests run as root. So all that they read and
# write stands in a directory that is not below pytest's, which its owner alone enters.
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.compat.proxies.configurations import OPTIONS
from tests.compat.proxies.document import block, put
from tests.compat.proxies.machines import CLIENT, Behind, Machines, send

NEEDED = "audit_mw click markupsafe orjson werkzeug xxhash".split()


@pytest.fixture
def shop() -> Iterator[Path]:
    """Return a directory that everybody may enter, and www-data write to."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    try:
        for name in NEEDED:
            _copy(name, directory / "packages")
        (directory / "run").mkdir(mode=0o755)
        (directory / "trail").mkdir(mode=0o700)
        if os.getuid() == 0:
            shutil.chown(directory / "trail", "www-data", "www-data")
        yield directory
    finally:
        shutil.rmtree(directory)


def _copy(package: str, into: Path) -> None:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    shutil.copytree(Path(found.origin).parent, into / package)


def serve(machines: Machines, shop: Path, options: str = "", more: str = "") -> Behind:
    """Return httpd, which serves the script of the page with some options."""
    (shop / "options.toml").write_text(options or "[tool.audit_mw]\n")
    environment = f'import os\nos.environ["AUDIT_MW_CONFIG"] = "{shop}/options.toml"\n'
    script = put(block("mod_wsgi script"), {"/srv/shop": shop})
    (shop / "shop.wsgi").write_text(environment + script)
    changes = {
        "Listen 80": "Listen {listen}",
        "/srv/shop": shop,
        "/run/apache2": shop / "run",
    }
    text = put(block("mod_wsgi"), changes) + more

    return Behind(machines.front("apache", text), shop / "trail")


@pytest.fixture
def machines(tmp_path: Path, shop: Path) -> Iterator[Machines]:
    """Start httpd, and end it before the directory of the shop goes."""
    assert shop.is_dir()
    machines = Machines(tmp_path)
    try:
        yield machines
    finally:
        machines.end()


FORGED = ("X-Forwarded-For", f"6.6.6.6, {CLIENT}")


def test_served(machines: Machines, shop: Path) -> None:
    """The peer is the client's own socket; what it claims is a claim."""
    behind = serve(machines, shop)
    sent = send(behind.port, FORGED)
    event = behind.event(sent)

    assert event.peer == f"{CLIENT}:{sent.port}".encode()
    assert event.client == CLIENT.encode()
    assert event.details["via"] == b"untrusted-claim"
    assert (event.status, event.sent, event.service) == (200, 5, b"shop")
    assert "reconstructed" not in event.details
    assert "rewritten" not in event.details


def test_behind_a_proxy(machines: Machines, shop: Path) -> None:
    """A proxy before httpd is trusted by address, as before any other server."""
    behind = serve(machines, shop, OPTIONS)
    event = behind.event(send(behind.port, FORGED, source="127.0.0.1"))

    assert str(event.peer).startswith("b'127.0.0.1:")
    assert event.client == CLIENT.encode()
    assert event.details["via"] == b"proxied"


def test_remoteip_is_named(machines: Machines, shop: Path) -> None:
    """With the line of the page, what mod_remoteip rewrote is named, and only that."""
    behind = serve(machines, shop, OPTIONS, block("mod_remoteip"))
    event = behind.event(send(behind.port, FORGED, source="127.0.0.1"))
    itself = behind.event(send(behind.port, FORGED))

    assert event.client == CLIENT.encode()
    assert event.details["rewritten"] == {"by": b"apache"}
    assert itself.client == CLIENT.encode()
    assert "rewritten" not in itself.details


def test_remoteip_leaves_no_trace(machines: Machines, shop: Path) -> None:
    """Without that line nobody can know: the page says so, and this is why."""
    silent = block("mod_remoteip").partition("SetEnvIfExpr")[0]
    behind = serve(machines, shop, OPTIONS, silent)
    event = behind.event(send(behind.port, FORGED, source="127.0.0.1"))
    told = [p.value for p in event.params if p.name == b"x-forwarded-for"]

    assert str(event.peer).startswith(f"b'{CLIENT}:")
    assert told == [b"6.6.6.6"]
    assert "rewritten" not in event.details
