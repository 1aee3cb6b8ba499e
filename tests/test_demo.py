# The demo is a test of its own: it fails where the trail is not what it must be.
import subprocess
import sys

from tests.generated import ROOT


def test_demo() -> None:
    """`make demo` serves, attacks, and finds all of it on record, exactly."""
    demo = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert demo.returncode == 0, demo.stdout[-3000:] + demo.stderr[-3000:]
    for server in ("uvicorn", "gunicorn"):
        assert f"{server}: 28 requests, 28 records, 0 torn" in demo.stdout
        # Joined by one command each: the login that the usual log tells of, and the
        # session, its first line and its last.
        assert f"--- {server}: a line of the usual log" in demo.stdout
        assert f"--- {server}: all that Alice's session did\n$ grep" in demo.stdout
    assert demo.stdout.count("\tsession\tauthn_login_success\tSUCCESS\talice") == 4
    assert demo.stdout.count("\tsession\tsession_expired\tSUCCESS\talice") == 2
    assert '["query","password",{"len":6,"class":"password"}]' in demo.stdout
