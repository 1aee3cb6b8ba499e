# Where a suite runs: a directory with an environment of its own, and two copies of the
# source distribution, one as it is and one whose tests are rewritten.
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.compat.peers.compare import Report
from tests.compat.peers.rewrite import rewrite_tree
from tests.compat.peers.suites import Suite
from tests.serving import ROOT

__all__ = ["Workplace", "build_wheel"]

_SECONDS = 400  # until a run is taken to hang
_BARE = ("-p", "peers.inside.outcomes")
_WRAPPED = (*_BARE, "-p", "peers.inside.audited", "-p")
_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


class Workplace:
    """
    Sets a suite up, and runs it.

    Args:
        suite: its row.
        directory: is made.
        wheel: of this project.
    """

    def __init__(self, suite: Suite, directory: Path, wheel: Path) -> None:
        self._suite = suite
        self._directory = directory
        self._python = directory / "env" / "bin" / "python"
        self._set_up(wheel)

    def _set_up(self, wheel: Path) -> None:
        suite = self._suite
        pinned = f"{suite.name}=={suite.version}"
        venv.create(self._directory / "env", with_pip=True)
        _pip(self._python, "install", str(wheel), pinned, *suite.needs)
        source = ("--no-binary", suite.name, "--no-deps", pinned)
        _pip(self._python, "download", "-d", str(self._directory), *source)
        for copy in ("bare", "wrapped"):
            self._unpack(copy)
        rewrite_tree(self._directory / "wrapped" / "tests")

    def _unpack(self, copy: str) -> None:
        (archive,) = self._directory.glob("*.tar.gz")
        into = self._directory / f"{copy}.unpacked"
        shutil.unpack_archive(archive, into, filter="data")
        (root,) = into.iterdir()
        root.rename(self._directory / copy)

    def bare(self, tests: Sequence[str] = ()) -> Report:
        """Run the suite, or some of its tests, as it is."""
        return self._run("bare", _BARE, tests or self._suite.paths)

    def wrapped(self, tests: Sequence[str] = ()) -> Report:
        """Run the suite, or some of its tests, with every application wrapped."""
        return self._run("wrapped", self._wraps(), tests or self._suite.paths)

    def passed_on(self, tests: Sequence[str]) -> Report:
        """Run some tests, wrapped in what does nothing but pass on."""
        return self._run("wrapped", self._wraps(), tests, PEER_PASSES_ON="1")

    def _wraps(self) -> tuple[str, ...]:
        return (*_WRAPPED, f"peers.inside.{self._suite.name}_wrapped")

    def _run(
        self, copy: str, plugins: Sequence[str], tests: Sequence[str], **env: str
    ) -> Report:
        name = "-".join([copy, *env])
        report = self._directory / f"{name}.json"
        told = {"PEER_REPORT": str(report), "PEER_TRAILS": f"{report}.trails"}
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [self._python, *_PYTEST, *plugins, *self._suite.options, *tests],
            cwd=self._directory / copy,
            env=_environment() | told | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
        if not report.exists():
            said = done.stdout.decode(errors="replace")[-4000:]
            raise RuntimeError(f"{self._suite.name}: no report of {name}:\n{said}")

        return Report(**json.loads(report.read_text()))


def build_wheel(directory: Path) -> Path:
    """Build a wheel of this project; return its path."""
    _pip(sys.executable, "wheel", "--no-deps", "-w", str(directory), str(ROOT))
    (wheel,) = directory.glob("*.whl")

    return wheel


def _pip(python: Path | str, *arguments: str) -> None:
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stdout.decode(errors="replace")[-4000:])


def _environment() -> dict[str, str]:
    # What makes pytest or Python behave otherwise is ours, not the suite's.
    ours = ("PYTHON", "PYTEST", "COVERAGE", "AUDIT_MW", "VIRTUAL_ENV")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    # `peers` is found in tests/compat; `tests` must be the suite's own.
    path = str(ROOT / "tests" / "compat")

    return inherited | {
        "PYTHONPATH": path,
        "PYTHONASYNCIODEBUG": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
