# Whoever speaks in the middle of what we do must not wait for us.
import os
import subprocess
import sys
from pathlib import Path

from tests.edges.audited import read_trail
from tests.serving import ROOT


def test_at_each_moment(tmp_path: Path) -> None:
    """Garbage that speaks when it is collected, and signals, hang nothing."""
    command = [sys.executable, "-m", "tests.voice.reentry", str(tmp_path / "trail")]
    # Coverage has a lock of its own, at which it would wait for itself.
    environ = {
        name: word for name, word in os.environ.items() if name[:8] != "COVERAGE"
    }
    ended = subprocess.run(
        command, check=False, cwd=ROOT, env=environ, capture_output=True, text=True
    )

    assert ended.stderr == ""
    assert ended.stdout.split() == ["say", "serve", "reopen"]
    assert len(read_trail(tmp_path / "trail", "error")) > 100
