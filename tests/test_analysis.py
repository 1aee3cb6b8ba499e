# The commands of docs/analysis.md, over the trail of a worker that was really killed.
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.examples.story import TOKEN, Customers, live
from tests.generated import EVENT_ID, HMAC, ROOT

from audit_mw.config import Config
from audit_mw.policy.keyring import Keyring
from audit_mw.trail.key import load_key
from audit_mw.upkeep.recover import recover_trail

_PAGE = (ROOT / "docs/analysis.md").read_text()
_BLOCK = re.compile(
    r"<!-- analysis: (\w+) -->\n```sh\n(.*?)^```\n\n```text\n(.*?)^```",
    re.DOTALL | re.MULTILINE,
)
QUESTIONS = {name: (command, shown) for name, command, shown in _BLOCK.findall(_PAGE)}
# The six questions that a trail must answer, and the others of the page.
_ASKED = ("attempts", "session", "looked", "leaked", "failed", "crashed")
_NAMES = (*_ASKED, "columns", "touched", "digest", "last", "errors")
_ALLOWED = {"awk", "grep", "sort", "join"}
_DIGEST = "audit-mw digest --trail audit-trail < leaked-token"
# What changes from run to run, as the page has it.
_SHOWN = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "2026-11-21T05:26:07.123456Z"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{22}", EVENT_ID),
    (r"\b[\w.-]+:\d+:[0-9a-f]{8}\b", "web1:4711:1eeb7084"),
    (r"Werkzeug/[\d.]+", "Werkzeug/3.1.3"),
)


@dataclass(frozen=True)
class Day:
    """What the day left: its directory, and the digests that the page has others for."""

    directory: Path
    digests: Mapping[str, str]

    def answer(self, command: str) -> str:
        """Return the output of a command, as the page shows it."""
        for real, shown in self.digests.items():
            command = command.replace(shown, real)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={"PATH": path, "LC_ALL": "C"},
        )
        assert done.stderr == ""

        return self._shown(done.stdout)

    def _shown(self, text: str) -> str:
        for real, shown in self.digests.items():
            text = text.replace(real, shown)
        for pattern, shown in _SHOWN:
            text = re.sub(pattern, shown, text)

        return text if text.endswith("\n") else f"{text}\n"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Return the trail of a day, its last worker killed in the middle of a request."""
    directory = tmp_path_factory.mktemp("day")
    trail = directory / "audit-trail"
    them = Customers(str(trail))
    live(them)
    them.close()
    last = _killed(trail)
    (directory / "leaked-token").write_text(TOKEN)
    digest = Keyring(load_key(Config.load({"trail": str(trail)}))).digest
    shown = {
        them.session("alice"): HMAC,
        them.session("bob"): f"1c2d3e4f.{'b' * 32}",
        last: f"1c2d3e4f.{'a' * 32}",
        TOKEN: "1c2d3e4f.0d6f1c2b9a8e4f5d7c3b2a1908f7e6d5",
    }

    return Day(directory, {digest(key.encode()): shown[key] for key in shown})


def _killed(trail: Path) -> str:
    """Kill a worker that hangs, bring in what it left; return the session it served."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.examples.story", trail],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert worker.stdout is not None
        session = worker.stdout.readline().decode().strip()
    finally:
        worker.kill()
        worker.communicate()
    assert [is_done for _, is_done in recover_trail(trail, None)] == [True]

    return session


def test_questions() -> None:
    """Each question is on the page, with its answer, and none is there untested."""
    assert sorted(QUESTIONS) == sorted(_NAMES)
    assert _PAGE.count("<!-- analysis: ") == len(_NAMES)
    assert all(shown.strip() for _, shown in QUESTIONS.values())


@pytest.mark.parametrize("name", _NAMES)
def test_answer(day: Day, name: str) -> None:
    """A command of the page gives the answer that the page shows."""
    command, shown = QUESTIONS[name]

    assert day.answer(command) == shown


def test_lure(day: Day) -> None:
    """What the page says of paths is so: without the column, Mallory's line is found."""
    found = day.answer(
        'grep -h \'"reason":"process_died"\' */request/*.log '
        "| awk -F '\\t' '{print $15}'"
    )

    assert found.splitlines() == ['/"reason":"process_died"', "/transfer"]


@pytest.mark.parametrize("name", _NAMES)
def test_one_command(name: str) -> None:
    """A question is one command of grep, awk, sort and join; a digest is made by ours."""
    command = QUESTIONS[name][0].replace(_DIGEST, "")
    bare = re.sub(r"\$?'[^']*'", "", command)
    words = re.findall(r"(?:^|\| |<\(|\$\()([\w-]+)", bare)

    assert command.count("\n") == 1
    assert set(words) <= _ALLOWED
