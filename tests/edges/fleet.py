# The servers that tests start: how each is told what to serve, where to listen and which
# certificate to take; and the ones that run, each with its trail.
#
# A client that a busy machine holds up for seconds shall keep its connection.
#
# A command is a text as a user types it. What stands in braces is filled in, the first
# word is a command of our environment.
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from tests.edges.audited import read_trail
from tests.serving import BIN, SECONDS, Running, free_port, started

from audit_mw.event import Event

__all__ = ["QUICK", "Fleet", "Served", "Server", "choose", "start", "unless"]

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True, kw_only=True)
class Server:
    """
    A server with one interface.

    Args:
        interface: asgi or wsgi.
        command: how it starts.
        tcp: what makes it listen on {port}.
        unix: what makes it listen on the socket {unix}, if it can.
        tls: what makes it listen on {port} with {cert} and {key}, if it can.
        http2: whether it speaks HTTP/2.
        lacks: what of the behaviour that the others share it does not have.
    """

    interface: str
    command: str
    tcp: str
    unix: str = ""
    tls: str = ""
    http2: bool = False
    lacks: frozenset[str] = frozenset()


def gunicorn(interface: str, arguments: str) -> Server:
    """Return gunicorn with a worker class."""
    command = f"gunicorn tests.edges.served:{interface} {arguments}"
    quiet = "--log-level warning --graceful-timeout 1 --no-control-socket"

    return Server(
        interface=interface,
        command=f"{command} {quiet} --keep-alive {SECONDS}",
        tcp="--bind 127.0.0.1:{port}",
        unix="--bind unix:{unix}",
        tls="--bind 127.0.0.1:{port} --certfile {cert} --keyfile {key}",
    )


QUICK = {
    "uvicorn": Server(
        interface="asgi",
        command="uvicorn tests.edges.served:asgi --http httptools --log-level warning"
        f" --timeout-keep-alive {SECONDS}",
        tcp="--port {port}",
        unix="--uds {unix}",
        tls="--port {port} --ssl-certfile {cert} --ssl-keyfile {key}",
    ),
    "hypercorn": Server(
        interface="asgi",
        command="hypercorn tests.edges.served:asgi --graceful-timeout 1"
        f" --keep-alive {SECONDS}",
        tcp="--bind 127.0.0.1:{port}",
        unix="--bind unix:{unix}",
        tls="--bind 127.0.0.1:{port} --certfile {cert} --keyfile {key}",
        http2=True,
    ),
    "gunicorn asgi": gunicorn("asgi", "-k asgi --asgi-disconnect-grace-period 1"),
    "gunicorn sync": gunicorn("wsgi", "-k sync"),
    "gunicorn gthread": gunicorn("wsgi", "-k gthread"),
    "waitress": Server(
        interface="wsgi",
        command="waitress-serve",
        tcp="--listen 127.0.0.1:{port} tests.edges.served:wsgi",
        unix="--unix-socket {unix} tests.edges.served:wsgi",
        lacks=frozenset({"expect"}),
    ),
}


def unless(*lacking: str) -> Callable[[Test], Test]:
    """Keep a test from the servers that lack something, or have that interface."""

    def mark(test: Test) -> Test:
        vars(test)["unless"] = frozenset(lacking)
        return test

    return mark


def choose(metafunc: pytest.Metafunc, servers: Mapping[str, Server]) -> None:
    """Run a test once for each of the servers that it is for."""
    lacking: frozenset[str] = getattr(metafunc.function, "unless", frozenset())
    if "name" in metafunc.fixturenames:
        names = [
            name
            for name, server in servers.items()
            if not lacking & {*server.lacks, server.interface}
        ]
        metafunc.parametrize("name", names)


@dataclass
class Served:
    """A server that runs, and its trail."""

    server: Server
    running: Running
    trail: Path

    def events(self, case: str) -> list[Event]:
        """Return the events of requests with `case` in the query."""
        return [
            event
            for event in read_trail(self.trail)
            if case.encode() in {param.value for param in event.params}
        ]

    def awaited(self, case: str, count: int = 1) -> list[Event]:
        """Return these events as soon as there are as many."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            found = self.events(case)
            if len(found) >= count:
                return found
            time.sleep(0.02)

        raise AssertionError(f"too few records: {self.running.said()}")


def start(server: Server, listen: str, directory: Path, **files: Path) -> Served:
    """Start a server that listens as the text says; the caller must end it."""
    port, trail = free_port(), directory / "trail"
    words = f"{server.command} {listen}".format(port=port, **files).split()
    running = started(
        [BIN / words[0], *words[1:]],
        port,
        directory,
        # As many slots as a user has, whatever the tests beside them have.
        env={"EDGES_TRAIL": str(trail), "AUDIT_MW_MAX_SLOTS": "65536"},
        unix=files.get("unix"),
    )

    return Served(server, running, trail)


class Fleet(dict[str, Served]):
    """Servers by name, each started when it is first asked for."""

    def __init__(self, servers: Mapping[str, Server], directory: Path) -> None:
        super().__init__()
        self._servers = servers
        self._directory = directory

    def __missing__(self, name: str) -> Served:
        server = self._servers[name]
        directory = self._directory / name.replace(" ", "-")
        self[name] = served = start(server, server.tcp, directory)

        return served

    def end(self) -> None:
        """End all that were started."""
        for served in self.values():
            served.running.end()
