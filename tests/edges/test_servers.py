# The middleware under real servers, over loopback sockets: what a client gets on the
# wire, and that each request has its one record.
#
# The quick servers run here. tests/compat/servers runs the same tests under the others.
import http.client
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.edges.fleet import QUICK, Fleet, Served, Server, choose, start, unless
from tests.serving import SECONDS, Running, new_word

from audit_mw.event import Event

FORM = "Content-Type: application/x-www-form-urlencoded"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test under the quick servers."""
    choose(metafunc, QUICK)


@pytest.fixture(scope="module")
def table() -> Mapping[str, Server]:
    """Return the servers that there are."""
    return QUICK


@pytest.fixture(scope="module")
def servers(
    table: Mapping[str, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """Start servers on demand, and end all of them."""
    fleet = Fleet(table, tmp_path_factory.mktemp("servers"))
    try:
        yield fleet
    finally:
        fleet.end()


@pytest.fixture
def server(name: str, servers: Fleet) -> Served:
    """Return the server called `name`."""
    return servers[name]


@pytest.fixture
def case() -> str:
    """Return a word that no other request has."""
    return new_word()


def shown(events: list[Event]) -> list[tuple[str, int | None, int | None]]:
    """Return what is compared of each event."""
    return [(event.outcome, event.status, event.sent) for event in events]


def raw(method: str, target: str, case: str, *lines: str, body: str = "") -> bytes:
    """Return a request as it stands on the wire; the server closes after it."""
    first = f"{method} {target}{'&' if '?' in target else '?'}case={case} HTTP/1.1"
    head = [first, "Host: example.org", *lines, "Connection: close"]

    return ("\r\n".join([*head, "", body])).encode("latin-1")


def undated(response: bytes) -> list[bytes]:
    """Return the lines of a response but for its date."""
    return [line for line in response.split(b"\r\n") if line[:5].lower() != b"date:"]


def test_get(server: Served, case: str) -> None:
    """A GET is answered and has its one record, with the peer's address."""
    response, body = server.running.ask("GET", f"/a%20b?case={case}")
    events = server.awaited(case)

    assert (response.status, body) == (200, b"")
    assert shown(events) == [("SUCCESS", 200, 0)]
    assert (events[0].path, events[0].client) == (b"/a%20b", b"127.0.0.1")


def test_query(server: Served, case: str) -> None:
    """A query is on record as it was sent: repeats, blanks, coded bytes, and order."""
    target = "/%C3%A9?q=%FF&q=a%26b&empty=&flag"
    server.running.exchange(raw("GET", target, case))
    (event,) = server.awaited(case)
    query = [(p.name, p.value) for p in event.params if p.source == "query"]

    assert event.path == b"/%C3%A9"
    assert query == [
        (b"q", b"\xff"),
        (b"q", b"a&b"),
        (b"empty", b""),
        (b"flag", None),
        (b"case", case.encode()),
    ]


def test_post_form(server: Served, case: str) -> None:
    """A form that is posted reaches the application whole, and is on record."""
    body = b"a=1&a=2&password=secret"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, echo = server.running.ask(
        "POST", f"/form?case={case}", body=body, headers=headers
    )
    events = server.awaited(case)
    form = [param.name for param in events[0].params if param.source == "form"]

    assert body == echo
    assert [("SUCCESS", 200, len(body))] == shown(events)
    assert form == [b"a", b"a", b"password"]


