# Load: by wrk where there is one, since it costs least, else by a plain client of our
# own. Either sends each request with a number of its own in the place of TAG, and with
# that of a user in the place of USER.
import json
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.typical import TAG, USER, USERS, Request

__all__ = ["Load", "generator", "load", "loaded", "told"]

CONNECTIONS = 8
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000}


class Load(NamedTuple):
    """What came of it: the number of answers, and latencies in microseconds."""

    answers: int
    p50: float
    p99: float


def generator(seconds: float = 1) -> str:
    """Return the name of what makes the load of so many seconds."""
    # wrk counts in whole ones.
    return "wrk" if shutil.which("wrk") and seconds >= 1 else "own client"


def load(
    port: int, request: Request, seconds: float, connections: int = CONNECTIONS
) -> int:
    """Ask for so many seconds; return the number of answers, all of them 200."""
    return loaded(port, request, seconds, connections).answers


def loaded(
    port: int, request: Request, seconds: float, connections: int = CONNECTIONS
) -> Load:
    """Ask for so many seconds; RuntimeError, if an answer is not 200 or is missing."""
    ask = _wrk if generator(seconds) == "wrk" else _own

    return ask(port, request, seconds, connections)


def _first() -> int:
    # A run sends other numbers than the one before it: a value that was sent in the
    # warm-up is none that was never seen.
    return time.time_ns() // 1_000_000 % (1 << 26) * 32


# --- wrk


def _wrk(port: int, request: Request, seconds: float, connections: int) -> Load:
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "request.lua")
        script.write_text(_lua(request))
        command = f"wrk -t1 -c{connections} -d{round(seconds)}s --latency"
        command += f" --timeout 60s -s {script} http://127.0.0.1:{port}/"
        ran = subprocess.run(
            command.split(), capture_output=True, text=True, check=True
        )
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        raise RuntimeError(f"not all was answered:\n{ran.stdout}")

    return told(ran.stdout)


def told(said: str) -> Load:
    """Return what wrk says; RuntimeError, if it tells no number of requests."""
    found = re.search(r"(\d+) requests in", said)
    if found is None:
        raise RuntimeError(f"wrk tells no number of requests:\n{said}")

    return Load(int(found[1]), _percentile(said, 50), _percentile(said, 99))


def _percentile(said: str, percent: int) -> float:
    found = re.search(rf"^ +{percent}% +([\d.]+)(us|ms|s|m)$", said, re.MULTILINE)

    return float(found[1]) * _UNITS[found[2]] if found else 0


def _lua(request: Request) -> str:
    # A string of JSON in printable ASCII is one of Lua as well.
    pieces = ", ".join(json.dumps(piece) for piece in request.text.split(TAG))

    return (
        f"local pieces, number = {{{pieces}}}, {_first()}\n"
        "request = function()\n"
        "  number = number + 1\n"
        '  local text = table.concat(pieces, string.format("%08x", number))\n'
        f'  local user = string.format("%08x", number % {USERS})\n'
        f'  return (string.gsub(text, "{USER}", user))\n'
        "end\n"
    )


# --- a client of our own


def _own(port: int, request: Request, seconds: float, connections: int) -> Load:
    until, first = time.monotonic() + seconds, _first()
    with ThreadPoolExecutor(connections) as threads:
        asked = [
            threads.submit(_ask, port, request, until, number)
            for number in range(first, first + connections)
        ]
    took = [each.result() for each in asked]
    if [] in took:
        raise RuntimeError(f"not all was answered: {[len(each) for each in took]}")
    all_of_them = [micros for each in took for micros in each]
    some = all_of_them * 2 if len(all_of_them) == 1 else all_of_them
    cuts = statistics.quantiles(some, n=100, method="inclusive")

    return Load(len(all_of_them), cuts[49], cuts[98])


def _ask(port: int, request: Request, until: float, number: int) -> list[float]:
    # Answers are short: each comes in one piece, or in head and body.
    took: list[float] = []
    with ExitStack() as connection:
        plug: socket.socket | None = None
        asked = False  # once at least: on a busy machine the time may be over already
        while (start := time.monotonic()) < until or not asked:
            asked = True
            if plug is None:  # gunicorn's sync worker closes after each answer
                plug = socket.create_connection(("127.0.0.1", port), 10)
                connection.enter_context(plug)
            number += CONNECTIONS  # each connection has numbers of its own
            answer = _answer(plug, request.wire(number))
            if answer.startswith(b"HTTP/1.1 200"):
                took.append((time.monotonic() - start) * 1_000_000)
            elif answer:
                raise RuntimeError(f"not 200: {answer!r}")
            # A server may close what was idle for long: we are late on a busy machine.
            if not answer or b"connection: close" in answer.lower():
                connection.close()
                plug = None

    return took


def _answer(plug: socket.socket, wire: bytes) -> bytes:
    """Ask and return the answer; nothing, if the server had closed the connection."""
    answer = b""
    with suppress(ConnectionError):
        plug.sendall(wire)
        while not answer.endswith(b"}") and (more := plug.recv(65536)):
            answer += more
    if answer and not answer.endswith(b"}"):
        raise RuntimeError(f"the server closed within an answer: {answer!r}")

    return answer
