# The READMEs of the examples, followed to the letter: each server with nginx before it.
#
# The commands, the files that they name and the requests are taken as they stand, but
# for their ports; each line that a README shows is compared with the one on disk.
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.compat.frameworks.quickstart import as_shown, differences
from tests.edges.audited import read_trail
from tests.serving import BIN, ROOT, SECONDS, Running, free_port, started

from audit_mw.event import Event
from audit_mw.trail.record import draft_event, finish_line

NAMES = ("fastapi", "flask")
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^\d+\t.*$", re.MULTILINE)


class Example:
    """
    A copy of the examples with ports of its own.

    Args:
        name: which one.
        directory: where the copy is made.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.ports = {port: free_port() for port in ("8000", "8001", "8080")}
        shutil.copytree(ROOT / "examples", directory / "examples")
        for path in (directory / "examples" / f"{name}_app").iterdir():
            if path.is_file():
                path.write_text(self.moved(path.read_text()))
        readme = directory / "examples" / f"{name}_app" / "README.md"
        self.blocks: list[str] = _BLOCK.findall(readme.read_text())

    def moved(self, text: str) -> str:
        """Return a text with our ports in the place of those that it names."""
        return re.sub(
            r"\b(?:8000|8001|8080)\b", lambda found: str(self.ports[found[0]]), text
        )

    def block(self, beginning: str) -> str:
        """Return the one block that begins so."""
        (found,) = (block for block in self.blocks if block.startswith(beginning))

        return found

    def served_by(self, command: str) -> Running:
        """Start what a block says; a server of Python takes the port of the bank."""
        port = "8080" if "nginx" in command else _PORT[self.name]

        return started(
            ["sh", "-c", f"exec env {command}" if "&&" not in command else command],
            self.ports[port],
            self.directory / f"log-{port}",
            env={
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "XDG_RUNTIME_DIR": str(self.directory),
            },
            cwd=self.directory,
        )

    def type(self, block: str) -> None:
        """Do what the lines of a block say."""
        for line in block.splitlines():
            words = shlex.split(line)
            if words[0] == "curl":
                words[1:1] = ["--disable", "--silent", "--noproxy", "*"]
            subprocess.run(
                words,
                check=True,
                capture_output=True,
                timeout=SECONDS,
                cwd=self.directory,
                env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
            )

    def awaited(self, count: int) -> list[Event]:
        """Return the events as soon as there are `count`."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            found = read_trail(self.directory / "audit-trail")
            if len(found) == count:
                return found
            time.sleep(0.02)

        raise AssertionError(f"no {count} records")

    def line(self, event: Event, number: int) -> str:
        """Return the line of an event as the README shows it."""
        moved_back = {str(ours): port for port, ours in self.ports.items()}
        shown = as_shown(event, moved_back)
        if event.micros is None:
            shown = replace(shown, micros=None)

        return finish_line(draft_event(shown), number).decode().rstrip("\n")


_PORT = {"fastapi": "8000", "flask": "8001"}


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Example:
    """Return each example in turn."""
    return Example(request.param, tmp_path)


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """End what a test started."""
    with ExitStack() as stack:
        yield stack


def _lines(example: Example) -> list[str]:
    return _LINE.findall((ROOT / f"examples/{example.name}_app/README.md").read_text())


def test_alone(example: Example, servers: ExitStack) -> None:
    """The first requests leave the line that the README shows first."""
    makefile = (ROOT / "Makefile").read_text()
    (command,) = re.findall(
        rf"^serve-{example.name}:.*\n\t(.*)$", makefile, re.MULTILINE
    )
    server = example.served_by(example.moved(command.replace("$(BIN)/", "")))
    servers.callback(server.end)
    example.type(example.block("curl -c jar"))
    events = example.awaited(3)
    (said,) = read_trail(example.directory / "audit-trail", "security")
    line, security, _ = _lines(example)
    example.type(example.block("python examples/nightly.py"))

    assert example.block("make ") == f"make serve-{example.name}\n"
    assert differences(example.line(events[1], 2), line) == []
    assert differences(example.line(said, 1), security) == []
    assert said.event == events[1].event
    assert _closed_days(example) == ["SUCCESS"]


def _closed_days(example: Example) -> list[str]:
    found = read_trail(example.directory / "audit-trail", "system")

    return [event.outcome for event in found if event.type == "day_closed"]


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_behind_nginx(example: Example, server: str, servers: ExitStack) -> None:
    """Each configuration serves; the line names the client that nginx saw."""
    for beginning in (server, "mkdir"):
        servers.callback(example.served_by(example.block(beginning)).end)
    example.type(example.block("curl --interface"))
    (event,) = example.awaited(1)
    *_, line = _lines(example)
    told = differences(example.line(event, 1), line)

    assert event.client == b"127.0.0.5"
    # uvicorn's bridge to WSGI gives neither the raw path nor the port of the peer.
    bridged = (example.name, server) == ("flask", "uvicorn")
    assert {column for column, *_ in told} == (
        {"len", "peer", "details", "check"} if bridged else set()
    )
