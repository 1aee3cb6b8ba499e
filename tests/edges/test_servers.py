# The middleware under real servers, over loopback sockets: what a client gets on the
# wire, and that each request has its one record.
#
# A server is started when a test first asks for it, on a socket that listens already, so
# nobody waits for a port; it is ended by its pid when the module is done.
import http.client
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from tests.edges.audited import read_trail
from tests.edges.served import SERVERS

from audit_mw.event import Event

ROOT = Path(__file__).parent.parent.parent
_SECONDS = 20  # until a test gives up on a server that hangs

ASGI = ["uvicorn", "hypercorn", "gunicorn asgi"]
WSGI = ["gunicorn sync", "gunicorn gthread", "waitress"]
EACH = pytest.mark.parametrize("name", SERVERS)


@dataclass
class Server:
    """A server that runs, and its trail."""

    process: subprocess.Popen[bytes]
    port: int
    trail: Path
    log: Path

    def connect(self) -> socket.socket:
        """Return a connection."""
        return socket.create_connection(("127.0.0.1", self.port), _SECONDS)

    def exchange(self, request: bytes) -> bytes:
        """Return all that the server sends until it closes."""
        with self.connect() as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def ask(
        self, method: str, path: str, **options: object
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Return the response to a request, and its body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, _SECONDS)
        try:
            connection.request(method, path, **options)  # type: ignore[arg-type] # its own
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def events(self, case: str) -> list[Event]:
        """Return the events of requests with `case` in the query."""
        return [
            event
            for event in read_trail(self.trail)
            if case.encode() in {param.value for param in event.params}
        ]

    def awaited(self, case: str) -> list[Event]:
        """Return these events as soon as there are any."""
        for _ in range(_SECONDS * 50):
            found = self.events(case)
            if found:
                return found
            time.sleep(0.02)

        raise AssertionError(f"no record: {self.log.read_text()}")

    def end(self) -> None:
        """End it, and whatever it started."""
        self.process.terminate()
        try:
            self.process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _start(name: str, directory: Path) -> Server:
    directory.mkdir()
    trail, log = directory / "trail", directory / "log"
    environ = {key: os.environ[key] for key in os.environ if key != "PYTHONDEVMODE"}
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as out:
        listening.set_inheritable(True)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.edges.served", name, str(listening.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            env=environ | {"EDGES_TRAIL": str(trail)},
            pass_fds=[listening.fileno()],
        )
        return Server(process, listening.getsockname()[1], trail, log)


class Servers(dict[str, Server]):
    """Servers by name, each started when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    def __missing__(self, name: str) -> Server:
        server = self[name] = _start(name, self._directory / name.replace(" ", "-"))

        return server


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start servers on demand, and end all of them."""
    servers = Servers(tmp_path_factory.mktemp("servers"))
    try:
        yield servers
    finally:
        for server in servers.values():
            server.end()


@pytest.fixture
def server(name: str, servers: Servers) -> Server:
    """Return the server called `name`."""
    return servers[name]


@pytest.fixture
def case() -> str:
    """Return a word that no other request has."""
    return uuid4().hex


def _shown(events: list[Event]) -> list[tuple[str, int | None, int | None]]:
    return [(event.outcome, event.status, event.sent) for event in events]


@EACH
def test_get(server: Server, case: str) -> None:
    """A GET is answered and has its one record, with the peer's address."""
    response, body = server.ask("GET", f"/a%20b?case={case}")
    events = server.events(case)

    assert (response.status, body) == (200, b"")
    assert _shown(events) == [("SUCCESS", 200, 0)]
    assert (events[0].path, events[0].client) == (b"/a%20b", b"127.0.0.1")


@EACH
def test_post_form(server: Server, case: str) -> None:
    """A form that is posted reaches the application whole, and is on record."""
    body = b"a=1&a=2&password=secret"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, echo = server.ask("POST", f"/form?case={case}", body=body, headers=headers)
    events = server.events(case)
    form = [param.name for param in events[0].params if param.source == "form"]

    assert body == echo
    assert [("SUCCESS", 200, len(body))] == _shown(events)
    assert form == [b"a", b"a", b"password"]


