# What the servers of the torture serve, once for each interface, and their witness.
#
# The witness is a file of each process. The first thing that the application does with
# a request is to write the request's word there, with a bare system call: what stands
# in the file did begin, whatever became of the process. The call is writev(2), which
# nobody else makes, so that strace can tell the witness from the writer.
import asyncio
import ctypes
import json
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.edges.asgi_server import Receive, Scope, Send
from tests.edges.wsgi_server import Environ, StartResponse

import audit_mw
from audit_mw import AuditMiddleware

__all__ = [
    "CHUNKS",
    "DEATHS",
    "DIRECTORY",
    "asgi",
    "bare_wsgi",
    "begin",
    "say",
    "witnessed",
    "wsgi",
]

CHUNKS = [b"chunk " * 50] * 4
_WORD = re.compile(rb"(?:^|&)n=([0-9a-z-]+)")
DIRECTORY = Path(os.environ.get("TORTURE_DIRECTORY", "."))
_LONG = 600  # seconds: whoever hangs so long is killed before
_SLOW = 0.1
_witnesses: dict[tuple[str, int], int] = {}


def begin(query: bytes) -> None:
    """Write the word of a request into the witness of this process."""
    _note("witness", _word(query))


def say(query: bytes) -> None:
    """Say something in a request; when that has returned, note that it has."""
    word = _word(query)
    audit_mw.error("said", word=word)
    _note("said", word)


def _word(query: bytes) -> bytes:
    found = _WORD.search(query)

    return found[1] if found else b"without-a-word"


def _note(name: str, word: bytes) -> None:
    own = name, os.getpid()
    if own not in _witnesses:
        # With the time, for the numbers of processes come again.
        path = DIRECTORY / f"{name}.{own[1]}.{time.monotonic_ns()}"
        _witnesses[own] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.writev(_witnesses[own], [word, b"\n"])


def witnessed(directory: Path, name: str = "witness") -> list[str]:
    """
    Return the words of all requests that began, as often as they began.

    Args:
        directory: of the witnesses.
        name: `said` for those in which something was said.
    """
    return [
        word
        for path in directory.glob(f"{name}.*")
        for word in path.read_text().split()
    ]


# --- deaths: each ends the process inside of a request


def _exit() -> None:
    os._exit(7)  # gunicorn ends at a 3: its worker did not boot


def _segv() -> None:
    ctypes.string_at(0)


def _abort() -> None:
    os.abort()


def _oom() -> None:
    os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does it


DEATHS = {"/exit": _exit, "/segv": _segv, "/abort": _abort, "/oom": _oom}


# --- ASGI


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    begin(scope["query_string"])
    if scope["type"] == "websocket":
        await _websocket(receive, send)
        return
    path = scope["path"]
    if path not in ("/quick", "/unread"):
        await _read(receive)
    if path == "/unread":
        _exit()
    if path == "/say":
        say(scope["query_string"])
    await _serve(path, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})


async def _websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def _read(receive: Receive) -> None:
    while (message := await receive()).get("more_body"):
        assert message["type"] == "http.request"


async def _serve(path: str, send: Send) -> None:
    if path in DEATHS:
        DEATHS[path]()
    if path in ("/hang", "/slow"):
        await asyncio.sleep(_LONG if path == "/hang" else _SLOW)
    chunks = CHUNKS if path in ("/stream", "/broken") else [b"whole"]
    length = [] if chunks is CHUNKS else [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    for chunk in chunks:
        more = chunks is CHUNKS
        await send({"type": "http.response.body", "body": chunk, "more_body": more})
        await asyncio.sleep(0)
        if path == "/broken":
            _exit()
    if chunks is CHUNKS:
        await send({"type": "http.response.body"})
    if path == "/answered":
        await asyncio.sleep(0.05)  # for the answer to leave
        _exit()


# --- WSGI


def _wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    begin(environ["QUERY_STRING"].encode("latin-1"))
    path = environ["PATH_INFO"]
    if path == "/unread":
        _exit()
    if path != "/quick":
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if path == "/say":
        say(environ["QUERY_STRING"].encode("latin-1"))
    if path in DEATHS:
        DEATHS[path]()
    if path in ("/hang", "/slow"):
        time.sleep(_LONG if path == "/hang" else _SLOW)
    if path in ("/stream", "/broken"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _chunks(path)
    start_response("200 OK", [("Content-Length", "5")])

    return _answered() if path == "/answered" else [b"whole"]


def _chunks(path: str) -> Iterator[bytes]:
    for chunk in CHUNKS:
        yield chunk
        if path == "/broken":
            _exit()


def _answered() -> Iterator[bytes]:
    yield b"whole"
    time.sleep(0.05)
    _exit()


def _wrapped(app: Callable[..., Any]) -> Any:
    if "TORTURE_BARE" in os.environ:
        return app
    options = json.loads(os.environ.get("TORTURE_OPTIONS", "{}"))
    trail = {"trail": str(DIRECTORY / "trail"), "service": "torture"}

    return AuditMiddleware(app, **{**trail, **options})


resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a death leaves no file behind
bare_wsgi = _wsgi
asgi = _wrapped(_app)
wsgi = _wrapped(_wsgi)

if "TORTURE_EARLY" in os.environ:
    # As an application that warms itself up, before its server forks.
    for _ in wsgi(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/quick", "QUERY_STRING": "n=w-early"},
        lambda *_: None,
    ):
        pass
