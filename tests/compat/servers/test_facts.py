# What the records of each real server tell is what the table says, and the page with it.
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.compat.servers.facts import FACTS
from tests.compat.servers.more import ALL
from tests.compat.servers.observe import OBSERVE, over_tls, over_unix
from tests.edges.fleet import Served, Server, choose
from tests.edges.test_servers import (  # noqa: F401 - fixtures
    case,
    server,
    servers,
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test under all servers."""
    choose(metafunc, ALL)


@pytest.fixture(scope="module")
def table() -> Mapping[str, Server]:
    """Return all servers."""
    return ALL


@pytest.mark.parametrize("column", OBSERVE)
def test_fact(name: str, column: str, server: Served) -> None:  # noqa: F811 - a fixture
    """A server tells what the table says."""
    assert OBSERVE[column](server) == FACTS[name][column]


def test_unix(name: str, tmp_path: Path) -> None:
    """Behind a unix socket the peer is what the table says."""
    assert over_unix(ALL[name], tmp_path) == FACTS[name]["unix"]


def test_tls(name: str, tmp_path: Path) -> None:
    """Over TLS the record tells of it what the table says."""
    assert over_tls(ALL[name], tmp_path) == FACTS[name]["tls"]


def test_all_are_in_the_table() -> None:
    """The table has a row for each server, in the same words."""
    assert list(FACTS) == list(ALL)
    assert {frozenset(row) for row in FACTS.values()} == {
        frozenset({*OBSERVE, "unix", "tls"})
    }
