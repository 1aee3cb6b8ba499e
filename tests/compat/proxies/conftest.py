from collections.abc import Iterator

import pytest
from tests.compat.proxies.machines import Machines
from tests.compat.proxies.tls import Certificate, make_certificate


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Start proxies and servers on demand, and end all of them."""
    machines = Machines(tmp_path_factory.mktemp("m"))
    try:
        yield machines
    finally:
        machines.end()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for shop.example, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
