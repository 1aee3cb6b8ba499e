# Load for `servers.py`: by wrk where there is one, since it costs least, else by a
# plain client of our own.
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.typical import Request

__all__ = ["generator", "load"]

CONNECTIONS = 8


def generator() -> str:
    """Return the name of what makes the load."""
    return "wrk" if shutil.which("wrk") else "own client"


def load(
    port: int, request: Request, seconds: int, connections: int = CONNECTIONS
) -> int:
    """Ask for so many seconds; return the number of answers, all of them 200."""
    ask = _wrk if shutil.which("wrk") else _own

    return ask(port, request, seconds, connections)


def _wrk(port: int, request: Request, seconds: int, connections: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "request.lua")
        script.write_text(_lua(request))
        url = f"http://127.0.0.1:{port}{request.target}"
        command = f"wrk -t1 -c{connections} -d{seconds}s"
        command += f" --timeout 60s -s {script} {url}"
        ran = subprocess.run(
            command.split(), capture_output=True, text=True, check=True
        )
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        raise RuntimeError(f"not all was answered:\n{ran.stdout}")

    return answered(ran.stdout)


def answered(said: str) -> int:
    """Return the number of requests that wrk says it made."""
    found = re.search(r"(\d+) requests in", said)
    if found is None:
        raise RuntimeError(f"wrk tells no number of requests:\n{said}")

    return int(found[1])


def _lua(request: Request) -> str:
    # A string of JSON in printable ASCII is one of Lua as well.
    lines = [f"wrk.method = {json.dumps(request.method)}"]
    if request.body:
        lines.append(f"wrk.body = {json.dumps(request.body)}")
    lines += [
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}"
        for name, value in request.fields.items()
    ]

    return "\n".join(lines)


def _own(port: int, request: Request, seconds: int, connections: int) -> int:
    until = time.monotonic() + seconds
    counts = [0] * connections
    threads = [
        threading.Thread(target=_ask, args=(port, request.wire, until, counts, at))
        for at in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if 0 in counts:
        raise RuntimeError(f"not all was answered: {counts}")

    return sum(counts)


def _ask(port: int, wire: bytes, until: float, counts: list[int], at: int) -> None:
    # Answers are short: each comes in one piece, or in head and body.
    plug: socket.socket | None = None
    while time.monotonic() < until:
        if plug is None:  # gunicorn's sync worker closes after each answer
            plug = socket.create_connection(("127.0.0.1", port), 10)
        plug.sendall(wire)
        answer = b""
        while not answer.endswith(b"}"):
            answer += plug.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not 200: {answer!r}")
        counts[at] += 1
        if b"connection: close" in answer.lower():
            plug.close()
            plug = None
    if plug is not None:
        plug.close()
