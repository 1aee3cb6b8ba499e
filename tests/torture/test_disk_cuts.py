# A power cut in small: the disk is copied at a random instant, everything is killed, and
# the copy takes the disk's place, as after a boot.
#
# With durability="disk" whatever a client saw answered is on it. With "process" it is
# not promised, and not so: what was stored and written is in memory until the kernel
# writes it back, some 30 s later. Of 200 answers a cut left none
# (test_process_promises_nothing prints what it saw).
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from tests.torture.disk_client import Load, loaded
from tests.torture.disk_faults import tracing
from tests.torture.disk_judge import Found, assert_whole, find, flaws
from tests.torture.disk_mounts import Disk, ext4, needs
from tests.torture.disk_serving import Server, awaited
from tests.torture.judge import recover
from tests.torture.test_disk_full import SEED

pytestmark = needs("mount", "mkfs.ext4")
PROCESS: dict[str, object] = {"max_slots": 256}  # a journal that is synced in no time
DISK = {**PROCESS, "durability": "disk", "min_free": "0,0,0"}
chance = random.Random(SEED)


def cut_power(disk: Disk, server: Server, load: Load, copy: Path) -> set[str]:
    """End everything at an instant; return what was answered before."""
    group = server.running.process.pid
    answered = load.answered(200)
    # What it asked of the disk comes to its end; it asks nothing more.
    os.killpg(group, signal.SIGSTOP)
    disk.cut(copy)
    os.killpg(group, signal.SIGKILL)

    return answered


def boot(disk: Disk, copy: Path) -> Path:
    """Go on with a copy of the disk; return the trail on it."""
    disk.replace(copy)
    now = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    for path in disk.path.glob("trail/.journal/*.journal"):
        # To whoever adopts it the machine was up another time when it was written.
        with path.open("r+b") as file:
            head = file.read(4096)
            file.seek(0)
            file.write(head.replace(now, str(uuid4()).encode()))

    return disk.path / "trail"


def cut_and_boot(
    disk: Disk, directory: Path, name: str, options: Mapping[str, object]
) -> set[str]:
    """Serve from a disk until its power is cut; return what was answered before."""
    trail = disk.path / "trail"
    copy = directory / "copy"
    with loaded(directory, trail, name, options, clients=6, pause=0) as (server, load):
        load.wait(200)
        time.sleep(chance.random() / 5)
        answered = cut_power(disk, server, load, copy)
    boot(disk, copy)
    copy.unlink()

    return answered


def recovered(trail: Path) -> Found:
    """Return what is on record when what was left is recovered."""
    recover(trail)
    assert not list(trail.glob(".journal/*.journal"))

    return find(trail)


def test_copy_is_a_cut(tmp_path: Path) -> None:
    """What was not synced is not in the copy: so a cut is a cut."""
    with ext4(tmp_path) as disk:
        for name in ("synced", "not synced"):
            with (disk.path / name).open("wb", buffering=0) as file:
                file.write(b"a line\n")
                if name == "synced":
                    os.fsync(file.fileno())
        with (disk.path / "synced").open("ab", buffering=0) as file:
            file.write(b"another\n")
        disk.replace(disk.cut(tmp_path / "copy"))
        kept = {path.name: path.read_bytes() for path in disk.path.glob("*synced")}

    assert kept["synced"] == b"a line\n"
    assert not kept.get("not synced")


def assert_durable(tmp_path: Path, name: str, cuts: int) -> None:
    """Cut the power some times; all that was answered before each is there, once."""
    answered: set[str] = set()
    with ext4(tmp_path / "disk") as disk:
        for number in range(cuts):
            answered |= cut_and_boot(disk, tmp_path / f"{number}", name, DISK)
            found = recovered(disk.path / "trail")
            assert flaws(found, answered, ()) == []


def test_answered_is_on_disk(tmp_path: Path) -> None:
    """What was answered before the power was cut is on record, once."""
    assert_durable(tmp_path, "uvicorn", 1)


@pytest.mark.torture
@pytest.mark.parametrize(("name", "cuts"), [("uvicorn", 10), ("gunicorn gthread", 10)])
def test_many_cuts(tmp_path: Path, name: str, cuts: int) -> None:
    """However often the power is cut, on one and the same trail."""
    print(f"seed {SEED}")
    assert_durable(tmp_path, name, cuts)


@needs("strace")
def test_sync_that_failed(tmp_path: Path) -> None:
    """
    What a sync did not make durable is written again before the next one counts.

    The kernel takes pages that it could not write for clean, and says so once: a sync
    that works after one that failed makes nothing durable that went before.
    (A volume that runs full beneath an ext4 shows it as well, but there the file system
    loses what was synced before, too: nothing above it can be judged by that.)
    """
    log = tmp_path / "strace"
    # The one fault, and what is only to be seen.
    faults = ("fdatasync:error=EIO:when=1", "pwrite64:delay_enter=1")
    with loaded(tmp_path, tmp_path / "trail", options=DISK) as (server, load):
        load.wait(20)
        with tracing(server.worker, [server.segment()], log, *faults) as trace:
            awaited(lambda: trace.calls()["fdatasync"] > 2, "a sync that works")
        load.wait(20)
    calls = [line.split()[1].partition("(")[0] for line in log.read_text().splitlines()]
    failed = calls.index("fdatasync")

    assert "pwrite64" in calls[failed + 1 : calls.index("fdatasync", failed + 1)]
    assert_whole(server, load)


@pytest.mark.torture
def test_process_promises_nothing(tmp_path: Path) -> None:
    """After a cut the trail of durability="process" can still be read and written."""
    with ext4(tmp_path / "disk") as disk:
        answered = cut_and_boot(disk, tmp_path / "first", "uvicorn", PROCESS)
        trail = disk.path / "trail"
        with loaded(tmp_path / "second", trail, options=PROCESS) as (_, load):
            load.wait(20)
        found = find(trail)
        lost = found.lost(answered)
        print(f"process: {len(lost)} of {len(answered)} answered requests are lost")

    assert found.torn == []
    assert found.lost(load.answered(200)) == []
