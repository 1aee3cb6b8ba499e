# What `import audit_mw` gives, and what a command imports.
import pickle
import pydoc
import subprocess
import sys
from collections.abc import Sequence
from pkgutil import iter_modules
from typing import Any

import click
import pytest

import audit_mw
from audit_mw import door
from audit_mw.cli import main

COMMANDS = main.list_commands(click.Context(main))
# Modules that serve requests, and no reader needs.
SERVING = (
    *("audit_mw.middleware", "audit_mw.exchange", "audit_mw.policy.redaction"),
    *("audit_mw.trail.writer", "audit_mw.wire.multipart", "werkzeug", "asyncio"),
)


def imported(code: str, words: Sequence[str] = ()) -> set[str]:
    """Return which modules a process of its own has, after it ran `code`."""
    program = f"import sys\nsys.argv = {['audit-mw', *words]}\ntry:\n  {code}\n"
    program += "finally:\n  print('\\n', *sys.modules, sep='\\n')"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    return set(found.stdout.splitlines())


def test_package() -> None:
    """The package alone imports nothing that serves requests."""
    found = imported("import audit_mw")

    assert "audit_mw" in found
    assert [name for name in found if name.startswith("audit_mw.")] == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["find", "--help"], id="find"),
        pytest.param(["query", "--list"], id="query"),
        pytest.param(["verify", "--help"], id="verify"),
    ],
)
def test_command(words: Sequence[str]) -> None:
    """A command imports what it needs, not what serves requests."""
    found = imported("from audit_mw.cli import main; main()", words)

    assert "audit_mw.cli" in found
    assert sorted(found.intersection(SERVING)) == []


def test_help_alone() -> None:
    """What the commands are is told without any of them."""
    found = imported("from audit_mw.cli import main; main()", ["--help"])

    assert [name for name in found if name.startswith("audit_mw.")] == ["audit_mw.cli"]


def test_one_command() -> None:
    """A command does not import the others, nor what they alone need."""
    found = imported("from audit_mw.cli import main; main()", ["find", "--help"])

    assert "audit_mw.cli.find" in found
    assert found.isdisjoint({"duckdb", "audit_mw.cli.query", "audit_mw.cli.doctor"})


@pytest.mark.parametrize("name", audit_mw.__all__)
def test_names(name: str) -> None:
    """Each public name is what the door has, however it is asked for."""
    given: dict[str, Any] = {}
    exec(f"from audit_mw import {name}", given)

    assert given[name] is getattr(audit_mw, name) is getattr(door, name)


def test_all() -> None:
    """The package and the door name the same, and `dir` has all of it."""
    assert audit_mw.__all__ == door.__all__
    assert set(dir(audit_mw)) >= {*audit_mw.__all__, "__version__", "__all__"}


def test_once_for_all() -> None:
    """Who has one name has them all: no request has to import another."""
    found = imported("import audit_mw; audit_mw.AuditMiddleware")

    assert {"audit_mw.voice", "audit_mw.health_endpoint"} <= found


@pytest.mark.parametrize("name", ["flask", "django", "logging", "application"])
def test_integrations(name: str) -> None:
    """Nor has it to where the middleware came with an integration."""
    before = imported(f"import audit_mw.integrations.{name}")
    after = imported(f"import audit_mw.integrations.{name}; audit_mw.login")

    assert "audit_mw.door" in before
    assert after == before


def test_no_such_name() -> None:
    """Another name is told as of any module."""
    with pytest.raises(AttributeError, match="'audit_mw' has no attribute 'Audit'"):
        getattr(audit_mw, "Audit")  # noqa: B009 - mypy knows that it is not there


def test_modules() -> None:
    """No module is called as a public name is: importing it would hide that."""
    modules = {each.name for each in iter_modules(audit_mw.__path__)}

    assert modules.isdisjoint(audit_mw.__all__)


@pytest.mark.parametrize("name", ["AuditError", "AuditMiddleware", "login"])
def test_pickle(name: str) -> None:
    """A public name is pickled as what it is."""
    each = getattr(audit_mw, name)

    assert pickle.loads(pickle.dumps(each)) is each


def test_help_of_package() -> None:
    """`help(audit_mw)` tells of what is public."""
    shown = pydoc.plain(pydoc.render_doc(audit_mw))

    assert [name for name in audit_mw.__all__ if name not in shown] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_said_twice(name: str) -> None:
    """What help says of a command is what the command says of itself."""
    context = click.Context(main)
    command = main.get_command(context, name)
    assert command is not None
    shown = main.get_help(context).split("Commands:")[1].splitlines()
    said = {words[0]: words[1] for line in shown if (words := line.split(maxsplit=1))}

    short = command.get_short_help_str(len(said[name]) + 3)
    assert short.rstrip(".").startswith(said[name].rstrip("."))


def test_no_such_command() -> None:
    """A command that there is not is told so."""
    assert main.get_command(click.Context(main), "os") is None
