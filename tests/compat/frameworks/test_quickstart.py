# Every page of docs/quickstart/ is followed: its files are written, its commands serve,
# its request is sent, and the line is the one that it shows.
import re
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest
from tests.compat.frameworks.quickstart import (
    DIRECTORY,
    PAGES,
    Page,
    Recipe,
    differences,
    follow,
    read_page,
)

from audit_mw.trail.record import decode_line

PAGE = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def _steps() -> list[object]:
    return [
        pytest.param(page, recipe, command, id=f"{path.stem}: {command.strip()}")
        for path in PAGES
        for page in (read_page(path.read_text()),)
        for recipe in page.recipes
        for command in recipe.commands
    ]


@pytest.mark.parametrize(("page", "recipe", "command"), _steps())
def test_page(page: Page, recipe: Recipe, command: str, tmp_path: Path) -> None:
    """Who does what a page says has the line that it shows, in every column."""
    line = follow(page, recipe, command, tmp_path)

    assert differences(line, recipe.line) == []


@PAGE
def test_page_is_whole(path: Path) -> None:
    """A page says what to install, an application, a request, commands and lines."""
    page = read_page(path.read_text())

    assert page.files
    assert page.recipes
    assert all(recipe.commands and recipe.request for recipe in page.recipes)


@PAGE
def test_line_is_true(path: Path) -> None:
    """A line in a page is one that the reader takes: length and check fit."""
    for recipe in read_page(path.read_text()).recipes:
        decode_line(recipe.line.encode() + b"\n")


@PAGE
def test_install(path: Path) -> None:
    """What a page installs exists, and has the command that serves in it."""
    page = read_page(path.read_text())
    installed = [distribution(name.partition("[")[0]).name for name in page.install]
    scripts = {
        script.name: script.dist.name
        for script in entry_points(group="console_scripts")
        if script.dist
    }
    used = {
        scripts[word]
        for recipe in page.recipes
        for command in recipe.commands
        for word in command.split()
        if word in scripts
    }

    assert "audit-mw" in installed
    assert used <= set(installed)


def test_index() -> None:
    """The index names every page, and nothing that is not there."""
    linked = re.findall(r"\]\(([\w.-]+\.md)\)", (DIRECTORY / "README.md").read_text())

    assert sorted(linked) == sorted(path.name for path in PAGES)
