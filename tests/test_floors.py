from pathlib import Path

import pytest
from tests.floors import ROOT, draw, main, problems, read_sources, unknown_words

# The smallest house: a module on each floor.
HOUSE = {
    "__init__.py": "from audit_mw.middleware import AuditMiddleware\n",
    "middleware.py": "from audit_mw.asgi import A\nfrom audit_mw.auditor import B\n",
    "asgi.py": "import os\nfrom audit_mw.event import Event\n",
    "wsgi.py": "",
    "auditor.py": "from audit_mw.trail.writer import Writer\nimport audit_mw.exchange\n",
    "recorder.py": "",
    "ids.py": "import os, time\n",
    "exchange.py": "from audit_mw.policy import client\n",
    "policy/__init__.py": "",
    "policy/client.py": "from ..wire.head import OWS\nfrom ipaddress import ip_network\n",
    "wire/__init__.py": "",
    "wire/head.py": "import re\nfrom werkzeug.sansio.multipart import Field\n",
    "trail/__init__.py": "",
    "trail/writer.py": "import os\nfrom . import record\n",
    "trail/record.py": "import orjson\nfrom audit_mw import event, config\n",
    "trail/reader.py": "",
    "cli/__init__.py": "import click\nfrom audit_mw.trail.reader import read\n",
    "event.py": "from collections.abc import Mapping\n",
    "config.py": "import os\nfrom audit_mw.errors import ConfigError\n",
    "errors.py": "",
}


def test_allowed() -> None:
    """
    What the table allows is no problem, in whichever form the import is written.
    """
    assert problems(HOUSE) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        pytest.param(
            "wire/head.py",
            "from audit_mw.event import Event",
            "wire must not import event",
            id="up",
        ),
        pytest.param(
            "wire/head.py",
            "import audit_mw.config as c",
            "wire must not import config",
            id="import as",
        ),
        pytest.param(
            "policy/client.py",
            "from ..trail import record",
            "policy must not import trail.record",
            id="relative",
        ),
        pytest.param(
            "policy/client.py",
            "from .. import errors, recorder",
            "policy must not import recorder",
            id="relative, the package",
        ),
        pytest.param(
            "trail/__init__.py",
            "from ..policy.client import x",
            "trail must not import policy.client",
            id="relative, in a door",
        ),
        pytest.param(
            "trail/writer.py",
            "from audit_mw import exchange",
            "trail must not import exchange",
            id="strangers",
        ),
        pytest.param(
            "exchange.py",
            "from audit_mw.trail.record import x",
            "exchange must not import trail.record",
            id="strangers, the other way",
        ),
        pytest.param(
            "asgi.py",
            "from audit_mw.trail.writer import Writer",
            "edges must not import trail.writer",
            id="past a floor",
        ),
        pytest.param(
            "asgi.py",
            "from audit_mw.recorder import Recorder",
            "edges must not import recorder",
            id="past the composer's door",
        ),
        pytest.param(
            "cli/__init__.py",
            "from audit_mw.trail.writer import Writer",
            "readers must not import trail.writer",
            id="reader of what writes",
        ),
        pytest.param(
            "config.py",
            "from audit_mw.event import Event",
            "vocabulary must not import event",
            id="config",
        ),
        pytest.param(
            "recorder.py",
            "from audit_mw import AuditMiddleware",
            "composer must not import __init__",
            id="the package itself",
        ),
        pytest.param(
            "asgi.py",
            "import starlette",
            "edges must not import starlette",
            id="framework",
        ),
        pytest.param(
            "wsgi.py",
            "from flask.globals import request",
            "edges must not import flask.globals",
            id="framework, from",
        ),
        pytest.param(
            "wire/head.py",
            "from werkzeug.http import parse_date",
            "wire must not import werkzeug.http",
            id="more of a library than is named",
        ),
        pytest.param(
            "wire/head.py",
            "import os.path",
            "wire.head is sans-IO and must not import os",
            id="sans-IO, a package",
        ),
        pytest.param(
            "trail/record.py",
            "from time import time",
            "trail.record is sans-IO and must not import time",
            id="sans-IO, a module",
        ),
        pytest.param(
            "exchange.py",
            "import random",
            "exchange is sans-IO and must not import random",
            id="sans-IO, a floor",
        ),
        pytest.param(
            "auditor.py",
            "def f():\n    import json",
            "an import that is not at the top of its module",
            id="in a function",
        ),
        pytest.param(
            "auditor.py",
            "class A:\n    async def f(self):\n        if self:\n            import json",
            "an import that is not at the top of its module",
            id="in a method",
        ),
        pytest.param(
            "auditor.py",
            "f = lambda: __import__('audit_mw.asgi')",
            "an import that cannot be read from the source",
            id="hidden",
        ),
        pytest.param(
            "auditor.py",
            "from importlib import import_module",
            "an import that cannot be read from the source",
            id="importlib",
        ),
        pytest.param(
            "auditor.py",
            "from audit_mw.gone import x",
            "audit_mw.gone is not there",
            id="gone",
        ),
    ],
)
def test_forbidden(path: str, source: str, expected: str) -> None:
    """
    Each kind of wrong import is named with its file, its line and the reason.
    """
    found = problems({**HOUSE, path: f"\n{source}\n"})

    assert [f"{path}:{1 + source.count(chr(10)) + 1}: {expected}"] == found


