# A disk that stalls: nobody who asks waits for it while the journal is in memory.
#
# No time is measured here, but the order of things: the disk goes on only after the
# answers came. The figures are printed by `python -m tests.torture.disk_stalls`.
from pathlib import Path

import pytest
from tests.torture.disk_judge import assert_whole
from tests.torture.disk_mounts import frozen, needs
from tests.torture.disk_stalls import JOURNALS, delayed_writes, stage

pytestmark = needs("mount", "mkfs.ext4", "fsfreeze")
ANSWERS = 300
MANY = 3000  # more than the journal has slots in the beginning


def test_frozen(tmp_path: Path) -> None:
    """While the trail's disk is frozen requests are answered, and recorded after it."""
    with stage(tmp_path, "on a tmpfs") as (disk, server, load):
        with frozen(disk.path):
            size = server.segment().stat().st_size
            load.wait(ANSWERS)
            frozen_size = server.segment().stat().st_size
        load.wait(20)
        server.running.end()
        assert_whole(server, load)

    assert size == frozen_size


@pytest.mark.torture
def test_frozen_for_long(tmp_path: Path) -> None:
    """A journal grows while the trail's disk is frozen: nobody is refused."""
    with stage(tmp_path, "on a tmpfs") as (disk, server, load):
        with frozen(disk.path):
            load.wait(MANY)
        load.wait(20)
        server.running.end()
        assert_whole(server, load)

    assert not load.answered(503)


@pytest.mark.torture
def test_frozen_with_no_room(tmp_path: Path) -> None:
    """A journal that cannot grow has requests refused, and keeps what it has."""
    with stage(tmp_path, "on a tmpfs", "30m") as (disk, server, load):
        with frozen(disk.path):
            load.wait(50, 503)
        load.wait(20)
        server.running.end()
        assert_whole(server, load)


@pytest.mark.torture
def test_frozen_with_its_journal(tmp_path: Path) -> None:
    """A journal on the frozen disk loses nothing either; who asks may have to wait."""
    with stage(tmp_path, "on the disk") as (disk, server, load):
        with frozen(disk.path):
            pass
        load.wait(ANSWERS)
        server.running.end()
        assert_whole(server, load)


@needs("strace")
@pytest.mark.torture
@pytest.mark.parametrize("journal", JOURNALS)
def test_delayed_writes(tmp_path: Path, journal: str) -> None:
    """While a write takes its time requests are answered, and recorded after it."""
    with stage(tmp_path, journal) as (_, server, load):
        with delayed_writes(server, tmp_path / "strace"):
            load.wait(ANSWERS)
        load.wait(20)
        server.running.end()
        assert_whole(server, load)
