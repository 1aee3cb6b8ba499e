# What is done with a request that cannot be recorded, as the operator wants it: refused,
# or the worker ends, or it is served and counted.
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import SECONDS
from tests.torture.disk_client import Load, loaded
from tests.torture.disk_judge import Found, details, find, flaws
from tests.torture.disk_mounts import needs, tmpfs
from tests.torture.disk_serving import Server, awaited, serving
from tests.torture.test_disk_full import NEVER, Ballast

pytestmark = needs("mount")
HEALTH = "/health"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    with tmpfs(tmp_path / "disk") as path:
        yield path


def options(tmp_path: Path, **more: object) -> dict[str, object]:
    """Return options of a middleware that only a full disk can stop."""
    return {"journal_dir": tmp_path / "journal", "min_free": NEVER, **more}


def counted(found: Found) -> int:
    """Return how many requests the trail says were served unrecorded."""
    return sum(int(details(line).get("count", 0)) for line in found.of_type("log_gap"))


def unrecorded(found: Found, load: Load) -> list[str]:
    """Return the requests that were answered, and are not on record."""
    return found.lost(load.answered(200))


def fill_and_free(server: Server, disk: Path, load: Load, status: int) -> None:
    """Fill the disk until requests that it takes no record of are answered; free it."""
    ballast = Ballast(disk)
    load.wait(20)
    ballast.fill()
    load.wait(20, status)
    ballast.fill()
    load.wait(50, status)
    ballast.remove()
    size = server.segment().stat().st_size
    awaited(lambda: server.segment().stat().st_size > size, "a line")
    load.wait(20)


@pytest.mark.parametrize(
    "name",
    ["uvicorn", pytest.param("gunicorn gthread", marks=pytest.mark.torture)],
)
def test_served(tmp_path: Path, disk: Path, name: str) -> None:
    """With on_failure="serve" what was served unrecorded is counted, exactly."""
    choice = options(tmp_path, on_failure="serve")
    with loaded(tmp_path, disk / "trail", name, choice) as (server, load):
        # All are served, so only this many more tell that the journal is full.
        fill_and_free(server, disk, load, 200)
    found = find(server.trail)

    assert not load.answered(503)
    assert found.torn == []
    assert found.twice() == []
    assert len(unrecorded(found, load)) == counted(found)


def test_served_unlogged(tmp_path: Path, disk: Path) -> None:
    """What serve_unlogged names is served, and counted, while all else is refused."""
    choice = options(tmp_path, serve_unlogged=HEALTH)
    with (
        loaded(tmp_path, disk / "trail", options=choice) as (server, load),
        Load(server.running.port, clients=2, path=HEALTH) as health,
    ):
        before = len(health.answers)
        fill_and_free(server, disk, load, 503)
        served = health.answers[before:]
    found = find(server.trail)

    assert served
    assert not health.answered(503)
    assert flaws(found, load.answered(200), ()) == []
    assert len(unrecorded(found, health)) == counted(found)
    assert counted(found)


def test_ended(tmp_path: Path, disk: Path) -> None:
    """With on_failure="exit" the worker ends; what it had answered is on record."""
    choice = options(tmp_path, on_failure="exit")
    ballast = Ballast(disk)
    trail = disk / "trail"
    with loaded(tmp_path / "first", trail, options=choice) as (first, load):
        load.wait(20)
        ballast.fill()
        code = first.running.process.wait(SECONDS)
    ballast.remove()
    with serving(tmp_path / "second", trail, options=options(tmp_path)) as second:
        second.running.ask("GET", "/?n=0-0")
    found = find(trail)

    assert code != 0
    assert not load.answered(503) & first.called().keys()
    assert flaws(found, load.answered(200), first.called()) == []


@pytest.mark.torture
def test_workers_end(tmp_path: Path, disk: Path) -> None:
    """Under an arbiter a new worker serves as soon as there is room again."""
    choice = options(tmp_path, on_failure="exit")
    ballast = Ballast(disk)
    with loaded(tmp_path, disk / "trail", "gunicorn gthread", choice) as (server, load):
        load.wait(20)
        before = server.worker
        ballast.fill()
        awaited(lambda: server.worker != before, "another worker")
        ballast.remove()
        load.wait(20)
    found = find(server.trail)

    assert flaws(found, load.answered(200), server.called()) == []
