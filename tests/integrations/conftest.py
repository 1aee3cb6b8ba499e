# The applications that these tests make are wrapped as those of tests/edges are. Those
# of Django are in a process of their own, once for all tests.
from pathlib import Path

import pytest
from tests.edges.conftest import audited
from tests.integrations.project.site import Site, site_of, visit_all

__all__ = ["audited"]


@pytest.fixture(scope="session")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let a Django project be visited over both interfaces."""
    directory = tmp_path_factory.mktemp("project")
    visit_all(directory)

    return directory


@pytest.fixture(scope="session", params=["wsgi", "asgi"])
def site(visited: Path, request: pytest.FixtureRequest) -> Site:
    """Return what one interface has left."""
    return site_of(visited, request.param)
