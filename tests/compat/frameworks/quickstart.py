# The pages of docs/quickstart/, followed to the letter.
#
# What stands in a page is told by its blocks:
#     python, behind a line that ends in "`shop.py`:"    a file
#     sh that begins with pip                            what to install
#     sh that begins with curl                           a request
#     any other sh                                       a command that serves
#     text that is a record                              the line that this writes
# A line stands for every command since the line before. What changes from run to run
# (time, ids, ports) is set to what the pages show, and the line is signed anew; so a
# page shows true lines, and each is compared whole.
#
# `python -m tests.compat.frameworks.quickstart --write` brings the lines up to date.
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from tests.edges.audited import read_trail
from tests.generated import EVENT_ID, HMAC, ROOT, TIME
from tests.serving import BIN, SECONDS, Running, free_port, serving

from audit_mw.event import Event, Param, Redacted
from audit_mw.trail.record import COLUMNS, draft_event, finish_line

__all__ = [
    "DIRECTORY",
    "PAGES",
    "PORT",
    "Page",
    "Recipe",
    "as_shown",
    "curl",
    "differences",
    "follow",
    "page_of",
    "read_page",
    "serving_page",
]

DIRECTORY = ROOT / "docs" / "quickstart"
PAGES = sorted(path for path in DIRECTORY.glob("*.md") if path.name != "README.md")
PORT = "8000"  # in every page
_CURL = b"curl/8.5.0"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"`([\w./-]+)`[^`\n]*:\n+$")
_RECORD = re.compile(r"\d+\t")


@dataclass
class Recipe:
    """Commands that serve, a request, and the line that it writes by any of them."""

    commands: list[str] = field(default_factory=list)
    request: str = ""
    line: str = ""


@dataclass
class Page:
    """What a page says: what to install, files by name, and what to do with them."""

    install: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    recipes: list[Recipe] = field(default_factory=list)

    @property
    def commands(self) -> list[str]:
        """All commands that serve."""
        return [command for recipe in self.recipes for command in recipe.commands]


def page_of(name: str) -> Page:
    """Return what the page `name` says."""
    return read_page((DIRECTORY / f"{name}.md").read_text())


def read_page(text: str) -> Page:
    """Return what the text of a page says."""
    page, recipe = Page(), Recipe()
    for block in _BLOCK.finditer(text):
        language, said = block.groups()
        if language == "python":
            named = _NAMED.search(text, 0, block.start())
            assert named is not None, f"no name of a file before:\n{said}"
            page.files[named[1]] = said
        elif language == "text" and _RECORD.match(said):
            recipe.line = said.rstrip("\n")
            page.recipes.append(recipe)
            recipe = Recipe(request=recipe.request)
        elif language == "sh" and said.startswith("pip install "):
            page.install += shlex.split(said)[2:]
        elif language == "sh" and said.startswith("curl "):
            recipe.request = said
        elif language == "sh":
            recipe.commands.append(said)

    return page


def follow(page: Page, recipe: Recipe, command: str, directory: Path) -> str:
    """Serve, send the request; return the line that it writes, as a page shows it."""
    with serving_page(page, command, directory) as running:
        asked, _ = _typed(recipe.request, running.port)
        curl(*asked[1:])
        event = _awaited(directory / "audit-trail", running)
    shown = as_shown(event, {str(running.port): PORT})

    return finish_line(draft_event(shown), 1).decode().rstrip("\n")


@contextmanager
def serving_page(
    page: Page, command: str, directory: Path, **env: str
) -> Iterator[Running]:
    """Write the files of a page, and run one of its commands, on a port of our own."""
    for name, said in page.files.items():
        (directory / name).write_text(said)
    port = free_port()
    words, given = _typed(command, port)
    # gunicorn keeps a socket there.
    given |= {"XDG_RUNTIME_DIR": str(directory)} | env
    log = directory / "served"
    with serving(words, port, log, env=given, cwd=directory) as running:
        yield running


def curl(*words: str) -> None:
    """Send a request with curl, and nothing from a configuration of whoever runs it."""
    # --disable counts in the first place only.
    quiet = ["--disable", "--silent", "--show-error", "--noproxy", "*"]
    command = ["curl", *quiet, *words]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)


def _typed(command: str, port: int) -> tuple[list[str], dict[str, str]]:
    words = shlex.split(command.replace(PORT, str(port)).replace("\\\n", " "))
    env: dict[str, str] = {}
    while re.match(r"[A-Z_]+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        env[name] = value
    if (BIN / words[0]).exists():
        words[0] = str(BIN / words[0])

    return words, env


def _awaited(trail: Path, running: Running) -> Event:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if found := read_trail(trail):
            (event,) = found
            return event
        time.sleep(0.02)

    raise AssertionError(f"no record: {running.said()}")


def as_shown(event: Event, ports: Mapping[str, str]) -> Event:
    """
    Return an event with what changes from run to run as the pages show it.

    Args:
        event: as it was read.
        ports: those that were taken, and in the place of which.
    """
    assert isinstance(event.peer, bytes)

    return replace(
        event,
        time=TIME,
        event=EVENT_ID,
        instance="web1:4711:1eeb7084",
        peer=re.sub(rb":\d+$", b":41522", event.peer),
        session=event.session and HMAC,
        micros=1834,
        params=tuple(_param(param, ports) for param in event.params),
    )


def _param(param: Param, ports: Mapping[str, str]) -> Param:
    value = param.value
    if isinstance(value, Redacted) and value.hmac:
        value = replace(value, hmac=HMAC)
    elif isinstance(value, bytes) and param.source == "header":
        for taken, shown in ports.items():
            value = value.replace(f":{taken}".encode(), f":{shown}".encode())
        value = re.sub(rb"^curl/[\d.]+$", _CURL, value)

    return param._replace(value=value)


def differences(line: str, shown: str) -> list[tuple[str, str, str]]:
    """Return (column, written, shown) where two lines differ."""
    names = (column.name for column in COLUMNS)
    cells = zip_longest(names, line.split("\t"), shown.split("\t"), fillvalue="")

    return [cell for cell in cells if cell[1] != cell[2]]


def _written(path: Path) -> str:
    text = path.read_text()
    page = read_page(text)
    for recipe in page.recipes:
        with tempfile.TemporaryDirectory() as directory:
            line = follow(page, recipe, recipe.commands[0], Path(directory))
        text = text.replace(recipe.line, line)

    return text


def main(arguments: Sequence[str]) -> int:
    """Write the lines of the pages that are named, or of all; return the exit code."""
    named = [word for word in arguments if not word.startswith("-")]
    for path in _asked(named):
        text = _written(path)
        if "--write" in arguments:
            path.write_text(text)
        elif text != path.read_text():
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale\n")
            return 1

    return os.EX_OK


def _asked(named: Sequence[str]) -> Iterator[Path]:
    return (path for path in PAGES if not named or path.stem in named)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
