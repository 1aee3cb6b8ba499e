# Many users at once, on real servers: nothing is told of another's request.
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.edges.audited import read_trail
from tests.serving import BIN, Running, free_port, new_word, serving

from audit_mw.event import Event

REQUESTS, AT_ONCE = 240, 24
_APPS = "tests.compat.integrations"
_GUNICORN = "gunicorn {app} -k gthread --threads 12 --bind 127.0.0.1:{port}"
_UVICORN = "uvicorn {app} --port {port} --no-proxy-headers --log-level warning"
CROWDS = [
    pytest.param("crowd_flask:app", _GUNICORN, "/me", b"me", id="flask"),
    pytest.param("crowd_fastapi:app", _UVICORN, "/me", b"/me", id="fastapi"),
    pytest.param("crowd_django:wsgi", _GUNICORN, "/me", b".me", id="django wsgi"),
    pytest.param(
        "crowd_django:wsgi",
        _GUNICORN,
        "/me-async",
        b".me_async",
        id="django wsgi, tasks",
    ),
    pytest.param(
        "crowd_django:asgi", _UVICORN, "/me", b".me", id="django asgi, threads"
    ),
    pytest.param(
        "crowd_django:asgi", _UVICORN, "/me-async", b".me_async", id="django asgi"
    ),
]


@pytest.mark.parametrize(("app", "command", "path", "action"), CROWDS)
def test_crowd(
    app: str, command: str, path: str, action: bytes, tmp_path: Path
) -> None:
    """Each request, and what is said in it, has the user that it was answered to."""
    port = free_port()
    words = command.format(app=f"{_APPS}.{app}", port=port).split()
    words[0] = str(BIN / words[0])
    env = {
        "AUDIT_MW_RECORD_FIELDS": "x-user",
        "AUDIT_MW_TRAIL": str(tmp_path / "trail"),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    with serving(words, port, tmp_path / "served", env=env) as running:
        names = _crowd(running, path)
    requests = read_trail(tmp_path / "trail")
    errors = read_trail(tmp_path / "trail", "error")

    assert sorted(map(_header, requests)) == sorted(names)
    assert [_header(each) for each in requests] == [each.user for each in requests]
    assert all(str(each.action).endswith(f"{action.decode()}'") for each in requests)
    users = {each.event: each.user for each in requests}
    assert len(errors) == len(requests)
    for error in errors:
        said = error.details["app"]
        assert isinstance(said, dict)
        assert error.user == users[error.event] == said["said_by"]


def _crowd(running: Running, path: str) -> list[bytes]:
    # Each waits as long as its name: so they overtake one another.
    lengths = random.Random(7)

    def ask(number: int) -> bytes:
        name = f"{new_word()[: lengths.randint(3, 20)]}-{number}"
        response, body = running.ask("GET", path, headers={"X-User": name})
        assert response.status == 200, running.said()
        assert name.encode() in body

        return name.encode()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, range(REQUESTS)))


def _header(event: Event) -> bytes:
    (name,) = (
        param.value
        for param in event.params
        if param.name == b"x-user" and isinstance(param.value, bytes)
    )

    return name
