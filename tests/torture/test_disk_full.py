# A disk that fills while requests come: first somebody is told, then requests are
# refused, and when there is room again all goes on and nothing is lost.
import errno
import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.chance import seed_of
from tests.torture.disk_client import Load, loaded
from tests.torture.disk_judge import assert_whole, find
from tests.torture.disk_mounts import needs, tmpfs
from tests.torture.disk_serving import Server, awaited, serving

pytestmark = needs("mount")
SEED = seed_of("TORTURE_SEED")
NEVER = "0,0,0"  # min_free with which only the disk itself says that it is full
SMALL = 128  # slots of a journal that fits on the disk


class Ballast:
    """A file that fills the rest of a disk."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._path = disk / "ballast"

    def leave(self, share: float) -> None:
        """Grow, until no more than this share of the disk is free."""
        told = os.statvfs(self._disk)
        more = told.f_bavail - int(share * told.f_blocks)
        with self._path.open("ab") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), file.tell(), more * told.f_frsize)

    def fill(self) -> None:
        """Grow, until the disk takes no byte."""
        with self._path.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def shrink(self, size: int) -> None:
        """Give that many bytes back."""
        os.truncate(self._path, max(0, self._path.stat().st_size - size))

    def remove(self) -> None:
        """Give all of it back."""
        self._path.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    with tmpfs(tmp_path / "disk") as path:
        yield path


@pytest.fixture
def ballast(disk: Path) -> Ballast:
    """What fills it."""
    return Ballast(disk)


def back(load: Load, what: str) -> None:
    """Wait until requests are served again; say how long it took."""
    since = time.monotonic()
    answer = load.wait(1)
    print(f"{what}: served again after {answer.ended - since:.3f} s")
    load.wait(20)


def warnings(server: Server) -> list[str]:
    """Return the types of the records of `system` that tell of free space."""
    return [
        line["type"]
        for line in find(server.trail).lines
        if line["stream"] == "system" and "free" in line["details"]
    ]


def test_thresholds(tmp_path: Path, disk: Path, ballast: Ballast) -> None:
    """First there is a record that warns, and requests are served; then they are not."""
    options = {"journal_dir": tmp_path / "journal"}
    with loaded(tmp_path, disk / "trail", options=options) as (server, load):
        load.wait(20)
        assert warnings(server) == []
        ballast.leave(0.08)
        awaited(lambda: warnings(server), "a warning")
        load.wait(20)
        assert not load.answered(503)
        ballast.leave(0.005)
        load.wait(20, 503)
        before = server.called()
        load.wait(20, 503)
        meanwhile = server.called() - before
        ballast.remove()
        back(load, "thresholds")

    assert not meanwhile
    assert_whole(server, load)


@pytest.mark.parametrize(
    ("name", "journal"),
    [
        ("uvicorn", "on the disk"),
        ("gunicorn gthread", "elsewhere"),
        pytest.param("uvicorn", "elsewhere", marks=pytest.mark.torture),
        pytest.param("gunicorn gthread", "on the disk", marks=pytest.mark.torture),
        pytest.param("gunicorn sync", "on the disk", marks=pytest.mark.torture),
    ],
)
def test_no_space(
    tmp_path: Path, disk: Path, ballast: Ballast, name: str, journal: str
) -> None:
    """On a disk that takes no byte nothing is torn, and nothing runs unrecorded."""
    options: dict[str, object] = {"min_free": NEVER, "max_slots": SMALL}
    if journal == "elsewhere":
        options = {"min_free": NEVER, "journal_dir": tmp_path / "journal"}
    with loaded(tmp_path, disk / "trail", name, options) as (server, load):
        load.wait(20)
        ballast.fill()
        load.wait(20, 503)
        ballast.fill()  # what a cut tail gave back
        load.wait(20, 503)
        before = server.called()
        load.wait(20, 503)
        meanwhile = server.called() - before
        ballast.remove()
        back(load, f"{name}, journal {journal}")

    assert not meanwhile
    assert_whole(server, load)


@pytest.mark.torture
def test_no_space_for_values(tmp_path: Path, disk: Path, ballast: Ballast) -> None:
    """Where a value cannot be kept, its request is on record, and is not answered."""
    options = {"journal_dir": tmp_path / "journal", "min_free": NEVER}
    trail = disk / "trail"
    with loaded(tmp_path, trail, options=options, value="x" * 3000) as (server, load):
        load.wait(20)
        ballast.fill()
        load.wait(20, 503)
        ballast.remove()
        back(load, "values")

    assert_whole(server, load, run=True)


def test_no_space_for_the_journal(tmp_path: Path, disk: Path, ballast: Ballast) -> None:
    """A server that finds no room for its journal runs nothing, and says why."""
    ballast.fill()

    assert re.search("ENOSPC|No space left", said_at_start(tmp_path, disk / "trail"))
    assert not (tmp_path / "calls").read_bytes()


def said_at_start(directory: Path, trail: Path) -> str:
    """Return what a server says that does not start, or that refuses all requests."""
    try:
        with serving(directory, trail, options={"min_free": NEVER}) as server:
            answer, _ = server.running.ask("GET", "/?n=0-0")
            assert answer.status == 503
            return server.running.said()
    except RuntimeError as error:
        return str(error)


@pytest.mark.torture
@pytest.mark.parametrize("name", ["uvicorn", "gunicorn gthread"])
def test_full_and_not(tmp_path: Path, disk: Path, ballast: Ballast, name: str) -> None:
    """However often, and for however long, a disk is full, nothing is lost."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    options = {"journal_dir": tmp_path / "journal", "min_free": NEVER}
    trail = disk / "trail"
    with loaded(tmp_path, trail, name, options, pause=0.02) as (server, load):
        for _ in range(30):
            ballast.fill()
            load.wait(chance.randrange(1, 20), 503)
            # No more than a few lines fit, or a part of one.
            ballast.shrink(chance.choice([4096, 8192, 1 << 16]))
            time.sleep(chance.random() / 5)
        ballast.remove()
        back(load, f"{name}, many times")

    assert_whole(server, load)
