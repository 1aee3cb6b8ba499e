# What visitors have left behind: the trail of one interface, and what they were answered.
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.edges.audited import read_trail
from tests.serving import ROOT

from audit_mw.event import Event, Param

__all__ = ["STREAMS", "Site", "site_of", "visit_all"]

STREAMS = ("session", "security", "error", "fault")


@dataclass
class Site:
    """What visitors were answered, and the trail of it."""

    trail: Path
    answers: dict[str, int]
    keys: list[str]
    events: dict[str, list[Event]]

    def request(self, case: str) -> Event:
        """Return the record of the request of a step."""
        named = Param("header", b"x-request-id", case.encode())
        (event,) = (each for each in self.events["request"] if named in each.params)

        return event

    def told(self, case: str, stream: str) -> list[Event]:
        """Return what else is told of that request, in a stream."""
        event = self.request(case).event

        return [each for each in self.events[stream] if each.event == event]

    def one(self, case: str, stream: str) -> Event:
        """Return the one thing that is told of it, in any stream but its own."""
        (found,) = (each for name in STREAMS for each in self.told(case, name))
        assert found.stream == stream

        return found


def visit_all(directory: Path) -> None:
    """Let the project be visited, in a process of its own."""
    command = [sys.executable, "-m", "tests.integrations.project.visits"]
    done = subprocess.run(
        [*command, str(directory)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


def site_of(directory: Path, kind: str) -> Site:
    """Return what one interface has left."""
    trail = directory / kind
    noted = json.loads((directory / f"{kind}.json").read_text())
    events = {name: read_trail(trail, name) for name in ("request", *STREAMS)}

    return Site(trail, noted["answers"], noted["keys"], events)
