from collections.abc import Iterator

import pytest
from tests.compat.proxies.machines import Machines
from tests.compat.tls.pki import Pki


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Start proxies and servers on demand, and end all of them."""
    machines = Machines(tmp_path_factory.mktemp("m"))
    try:
        yield machines
    finally:
        machines.end()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Return an authority, and certificates."""
    return Pki(tmp_path_factory.mktemp("pki"))
