# The whole report, as it is made: real servers, real load, and little of both. What it
# finds is no matter of a test.
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks.contenders import CONTENDERS, of_stack
from benchmarks.load import generator
from benchmarks.servers import SERVERS
from benchmarks.typical import REQUESTS
from tests.serving import ROOT

SECONDS = 300  # until a run that hangs is given up


def ran(directory: Path, *arguments: str) -> Mapping[str, Any]:
    """Make a report into a directory, and return its numbers."""
    command = [sys.executable, "-m", "benchmarks.report", "--quick"]
    clean = {key: it for key, it in os.environ.items() if key != "PYTHONDEVMODE"}
    made = subprocess.run(
        [*command, "--out", str(directory), *arguments],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == str(directory / "REPORT.md")
    numbers: Mapping[str, Any] = json.loads((directory / "REPORT.json").read_text())
    return numbers


def test_whole_report(tmp_path: Path) -> None:
    """One run makes the text, the charts that it shows, and the numbers."""
    choice = "--server", "uvicorn", "--workload", "get"
    two = "--contender", "alone", "--contender", "middleware"
    numbers = ran(tmp_path, *choice, *two, "--workload", "upload", "--no-probes")
    text = (tmp_path / "REPORT.md").read_text()
    (only,) = numbers["cases"][0]["rounds"]
    shown = [it.partition("](")[2][:-1] for it in text.splitlines() if "![" in it]

    assert sorted(only) == ["alone", "middleware"]
    assert only["middleware"]["recorded"] == 1
    assert all(it["micros"] > 0 and it["p50"] <= it["p99"] for it in only.values())
    assert sorted(numbers["uploads"]["uvicorn"]) == ["alone", "middleware"]
    assert len(shown) == 3
    assert {ET.parse(tmp_path / it).getroot().tag for it in shown} == {
        "{http://www.w3.org/2000/svg}svg"
    }
    for heading in ("uvicorn: get", "An upload of 8 MiB", "Versions of the peers"):
        assert f"\n## {heading}\n" in text


@pytest.mark.long
@pytest.mark.parametrize("server", SERVERS)
def test_every_contender(tmp_path: Path, server: str) -> None:
    """Under each server each of its contenders is measured, and what it does is tried."""
    numbers = ran(tmp_path, "--server", server, "--workload", "get", "--no-charts")
    (case,) = numbers["cases"]
    names = [it.name for it in of_stack(SERVERS[server].stack)]
    probes = numbers["probes"][server]

    assert case["broken"] == {}
    assert sorted(case["rounds"][0]) == sorted(names)
    assert [it for it in names if CONTENDERS[it].evidence] == [
        name for name, found in probes.items() if found["params"] == "yes"
    ]
    assert probes["middleware"]["body"] == "yes"
    assert probes["middleware"]["address"] == "peer and client"
    assert probes["middleware"]["injection"] == "are escaped"
    assert probes["middleware"]["killed"].startswith("loses 0 of ")
    assert probes["middleware"]["full"] == "answers 503"


@pytest.mark.long
@pytest.mark.parametrize(
    ("server", "seconds"),
    [
        pytest.param("uvicorn", 1, id="wrk, where it is"),
        pytest.param("gunicorn gthread", 0.2, id="our own client"),
    ],
)
def test_every_workload(tmp_path: Path, server: str, seconds: float) -> None:
    """Each workload is answered, by the application alone and with the middleware."""
    two = "--contender", "alone", "--contender", "middleware"
    choice = "--server", server, *two, "--seconds", str(seconds)
    numbers = ran(tmp_path, *choice, "--no-charts", "--no-probes")

    assert numbers["settings"]["load by"] == generator(seconds)
    assert [case["workload"] for case in numbers["cases"]] == [*REQUESTS]
    assert all(
        sorted(it["rounds"][0]) == ["alone", "middleware"] for it in numbers["cases"]
    )
