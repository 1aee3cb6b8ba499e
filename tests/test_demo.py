# The demo is a test of its own: it fails where the trail is not what it must be.
import subprocess
import sys

from tests.generated import ROOT


def test_demo() -> None:
    """`make demo` serves, attacks and finds every request on record, exactly."""
    demo = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert demo.returncode == 0, demo.stdout[-3000:] + demo.stderr[-3000:]
    assert "uvicorn: 23 requests, 23 records, 0 torn" in demo.stdout
    assert "gunicorn: 23 requests, 23 records, 0 torn" in demo.stdout
    assert '["query","password",{"len":6,"class":"password"}]' in demo.stdout
