# More between client and server than one proxy with a header: two proxies, the PROXY
# protocol, a unix socket, TLS that ends before us.
import ssl

import pytest
from tests.compat.proxies.configurations import OPTIONS, configuration
from tests.compat.proxies.document import block, put
from tests.compat.proxies.machines import CLIENT, SERVERS, Behind, Machines, send
from tests.compat.proxies.tls import Certificate, client_of, front

each_server = pytest.mark.parametrize("server", SERVERS)
VERSIONS = pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
FORGED = (("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "127.0.0.1, junk"))
UNIX = {
    "uvicorn": "--uds {unix}",
    "gunicorn": "--bind unix:{unix}",
}


def nginx(machines: Machines, upstream: str) -> int:
    """Return the port of an nginx that appends."""
    return machines.proxy("nginx", configuration("nginx", "append", upstream))


@each_server
@pytest.mark.parametrize("fields", [(), FORGED], ids=["honest", "forged"])
def test_two_hops(
    machines: Machines, server: str, fields: tuple[tuple[str, str], ...]
) -> None:
    """The walk goes past every trusted proxy, and not a step further."""
    behind = machines.behind(SERVERS[server], OPTIONS)
    second = nginx(machines, f"127.0.0.1:{behind.port}")
    first = machines.proxy(
        "haproxy", configuration("haproxy", "append", f"127.0.0.1:{second}")
    )
    event = behind.event(send(first, *fields))
    told = [p.value for p in event.params if p.name == b"x-forwarded-for"]

    assert event.client == CLIENT.encode()
    assert event.details["via"] == b"proxied"
    assert len(told) == 1
    assert str(told[0]).endswith(f"{CLIENT}, 127.0.0.1'")


@each_server
@VERSIONS
@pytest.mark.parametrize("fields", [(), FORGED], ids=["honest", "forged"])
def test_proxy_protocol_to_nginx(
    machines: Machines, server: str, version: str, fields: tuple[tuple[str, str], ...]
) -> None:
    """What HAProxy tells nginx before HTTP is what nginx tells the server."""
    behind = machines.behind(SERVERS[server], OPTIONS)
    text = configuration("nginx", "append", f"127.0.0.1:{behind.port}")
    listening = put(block("proxy-protocol nginx"), {"listen 8080": "listen {listen}"})
    second = machines.proxy("nginx", put(text, {"listen {listen};": listening}))
    line = put(
        block("proxy-protocol haproxy"),
        {"127.0.0.1:8080": f"127.0.0.1:{second}", "send-proxy-v2": version},
    )
    text = configuration("haproxy", "append", "UPSTREAM")
    # It says the address before HTTP; a header of its own is not needed.
    text = put(text, {"    option forwardfor\n    server shop UPSTREAM\n": line})
    event = behind.event(send(machines.proxy("haproxy", text), *fields))

    assert event.client == CLIENT.encode()
    assert str(event.peer).startswith("b'127.0.0.1:")
    assert event.details["via"] == b"proxied"


ASGI = SERVERS["gunicorn"].replace(":wsgi -k gthread --threads 2", ":asgi -k asgi")


@VERSIONS
@pytest.mark.parametrize(
    ("command", "rewritten"),
    [
        pytest.param(SERVERS["gunicorn"], {"by": b"proxy-protocol"}, id="gthread"),
        pytest.param(ASGI, None, id="asgi"),
    ],
)
def test_proxy_protocol_to_gunicorn(
    machines: Machines, version: str, command: str, rewritten: object
) -> None:
    """What HAProxy tells gunicorn is the peer; the record says so if gunicorn does."""
    behind = machines.behind(f"{command} --proxy-protocol", OPTIONS)
    text = configuration("haproxy", "append", f"127.0.0.1:{behind.port} {version}")
    text = put(text, {"    option forwardfor\n": ""})
    sent = send(machines.proxy("haproxy", text))
    event = behind.event(sent)

    assert event.peer == f"{CLIENT}:{sent.port}".encode()
    assert event.client == CLIENT.encode()
    assert event.details["via"] == b"direct"
    assert event.details.get("rewritten") == rewritten


def over_unix(machines: Machines, server: str, options: str) -> tuple[Behind, int]:
    """Return a server behind a unix socket, and the port of nginx before it."""
    behind = machines.behind(SERVERS[server], options, UNIX[server])

    return behind, nginx(machines, f"unix:{behind.running.unix}")


@each_server
@pytest.mark.parametrize("fields", [(), FORGED], ids=["honest", "forged"])
def test_unix_socket(
    machines: Machines, server: str, fields: tuple[tuple[str, str], ...]
) -> None:
    """A unix socket that is trusted is a proxy as any other."""
    trusted = put(OPTIONS, {"127.0.0.1": "unix"})
    behind, port = over_unix(machines, server, trusted)
    event = behind.event(send(port, *fields))

    assert (event.peer, event.client) == (b"unix", CLIENT.encode())
    assert event.details["via"] == b"proxied"
    assert "rewritten" not in event.details


@each_server
def test_unix_socket_not_trusted(machines: Machines, server: str) -> None:
    """A unix socket that nobody named is not believed."""
    behind, port = over_unix(machines, server, OPTIONS)
    event = behind.event(send(port))

    assert (event.peer, event.client) == (b"unix", b"unix")
    assert event.details["via"] == b"untrusted-claim"


CLAIMS = (("X-TLS-Version", "SSLv2"), ("X-TLS-Cipher", "NULL"))


@each_server
@pytest.mark.parametrize(
    ("version", "told"),
    [
        pytest.param(ssl.TLSVersion.TLSv1_2, b"TLSv1.2", id="1.2"),
        pytest.param(ssl.TLSVersion.TLSv1_3, b"TLSv1.3", id="1.3"),
    ],
)
def test_tls_ends_at_nginx(
    machines: Machines,
    certificate: Certificate,
    server: str,
    version: ssl.TLSVersion,
    told: bytes,
) -> None:
    """Version and cipher are the proxy's word, whatever the client says of them."""
    behind = machines.behind(SERVERS[server], block("nginx tls options"))
    port = front(machines, certificate, behind)
    event = behind.event(send(port, *CLAIMS, tls=client_of(version)))

    assert event.client == CLIENT.encode()
    assert event.details["tls_version"] == told
    assert event.details["tls_cipher"] not in (b"NULL", b"", None)


@each_server
def test_tls_claimed_around_nginx(machines: Machines, server: str) -> None:
    """Of who is not trusted, facts of TLS are claims."""
    behind = machines.behind(SERVERS[server], block("nginx tls options"))
    event = behind.event(send(behind.port, *CLAIMS))

    assert "tls_version" not in event.details
    assert "tls_cipher" not in event.details
    assert {b"SSLv2", b"NULL"} <= {param.value for param in event.params}
