# Each system call of the writer fails in turn, under a server that is being asked.
#
# What holds each time: no line is torn, nothing that was answered or begun is lost,
# nothing is there twice, and the server answers again when the call works again.
import re
import resource
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest
from tests.torture.disk_client import Load, loaded
from tests.torture.disk_faults import Trace, files_of, tracing
from tests.torture.disk_judge import assert_whole, find
from tests.torture.disk_mounts import needs
from tests.torture.disk_serving import Server, awaited

pytestmark = needs("strace")
ERRORS = ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EMFILE", "EINTR")
# The calls that the writer makes on the files of a trail while requests come and a
# segment is rotated; test_calls_are_these fails when there is a further one. (What it
# does to a journal comes below.)
CALLS = ("openat", "mkdir", "newfstatat", "statfs", "flock", "pread64", "write")
SYNCS = ("fdatasync", "fsync")  # with durability="disk"
HARMLESS = {"close", "getdents64"}
WINDOWS = (":when=1", ":when=2..6", "")  # once, a few times, for a while
SPILLED = "x" * 300


def rotate(server: Server) -> None:
    """Move the segment away, as logrotate does: a new one must be opened."""
    segment = server.segment()
    segment.rename(segment.with_name(f"{uuid4().hex}.log"))


def stir(server: Server) -> None:
    """Make the writer do all that it may have to do at once."""
    with suppress(AssertionError):
        rotate(server)


def linger(trace: Trace, load: Load, call: str) -> None:
    """Let a fault last until it came about and was answered to, or does not come."""
    until = time.monotonic() + 0.5
    while time.monotonic() < until and trace.hits()[call] < 3:
        time.sleep(0.01)
    with suppress(AssertionError):
        load.wait(2, seconds=0.3)


FAULTS = {
    "no space": ("write:error=ENOSPC:when=1..5", None),
    "a short write": ("write:retval=70:when=2..4", None),
    "the lock": ("flock:error=EIO:when=2..4", None),
    "no descriptor": ("openat:error=EMFILE:when=1..3", rotate),
}
SERVERS = [
    "uvicorn",
    pytest.param("gunicorn gthread", marks=pytest.mark.torture),
    pytest.param("gunicorn sync", marks=pytest.mark.torture),
]


@pytest.mark.parametrize("what", FAULTS)
def test_failing_call(tmp_path: Path, what: str) -> None:
    """A call that fails some times loses nothing, and is recovered from."""
    fault, before = FAULTS[what]
    log = tmp_path / "strace"
    with loaded(tmp_path, tmp_path / "trail") as (server, load):
        load.wait(10)
        with tracing(server.worker, files_of(server.trail), log, fault) as trace:
            if before is not None:
                before(server)
            awaited(trace.hits, "a fault")
            load.wait(5)

    assert_whole(server, load)


@pytest.mark.parametrize("name", SERVERS)
def test_failing_writes(tmp_path: Path, name: str) -> None:
    """While no write works, requests are refused and not run; then all goes on."""
    log = tmp_path / "strace"
    fault = "write:error=ENOSPC"
    with loaded(tmp_path, tmp_path / "trail", name) as (server, load):
        load.wait(10)
        with tracing(server.worker, files_of(server.trail), log, fault):
            load.wait(20, 503)
            before = server.called()
            load.wait(10, 503)
            meanwhile = server.called() - before
        load.wait(10)

    assert not meanwhile
    assert_whole(server, load)


@pytest.mark.torture
def test_calls_are_these(tmp_path: Path) -> None:
    """The writer makes no call on the trail's files that is not made to fail here."""
    log = tmp_path / "strace"
    options = {"durability": "disk"}
    trail = tmp_path / "trail"
    with loaded(tmp_path, trail, options=options, value=SPILLED) as (server, load):
        load.wait(10)
        with tracing(server.worker, files_of(server.trail), log) as trace:
            for _ in range(3):
                load.wait(20)
                stir(server)
            load.wait(20)
            awaited(lambda: trace.calls()["statfs"], "a look at the free space")

    assert trace.calls().keys() - HARMLESS == {*CALLS, *SYNCS}


@pytest.mark.torture
@pytest.mark.parametrize(
    ("durability", "call"),
    [*product(["process"], CALLS), *product(["disk"], [*CALLS, *SYNCS])],
)
def test_each_call(tmp_path: Path, durability: str, call: str) -> None:
    """Whatever error a call has, once or for a while, nothing is lost by it."""
    options = {"durability": durability}
    trail = tmp_path / "trail"
    hits = 0
    with loaded(tmp_path, trail, options=options, value=SPILLED) as (server, load):
        load.wait(10)
        for number, (error, when) in enumerate(product(ERRORS, WINDOWS)):
            log = tmp_path / f"strace-{number}"
            fault = f"{call}:error={error}{when}"
            with tracing(server.worker, files_of(trail), log, fault) as trace:
                stir(server)
                linger(trace, load, call)
            load.wait(5)
            hits += trace.hits()[call]

    assert hits
    assert_whole(server, load, run=True)


