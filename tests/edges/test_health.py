# The health of trails: what the report says, the endpoint message by message, and the
# endpoint of real servers while their trail breaks and is mended.
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any
from weakref import WeakSet
from wsgiref.validate import validator

import pytest
from tests.edges.asgi_server import AsgiServer, http_scope
from tests.edges.audited import Audited
from tests.edges.broken import BreakableTrail
from tests.edges.wsgi_server import WsgiServer, environment
from tests.serving import BIN, SECONDS, Running, free_port, serving
from tests.torture.disk_mounts import ext4, frozen, needs, tmpfs
from tests.trail.samples import wait_until

import audit_mw
from audit_mw import ConfigError, health, health_app
from audit_mw.trail import writer
from audit_mw.trail.state import WriterState

KEY = bytes(range(32))
KEYS = {key.name for key in fields(WriterState)}


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def of(trail: Path) -> dict[str, Any]:
    """Return the health of a trail of this process."""
    (found,) = (each for each in health()["trails"] if each["trail"] == str(trail))

    return found


@pytest.fixture(autouse=True)
def _no_other_trails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trails of other tests, not collected yet, be none of this process."""
    monkeypatch.setattr(writer, "_writers", WeakSet())


@pytest.fixture
def used(audited: Audited) -> Path:
    """Return a trail that is open, and has a record."""
    AsgiServer(http_scope()).run(audited(hello))

    return audited.trail


# --- the report


def test_nothing_open() -> None:
    """A process whose trails were not used yet is well, and names none."""
    script = "import audit_mw; print(audit_mw.health())"
    said = subprocess.check_output([sys.executable, "-c", script], text=True)

    assert said.strip() == "{'healthy': True, 'trails': []}"


def test_report(used: Path) -> None:
    """An open trail is well, with its slots and the space where it lies."""
    wait_until(lambda: of(used)["free_space"])  # the writer thread looks
    found = of(used)

    assert found["state"] == "ok"
    assert 0 < found["free_slots"] <= found["slots"]
    assert (found["refused"], found["unrecorded"]) == (0, 0)
    assert (found["last_error"], found["failing_since"]) == (None, None)
    assert set(found["free_space"]) == {"trail", "journal"}
    assert set(found) == KEYS


@pytest.mark.parametrize("key", [KEY, None], ids=["key given", "key of its own"])
def test_cannot_be_opened(tmp_path: Path, key: bytes | None) -> None:
    """A trail that could not be opened, so that requests are refused, is not well."""
    (tmp_path / "file").touch()
    audited = Audited(tmp_path / "file" / "trail")
    server = AsgiServer(http_scope()).run(audited(hello, key=key))
    found = of(audited.trail)
    audited.close()

    assert server.status == 503
    assert found["state"] != "ok"
    assert found["last_error"]


def test_no_slot_left(audited: Audited) -> None:
    """A journal without room for one more request is not well until there is."""
    found: list[tuple[str | None, bool, int]] = []

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        # Each request makes another one, until one is refused.
        within = WsgiServer(environment()).run(wrapped)
        if not found:
            report = health()["healthy"], of(audited.trail)["free_slots"]
            found.append((within.status, *report))
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    wrapped = audited(app, max_slots=16)
    assert audited.is_ready()
    assert audited.slots_in_use() == 0  # the record of the start gave its slot back
    outer = WsgiServer(environment()).run(wrapped)
    wait_until(lambda: of(audited.trail)["free_slots"])  # the writer thread frees them

    assert found == [("503 Service Unavailable", False, 0)]
    assert outer.status == "200 OK"


def test_closed(audited: Audited, used: Path) -> None:
    """A trail that was closed is no more in the report."""
    audited.close()

    assert str(used) not in {trail["trail"] for trail in health()["trails"]}


def test_report_is_json(used: Path) -> None:
    """The report is of types that JSON has."""
    assert str(used) in json.dumps(health())


# --- ASGI


def shown(server: AsgiServer) -> tuple[int | None, dict[str, str], Any]:
    """Return status, headers and body of an answer."""
    headers = {name.decode(): value.decode() for name, value in server.headers[0]}

    return server.status, headers, json.loads(server.body) if server.body else None


def test_asgi(used: Path) -> None:
    """A GET is answered with a status that says what the body says, not to be kept."""
    server = AsgiServer(http_scope(path="/health")).run(health_app("asgi"))
    status, headers, body = shown(server)

    assert server.raised is None
    assert status == (200 if body["healthy"] else 503)
    assert {"trail": used.name, "state": "ok"} in body["trails"]
    assert headers == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "content-length": str(len(server.body)),
    }


def test_asgi_head() -> None:
    """A HEAD has the headers of a GET, and no body."""
    get, head = (
        AsgiServer(http_scope(method=method)).run(health_app("asgi"))
        for method in ("GET", "HEAD")
    )

    assert head.body == b""
    assert head.headers[0] == get.headers[0]
    assert head.status == get.status


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "get", ""])
def test_asgi_other_methods(method: str) -> None:
    """What is no GET and no HEAD is told what may be asked."""
    server = AsgiServer(http_scope(method=method)).run(health_app("asgi"))

    assert (server.status, server.body) == (405, b"Method Not Allowed\n")
    assert (b"allow", b"GET, HEAD") in server.headers[0]


def test_asgi_lifespan() -> None:
    """As an application of its own it starts and stops with its server."""
    messages = [{"type": f"lifespan.{what}"} for what in ("startup", "shutdown")]
    server = AsgiServer({"type": "lifespan", "asgi": {}}, messages)
    server.run(health_app("asgi"))

    assert server.raised is None
    assert server.types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_asgi_websocket() -> None:
    """A websocket is denied, after the message that must come first."""
    scope = http_scope(type="websocket")
    server = AsgiServer(scope, [{"type": "websocket.connect"}]).run(health_app("asgi"))

    assert server.raised is None
    assert server.taken == [{"type": "websocket.close", "code": 1008}]


def test_asgi_other_scopes() -> None:
    """A scope that nobody knows is an error, as ASGI asks."""
    server = AsgiServer({"type": "telepathy"}).run(health_app("asgi"))

    assert isinstance(server.raised, NotImplementedError)


# --- WSGI


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.filterwarnings("default::wsgiref.validate.WSGIWarning")
def test_wsgi(used: Path, method: str) -> None:
    """The endpoint is a WSGI application that the standard's validator has no word on."""
    server = WsgiServer(environment(REQUEST_METHOD=method))
    server.run(health_app("wsgi"), validator)
    assert server.raised is None
    assert server.head is not None
    status, headers = server.head

    assert ("content-type", "application/json") in headers
    if method == "HEAD":
        assert server.body == b""
        return
    body = json.loads(server.body)
    assert status == ("200 OK" if body["healthy"] else "503 Service Unavailable")
    assert ("content-length", str(len(server.body))) in headers
    assert {"trail": used.name, "state": "ok"} in body["trails"]


