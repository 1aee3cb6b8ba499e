# How far a long scan is: shown on a terminal, and nowhere else.
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from tests.generated import ROOT

from audit_mw.cli.progress import Progress, watching

_LONG = (
    "import threading\n"
    "from audit_mw.cli.progress import watching\n"
    "asked = threading.Event()\n"
    "with watching() as progress:\n"
    "    progress.show('reading', lambda: asked.set() or 0.5)\n"
    "    assert asked.wait(60)\n"
)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (-1.0, "reading"),
        (0.0, f"reading [{'':30}]   0%"),
        (0.5, f"reading [{'#' * 15:30}]  50%"),
        (1.7, f"reading [{'#' * 30}] 100%"),
    ],
)
def test_line(part: float, line: str) -> None:
    """What is done, and how much of it, as far as is known."""
    progress = Progress()
    progress.show("reading", lambda: part)

    assert line == progress.line()


def test_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Where standard error is no terminal, nothing is written there."""
    with watching() as progress:
        progress.show("reading", lambda: 0.5)

    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_terminal(tmp_path: Path) -> None:
    """On a terminal a bar is drawn on one line, and taken away at the end."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", _LONG],
            stderr=theirs,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            check=True,
            timeout=60,
        )
        drawn = ""
        while "%" not in drawn or not drawn.endswith("\r\x1b[K"):
            assert select.select([ours], [], [], 60)[0], drawn
            drawn += os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert "[###############               ]  50%" in drawn
    assert drawn.endswith("\r\x1b[K")
    assert "\n" not in drawn
