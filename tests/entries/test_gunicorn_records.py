# What becomes of gunicorn's workers is on record: start, end, reload, timeout.
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.edges.audited import read_trail
from tests.serving import BIN, ROOT, SECONDS, Running, free_port, serving

from audit_mw.event import Event
from audit_mw.trail.reader import read_events, segments

NOBODY = "65534"
SERVICE = b"tests.entries.stuck"
OURS = "python:audit_mw.integrations.gunicorn"
OWN = """
from audit_mw.integrations.gunicorn_arbiter import child_exit, on_reload, pre_exec
from audit_mw.integrations.gunicorn_worker import post_worker_init, worker_exit
"""


def _command(port: int, app: str, *arguments: str, config: str = OURS) -> list[str]:
    bind = ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    named = app if ":" in app else f"tests.entries.stuck:{app}"

    return [str(BIN / "gunicorn"), "-c", config, *bind, *arguments, named]


def _environ(tmp_path: Path) -> dict[str, str]:
    return {"AUDIT_MW_TRAIL": str(tmp_path / "trail"), "PYTHONPATH": str(ROOT)}


def _system(trail: Path, kind: str) -> list[Event]:
    """Return the records of a kind, as far as they are there by now."""
    events = (each for path in segments(trail, "system") for each in read_events(path))

    return [event for event in events if event.type == kind]


def _await(server: Running, trail: Path, kind: str, number: int = 1) -> list[Event]:
    """Return the records of a kind as soon as there are so many."""
    until = time.monotonic() + SECONDS
    while len(found := _system(trail, kind)) < number:
        assert time.monotonic() < until, (kind, server.said())
        time.sleep(0.02)

    return found


def _pids(events: list[Event]) -> set[int]:
    return {int(event.instance.split(":")[1]) for event in events}


@pytest.mark.parametrize(
    ("app", "arguments", "config", "path"),
    [
        pytest.param("wsgi", [], OURS, "/c", id="sync"),
        # One that hangs is a thread; the worker answers its server still.
        pytest.param("wsgi", ["-k", "gthread"], "own.py", None, id="gthread"),
        pytest.param("asgi", ["-k", "asgi"], OURS, "/python", id="asgi"),
    ],
)
def test_life(
    app: str, arguments: list[str], config: str, path: str | None, tmp_path: Path
) -> None:
    """Start, reload, timeout and end of workers are on record, requests or not."""
    (tmp_path / "own.py").write_text(OWN)
    trail, port = tmp_path / "trail", free_port()
    # Longer than a busy machine holds up a worker: it would be killed as well.
    command = _command(port, app, *arguments, "--timeout", "10", config=config)
    env = _environ(tmp_path)
    with serving(command, port, tmp_path, env=env, cwd=tmp_path) as server:
        _await(server, trail, "sys_startup")
        server.process.send_signal(signal.SIGHUP)
        # A worker, the child that tells of the reload, and a new worker.
        started = _await(server, trail, "sys_startup", 3)
        (reload,) = _await(server, trail, "sys_reload")
        _await(server, trail, "sys_shutdown", 2)
        (worker,) = _pids(started) - _pids(_system(trail, "sys_shutdown"))
        _hang(server, worker, path)
        (timeout,) = _await(server, trail, "sys_timeout")
        _await(server, trail, "sys_startup", 5)
        response, _ = server.ask("GET", "/next")
    hung = [event for event in read_trail(trail) if event.path != b"/next"]
    crashes = _system(trail, "sys_crash")

    assert response.status == 200
    assert server.process.pid not in _pids(_system(trail, "sys_startup"))
    assert (reload.service, timeout.service) == (SERVICE, SERVICE)
    assert (reload.outcome, timeout.outcome) == ("SUCCESS", "FAILURE")
    assert reload.details == {
        "reason": b"SIGHUP",
        "automation": b"gunicorn",
        "app": {"workers": 1},
    }
    assert timeout.details == {
        "reason": b"worker %d did not answer for 10 s" % worker,
        "automation": b"gunicorn",
        "app": {"worker": worker},
    }
    if path is not None:
        assert [(event.path, event.status) for event in hung] == [(path.encode(), None)]
    if path == "/c":
        # Killed: what it was at was in its journal.
        assert hung[0].outcome == "ABORTED"
        assert hung[0].details["reason"] == b"process_died"
        assert [event.details["crashed"] for event in crashes] == [
            hung[0].instance.encode()
        ]