def test_wsgi_other_methods() -> None:
    """What is no GET and no HEAD is told what may be asked."""
    server = WsgiServer(environment(REQUEST_METHOD="DELETE"))
    server.run(health_app("wsgi"), validator)

    assert server.raised is None
    assert (server.status, server.body) == (
        "405 Method Not Allowed",
        b"Method Not Allowed\n",
    )
    assert server.head is not None
    assert ("allow", "GET, HEAD") in server.head[1]


# --- what is shown


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_brief(used: Path, interface: str) -> None:
    """Unless it is detailed, names and states are all that the body has."""
    body = asked(interface)

    assert str(used.parent).encode() not in body
    for trail in json.loads(body)["trails"]:
        assert set(trail) == {"trail", "state"}


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_detailed(used: Path, interface: str) -> None:
    """A detailed one has the whole report."""
    report = json.loads(asked(interface, detailed=True))

    assert str(used) in {trail["trail"] for trail in report["trails"]}
    for trail in report["trails"]:
        assert set(trail) == KEYS


def asked(interface: str, *, detailed: bool = False) -> bytes:
    """Return the body of an answer."""
    app = health_app(interface, detailed=detailed)
    if interface == "asgi":
        return AsgiServer(http_scope()).run(app).body

    return WsgiServer(environment()).run(app).body


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """A trail whose name is no UTF-8 is in the report all the same."""
    trail = tmp_path / os.fsdecode(b"tr\xff")
    audited = Audited(trail)
    try:
        AsgiServer(http_scope()).run(audited(hello))
        names = [each["trail"] for each in json.loads(asked("wsgi"))["trails"]]
    finally:
        audited.close()

    assert trail.name in names