@EACH
def test_post_chunked(server: Server, case: str) -> None:
    """A body of no declared length reaches the application whole, and is on record."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, echo = server.ask(
        "POST",
        f"/form?case={case}",
        body=iter([b"a=", b"1&b", b"=2"]),
        headers={**headers, "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    events = server.events(case)
    form = [(p.name, p.value) for p in events[0].params if p.source == "form"]

    assert echo == b"a=1&b=2"
    assert _shown(events) == [("SUCCESS", 200, 7)]
    assert form == [(b"a", b"1"), (b"b", b"2")]


@EACH
def test_head(server: Server, case: str) -> None:
    """A HEAD is answered without a body, and its record says that none was sent."""
    response, body = server.ask("HEAD", f"/?case={case}")

    assert (response.status, body) == (200, b"")
    assert _shown(server.events(case)) == [("SUCCESS", 200, 0)]


def _raw(path: str, case: str, *lines: str) -> bytes:
    head = [f"POST {path}?case={case} HTTP/1.1", "Host: example.org", *lines]

    return ("\r\n".join([*head, "Connection: close"]) + "\r\n\r\n").encode()


def _undated(response: bytes) -> list[bytes]:
    return [line for line in response.split(b"\r\n") if line[:5].lower() != b"date:"]


# waitress reads a whole body before it calls the application.
@pytest.mark.parametrize("name", [*ASGI, *WSGI[:2]])
def test_expect_continue(server: Server, case: str) -> None:
    """A body that is rejected unread is asked for no earlier than without us."""
    lines = ["Expect: 100-continue", "Content-Length: 5"]
    bare = server.exchange(_raw("/bare/reject", case, *lines))
    wrapped = server.exchange(_raw("/reject", case, *lines))

    assert _undated(bare) == _undated(wrapped)
    assert b"413" in wrapped
    assert _shown(server.events(case)) == [("FAILURE", 413, 9)]


def test_expect_continue_is_not_answered(servers: Servers, case: str) -> None:
    """Where the server waits for the application to read, so does the client."""
    lines = ["Expect: 100-continue", "Content-Length: 5"]
    response = servers["uvicorn"].exchange(_raw("/reject", case, *lines))

    assert response.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/echo", "/reject"])
@EACH
def test_same_on_the_wire(server: Server, path: str, case: str) -> None:
    """The bytes of a response are those that the application has without us."""
    body = "a=1&b=2"
    request = [f"/bare{path}", path]
    bare, wrapped = (
        server.exchange(
            _raw(each, case, f"Content-Length: {len(body)}") + body.encode()
        )
        for each in request
    )

    assert _undated(bare) == _undated(wrapped)
    assert len(server.events(case)) == 1


@EACH
def test_client_leaves(server: Server, case: str) -> None:
    """A client that leaves within a response leaves one record: it was aborted."""
    with server.connect() as client:
        client.sendall(_raw("/stream", case, "Content-Length: 0"))
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        # Close by reset, as a client does that dies.
        linger = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    assert [(event.outcome, event.status) for event in server.awaited(case)] == [
        ("ABORTED", 200)
    ]


@pytest.mark.parametrize("name", ASGI)
def test_client_leaves_within_its_request(server: Server, case: str) -> None:
    """A client that leaves within its own body leaves one record: it was aborted."""
    with server.connect() as client:
        client.sendall(_raw("/echo", case, "Content-Length: 1000") + b"a=1&b=2")
        client.shutdown(socket.SHUT_WR)
        client.recv(65536)

    assert [event.outcome for event in server.awaited(case)] == ["ABORTED"]


@EACH
def test_each_request_has_a_record(server: Server, case: str) -> None:
    """Requests one after the other on one connection have a record each."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, _SECONDS)
    for number in range(25):
        connection.request("GET", f"/{number}?case={case}")
        connection.getresponse().read()
    connection.close()
    events = server.events(case)

    assert [b"/%d" % number for number in range(25)] == [e.path for e in events]
    assert len({event.event for event in events}) == 25


@pytest.mark.parametrize("name", WSGI)
@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_refused_on_the_wire(name: str, method: str, tmp_path: Path, case: str) -> None:
    """A start that is taken back leaves a well-formed 503 on the wire."""
    server = _start(name, tmp_path / "refused")
    try:
        server.ask("GET", "/")
        body = b"" if method == "HEAD" else b"a=1"
        response, _ = server.ask(method, f"/broken?case={case}", body=body)
        again, _ = server.ask(method, f"/?case={case}")
    finally:
        server.end()

    assert response.status == 503
    assert len(response.headers.get_all("Content-Length", [])) < 2
    assert response.headers["Retry-After"] == "5"
    assert (again.status, again.headers["Retry-After"]) == (503, "5")
