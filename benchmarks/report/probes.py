# What each contender does when it matters, tried and not believed: one server is asked
# with marks that its records should hold and with bytes that they should not, one is
# killed under load, and one cannot write any more.
#
# The answers are words for the report's table; a probe judges nothing.
import os
import re
import resource
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.asking import connected, status_of
from benchmarks.contenders import CONTENDERS
from benchmarks.processes import workers
from benchmarks.servers import serving

__all__ = ["HEADINGS", "probe"]

HEADINGS = {
    "params": "query",
    "body": "body",
    "address": "address",
    "injection": "hostile bytes",
    "killed": "kill -9 under load",
    "full": "cannot write",
}
_PARAM, _BODY, _CLAIM = b"seen-param", b"seen-body", b"203.0.113.77"
_LAST, _NOTHING = b"seen-last", "-"
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_THREADS, _UNDER_LOAD, _FULL = 4, 0.5, 400  # connections, seconds, requests
_BATCH = 8  # seconds until a record that is not there is none; OpenTelemetry waits 5
_BROKEN_OFF = 999  # where a status would stand; worse than any
# What a probe needs of the middleware, and no other contender reads: who is a proxy,
# and a journal that 400 requests fill.
_OURS = {"AUDIT_MW_TRUSTED_PROXIES": "127.0.0.1", "AUDIT_MW_MAX_SLOTS": "256"}


def probe(server: str, contender: str) -> dict[str, str]:
    """Return what came of it, by the keys of HEADINGS."""
    with _environment(_OURS):
        return {
            **_marks(server, contender),
            "killed": _killed(server, contender),
            "full": _full(server, contender),
        }


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _request(target: bytes, fields: bytes = b"", body: bytes = b"") -> list[bytes]:
    method = b"POST" if body else b"GET"
    head = b"%b %b HTTP/1.1\r\nHost: shop.example\r\n%b" % (method, target, fields)
    if body:
        head += b"Content-Type: application/x-www-form-urlencoded\r\n"
        head += b"Content-Length: %d\r\n" % len(body)

    return [head + b"\r\n" + body]


def _kept(contender: str, directory: Path) -> bytes:
    # Of ours all streams: a value may stand in another one than the request.
    pattern = CONTENDERS[contender].evidence.replace("request/", "*/")
    files = sorted(directory.glob(pattern)) if pattern else []

    return b"".join(path.read_bytes() for path in files)


# --- marks, and bytes of an attacker


def _marks(server: str, contender: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with serving(server, contender, directory) as (_, port):
            _ask(port, b"/search?a=" + _PARAM, b"X-Forwarded-For: " + _CLAIM + b"\r\n")
            _ask(port, b"/%0aFORGED%1b[2J?a=%0aFORGED%1b")
            _ask(port, b"/", b"User-Agent: a\x1b[2J\x0b\r\nReferer: \x1b[2J\x7f\r\n")
            _ask(port, b"/" + _LAST)
            _await(contender, directory)
        kept = _kept(contender, directory)
    if _LAST not in kept:
        return dict.fromkeys(("params", "body", "address", "injection"), _NOTHING)

    return {
        "params": _yes(_PARAM in kept),
        "body": _yes(_BODY in kept),
        "address": _address(kept),
        "injection": _injected(kept),
    }


def _await(contender: str, directory: Path) -> None:
    # A batch waits for its time, and a server's end does not hurry it.
    until = time.monotonic() + _BATCH
    while _LAST not in _kept(contender, directory) and time.monotonic() < until:
        if not CONTENDERS[contender].evidence:
            return
        time.sleep(0.1)


def _ask(port: int, target: bytes, fields: bytes = b"") -> None:
    with connected(port) as plug, suppress(OSError):  # it may refuse, and close
        status_of(plug, _request(target, fields, b"b=" + _BODY))


def _yes(found: object) -> str:
    return "yes" if found else "no"


def _address(kept: bytes) -> str:
    # Of that request only: others came without a proxy.
    lines = b"".join(line for line in kept.splitlines() if _PARAM in line)
    both = {"peer": b"127.0.0.1" in lines, "client": _CLAIM in lines}

    return " and ".join(name for name in both if both[name]) or "none"


def _injected(kept: bytes) -> str:
    if any(line.startswith(b"FORGED") for line in kept.splitlines()):
        return "forge a line"

    return "pass as they are" if _CONTROL.search(kept) else "are escaped"


# --- kill -9


def _killed(server: str, contender: str) -> str:
    if not CONTENDERS[contender].evidence:
        return _NOTHING
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with serving(server, contender, directory) as (pid, port):
            answered = _until_killed(pid, port)
        # What is left for the next start is not lost: it is started once more, and
        # asked, since a WSGI application knows of its start by its first request.
        with serving(server, contender, directory) as (_, port):
            _ask(port, b"/" + _LAST)
            _await(contender, directory)
        kept = set(re.findall(rb"kill-\d+-\d+-", _kept(contender, directory)))

    return f"loses {len(answered - kept):,} of {len(answered):,}"


def _until_killed(pid: int, port: int) -> set[bytes]:
    answered: set[bytes] = set()
    threads = [
        threading.Thread(target=_answered, args=(port, at, answered))
        for at in range(_THREADS)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + _BATCH
    while not answered and time.monotonic() < until:
        time.sleep(0.02)  # it listens before it has a worker
    time.sleep(_UNDER_LOAD)
    os.killpg(pid, signal.SIGKILL)  # the server has a session of its own
    for thread in threads:
        thread.join()

    return answered


def _answered(port: int, at: int, into: set[bytes]) -> None:
    number = 0
    with suppress(OSError), connected(port) as plug:
        while True:
            mark = b"kill-%d-%d-" % (at, number)
            if status_of(plug, _request(b"/?a=" + mark)) == 200:
                into.add(mark)
            number += 1


# --- a file that cannot grow


def _full(server: str, contender: str) -> str:
    if not CONTENDERS[contender].evidence:
        return _NOTHING
    with (
        tempfile.TemporaryDirectory() as name,
        serving(server, contender, Path(name)) as (pid, port),
    ):
        _ask(port, b"/")
        (worker,) = workers(pid)
        _, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, hard))
        found = {_status(port) for _ in range(_FULL)}
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (hard, hard))

    return _FINDING.get(max(found), f"answers {max(found)}")


_FINDING = {200: "serves on", _BROKEN_OFF: "breaks the connection off"}


def _status(port: int) -> int:
    try:
        with connected(port) as plug:
            return status_of(plug, _request(b"/"))
    except OSError:
        return _BROKEN_OFF
