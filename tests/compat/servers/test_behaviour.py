# Every server that is not quick behaves as the quick ones do: the tests are theirs.
from collections.abc import Mapping

import pytest
from tests.compat.servers.more import ALL, MORE
from tests.edges.fleet import Server, choose
from tests.edges.test_servers import *  # noqa: F403 - the very tests


def pytest_generate_tests(  # type: ignore[no-redef] # in the place of theirs
    metafunc: pytest.Metafunc,
) -> None:
    """Run each test under the servers that are not quick."""
    choose(metafunc, MORE)


@pytest.fixture(scope="module")  # type: ignore[no-redef] # in the place of theirs
def table() -> Mapping[str, Server]:
    """Return all servers."""
    return ALL
