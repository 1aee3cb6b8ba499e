# Proxies and the servers behind them, started as docs/proxies.md says, and what the
# trail has of a request that came through.
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.compat.proxies.document import PRINTED
from tests.edges.audited import read_trail
from tests.serving import BIN, SECONDS, Running, free_port, new_word, started

from audit_mw.event import Event

__all__ = ["CLIENT", "SERVERS", "SHOP", "Behind", "Machines", "Sent", "send"]

CLIENT = "127.0.0.5"
SHOP = "tests.compat.proxies.shop"
SERVERS = {
    "uvicorn": f"uvicorn {SHOP}:asgi --no-proxy-headers --log-level warning",
    "gunicorn": f"gunicorn {SHOP}:wsgi -k gthread --threads 2 --log-level warning "
    "--graceful-timeout 1 --no-control-socket",
}
Field = tuple[str, str]


def send(
    port: int,
    *fields: Field,
    host: str = "127.0.0.1",
    source: str = CLIENT,
    tls: ssl.SSLContext | None = None,
    upgrade: str = "",
) -> "Sent":
    """
    Send a request from a source address, and require that it is answered: with 200,
    or an upgrade, which the shop has no use for, with 403.
    """
    path = f"/{new_word()}"
    connection = "Upgrade" if upgrade else "close"
    head = [
        *(f"GET {path} HTTP/1.1", "Host: shop.example", f"Connection: {connection}"),
        *([f"Upgrade: {upgrade}"] if upgrade else []),
    ]
    lines = [*head, *(f"{name}: {value}" for name, value in fields), "", ""]
    sender = None if ":" in host else (source, 0)
    with ExitStack() as stack:
        plain = socket.create_connection((host, port), SECONDS, sender)
        client = stack.enter_context(plain)
        if tls is not None:
            client = stack.enter_context(tls.wrap_socket(client))
        source_port = client.getsockname()[1]
        client.sendall("\r\n".join(lines).encode("latin-1"))
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    expected = b"403" if upgrade else b"200"
    assert re.match(rb"HTTP/1\.[01] %s " % expected, answer), answer

    return Sent(path.encode(), source_port)


@dataclass(frozen=True)
class Sent:
    """A request that was answered: its path, which no other has, and its own port."""

    path: bytes
    port: int


