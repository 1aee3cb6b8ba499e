# audit-mw digest: a leaked token is found by it, and nothing is made.
import subprocess
import sys
from pathlib import Path

import pytest
from tests.edges.audited import KEY, Audited
from tests.edges.wsgi_server import WsgiServer, environment

from audit_mw.event import Redacted
from audit_mw.policy.keyring import Keyring

TOOL = Path(sys.executable).with_name("audit-mw")


def digest(trail: Path, token: bytes, **env: str) -> tuple[int, str, str]:
    """Return exit code, output and message of the command."""
    done = subprocess.run(
        [TOOL, "digest", "--trail", trail],
        input=token,
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | env,
    )

    return done.returncode, done.stdout.decode(), done.stderr.decode()


def _app(_environ: object, start_response: object) -> list[bytes]:
    assert callable(start_response)
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_as_in_the_trail(tmp_path: Path, end: bytes) -> None:
    """It prints what a record has in the place of that token."""
    audited = Audited(tmp_path)
    asked = environment() | {"QUERY_STRING": "access_token=Zm9vYmFy-0123456789"}
    WsgiServer(asked).run(audited(_app, key=None))
    (kept,) = [p.value for p in audited.event().params if p.name == b"access_token"]
    audited.close()

    assert isinstance(kept, Redacted)
    assert digest(tmp_path, b"Zm9vYmFy-0123456789" + end) == (0, f"{kept.hmac}\n", "")


def test_key_of_the_environment(tmp_path: Path) -> None:
    """A key that is given counts, and need not be in the trail."""
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    code, shown, _ = digest(tmp_path, b"token", AUDIT_MW_KEY_FILE=str(path))

    assert (code, shown) == (0, f"{Keyring(KEY).digest(b'token')}\n")


def test_no_key(tmp_path: Path) -> None:
    """Without a key there is no digest, and none is made."""
    code, shown, said = digest(tmp_path, b"token")

    assert (code, shown) == (2, "")
    assert str(tmp_path / ".key") in said
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_digest(tmp_path: Path) -> None:
    """An empty input is wrong use: it has a digest, and that would be found nowhere."""
    code, _, said = digest(tmp_path, b"\n")

    assert code == 2
    assert "standard input" in said
