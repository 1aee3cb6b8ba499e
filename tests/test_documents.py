# What a document shows is what happens.
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.generated import ROOT, documents, main, render

from audit_mw.cli import main as tool
from audit_mw.config import Config
from audit_mw.trail.record import COLUMNS, decode_line

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Its Python is run by tests/compat/frameworks, with the frameworks that it needs.
QUICKSTART = ROOT / "docs" / "quickstart"
BLOCKS = [
    pytest.param(path, language, text, id=f"{path.relative_to(ROOT)}:{number}")
    for path in documents()
    for number, (language, text) in enumerate(FENCE.findall(path.read_text()), 1)
    if language != "python" or QUICKSTART not in path.parents
]


@pytest.mark.parametrize(
    "path", documents(), ids=lambda path: str(path.relative_to(ROOT))
)
def test_generated_blocks(path: Path) -> None:
    """Each block that is drawn from the code says what the code says."""
    text = path.read_text()

    assert render(text) == text


def test_check_passes() -> None:
    """The command that CONTRIBUTING.md names agrees."""
    assert main(["--check"]) == 0


def test_lines() -> None:
    """Each line of a trail that a document shows is whole: length and check are right."""
    lines = {
        line
        for path in documents()
        for line in path.read_text().splitlines()
        if line.count("\t") == len(COLUMNS) - 1 and line[0] != "#"
    }

    assert [decode_line(f"{line}\n".encode()).event.time for line in lines]


@pytest.mark.parametrize(("path", "language", "text"), BLOCKS)
def test_block(path: Path, language: str, text: str, tmp_path: Path) -> None:
    """A Python block runs, a TOML block is read, a shell block names what exists."""
    check = {"python": _runs, "toml": _configures, "sh": _exists}.get(language)
    if check is not None:
        check(text, tmp_path)
    else:
        assert language == "text", path


def _runs(text: str, tmp_path: Path) -> None:
    """Run it in a directory of its own, the application it needs put before it."""
    before = "def app(environ, start_response): ...\n"
    subprocess.run(
        [sys.executable, "-c", before + text], cwd=tmp_path, check=True, timeout=60
    )


def _configures(text: str, tmp_path: Path) -> None:
    """Read the table as the package does."""
    path = tmp_path / "options.toml"
    path.write_text(text)

    Config.load(environ={"AUDIT_MW_CONFIG": str(path)})
    assert tomllib.loads(text)["tool"]["audit_mw"]


def _exists(text: str, _tmp_path: Path) -> None:
    """Find each make target in the Makefile and each command of ours in its help."""
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for command in re.findall(r"^audit-mw (\w+)", text, re.MULTILINE):
        _helps(command)


@cache  # documents name the same commands many times
def _helps(command: str) -> None:
    shown = CliRunner().invoke(tool, [command, "--help"])

    assert not shown.exit_code, shown.output


def test_named_files_exist() -> None:
    """A file of the project that a document names in backquotes is there."""
    named = {
        (path, name)
        for path in documents()
        for name in re.findall(
            r"`((?:docs/|src/|tests/)?[\w/-]+\.(?:md|py))`", path.read_text()
        )
        if "/" in name or name.endswith(".md")
    }

    places = (ROOT, ROOT / "src" / "audit_mw")
    missing = {
        (str(path), name)
        for path, name in named
        if not any((place / name).exists() for place in places)
    }

    assert missing == set()