def test_several_in_one_line() -> None:
    """
    One import of several wrong names is named once for each.
    """
    found = problems({**HOUSE, "wire/head.py": "import flask, django, re\n"})

    assert found == [
        "wire/head.py:1: wire must not import flask",
        "wire/head.py:1: wire must not import django",
    ]


def test_type_checking() -> None:
    """
    An import for types alone is an import; at the top it may stand under an `if`.
    """
    source = "if TYPE_CHECKING:\n    import json\n    from audit_mw.asgi import A\n"

    assert problems({**HOUSE, "trail/reader.py": source}) == [
        "trail/reader.py:3: trail must not import asgi"
    ]


def test_no_floor() -> None:
    """
    A module that the table does not know stands on no floor, whatever it imports.
    """
    assert problems({**HOUSE, "utils.py": ""}) == [
        "utils.py:1: utils stands on no floor"
    ]


def test_cycle() -> None:
    """
    A cycle on one floor is named with all that are in it.
    """
    (found,) = problems(
        {
            **HOUSE,
            "wire/head.py": "from audit_mw.wire import query\n",
            "wire/query.py": "from audit_mw.wire.head import OWS\n",
        }
    )

    assert "a cycle: " in found
    assert {"wire.head", "wire.query"} == set(
        found.removeprefix("a cycle: ").split(" -> ")
    )


def test_unknown_words() -> None:
    """
    What the table says of modules that are gone is named, so that it stays true.
    """
    without = {path: text for path, text in HOUSE.items() if path != "ids.py"}
    found = set(unknown_words(without)) - set(unknown_words(HOUSE))

    assert {"tests/floors.py: no module is meant by 'ids'"} == found


def test_picture() -> None:
    """
    The picture shows each module on its floor, in straight lines, and says what is true.
    """
    house, table = draw(HOUSE).split("```\n\n")
    lines = house.removeprefix("```text\n").splitlines()

    assert {79} == {len(line) for line in lines}
    assert "| policy (policy/) " in house
    assert "|   auditor, ids, recorder " in house
    assert "|-->| trail (trail/) " in house
    assert "| vocabulary | errors, event_types, option_readers | - | event |\n" in table
    assert "| wire | wire | werkzeug.datastructures, werkzeug.sansio | all |\n" in table


# --- the real house


def test_real_imports() -> None:
    """
    Every import of the package is one that the table allows, and the table is true.
    """
    sources = read_sources(ROOT / "src" / "audit_mw")

    assert problems(sources) == []
    assert unknown_words(sources) == []


def test_real_picture() -> None:
    """
    ARCHITECTURE.md shows the house as it is.
    """
    assert main(["--check"]) == 0


# --- the command


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A root with the real sources, and a document whose picture is out of date."""
    for path, text in read_sources(ROOT / "src" / "audit_mw").items():
        copied = tmp_path / "src" / "audit_mw" / path
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(text)
    (tmp_path / "ARCHITECTURE.md").write_text(
        "before\n<!-- floors: begin -->\nold\n<!-- floors: end -->\nafter\n"
    )

    return tmp_path


def test_check_and_write(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A picture that is out of date fails the check until it is written again.
    """
    assert main(["--check"], copy) == 1
    assert "ARCHITECTURE.md is stale" in capsys.readouterr().err
    assert main(["--write"], copy) == 0
    assert main(["--check"], copy) == 0

    text = (copy / "ARCHITECTURE.md").read_text()
    assert text.startswith("before\n<!-- floors: begin -->\n```text\n+---")
    assert text.endswith("|\n<!-- floors: end -->\nafter\n")


def test_check_names_the_file(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A wrong import fails the check, and the file is named from the root.
    """
    path = copy / "src" / "audit_mw" / "wire" / "head.py"
    path.write_text(f"import socket\n{path.read_text()}")
    main(["--write"], copy)
    capsys.readouterr()

    assert main(["--check"], copy) == 1
    assert capsys.readouterr().err == (
        "src/audit_mw/wire/head.py:1: wire.head is sans-IO and must not import socket\n"
    )


def test_no_place(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A document that lost the place of its picture fails the check.
    """
    (copy / "ARCHITECTURE.md").write_text("nothing here\n")

    assert main(["--check"], copy) == 1
    assert "has no place for the picture" in capsys.readouterr().err