@pytest.mark.parametrize("interface", ["", "ASGI", "auto", None])
def test_no_such_interface(interface: Any) -> None:
    """An interface that there is not is an error that names those that there are."""
    with pytest.raises(ConfigError, match="give one of asgi, wsgi"):
        health_app(interface)


def test_public() -> None:
    """Both are at the door."""
    assert {"health", "health_app"} <= set(audit_mw.__all__)


# --- real servers

SERVERS = {
    "uvicorn": "uvicorn tests.edges.healthy:asgi --log-level warning --port {port}",
    "gunicorn asgi": "gunicorn tests.edges.healthy:asgi -k asgi {gunicorn}",
    "gunicorn sync": "gunicorn tests.edges.healthy:wsgi -k sync {gunicorn}",
    "gunicorn gthread": "gunicorn tests.edges.healthy:wsgi -k gthread {gunicorn}",
}
GUNICORN = (
    "--log-level warning --graceful-timeout 1 --no-control-socket "
    "--bind 127.0.0.1:{port}"
)


@contextmanager
def served(name: str, directory: Path, **options: Path) -> Iterator[Running]:
    """Run a server with one worker for the block."""
    port = free_port()
    command = SERVERS[name].format(port=port, gunicorn=GUNICORN.format(port=port))
    words = command.split()
    places = {"EDGES_TRAIL": directory / "trail"} | options
    env = {name: str(path) for name, path in places.items()}
    with serving([BIN / words[0], *words[1:]], port, directory, env=env) as running:
        yield running


def told(running: Running) -> dict[str, Any]:
    """Return what the endpoint tells of the one trail, whatever the status."""
    (trail,) = json.loads(running.ask("GET", "/health/detailed")[1])["trails"]

    return dict(trail)


def awaited(running: Running, status: int) -> dict[str, Any]:
    """Return the detailed report as soon as the endpoint answers with a status."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        response, body = running.ask("GET", "/health/detailed")
        if response.status == status:
            report: dict[str, Any] = json.loads(body)
            return report
        time.sleep(0.02)

    raise AssertionError(f"no {status}, but {body!r}: {running.said()}")


@pytest.mark.parametrize("name", SERVERS)
def test_served(name: str, tmp_path: Path) -> None:
    """The endpoint tells when the trail takes no record, why, and when it does again."""
    with served(name, tmp_path) as running:
        before = running.ask("HEAD", "/health")
        assert (before[0].status, before[1]) == (200, b"")
        assert running.ask("GET", "/a")[1] == b"ok"
        well = awaited(running, 200)["trails"]
        breakable = BreakableTrail(tmp_path / "trail")
        breakable.take_away()
        running.ask("GET", "/b")
        (ill,) = awaited(running, 503)["trails"]
        brief = running.ask("GET", "/health")
        refused = running.ask("GET", "/c")
        breakable.give_back()
        (mended,) = awaited(running, 200)["trails"]

    assert [trail["state"] for trail in well] == ["ok"]
    assert ill["state"] in ("failing", "refusing")
    assert "ENOTDIR" in ill["last_error"]
    assert ill["failing_since"] >= 0
    assert (brief[0].status, brief[0].getheader("content-type")) == (
        503,
        "application/json",
    )
    assert str(tmp_path).encode() not in brief[1]
    assert refused[0].status == 503
    assert mended["failing_since"] is None


@needs("mount", "mkfs.ext4", "fsfreeze")
def test_served_while_the_disk_stalls(tmp_path: Path) -> None:
    """While the disk is frozen the endpoint answers, and tells how long records wait."""
    with ext4(tmp_path / "disk") as disk, tmpfs(tmp_path / "memory", "64m") as memory:
        options = {"AUDIT_MW_JOURNAL_DIR": memory}
        with served("uvicorn", disk.path, **options) as running:
            assert running.ask("GET", "/a")[1] == b"ok"
            wait_until(lambda: not told(running)["waiting"])
            with frozen(disk.path):
                assert running.ask("GET", "/b")[1] == b"ok"
                wait_until(lambda: (told(running)["oldest_waiting"] or 0) > 0.1)
            wait_until(lambda: not told(running)["waiting"])
