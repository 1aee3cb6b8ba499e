# What child processes of the torture do: one function a task.
#
# `python -m tests.torture.hands TASK DIRECTORY ARGUMENT...` calls the wrapped
# application with raw messages, as a server does. Beside the witness that the
# application writes, a process notes in `done.*` which answers it got whole, so that
# the judge knows it of a process that is dead.
import tests.forking  # noqa: F401 - first, as it says

# isort: split
import asyncio
import ctypes
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path
from typing import Any

from tests.edges.asgi_server import http_scope
from tests.serving import new_word
from tests.torture import app
from tests.torture.load import FORM

import audit_mw
from audit_mw import AuditMiddleware
from audit_mw.errors import AuditUnavailable
from audit_mw.trail.writer import open_writers

__all__ = ["answers"]

_NOBODY = 65534
_BODY = b"read=1&password=secret"
# Numbers of processes come again. (Of letters: digits beside a number may be a card's.)
_BOOT = new_word()[:8]
_done: dict[int, int] = {}
# Drawn from in one step: two threads that add to a number may both see the later one.
_numbers = itertools.count(1)


def answers(directory: Path) -> dict[str, int | None]:
    """Return the words that the tasks sent, and of what was answered the status."""
    lines = [
        line.split()
        for path in directory.glob("done.*")
        for line in path.read_text().splitlines()
    ]

    return {word: int(status) if status != "sent" else None for word, status in lines}


def _note(word: str, status: object) -> None:
    pid = os.getpid()
    if pid not in _done:
        name = app.DIRECTORY / f"done.{pid}.{time.monotonic_ns()}"
        _done[pid] = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.writev(_done[pid], [f"{word} {status}\n".encode()])


def _word() -> str:
    return f"h-{os.getpid()}-{_BOOT}-{next(_numbers)}"


# --- a request, whole


def call_wsgi(path: str = "/echo", wsgi: Any = app.wsgi, more: str = "") -> int:
    """Call the application as a WSGI server does; return the status."""
    word = _word()
    _note(word, "sent")
    said: list[str] = []
    result = wsgi(_environ(word, path, more), lambda status, *_: said.append(status))
    try:
        b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    _note(word, said[-1].split()[0])

    return int(said[-1].split()[0])


def _environ(word: str, path: str, more: str = "") -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": f"n={word}{more}",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(_BODY)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(_BODY),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


async def call_asgi(path: str = "/echo", asgi: Any = app.asgi, more: str = "") -> int:
    """Call the application as an ASGI server does; return the status."""
    word = _word()
    _note(word, "sent")
    scope = http_scope(
        method="POST",
        path=path,
        raw_path=path.encode(),
        query_string=f"n={word}{more}".encode(),
        headers=[(b"content-type", FORM.encode())],
    )
    incoming = [{"type": "http.request", "body": _BODY}]
    taken: list[Any] = []

    async def receive() -> Any:
        if not incoming:
            await asyncio.sleep(3600)
        return incoming.pop()

    async def send(message: Any) -> None:
        taken.append(message)

    await asgi(scope, receive, send)
    _note(word, taken[0]["status"])

    return int(taken[0]["status"])


# --- tasks: many


def _mores() -> Iterator[str]:
    # Some records are large, and some values are spilled.
    number = 0
    while True:
        number += 1
        if number % 50 == 0:
            yield "".join(f"&p{at}={'x' * 90}" for at in range(50))
        elif number % 20 == 0:
            yield f"&long={number:0300}"
        else:
            yield "&a=1&b=two"


def serve(kind: str, count: str) -> None:
    """Serve so many requests, and end as programs do."""
    if kind == "wsgi":
        for _, more in zip(range(int(count)), _mores(), strict=False):
            call_wsgi(more=more)
    else:
        asyncio.run(_serve_asgi(int(count)))


async def _serve_asgi(count: int) -> None:
    for _, more in zip(range(count), _mores(), strict=False):
        await call_asgi(more=more)


def serve_and_die(kind: str, count: str) -> None:
    """Serve, open some requests that stay, and be killed."""
    asyncio.run(_serve_and_die(kind, int(count)))


