# The frameworks as one table, and servers that run their applications of `apps/`.
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.edges.audited import read_trail
from tests.serving import BIN, SECONDS, Running, free_port, started

from audit_mw.event import Event

__all__ = ["FRAMEWORKS", "Framework", "Served", "Servers", "serve"]

APPS = "tests.compat.frameworks.apps"
_UVICORN = (BIN / "uvicorn", "{app}", "--port", "{port}", "--no-proxy-headers")
_GUNICORN = (BIN / "gunicorn", "{app}", "--bind", "127.0.0.1:{port}", "-k", "gthread")
_WAITRESS = (sys.executable, "-m", "waitress", "--listen", "127.0.0.1:{port}", "{app}")
_SERVERS: Mapping[str, tuple[str | Path, ...]] = {
    "uvicorn": _UVICORN,
    "gunicorn": (*_GUNICORN, "--no-control-socket"),
    "waitress": _WAITRESS,
}


@dataclass(frozen=True)
class Framework:
    """
    One framework, and what of it shows in the trail.

    Args:
        app: its application, as module:name in `apps/`.
        server: what serves it.
        service: what stands in `service` when no option says it; the directory's
            name where it is empty.
        action: what stands in `action` for the page, if anything.
        session: whether its cookie holds an id, and not the session itself.
        websocket: whether it has websockets.
        raises: whether exceptions leave it as it comes.
    """

    app: str
    server: str
    service: str = ""
    action: bytes | None = None
    session: bool = False
    websocket: bool = False
    raises: bool = False

    @property
    def file(self) -> bytes:
        """The file in which the application is written."""
        return f"{self.app.partition(':')[0]}.py".encode()


FRAMEWORKS = {
    "starlette": Framework(
        "starlette_app:app",
        "uvicorn",
        action=f"{APPS}.starlette_app.page".encode(),
        websocket=True,
        raises=True,
    ),
    "fastapi": Framework(
        "fastapi_app:app",
        "uvicorn",
        action=f"{APPS}.fastapi_app.page".encode(),
        websocket=True,
        raises=True,
    ),
    "quart": Framework("quart_app:app", "uvicorn", f"{APPS}.quart_app", websocket=True),
    "falcon asgi": Framework(
        "falcon_asgi_app:app", "uvicorn", session=True, websocket=True
    ),
    "litestar": Framework("litestar_app:app", "uvicorn", session=True, websocket=True),
    "django asgi": Framework("django_app:asgi", "uvicorn"),
    "django wsgi": Framework("django_app:wsgi", "gunicorn"),
    "flask": Framework("flask_app:app", "gunicorn", f"{APPS}.flask_app"),
    "falcon wsgi": Framework("falcon_wsgi_app:app", "waitress", session=True),
    "pyramid": Framework("pyramid_app:app", "waitress", raises=True),
    "bottle": Framework("bottle_app:app", "gunicorn"),
}


@dataclass
class Served:
    """An application that is served, and its trail."""

    running: Running
    trail: Path

    def awaited(self, case: str, stream: str = "request") -> list[Event]:
        """Return the events of requests with `case` in the query, when there are any."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if found := self.events(case, stream):
                return found
            time.sleep(0.02)

        raise AssertionError(f"no {stream} record: {self.running.said()}")

    def events(self, case: str, stream: str = "request") -> list[Event]:
        """Return the events of requests with `case` in the query."""
        requests = [
            event
            for event in read_trail(self.trail)
            if case.encode() in {param.value for param in event.params}
        ]
        ids = {event.event for event in requests}

        return [e for e in read_trail(self.trail, stream) if e.event in ids]


class Servers(dict[tuple[str, bool], Served]):
    """
    Servers by name of the framework, each started when it is first asked for.

    The flag says whether the framework is told to let exceptions through.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    def __missing__(self, key: tuple[str, bool]) -> Served:
        name, let_through = key
        directory = self._directory / f"{name}-{let_through}".replace(" ", "-")
        env = {"LET_THROUGH": "1"} if let_through else {}
        served = self[key] = serve(FRAMEWORKS[name], directory, env)

        return served


def serve(framework: Framework, directory: Path, env: Mapping[str, str]) -> Served:
    """Start the server of a framework; the caller must end it."""
    port, trail = free_port(), directory / "trail"
    app = f"{APPS}.{framework.app}"
    command = [
        str(word).format(app=app, port=port) for word in _SERVERS[framework.server]
    ]
    options = {"AUDIT_MW_TRAIL": str(trail), **env}

    return Served(started(command, port, directory, env=options), trail)
