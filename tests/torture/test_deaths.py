# Requests that kill their own process: each is on record, with what was read of it.
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from tests.serving import SECONDS
from tests.torture.app import DEATHS, witnessed
from tests.torture.judge import Line, Trail, complaints, recover, verify
from tests.torture.load import FORM
from tests.torture.prey import Prey

LONG = "long" * 100
BODY = f"read=1&password=secret&long={LONG}"
READ = b'["form","read","1"]'
PATHS = (*DEATHS, "/unread", "/broken", "/answered")


def die(prey: Prey, path: str) -> tuple[str, int | None]:
    """Send a request that kills; return its word, and its status if it was answered."""
    word = f"w-{path[1:]}"
    connection = HTTPConnection("127.0.0.1", prey.port, SECONDS)
    status = None
    with suppress(HTTPException, ConnectionError):
        headers = {"Content-Type": FORM}
        connection.request("POST", f"{path}?n={word}", BODY, headers)
        response = connection.getresponse()
        response.read()
        status = response.status
    connection.close()
    if prey.name == "uvicorn":
        prey.process.wait(SECONDS)
        prey.start()

    return word, status


@pytest.fixture(
    params=[
        "uvicorn",
        "gunicorn gthread",
        pytest.param("gunicorn sync", marks=pytest.mark.torture),
    ]
)
def died(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[dict[str, Line], dict[str, int | None]]:
    """Kill a server by each request; return the records by word, and the statuses."""
    prey = Prey(request.param, tmp_path)
    try:
        statuses = dict(die(prey, path) for path in PATHS)
        prey.stop()
    finally:
        prey.close()
    trail = tmp_path / "trail"
    recover(trail)
    assert complaints(trail, statuses, witnessed(tmp_path)) == []
    assert verify(trail) == []

    return {word: line for word, (line,) in Trail(trail).by_word().items()}, statuses


def test_deaths(
    died: tuple[dict[str, Line], dict[str, int | None]],
) -> None:
    """
    Who dies in a request is ABORTED, with the body if it was read; the answered is not.
    """
    records, statuses = died
    assert {f"w-{path[1:]}" for path in PATHS} == records.keys()
    answered = records.pop("w-answered")
    assert (statuses["w-answered"], answered["outcome"]) == (200, "SUCCESS")

    for word, line in records.items():
        assert (line["outcome"], line.died) == ("ABORTED", True), word
        assert (READ in line.cells["params"]) == (word != "w-unread")
        assert b"secret" not in line.cells["params"]