async def _serve_and_die(kind: str, count: int) -> None:
    serving = asyncio.to_thread(serve, "wsgi", str(count))
    await (serving if kind == "wsgi" else _serve_asgi(count))
    hanging = [asyncio.create_task(call_asgi("/hang")) for _ in range(count)]
    await asyncio.sleep(0)
    await _serve_asgi(count)
    os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.gather(*hanging)


def serve_all() -> None:
    """Serve in several batches, with requests open meanwhile, and end them all."""
    asyncio.run(_serve_all())


async def _serve_all() -> None:
    hanging = [asyncio.create_task(call_asgi("/hang")) for _ in range(10)]
    for _ in range(4):
        await _serve_asgi(10)
        await asyncio.sleep(0.03)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


# --- tasks: ends of the interpreter


def end(kind: str, how: str) -> None:
    """Serve, and end right after the last answer."""
    serve(kind, "30")
    _ENDS[how]()


def _raise() -> None:
    raise RuntimeError("as asked")


_ENDS: dict[str, Callable[[], object]] = {
    "return": lambda: None,
    "sys.exit": lambda: sys.exit(0),
    "raise": _raise,
    "os._exit": lambda: os._exit(0),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "SIGINT": lambda: os.kill(os.getpid(), signal.SIGINT),
}


def end_with_threads(kind: str) -> None:
    """End while other threads serve: daemons, that the interpreter freezes."""
    for _ in range(4):
        threading.Thread(target=serve, args=(kind, "1000000"), daemon=True).start()
    time.sleep(0.2)
    while not answers(app.DIRECTORY):  # on a busy machine nobody has served by then
        time.sleep(0.01)
    sys.exit(0)


def end_amid_requests(kind: str) -> None:
    """Answer requests that run while the writers say that all is over, and be killed."""
    if kind == "wsgi":
        _end_amid_wsgi()
    else:
        asyncio.run(_end_amid_asgi())
    os.kill(os.getpid(), signal.SIGKILL)


def _end_amid_wsgi() -> None:
    def ending(environ: Any, start_response: Any) -> Any:
        app.begin(environ["QUERY_STRING"].encode())
        _end_writers()
        start_response("200 OK", [("Content-Length", "5")])
        return [b"whole"]

    wrapped = AuditMiddleware(ending, trail=str(app.DIRECTORY / "trail"))
    for more in ("", "".join(f"&p{at}={'x' * 90}" for at in range(50))):
        call_wsgi(wsgi=wrapped, more=more)
        call_wsgi()


async def _end_amid_asgi() -> None:
    async def ending(scope: Any, receive: Any, send: Any) -> None:
        app.begin(scope["query_string"])
        await receive()
        await asyncio.to_thread(_end_writers)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})

    wrapped = AuditMiddleware(ending, trail=str(app.DIRECTORY / "trail"))
    for more in ("", "".join(f"&p{at}={'x' * 90}" for at in range(50))):
        await call_asgi(asgi=wrapped, more=more)
        await call_asgi()


def _end_writers() -> None:
    for writer in open_writers():
        writer.close(at_exit=True)


def say_and_die(kind: str) -> None:
    """Say something in a request, and be killed at the next statement."""

    def saying(environ: Any, _start: Any) -> Any:
        app.begin(environ["QUERY_STRING"].encode())
        _say_and_die()

    async def saying_too(scope: Any, receive: Any, _send: Any) -> None:
        app.begin(scope["query_string"])
        await receive()
        _say_and_die()

    trail = str(app.DIRECTORY / "trail")
    if kind == "wsgi":
        call_wsgi(wsgi=AuditMiddleware(saying, trail=trail))
    else:
        asyncio.run(call_asgi(asgi=AuditMiddleware(saying_too, trail=trail)))


def _say_and_die() -> None:
    audit_mw.login("alice", session="0123456789abcdef0123", method="token")
    audit_mw.error("e" * 300, more={f"k{number}": "v" * 50 for number in range(200)})
    os.kill(os.getpid(), signal.SIGKILL)


# --- tasks: threads


