# Processes that begin and end while the disk takes nothing: what they had accepted is
# in their journals, and whoever comes when there is room again appends it.
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from tests.serving import BIN, SECONDS, free_port, started
from tests.torture.disk_app import CALLS
from tests.torture.disk_client import Load, loaded
from tests.torture.disk_faults import Trace
from tests.torture.disk_judge import Found, assert_whole, find, flaws
from tests.torture.disk_mounts import needs, tmpfs
from tests.torture.disk_serving import COMMANDS, Server, awaited, serving
from tests.torture.test_disk_full import NEVER, Ballast

pytestmark = needs("mount")
SERVERS = [
    pytest.param("uvicorn", marks=()),
    pytest.param("gunicorn gthread", marks=pytest.mark.torture),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    with tmpfs(tmp_path / "disk") as path:
        yield path


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    """Return options of a middleware that only a full disk can stop."""
    return {"journal_dir": tmp_path / "journal", "min_free": NEVER}


def judge(first: Server, second: Server, *loads: Load) -> Found:
    """Judge one trail of two servers, one after the other."""
    found = find(second.trail)
    answered = {word for load in loads for word in load.answered(200)}
    wrong = flaws(found, answered, first.called() + second.called())

    assert not wrong, wrong[:20]
    return found


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_ended_on_a_full_disk(
    tmp_path: Path,
    disk: Path,
    options: dict[str, object],
    name: str,
    how: signal.Signals,
) -> None:
    """A server that ends while nothing can be written leaves nothing behind but that."""
    ballast = Ballast(disk)
    trail = disk / "trail"
    with loaded(tmp_path / "1", trail, name, options) as (first, before):
        before.wait(20)
        ballast.fill()
        before.wait(20, 503)
        first.running.process.send_signal(how)
        first.running.process.wait(SECONDS)
        with suppress(ProcessLookupError):  # a worker outlives its arbiter
            os.killpg(first.running.process.pid, signal.SIGKILL)
    ballast.remove()
    with loaded(tmp_path / "2", trail, name, options) as (second, after):
        after.wait(20)
        awaited(lambda: not find(trail).lost(before.answered(200)), "an adoption")

    judge(first, second, before, after)


def kill_worker(server: Server) -> None:
    """Kill the process that writes; return when there is another."""
    before = server.worker
    os.kill(before, signal.SIGKILL)
    awaited(lambda: server.worker != before, "another worker")


@pytest.mark.torture
def test_killed_on_a_full_disk(
    tmp_path: Path, disk: Path, options: dict[str, object]
) -> None:
    """A worker that is killed while nothing can be written has a heir, later."""
    ballast = Ballast(disk)
    with loaded(tmp_path, disk / "trail", "gunicorn gthread", options) as (
        server,
        load,
    ):
        for _ in range(5):
            load.wait(20)
            ballast.fill()
            load.wait(20, 503)
            kill_worker(server)
            ballast.remove()
        load.wait(20)
        awaited(lambda: not find(server.trail).lost(server.called()), "an adoption")

    found = find(server.trail)
    wrong = flaws(found, load.answered(200), server.called())
    assert not wrong, wrong[:20]


@pytest.mark.torture
def test_several_on_a_full_disk(
    tmp_path: Path, disk: Path, options: dict[str, object]
) -> None:
    """Several processes that meet a full disk at once tear nothing of each other's."""
    ballast = Ballast(disk)
    with loaded(tmp_path, disk / "trail", "gunicorn workers", options, clients=8) as (
        server,
        load,
    ):
        for more in (4096, 8192, 65536) * 6:
            ballast.fill()
            load.wait(20, 503)
            ballast.shrink(more)
            load.wait(5, 503)
        ballast.remove()
        load.wait(50)

    assert_whole(server, load)


@pytest.mark.torture
@needs("strace")
@pytest.mark.parametrize("when", ["when=1", "when=1..3"])
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("fallocate", "ENOSPC"),
        ("mkdir", "EROFS"),
        ("flock", "EIO"),
        ("link", "EIO"),
        ("rename", "EIO"),
        ("statfs", "EIO"),
        ("fsync", "EIO"),
        ("pread64", "EIO"),
        ("clone3", "EAGAIN"),
    ],
)
def test_started_with_a_fault(tmp_path: Path, call: str, error: str, when: str) -> None:
    """A server that starts with a fault serves nothing unrecorded, or does not start."""
    trail = tmp_path / "trail"
    log = tmp_path / "strace"
    fault = f"{call}:error={error}:{when}"
    calls = tmp_path / "calls"
    calls.touch()
    environ = {"AUDIT_MW_TRAIL": str(trail), CALLS: str(calls)}
    statuses, said = asked_under(
        ["strace", "-f", "-o", log, "-e", f"trace={call}", "-e", f"inject={fault}"],
        tmp_path / "1",
        environ,
    )
    with serving(tmp_path / "2", trail) as second:
        second.running.ask("GET", "/?n=2-0")
    lines = calls.read_text().splitlines()
    begun = [line.partition("n=")[2] for line in lines]
    wrong = flaws(find(trail), [], [*begun, "2-0"])

    assert Trace(log).hits()[call]
    assert "Traceback" not in said
    assert set(statuses) <= {200, 503}
    assert len(begun) == statuses.count(200)
    assert not wrong, wrong[:20]


def asked_under(
    under: Sequence[str | Path], directory: Path, environ: dict[str, str]
) -> tuple[list[int], str]:
    """Start a server under a command, and ask; return statuses, and what it said."""
    port = free_port()
    name, *arguments = COMMANDS["uvicorn"].format(port=port).split()
    # The interpreter's own files would have the faults that are ours.
    environ = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*under, BIN / name, *arguments]
    try:
        running = started(command, port, directory, env=environ)
    except RuntimeError as error:
        return [], str(error)
    try:
        asked = [running.ask("GET", f"/?n=1-{number}")[0] for number in range(50)]
        return [answer.status for answer in asked], running.said()
    finally:
        running.end(signal.SIGKILL)