def _hang(server: Running, worker: int, path: str | None) -> None:
    if path is None:
        os.kill(worker, signal.SIGSTOP)
        return
    with server.connect() as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        with suppress(OSError):
            client.recv(1)


THEIRS = """
def child_exit(server, worker):
    print("their child_exit", worker.aborted)

def on_reload(server):
    print("their on_reload")

def pre_exec(server):
    print("their pre_exec")
"""


def test_beside_their_hooks(tmp_path: Path) -> None:
    """Hooks of the user are called, too; a second server (SIGUSR2) is on record."""
    (tmp_path / "gunicorn.conf.py").write_text(THEIRS)
    trail, port = tmp_path / "trail", free_port()
    env = _environ(tmp_path)
    command = _command(port, "wsgi")
    with serving(command, port, tmp_path, env=env, cwd=tmp_path) as server:
        _await(server, trail, "sys_startup")
        server.process.send_signal(signal.SIGHUP)
        _await(server, trail, "sys_reload")
        _await_said(server, "their child_exit False")
        server.process.send_signal(signal.SIGUSR2)
        (restart,) = _await(server, trail, "sys_restart")
        _await_said(server, "their pre_exec")

    assert "their on_reload" in server.said()
    assert restart.service == SERVICE
    assert restart.details["automation"] == b"gunicorn"
    assert _system(trail, "sys_timeout") == []


def _await_said(server: Running, what: str) -> None:
    until = time.monotonic() + SECONDS
    while what not in server.said():
        assert time.monotonic() < until, server.said()
        time.sleep(0.02)


APP = """
from audit_mw import AuditMiddleware

def answer(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]

app = AuditMiddleware(answer, trail="own", service="bank")
"""


def test_no_trail_is_made(tmp_path: Path) -> None:
    """Where no worker opened a trail that we know of, a reload makes none."""
    (tmp_path / "bank.py").write_text(APP)
    port = free_port()
    env = _environ(tmp_path) | {"PYTHONPATH": str(tmp_path)}
    command = _command(port, "bank:app")
    with serving(command, port, tmp_path, env=env, cwd=tmp_path) as server:
        _await(server, tmp_path / "own", "sys_startup")
        server.process.send_signal(signal.SIGHUP)
        _await(server, tmp_path / "own", "sys_startup", 2)
        _await(server, tmp_path / "own", "sys_shutdown")

    assert not (tmp_path / "trail").exists()
    assert "is not on record" not in server.said()


def test_arbiter_of_root(tmp_path: Path) -> None:
    """What root's arbiter tells belongs to the user that its workers run as."""
    if os.geteuid() != 0:
        pytest.skip("needs root: its workers run as somebody else")
    port = free_port()
    with TemporaryDirectory() as directory:  # others may not enter that of pytest
        Path(directory).chmod(0o777)
        trail = Path(directory) / "trail"
        command = _command(port, "wsgi", "--user", NOBODY, "--group", NOBODY)
        env = _environ(Path(directory))
        with serving(command, port, tmp_path, env=env, cwd=ROOT) as server:
            _await(server, trail, "sys_startup")
            server.process.send_signal(signal.SIGHUP)
            _await(server, trail, "sys_reload")
            _await(server, trail, "sys_shutdown", 2)
        owners = {path.stat().st_uid for path in (trail, *trail.rglob("*"))}

    assert owners == {int(NOBODY)}


def test_reload_that_cannot_be_recorded(tmp_path: Path) -> None:
    """A reload that cannot be recorded is one all the same, and it is said."""
    trail, port = tmp_path / "trail", free_port()
    env = _environ(tmp_path)
    command = _command(port, "wsgi")
    with serving(command, port, tmp_path, env=env, cwd=tmp_path) as server:
        _await(server, trail, "sys_startup")
        moved = trail.rename(tmp_path / "moved")
        trail.mkdir()
        (trail / ".journal").touch()
        server.process.send_signal(signal.SIGHUP)
        _await_said(server, "sys_reload is not on record")
        assert server.process.poll() is None

    assert moved.exists()
