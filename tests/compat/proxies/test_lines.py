# The lines that docs/proxies.md prints are those that are written.
import ssl
from collections.abc import Callable

import pytest
from tests.compat.proxies.configurations import OPTIONS, configuration
from tests.compat.proxies.document import block
from tests.compat.proxies.machines import SERVERS, Behind, Machines, send
from tests.compat.proxies.tls import Certificate, client_of, front

FORGED = ("X-Forwarded-For", "6.6.6.6")


def one_proxy(name: str) -> Callable[[Machines, Behind], int]:
    """Return what starts a proxy of the page as it is printed."""

    def start(machines: Machines, behind: Behind) -> int:
        upstream = f"127.0.0.1:{behind.port}"
        return machines.proxy(name, configuration(name, "append", upstream))

    return start


def two_hops(machines: Machines, behind: Behind) -> int:
    """Start HAProxy before nginx."""
    second = one_proxy("nginx")(machines, behind)
    text = configuration("haproxy", "append", f"127.0.0.1:{second}")

    return machines.proxy("haproxy", text)


FRONTS = {
    "nginx": one_proxy("nginx"),
    "haproxy": one_proxy("haproxy"),
    "apache": one_proxy("apache"),
    "two hops": two_hops,
}


@pytest.mark.parametrize("name", FRONTS)
def test_lines(machines: Machines, name: str) -> None:
    """An honest request and a forged one leave the two lines of the page."""
    behind = machines.behind(SERVERS["uvicorn"], OPTIONS)
    port = FRONTS[name](machines, behind)
    lines = [behind.line(send(port)), behind.line(send(port, FORGED))]

    assert block(f"{name} lines").splitlines() == lines


def test_tls_line(machines: Machines, certificate: Certificate) -> None:
    """A request over TLS that ends at nginx leaves the line of the page."""
    behind = machines.behind(SERVERS["uvicorn"], block("nginx tls options"))
    port = front(machines, certificate, behind)
    line = behind.line(send(port, tls=client_of(ssl.TLSVersion.TLSv1_3)))

    assert block("nginx tls lines").splitlines() == [line]