@unless("chunked")
def test_post_chunked(server: Served, case: str) -> None:
    """A body of no declared length reaches the application whole, and is on record."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, echo = server.running.ask(
        "POST",
        f"/form?case={case}",
        body=iter([b"a=", b"1&b", b"=2"]),
        headers={**headers, "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    events = server.awaited(case)
    form = [(p.name, p.value) for p in events[0].params if p.source == "form"]

    assert echo == b"a=1&b=2"
    assert shown(events) == [("SUCCESS", 200, 7)]
    assert form == [(b"a", b"1"), (b"b", b"2")]


@pytest.mark.parametrize("path", ["/", "/few", "/file"])
def test_head(server: Served, path: str, case: str) -> None:
    """A HEAD has its one record, which says that no byte of a body was sent."""
    response, body = server.running.ask("HEAD", f"{path}?case={case}")

    assert (response.status, body) == (200, b"")
    assert shown(server.awaited(case)) == [("SUCCESS", 200, 0)]


@unless("expect")
def test_expect_continue(server: Served, case: str) -> None:
    """A body that is rejected unread is asked for no earlier than without us."""
    lines = ["Expect: 100-continue", "Content-Length: 5"]
    bare, wrapped = (
        server.running.exchange(raw("POST", path, case, *lines))
        for path in ("/bare/reject", "/reject")
    )

    assert undated(bare) == undated(wrapped)
    assert b"413" in wrapped
    assert shown(server.awaited(case)) == [("FAILURE", 413, 9)]


def test_expect_continue_is_not_answered(servers: Fleet, case: str) -> None:
    """Where the server waits for the application to read, so does the client."""
    request = raw("POST", "/reject", case, "Expect: 100-continue", "Content-Length: 5")
    response = servers["uvicorn"].running.exchange(request)

    assert response.startswith(b"HTTP/1.1 413 ")


WIRE = {
    "a GET": ("GET", "/a%20b%2Fc?q=%FF&q", (), ""),
    "a form": ("POST", "/echo", (FORM, "Content-Length: 7"), "a=1&b=2"),
    "a body not read": ("POST", "/reject", ("Content-Length: 7",), "a=1&b=2"),
    "chunks": ("GET", "/few", (), ""),
    "a file": ("GET", "/file", (), ""),
    "HEAD of a list": ("HEAD", "/echo", (), ""),
    "HEAD of chunks": ("HEAD", "/few", (), ""),
    "HEAD of a file": ("HEAD", "/file", (), ""),
    "repeated lines": ("GET", "/echo", ("Cookie: a=1", "Accept: x", "Cookie: b=2"), ""),
    "many lines": ("GET", "/echo", tuple(f"X-N{n}: {n}" for n in range(40)), ""),
}


@pytest.mark.parametrize("what", WIRE)
def test_same_on_the_wire(server: Served, what: str, case: str) -> None:
    """The bytes of a response are those that the application has without us."""
    method, target, lines, body = WIRE[what]
    bare, wrapped = (
        server.running.exchange(raw(method, before + target, case, *lines, body=body))
        for before in ("/bare", "")
    )

    assert undated(bare) == undated(wrapped)
    assert len(server.awaited(case)) == 1


def test_client_leaves(server: Served, case: str) -> None:
    """A client that leaves within a response leaves one record: it was aborted."""
    leave_response(server, case)

    assert [(event.outcome, event.status) for event in server.awaited(case)] == [
        ("ABORTED", 200)
    ]


def leave_response(server: Served, case: str) -> None:
    """Leave as soon as the response begins, by a reset, as a client does that dies."""
    with server.running.connect() as client:
        client.sendall(raw("POST", "/stream", case, "Content-Length: 0"))
        assert client.recv(65536)[8:13] == b" 200 "
        linger = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


# WSGI has no word for it: the application gets a body that is too short, or an error.
@unless("wsgi", "body streamed")
def test_client_leaves_within_its_request(server: Served, case: str) -> None:
    """A client that leaves within its own body leaves one record: it was aborted."""
    leave_request(server, case)

    assert [event.outcome for event in server.awaited(case)] == ["ABORTED"]


def leave_request(server: Served, case: str) -> None:
    """Send a part of a body and leave; return when the server let go."""
    request = raw("POST", "/echo", case, "Content-Length: 1000", body="a=1&b=2")
    with server.running.connect() as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        client.recv(65536)


def test_each_request_has_a_record(server: Served, case: str) -> None:
    """Requests one after the other on one connection have a record each."""
    connection = http.client.HTTPConnection("127.0.0.1", server.running.port, SECONDS)
    for number in range(25):
        connection.request("GET", f"/{number}?case={case}")
        connection.getresponse().read()
    connection.close()
    events = server.awaited(case, 25)

    assert [b"/%d" % number for number in range(25)] == [e.path for e in events]
    assert len({event.event for event in events}) == 25


@unless("asgi")
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/broken"), ("HEAD", "/broken"), ("HEAD", "/broken-few")],
)
def test_refused_on_the_wire(  # noqa: PLR0917 - one row of the table
    name: str,
    table: Mapping[str, Server],
    method: str,
    path: str,
    tmp_path: Path,
    case: str,
) -> None:
    """A start that is taken back leaves a well-formed 503 on the wire."""
    kind = table[name]
    server = start(kind, kind.tcp, tmp_path / "refused").running
    try:
        server.ask("GET", "/")
        body = b"" if method == "HEAD" else b"a=1"
        response, _ = server.ask(method, f"{path}?case={case}", body=body)
        again = _refused(server, method, f"/?case={case}")
    finally:
        server.end()

    assert response.status == 503
    assert len(response.headers.get_all("Content-Length", [])) < 2
    assert response.headers["Retry-After"] == "5"
    assert again.headers["Retry-After"] == "5"


def _refused(server: Running, method: str, path: str) -> http.client.HTTPResponse:
    # Between two of its attempts the writer may have had nothing to attempt.
    for _ in range(500):
        response, _ = server.ask(method, path)
        if response.status == 503:
            return response

    raise AssertionError("never refused")