@pytest.mark.torture
@pytest.mark.parametrize("length", [0, 1, 40, 4096])
def test_short_writes(tmp_path: Path, length: int) -> None:
    """Writes that say that they wrote less, without end for a while, tear nothing."""
    log = tmp_path / "strace"
    fault = f"write:retval={length}"
    trail = tmp_path / "trail"
    with loaded(tmp_path, trail, value=SPILLED) as (server, load):
        load.wait(10)
        with tracing(server.worker, files_of(server.trail), log, fault) as trace:
            awaited(lambda: trace.hits()["write"] > 5, "short writes")
        load.wait(10)

    assert_whole(server, load, run=True)


# --- limits of the process


def _lower_size(server: Server) -> None:
    """Let the segment of a server end soon, but not before where it ends now."""
    hard = resource.prlimit(server.worker, resource.RLIMIT_FSIZE)[1]
    segment, limit = server.segment(), 0
    while limit <= segment.stat().st_size:  # it grew between the look and the limit
        limit = segment.stat().st_size + 300
        resource.prlimit(server.worker, resource.RLIMIT_FSIZE, (limit, hard))


def _lower_descriptors(server: Server) -> None:
    """Let a server open no file beside those that are open."""
    hard = resource.prlimit(server.worker, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.worker, resource.RLIMIT_NOFILE, (3, hard))


def limited(
    tmp_path: Path, which: int, lower: Callable[[Server], None], *, rotated: bool
) -> None:
    """Lower a limit of a running server until it refuses; raise it; judge."""
    with loaded(tmp_path, tmp_path / "trail") as (server, load):
        load.wait(20)
        before = resource.prlimit(server.worker, which)
        lower(server)
        try:
            if rotated:
                rotate(server)
            load.wait(10, 503)
        finally:
            resource.prlimit(server.worker, which, before)
        load.wait(10)

    assert_whole(server, load)


def test_limited_size(tmp_path: Path) -> None:
    """The write that meets RLIMIT_FSIZE is really short, and is cut back."""
    limited(tmp_path, resource.RLIMIT_FSIZE, _lower_size, rotated=False)


def test_limited_descriptors(tmp_path: Path) -> None:
    """With no descriptor left a rotated segment is not lost, but waited for."""
    limited(tmp_path, resource.RLIMIT_NOFILE, _lower_descriptors, rotated=True)


@pytest.mark.torture
def test_tail_that_cannot_be_cut(tmp_path: Path) -> None:
    """Half a line that is not to be cut back at first is, as soon as that works."""
    trail = tmp_path / "trail"
    log = tmp_path / "strace"
    with loaded(tmp_path, trail) as (server, load):
        load.wait(20)
        before = resource.prlimit(server.worker, resource.RLIMIT_FSIZE)
        fault = "ftruncate:error=EIO"
        with tracing(server.worker, files_of(trail), log, fault) as trace:
            _lower_size(server)
            awaited(trace.hits, "a cut that fails")
            load.wait(10, 503)
            resource.prlimit(server.worker, resource.RLIMIT_FSIZE, before)
        load.wait(10)

    assert_whole(server, load)


@pytest.mark.torture
@needs("chattr")
def test_tail_that_is_never_cut(tmp_path: Path) -> None:
    """In a file that is append-only half a line is named, and its record comes again."""
    with loaded(tmp_path, tmp_path / "trail") as (server, load):
        load.wait(20)
        segment = server.segment()
        before = resource.prlimit(server.worker, resource.RLIMIT_FSIZE)
        subprocess.run(["chattr", "+a", segment], check=True)
        try:
            _lower_size(server)
            load.wait(10, 503)
            resource.prlimit(server.worker, resource.RLIMIT_FSIZE, before)
            load.wait(10)
        finally:
            subprocess.run(["chattr", "-a", segment], check=True)
    found = find(server.trail)

    assert len(found.torn) == 1
    assert len(found.of_type("log_gap")) == 1
    assert found.lost([*load.answered(200), *server.called()]) == []
    assert (found.twice(), found.gaps()) == ([], {})


# --- what a journal is made with


def next_journal(server: Server) -> list[Path]:
    """Return the files of the journal that a server would make next."""
    (path,) = (server.trail / ".journal").glob("*.journal")
    name = re.sub(r"-(\d+)$", lambda found: f"-{int(found[1]) + 1}", path.stem)

    return [
        path.parent,
        path.with_name(f"{name}.new"),
        path.with_name(f"{name}.journal"),
    ]


@pytest.mark.torture
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("openat", "EMFILE"),
        ("fallocate", "ENOSPC"),
        ("fcntl", "ENOLCK"),
        ("mmap", "ENOMEM"),
        ("rename", "EROFS"),
        ("pwrite64", "EIO"),
        ("fchmod", "EPERM"),
    ],
)
def test_making_a_journal(tmp_path: Path, call: str, error: str) -> None:
    """A new journal that cannot be made is waited for; nothing runs without one."""
    log = tmp_path / "strace"
    with loaded(tmp_path, tmp_path / "trail") as (server, load):
        load.wait(10)
        paths = next_journal(server)
        fault = f"{call}:error={error}:when=1..2"
        with tracing(server.worker, paths, log, fault) as trace:
            next((server.trail / ".journal").glob("*.journal")).unlink()
            awaited(trace.hits, "a fault")
            load.wait(5)
        awaited(lambda: [*paths[0].glob("*.journal")], "a journal")
        load.wait(10)

    assert_whole(server, load)