def _left_by_thread(action: Callable[[], object]) -> None:
    def run() -> None:
        with suppress(BaseException):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def dying_threads() -> None:
    """Let threads die in the middle of a request, in each way there is."""

    def exit_in_app(environ: Any, _start: Any) -> Any:
        app.begin(environ["QUERY_STRING"].encode())
        sys.exit()

    def abandoned() -> None:
        # Nobody takes the rest, and nobody closes it.
        word = _word()
        _note(word, "sent")
        next(iter(app.wsgi(_environ(word, "/stream"), lambda *_: None)))

    wrapped = AuditMiddleware(exit_in_app, trail=str(app.DIRECTORY / "trail"))
    for _ in range(5):
        _left_by_thread(lambda: call_wsgi(wsgi=wrapped))
        _left_by_thread(abandoned)
        call_wsgi()


def dying_writer(error: str) -> None:
    """Raise in each thread that is not ours, again and again, while requests run."""
    own = {threading.get_ident()}
    call_wsgi()
    kind = {"MemoryError": MemoryError, "SystemExit": SystemExit}[error]
    for _ in range(20):
        for thread in threading.enumerate():
            if thread.ident not in own:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(kind)
                )
        for _ in range(10):
            call_wsgi()
        time.sleep(0.03)


def no_threads() -> list[int]:
    """Serve while no thread can be started, and when one can; return the statuses."""
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    refused = [call_wsgi() for _ in range(3)]
    resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))

    return [*refused, _status_at_last()]


def _status_at_last() -> int:
    until = time.monotonic() + 20
    while (status := call_wsgi()) == 503 and time.monotonic() < until:
        time.sleep(0.05)

    return status


# --- tasks: forks


def forks(how: str) -> None:
    """Serve, fork in a handler, and serve in both."""
    call_wsgi()

    def forking(environ: Any, start_response: Any) -> Any:
        app.begin(environ["QUERY_STRING"].encode())
        _FORKS[how]()
        start_response("200 OK", [("Content-Length", "5")])
        return [b"whole"]

    wrapped = AuditMiddleware(forking, trail=str(app.DIRECTORY / "trail"))
    for _ in range(2 if "spawn" in how else 5):  # a new interpreter takes its time
        call_wsgi(wsgi=wrapped)
        call_wsgi()


def _fork() -> None:
    child = os.fork()
    if not child:
        code = 1
        with suppress(BaseException):
            serve("wsgi", "5")
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    assert not status


def _fork_idle() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _multiprocess(context: ForkContext | SpawnContext) -> None:
    child = context.Process(target=serve, args=("wsgi", "5"))
    child.start()
    child.join()
    assert child.exitcode == 0


_FORKS: dict[str, Callable[[], object]] = {
    "os.fork": _fork,
    "os.fork, no request": _fork_idle,
    "multiprocessing fork": lambda: _multiprocess(get_context("fork")),
    "multiprocessing spawn": lambda: _multiprocess(get_context("spawn")),
    "subprocess": lambda: subprocess.run(["true"], check=True),
}


# --- tasks: trails


def two_applications() -> None:
    """Serve two applications, of both interfaces, on one trail, in turns."""
    trail = str(app.DIRECTORY / "trail")
    other = AuditMiddleware(app.bare_wsgi, trail=trail, service="other")
    for _ in range(50):
        call_wsgi()
        call_wsgi(wsgi=other)
        asyncio.run(call_asgi())


def serve_as(uid: str) -> list[object]:
    """Start and serve as another user; return what start-up says, and two statuses."""
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))

    return [asyncio.run(_start_up()), call_wsgi(), asyncio.run(call_asgi())]


async def _start_up() -> str:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": f"lifespan.{'shutdown' if said else 'startup'}"}

    async def send(message: Any) -> None:
        said.append(message)

    with suppress(AuditUnavailable):
        await app.asgi({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    return str(said[0].get("message", ""))


TASKS: dict[str, Callable[..., object]] = {
    task.__name__: task
    for task in (
        dying_threads,
        dying_writer,
        end,
        end_amid_requests,
        end_with_threads,
        forks,
        no_threads,
        say_and_die,
        serve,
        serve_all,
        serve_and_die,
        serve_as,
        two_applications,
    )
}


def main(name: str, *arguments: str) -> None:
    """Do a task."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    said = TASKS[name](*arguments)
    sys.stdout.write(json.dumps(said))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
