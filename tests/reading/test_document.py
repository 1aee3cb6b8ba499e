# What docs/reading.md shows is what its commands print, on the trail it tells of.
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.generated import ROOT
from tests.reading.shop import TOKEN, make_shop

TEXT = (ROOT / "docs" / "reading.md").read_text()
SHOWN = re.compile(
    r"^```sh\n(audit-mw [^`]*)^```\n\n```text\n(.*?)^```", re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize(("command", "expected"), SHOWN.findall(TEXT))
def test_command(command: str, expected: str, tmp_path: Path) -> None:
    """A command prints, to the pipe and to standard error, what stands behind it."""
    make_shop(tmp_path / "audit-trail")
    (tmp_path / "leaked-token").write_bytes(TOKEN)
    tools = Path(sys.executable).parent
    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env={"PATH": f"{tools}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | _source(),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (done.stdout + done.stderr).decode("ascii") == expected


def _source() -> dict[str, str]:
    # Where the package is, if it is not installed.
    return {"PYTHONPATH": str(ROOT / "src")} if (ROOT / "src").exists() else {}


def test_all_are_shown() -> None:
    """No command but one that goes on, or writes a file, is shown without its output."""
    commands = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    without = {each for each in commands if each.startswith("audit-mw")} - {
        command for command, _ in SHOWN.findall(TEXT)
    }

    assert all(" -f" in each or " > " in each for each in without), without
