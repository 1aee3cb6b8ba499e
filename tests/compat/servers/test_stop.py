# A server is told to stop while a request is in flight.
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.compat.servers.more import ALL
from tests.edges.fleet import Served, Server, start
from tests.edges.test_servers import case, raw  # noqa: F401 - a fixture
from tests.serving import SECONDS

BODY = "a=1&b=2"
NAMES = ["uvicorn", "hypercorn", "gunicorn sync", "gunicorn gthread", "gunicorn asgi"]


def _patient(server: Server) -> Server:
    # However slow the machine is, nobody is killed within the request.
    command = server.command.replace("--graceful-timeout 1", "--graceful-timeout 60")

    return replace(server, command=command)


def _await_stopping(served: Served) -> None:
    """Return when the server takes no connections any more, or serves on for a while."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            served.running.connect().close()
        except OSError:
            return
        time.sleep(0.02)


@pytest.mark.parametrize("name", NAMES)
def test_request_in_flight(name: str, tmp_path: Path, case: str) -> None:  # noqa: F811 - a fixture
    """It is answered, and its one record says so; then the server ends by itself."""
    served = start(_patient(ALL[name]), ALL[name].tcp, tmp_path)
    lines = ["Expect: 100-continue", f"Content-Length: {len(BODY)}"]
    try:
        with served.running.connect() as client:
            client.sendall(raw("POST", "/", case, *lines))
            assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
            served.running.process.send_signal(signal.SIGTERM)
            _await_stopping(served)
            client.sendall(BODY.encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        ended = served.running.process.wait(SECONDS)
    finally:
        served.running.end()

    assert answer.endswith(f"\r\n\r\n{BODY}".encode())
    assert ended != -signal.SIGKILL
    assert [(it.outcome, it.sent) for it in served.events(case)] == [
        ("SUCCESS", len(BODY))
    ]
