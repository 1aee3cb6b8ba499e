# Whoever speaks in the middle of what we do must not wait for us.
import subprocess
import sys
from pathlib import Path

from tests.edges.audited import read_trail
from tests.serving import ROOT


def test_at_each_moment(tmp_path: Path) -> None:
    """Garbage that speaks when it is collected, and signals, hang nothing."""
    command = [sys.executable, "-m", "tests.voice.reentry", str(tmp_path / "trail")]
    ended = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True
    )

    assert ended.stderr == ""
    assert ended.stdout.split() == ["say", "serve", "reopen"]
    assert len(read_trail(tmp_path / "trail", "error")) > 100
