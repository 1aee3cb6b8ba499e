# Who cannot be measured: named with the reason, while the others go on.
import subprocess
import sys

import pytest
from benchmarks.contenders import CONTENDERS, Contender, of_stack, versions
from benchmarks.measuring import rounds_of
from benchmarks.servers import SERVERS
from benchmarks.typical import REQUESTS
from tests.serving import ROOT


@pytest.mark.parametrize("server", SERVERS)
def test_bases(server: str) -> None:
    """Under each server there are those that all others are compared with."""
    names = [it.name for it in of_stack(SERVERS[server].stack)]

    assert names[:3] == ["alone", "access log", "middleware"]
    assert len(names) > 3


def test_versions() -> None:
    """Of what is not installed there is no version."""
    odd = Contender("odd", {}, "", "", ("pytest", "no-package-of-anybody"))

    assert versions(odd) == {
        "pytest": pytest.__version__,
        "no-package-of-anybody": None,
    }


def test_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contender that does not start is named with the reason, and not asked again."""
    gone = Contender("gone", {"asgi": "benchmarks.no_such_module:asgi"}, "", "")
    monkeypatch.setitem(CONTENDERS, "gone", gone)
    rounds, broken = rounds_of("uvicorn", REQUESTS["bare"], ["gone", "alone"], 2, 0.1)

    assert [sorted(it) for it in rounds] == [["alone"], ["alone"]]
    assert "no_such_module" in broken["gone"]


def test_without_matplotlib() -> None:
    """Where charts cannot be drawn, the extra is named before anything is measured."""
    code = (
        "import sys; sys.modules['matplotlib'] = None;"
        "from benchmarks.report.__main__ import main; main(['--quick'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert "pip install 'audit-mw[bench]'" in ran.stderr
    assert ran.stdout == ""
