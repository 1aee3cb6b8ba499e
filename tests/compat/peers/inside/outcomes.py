# A pytest plugin for both runs of a suite: what became of each test, into a file.
#
# PEER_REPORT names the file. A run that dies leaves none.
import json
import os
from pathlib import Path
from typing import Any

import pytest

_outcomes: dict[str, str] = {}
_reasons: dict[str, str] = {}
_uncollected: list[str] = []  # modules that could not be imported
_tables: dict[str, Any] = {}
_here = str(Path.cwd())  # not later: some tests make the system look like another


def name_of(nodeid: str) -> str:
    """Return the id of a test, the same in both copies of a suite."""
    return nodeid.replace(_here, ".")  # parameters may hold a path


def add_table(name: str, table: Any) -> None:
    """Have `table`, as it stands at the end, written to the report too."""
    _tables[name] = table


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst of set-up, call and tear-down."""
    test, became = name_of(report.nodeid), _became(report)
    if _outcomes.get(test) in (None, "passed") or became == "failed":
        _outcomes[test] = became
    if became == "failed":
        _reasons.setdefault(test, report.longreprtext[-4000:])


def _became(report: pytest.TestReport) -> str:
    if not hasattr(report, "wasxfail"):
        return report.outcome

    return "xfailed" if report.skipped else "xpassed"


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Keep what could not be collected: its tests are missing from both runs."""
    if report.failed:
        _uncollected.append(f"{report.nodeid}: {report.longreprtext[-1000:]}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Write the report."""
    told = {
        "outcomes": _outcomes,
        "reasons": _reasons,
        "uncollected": _uncollected,
        **_tables,
    }
    Path(os.environ["PEER_REPORT"]).write_text(json.dumps(told))
