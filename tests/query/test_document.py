# docs/query.md: each saved query is there, with the answer that it gives.
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.generated import ROOT
from tests.query.shop import day

from audit_mw.cli.query import query
from audit_mw.event import STREAMS
from audit_mw.query.saved import saved
from audit_mw.query.views import FUNCTIONS, VIEWS

_PAGE = (ROOT / "docs/query.md").read_text()
_BLOCK = re.compile(
    r"<!-- query: ([\w-]+) -->\n```sh\naudit-mw query (.*?)\n```\n\n```text\n(.*?)```",
    re.DOTALL,
)
SHOWN = {name: (words, text) for name, words, text in _BLOCK.findall(_PAGE)}
_DIGEST = "1c2d3e4f.66b80c3dddc06bfe62325dfdfc092e60"
# What changes from run to run; and rules and spaces, which are as long as that is.
_CHANGES = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "TIME"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", "EVENT"),
    (r"\b[0-9a-f]{8}\.[0-9a-f]{32}\b", "DIGEST"),
    (r"\b[\w.-]+:\d+:[0-9a-f]{8}\b", "INSTANCE"),
    (r"(?<![\d.])\d+\.\d+(?![\d.])", "SECONDS"),
    (r"-{2,}", "-"),
    (r" +", " "),
)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the trail of a day at the shop."""
    return day(tmp_path_factory.mktemp("shop") / "trail")


def _plain(text: str) -> list[str]:
    for pattern, word in _CHANGES:
        text = re.sub(pattern, word, text)

    return [line.strip() for line in text.splitlines()]


def _session(trail: Path, user: str) -> str:
    words = ["--trail", str(trail), "--format", "jsonl", "user-activity"]
    shown = CliRunner().invoke(query, [*words, "--set", f"user={user}"]).stdout
    found = [json.loads(line)["session"] for line in shown.splitlines()]

    return str(next(each for each in found if each))


def test_all_are_there() -> None:
    """Each saved query is on the page, with what it is for and what it asks."""
    assert list(SHOWN) == sorted(saved())
    for each in saved().values():
        assert each.purpose in _PAGE
        assert all(it.meaning in _PAGE for it in each.parameters)


def test_views_are_there() -> None:
    """Each view and each function is on the page."""
    for name in (*STREAMS, *VIEWS, *(call for call, _, _ in FUNCTIONS)):
        assert f"`{name}`" in _PAGE


@pytest.mark.parametrize("name", SHOWN)
def test_answer(trail: Path, name: str) -> None:
    """A saved query gives the answer that the page shows."""
    words, text = SHOWN[name]
    real = words.replace(_DIGEST, _session(trail, "bob")).split()
    shown = CliRunner().invoke(query, ["--trail", str(trail), *real])

    assert shown.exit_code == (0 if len(text.splitlines()) > 2 else 1)
    # How long something took is for no test to say.
    rows = slice(None, 2 if name == "slowest" else None)
    assert _plain(text)[rows] == _plain(shown.stdout)[rows]
