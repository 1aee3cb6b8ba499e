# What the comparison of the suites rests on, without the suites: `make test-peers`.
from dataclasses import replace
from typing import Any

import pytest
from tests.compat.peers.compare import Report, complaints
from tests.compat.peers.page import PAGE, render
from tests.compat.peers.rewrite import rewrite
from tests.compat.peers.suites import SUITES, Difference, Suite

SUITE = Suite(name="x", version="1", how="all", passed=1, requests=2, needs=())
BARE = Report(outcomes={"a": "passed", "b": "failed"})
COUNTED: dict[str, Any] = {"asked": {"a": 1}, "seen": {"a": 2}, "recorded": {"a": 2}}
WRAPPED = replace(BARE, **COUNTED)


def _listing(*tests: str) -> Suite:
    return replace(SUITE, differences={test: Difference(why="-") for test in tests})


def test_page() -> None:
    """The page says what the table of suites says."""
    text = PAGE.read_text()

    assert render(text) == text, "run python -m tests.compat.peers.run --write"
    for suite in SUITES:
        assert f"| {suite.name} {suite.version} |" in text


def test_no_complaint() -> None:
    """Two runs with the same outcomes, and a record of each request, are right."""
    assert complaints(SUITE, BARE, WRAPPED) == []


@pytest.mark.parametrize(
    ("suite", "changes", "expected"),
    [
        pytest.param(
            SUITE,
            {"outcomes": {"a": "failed", "b": "failed"}},
            "not listed",
            id="fails",
        ),
        pytest.param(
            SUITE,
            {"outcomes": {"a": "passed", "b": "passed"}},
            "not listed",
            id="mends",
        ),
        pytest.param(
            SUITE, {"outcomes": {"a": "passed"}}, "not run wrapped", id="gone"
        ),
        pytest.param(_listing("a"), {}, "listed, but", id="no longer"),
        pytest.param(SUITE, {"uncollected": ["m"]}, "m: not collected", id="collected"),
        pytest.param(SUITE, {"damaged": ["line 1"]}, "damaged: line 1", id="damaged"),
        pytest.param(
            SUITE, {"recorded": {"a": 1, "b": 1}}, "2 requests seen", id="lost"
        ),
        pytest.param(SUITE, {"asked": {"b": 1}}, "b: 1 requests sent", id="passed by"),
        pytest.param(
            SUITE,
            {"seen": {}, "recorded": {}, "asked": {}},
            "only 0 requests",
            id="none",
        ),
        pytest.param(replace(SUITE, passed=2), {}, "only 1 tests", id="few"),
    ],
)
def test_complaint(suite: Suite, changes: dict[str, Any], expected: str) -> None:
    """Whatever is not as it should be is said."""
    wrapped = replace(WRAPPED, **changes)

    assert expected in "\n".join(complaints(suite, BARE, wrapped))


def test_listed_difference() -> None:
    """A difference that is listed is none to complain of."""
    wrapped = replace(WRAPPED, outcomes={"a": "failed", "b": "failed"})

    assert complaints(_listing("a"), BARE, wrapped) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("await app(scope, receive, send)", "await audited(app)(scope, receive, send)"),
        ("await X('é')({}, a, b)  # 1", "await audited(X('é'))({}, a, b)  # 1"),
        (
            "start(app, scope, receive, send)",
            "start(audited(app), scope, receive, send)",
        ),
        ("await send(message)", "await send(message)"),
        ("await f(1, 2, three=3)", "await f(1, 2, three=3)"),
    ],
)
def test_rewrite(before: str, after: str) -> None:
    """A call of an application is wrapped where it stands; all else stays."""
    frame = "async def test():\n    {}\n\n\nx = 1\n"
    text, count = rewrite(frame.format(before))

    assert text == frame.format(after)
    assert count == (before != after)
