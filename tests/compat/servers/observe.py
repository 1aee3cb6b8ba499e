# What the records of a real server tell, as words for the table in facts.py: one
# function a column. Each asks the server for something and reads the record.
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.compat.servers.http2 import get_at_once
from tests.edges.fleet import Served, Server, start
from tests.edges.test_servers import leave_request, leave_response, raw
from tests.serving import SECONDS, new_word
from websockets.exceptions import InvalidHandshake, InvalidMessage
from websockets.sync.client import connect

from audit_mw.event import Event

__all__ = ["OBSERVE", "over_tls", "over_unix"]


def _asked(served: Served, target: str, *lines: str) -> Event:
    case = new_word()
    served.running.exchange(raw("GET", target, case, *lines))

    return served.awaited(case)[0]


def _text(coded: object) -> str:
    assert isinstance(coded, bytes)

    return coded.decode()


def _path(served: Served) -> str:
    event = _asked(served, "/a%2Fb%c3")
    words: dict[object, str] = {b"/a%2Fb%c3": "as sent", b"/a/b%C3": "coded again"}
    assert bool(event.details.get("reconstructed")) == (event.path == b"/a/b%C3")

    return words[event.path]


def _bytes(served: Served) -> str:
    case = new_word()
    answer = served.running.exchange(raw("GET", "/\xc3\xa9?q=\xff", case))
    if answer[8:13] == b" 400 ":
        assert served.events(case) == []
        return "refused"
    event = served.awaited(case)[0]
    assert b"\xff" in {param.value for param in event.params}

    words: dict[object, str] = {b"/\xc3\xa9": "kept", b"/%C3%A9": "coded again"}

    return words[event.path]


def _peer(served: Served) -> str:
    host, _, port = _text(_asked(served, "/").peer).partition(":")
    assert host == "127.0.0.1"

    return "address, port" if port else "address"


def _lines(served: Served) -> str:
    lines = ["X-Request-Id: 1", "User-Agent: a", "X-Request-Id: 2"]
    params = _asked(served, "/", *lines).params
    names = (b"x-request-id", b"user-agent")
    shown = tuple(p.value for p in params if p.source == "header" and p.name in names)

    words: dict[object, str] = {
        (b"1", b"a", b"2"): "kept",
        (b"1", b"2", b"a"): "repeats together",
        (b"1,2", b"a"): "joined by `,`",
        (b"1, 2", b"a"): "joined by `, `",
    }

    return words[shown]


def _cookies(served: Served) -> str:
    params = _asked(served, "/", "Cookie: a=1", "Cookie: b=2").params
    shown = tuple((p.name, p.value) for p in params if p.source == "cookie")

    words: dict[object, str] = {
        ((b"a", b"1"), (b"b", b"2")): "two",
        ((b"a", b"1,b=2"),): "one, joined by `,`",
        ((b"a", b"1, b=2"),): "one, joined by `, `",
    }

    return words[shown]


def _leaves(served: Served) -> str:
    case = new_word()
    leave_response(served, case)
    event = served.awaited(case)[0]

    assert event.details["reason"] == b"client gone"

    return event.outcome


def _leaves_early(served: Served) -> str:
    case = new_word()
    leave_request(served, case)
    # The server has let go: a later request has its record after the one in question.
    _asked(served, "/")
    events = served.events(case)
    if not events:
        return "never called"
    length = events[0].details.get("request_len")
    return f"{events[0].outcome}, {length} bytes" if length else events[0].outcome


def _versions(served: Served) -> str:
    case = new_word()
    request = raw("GET", "/", case)
    served.running.exchange(request)
    served.running.exchange(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
    count = 2
    if served.server.http2:
        get_at_once(served.running, [f"/?case={case}"])
        count = 3
    events = served.awaited(case, count)

    return ", ".join(sorted({_text(event.details["http_version"]) for event in events}))


def _websocket(served: Served) -> str:
    case = new_word()
    url = f"ws://127.0.0.1:{served.running.port}/?case={case}"
    try:
        with connect(url, compression=None, open_timeout=SECONDS) as client:
            client.send("hello")
            assert client.recv(SECONDS) == "hello"
    except (InvalidHandshake, InvalidMessage):
        return "no"
    event = served.awaited(case)[0]
    assert event.type == "websocket"

    return str(event.details["close_code"])


def _lost(served: Served) -> str:
    if served.server.interface == "wsgi":
        return "no"
    case = new_word()
    url = f"ws://127.0.0.1:{served.running.port}/?case={case}"
    with connect(url, compression=None, open_timeout=SECONDS) as client:
        client.send("hello")
        assert client.recv(SECONDS) == "hello"
        client.socket.shutdown(socket.SHUT_RDWR)
    event = served.awaited(case)[0]

    return f"{event.details['close_code']}, {event.outcome}"


def _file(served: Served) -> str:
    event = _asked(served, "/file")
    if not event.details.get("estimated"):
        return "no"

    return "file_wrapper" if event.details.get("joined") else "pathsend"


OBSERVE: dict[str, Callable[[Served], str]] = {
    "path": _path,
    "bytes": _bytes,
    "peer": _peer,
    "lines": _lines,
    "cookies": _cookies,
    "leaves": _leaves,
    "leaves early": _leaves_early,
    "versions": _versions,
    "websocket": _websocket,
    "lost": _lost,
    "file": _file,
}


def over_unix(server: Server, directory: Path) -> str:
    """Return what stands as the peer behind a unix socket."""
    if not server.unix:
        return "cannot"
    served = start(server, server.unix, directory, unix=directory / "s")
    try:
        peer = _asked(served, "/").peer
    finally:
        served.running.end()

    return "-" if peer is None else _text(peer)


def over_tls(server: Server, directory: Path) -> str:
    """Return which facts of TLS are on record."""
    if not server.tls:
        return "cannot"
    key, cert = _certificate(directory)
    served = start(server, server.tls, directory, key=key, cert=cert)
    try:
        event = _asked_over_tls(served, cert)
    finally:
        served.running.end()
    assert event.details["scheme"] == b"https"
    told = {"tls_version": "version", "tls_cipher": "cipher"}

    return ", ".join(told[name] for name in told if name in event.details) or "no"


def _asked_over_tls(served: Served, cert: Path) -> Event:
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = False
    case = new_word()
    with served.running.connect() as plain, context.wrap_socket(plain) as client:
        client.sendall(raw("GET", "/", case))
        # To the end: some servers say it without a close of TLS.
        assert client.recv(65536)[8:13] == b" 200 "
        version = str(client.version()).encode()
    event = served.awaited(case)[0]
    assert event.details.get("tls_version", version) == version

    return event


def _certificate(directory: Path) -> tuple[Path, Path]:
    directory.mkdir(parents=True, exist_ok=True)
    key, cert = directory / "key", directory / "cert"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    paths = ["-keyout", str(key), "-out", str(cert)]
    what = ["-days", "2", "-subj", "/CN=localhost", *paths]
    subprocess.run([*made.split(), *what], check=True, capture_output=True)

    return key, cert
