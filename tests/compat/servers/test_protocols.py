# HTTP/2 and websockets over real servers: each request has its own record, whatever it
# shares the connection with.
from collections.abc import Mapping

import pytest
from tests.compat.servers.http2 import get_at_once
from tests.compat.servers.more import ALL
from tests.edges.fleet import Fleet, Served, Server
from tests.edges.test_servers import case, servers  # noqa: F401 - fixtures
from tests.serving import SECONDS
from websockets.sync.client import connect

from audit_mw.event import Event

HTTP2 = [name for name, server in ALL.items() if server.http2]
SOCKETS = [name for name, server in ALL.items() if server.interface == "asgi"]


@pytest.fixture(scope="module")
def table() -> Mapping[str, Server]:
    """Return all servers."""
    return ALL


@pytest.fixture
def server(name: str, servers: Fleet) -> Served:  # noqa: F811 - a fixture
    """Return the server called `name`."""
    return servers[name]


def _params(event: Event, source: str) -> list[tuple[object, object]]:
    return [(p.name, p.value) for p in event.params if p.source == source]


@pytest.mark.parametrize("name", HTTP2)
def test_http2_streams(server: Served, case: str) -> None:  # noqa: F811 - a fixture
    """Requests at once on one connection of HTTP/2 have a record each, not mixed up."""
    targets = [f"/{number}/few?n={number}&case={case}" for number in range(20)]
    answers = get_at_once(server.running, targets, [("x-request-id", case)])
    events = server.awaited(case, 20)

    assert {status for status, _ in answers.values()} == {b"200"}
    assert {len(body) for _, body in answers.values()} == {3008}
    assert {(e.outcome, e.sent, e.details["http_version"]) for e in events} == {
        ("SUCCESS", 3008, b"2")
    }
    assert sorted((e.path, _params(e, "query")[0][1]) for e in events) == sorted(
        (b"/%d/few" % number, b"%d" % number) for number in range(20)
    )


@pytest.mark.parametrize("name", HTTP2)
def test_http2_same_as_bare(server: Served, case: str) -> None:  # noqa: F811 - a fixture
    """What a client of HTTP/2 gets is what it gets without us."""
    for path in ("/echo", "/few", "/file", "/reject"):
        targets = [f"/bare{path}?case={case}", f"{path}?case={case}"]
        bare, wrapped = get_at_once(server.running, targets).values()

        assert bare == wrapped


@pytest.mark.parametrize("name", HTTP2)
def test_http2_host(server: Served, case: str) -> None:  # noqa: F811 - a fixture
    """The authority of HTTP/2, which has no Host line, is on record as the host."""
    get_at_once(server.running, [f"/?case={case}"])
    (event,) = server.awaited(case)

    assert (b"host", b"example.org") in _params(event, "header")


@pytest.mark.parametrize("name", SOCKETS)
def test_websocket(server: Served, case: str) -> None:  # noqa: F811 - a fixture
    """A websocket has one record, with the count of what went either way."""
    url = f"ws://127.0.0.1:{server.running.port}/?case={case}"
    # No empty one: daphne does not send it, with or without us.
    messages = ["text", b"\x00\xff", "\u20ac"]
    with connect(url, compression=None, open_timeout=SECONDS) as client:
        for message in messages:
            client.send(message)
            assert client.recv(SECONDS) == message
    (event,) = server.awaited(case)
    length = len(b"text\x00\xff" + "\u20ac".encode())

    assert (event.type, event.status) == ("websocket", 101)
    for way in ("messages_in", "messages_out"):
        told = event.details[way]
        assert isinstance(told, dict)
        assert (told["count"], told["len"]) == (3, length)