@dataclass
class Behind:
    """A server behind proxies, and its trail."""

    running: Running
    trail: Path

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return self.running.port

    def event(self, sent: Sent) -> Event:
        """Return the one event of a request, as soon as it is there."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            found = [event for event in self._events() if event.path == sent.path]
            if found:
                (event,) = found
                return event
            time.sleep(0.02)

        raise AssertionError(f"no record of {sent}: {self.running.said()}")

    def _events(self) -> list[Event]:
        try:
            return read_trail(self.trail)
        except FileNotFoundError:  # the first request makes the trail
            return []

    def line(self, sent: Sent) -> str:
        """Return client, peer, params and details of its line, as the page prints."""
        self.event(sent)
        (cells,) = [
            line.split("\t")
            for segment in (self.trail / "request").glob("*.log")
            for line in segment.read_text().splitlines()
            if f"\t{sent.path.decode()}\t" in line
        ]
        peer = re.sub(r":\d+$", ":41522", cells[10])
        text = "\t".join([cells[9], peer, cells[20], cells[21]])
        for old, new in PRINTED.items():
            text = text.replace(old, new)

        return text


class Machines:
    """
    Starts proxies and servers, and ends all of them.

    Args:
        directory: gets a directory for each.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: list[Running] = []
        self._behind: dict[tuple[str, ...], Behind] = {}
        self._fronts: dict[tuple[str, str, str], Running] = {}

    def behind(self, command: str, options: str, listen: str = "") -> Behind:
        """
        Return the server that a command starts, with the options of a TOML file.

        The same server for the same arguments. `listen` may name {unix}, a socket.
        """
        key = (command, options, listen)
        if key not in self._behind:
            self._behind[key] = self._start_behind(command, options, listen)

        return self._behind[key]

    def _start_behind(self, command: str, options: str, listen: str) -> Behind:
        directory, port = self._new("behind"), free_port()
        (directory / "options.toml").write_text(options)
        unix = directory / "s" if "{unix}" in listen else None
        listen = listen or _LISTEN[command.partition(" ")[0]]
        words = f"{command} {listen.format(port=port, unix=unix)}".split()
        running = self._start(
            [BIN / words[0], *words[1:]],
            port,
            directory,
            env={
                "AUDIT_MW_CONFIG": str(directory / "options.toml"),
                "AUDIT_MW_TRAIL": str(directory / "trail"),
            },
            host="::1" if "::1" in listen else "127.0.0.1",
            unix=unix,
        )

        return Behind(running, directory / "trail")

    def proxy(self, name: str, text: str, *, host: str = "127.0.0.1") -> int:
        """Return the port of a proxy; see `front`."""
        return self.front(name, text, host=host).port

    def front(self, name: str, text: str, *, host: str = "127.0.0.1") -> Running:
        """
        Return nginx, haproxy or apache, running with a configuration.

        The same for the same arguments. For {listen}, address and port are put.
        """
        key = (name, text, host)
        if key not in self._fronts:
            port, directory = free_port(host), self._new(name)
            bracketed = f"[{host}]" if ":" in host else host
            conf = directory / "conf"
            conf.write_text(text.replace("{listen}", f"{bracketed}:{port}"))
            command = _PROXIES[name](conf, directory)
            self._fronts[key] = self._start(command, port, directory, host=host)

        return self._fronts[key]

    def _start(
        self, command: Sequence[str | Path], port: int, directory: Path, **more: object
    ) -> Running:
        running = started(command, port, directory, **more)  # type: ignore[arg-type] # its own
        self._running.append(running)

        return running

    def _new(self, name: str) -> Path:
        directory = self._directory / f"{name}-{len(list(self._directory.iterdir()))}"
        directory.mkdir()

        return directory

    def end(self) -> None:
        """End all that were started, the proxies first."""
        while self._running:
            self._running.pop().end()


_LISTEN = {
    "uvicorn": "--port {port}",
    "gunicorn": "--bind 127.0.0.1:{port}",
    "hypercorn": "--bind 127.0.0.1:{port}",
    "waitress-serve": f"--listen 127.0.0.1:{{port}} {SHOP}:wsgi",
    "daphne": f"-p {{port}} {SHOP}:asgi",
}


def _nginx(conf: Path, directory: Path) -> list[str | Path]:
    # Its own directories are for root alone; nothing of a test is to be left in them.
    kinds = "client_body proxy fastcgi uwsgi scgi"
    paths = "".join(f"{k}_temp_path {directory}/{k};\n" for k in kinds.split())
    text = conf.read_text()
    conf.write_text(text.replace("http {", f"http {{\naccess_log off;\n{paths}"))
    # The directories of tests are for their owner alone.
    user = "user root; " if os.getuid() == 0 else ""
    main = f"{user}daemon off; pid {directory}/pid; error_log stderr;"

    return ["nginx", "-p", directory, "-c", conf, "-g", main, "-e", "stderr"]


def _haproxy(conf: Path, _directory: Path) -> list[str | Path]:
    return ["haproxy", "-db", "-q", "-f", conf]


def _apache(conf: Path, directory: Path) -> list[str | Path]:
    first = [f"ServerRoot {directory}", f"DefaultRuntimeDir {directory}"]
    own = [*first, f"PidFile {directory}/pid", "ErrorLog /dev/stderr"]
    words = [word for line in own for word in ("-C", line)]

    return ["apache2", "-DFOREGROUND", "-f", conf, *words]


_PROXIES: dict[str, Callable[[Path, Path], list[str | Path]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "apache": _apache,
}
