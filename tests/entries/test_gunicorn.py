# gunicorn -c python:audit_mw.integrations.gunicorn shop:app, for real.
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.edges.audited import read_trail
from tests.serving import BIN, ROOT, SECONDS, Running, free_port, serving

SHOPS = "tests.entries.shops"
OURS = "python:audit_mw.integrations.gunicorn"


def _command(port: int, app: str, *arguments: str, config: str = OURS) -> list[str]:
    bind = ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]

    return [str(BIN / "gunicorn"), "-c", config, *bind, *arguments, f"{SHOPS}:{app}"]


def _environ(tmp_path: Path, **more: str) -> dict[str, str]:
    # Started elsewhere, so that it finds the configuration that a test leaves there.
    return {
        "AUDIT_MW_TRAIL": str(tmp_path / "trail"),
        "PYTHONPATH": str(ROOT),
        **more,
    }


def _await_said(server: Running, what: str, times: int) -> None:
    until = time.monotonic() + SECONDS
    while server.said().count(what) != times:
        assert time.monotonic() < until, server.said()
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("app", "arguments"),
    [
        ("wsgi", []),
        ("wsgi", ["--preload", "--workers", "2"]),
        ("wsgi", ["-k", "gthread"]),
        pytest.param("make_app()", [], marks=pytest.mark.long),
        pytest.param("asgi", ["-k", "asgi"], marks=pytest.mark.long),
        ("make_app('asgi')", ["-k", "asgi", "--preload"]),
        ("audited_flask", []),
    ],
)
def test_served(app: str, arguments: list[str], tmp_path: Path) -> None:
    """What gunicorn serves is audited, once, with no change of code."""
    port = free_port()
    with serving(
        _command(port, app, *arguments),
        port,
        tmp_path,
        env=_environ(tmp_path),
        cwd=tmp_path,
    ) as server:
        response, _ = server.ask("GET", "/seen?a=1")
    events = read_trail(tmp_path / "trail")

    assert [event.path for event in events] == [b"/seen"]
    assert response.status == events[0].status


def test_service(tmp_path: Path) -> None:
    """The service is named by the module that gunicorn was given, or by the option."""
    for service in (None, "bank"):
        port, directory = free_port(), tmp_path / str(service)
        env = _environ(directory, **({"AUDIT_MW_SERVICE": service} if service else {}))
        with serving(
            _command(port, "wsgi"), port, directory, env=env, cwd=directory
        ) as server:
            server.ask("GET", "/")
    names = [read_trail(tmp_path / s / "trail")[0].service for s in ("None", "bank")]

    assert names == [SHOPS.encode(), b"bank"]


THEIRS = """
print("their settings are read")
proc_name = "bank"
workers = int(open("workers").read())
raw_env = ["OF_THEIRS=1"]

def post_worker_init(worker):
    print("their hook sees", type(worker.wsgi).__name__)

def when_ready(server):
    print("their server is ready")

def on_reload(server):
    print("their server reloads")
"""


@pytest.mark.parametrize("name", ["gunicorn.conf.py", "elsewhere.py"])
def test_beside_their_configuration(name: str, tmp_path: Path) -> None:
    """Settings and hooks of the user's own configuration hold, and SIGHUP reads them."""
    (tmp_path / name).write_text(THEIRS)
    (tmp_path / "workers").write_text("1")
    port = free_port()
    env = _environ(tmp_path)
    if name != "gunicorn.conf.py":
        env["AUDIT_MW_GUNICORN_CONFIG"] = name
    with serving(
        _command(port, "wsgi"), port, tmp_path, env=env, cwd=tmp_path
    ) as server:
        for seen, then in ((1, "2"), (3, "1"), (4, "")):  # workers so far: 1, 2 more, 1
            _await_said(server, "their hook sees", seen)
            if then:
                (tmp_path / "workers").write_text(then)
                server.process.send_signal(signal.SIGHUP)
        server.ask("GET", "/")
        said = server.said()

    assert said.count("their settings are read") == 3
    assert said.count("their server is ready") == 1
    assert said.count("their server reloads") == 2
    assert "their hook sees WsgiAuditMiddleware" in said
    assert len(read_trail(tmp_path / "trail")) == 1


def test_hook_in_their_configuration(tmp_path: Path) -> None:
    """The hook can be imported into a configuration instead."""
    config = "from audit_mw.integrations.gunicorn_worker import post_worker_init\n"
    (tmp_path / "own.py").write_text(config)
    port = free_port()
    command = _command(port, "wsgi", config="own.py")
    with serving(
        command, port, tmp_path, env=_environ(tmp_path), cwd=tmp_path
    ) as server:
        server.ask("GET", "/seen")

    assert [event.path for event in read_trail(tmp_path / "trail")] == [b"/seen"]


@pytest.mark.parametrize(
    ("app", "arguments", "more", "words"),
    [
        ("wsgi", ["-k", "asgi"], {}, "it is a WSGI application"),
        ("asgi", [], {}, "it is an ASGI application; start gunicorn with -k asgi"),
        pytest.param(
            *("old", ["-k", "asgi"], {}, "guarantee_single_callable"),
            marks=pytest.mark.long,
        ),
        ("wsgi", [], {"AUDIT_MW_ROTATE": "week"}, "option 'rotate'"),
        (
            "wsgi",
            [],
            {"AUDIT_MW_GUNICORN_CONFIG": "absent.py"},
            "there is no such file",
        ),
    ],
)
def test_does_not_start(
    app: str, arguments: list[str], more: dict[str, str], words: str, tmp_path: Path
) -> None:
    """What cannot be audited is not served: gunicorn ends, and says why."""
    done = subprocess.run(
        _command(free_port(), app, *arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, **_environ(tmp_path, **more)},
    )

    assert done.returncode != 0
    assert words in done.stderr
