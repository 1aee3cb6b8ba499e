# How much room there is: by hand, and on a small disk of our own.
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_mw.option_readers import read_min_free
from audit_mw.trail.space import Level, Space, level_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
DEFAULT = read_min_free("10%,5%,1%")


def told(
    free: int, total: int = 1000, files: tuple[int, int] = (0, 0), block: int = 4096
) -> os.statvfs_result:
    """Return what a file system tells: free of `total` blocks, free of all files."""
    return os.statvfs_result(
        (1 << 20, block, total, total, free, files[1], files[1], files[0], 0, 255)
    )


# --- by hand


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (1000, Level.OK),
        (100, Level.OK),
        (99, Level.WARN),
        (50, Level.WARN),
        (49, Level.NO_DEBUG),
        (10, Level.NO_DEBUG),
        (9, Level.REFUSE),
        (0, Level.REFUSE),
    ],
)
def test_parts(free: int, expected: Level) -> None:
    """A level begins below its part of the file system, not at it."""
    assert expected == level_of(told(free), DEFAULT)


@pytest.mark.parametrize(
    ("free", "expected"),
    [(3, Level.OK), (2, Level.WARN), (1, Level.NO_DEBUG), (0, Level.REFUSE)],
)
def test_sizes(free: int, expected: Level) -> None:
    """Sizes count in bytes, whatever the block, and however large the disk."""
    thresholds = read_min_free("12KiB,8KiB,4KiB")

    assert expected == level_of(told(free, total=10**9), thresholds)
    assert expected == level_of(told(free * 4, block=1024), thresholds)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((0, 0), Level.OK),  # not counted
        ((1000, 1000), Level.OK),
        ((99, 1000), Level.WARN),
        ((0, 1000), Level.REFUSE),
    ],
)
def test_files(files: tuple[int, int], expected: Level) -> None:
    """A disk that takes no further file is full, too, where it counts them."""
    assert expected == level_of(told(1000, files=files), DEFAULT)


def test_files_and_sizes() -> None:
    """A size says nothing of how many files there may be."""
    assert level_of(told(1000, files=(0, 9)), read_min_free("1,1,1")) is Level.OK


def test_never() -> None:
    """Thresholds of nothing are never passed."""
    for text in ("0,0,0", "0%,0%,0%"):
        assert level_of(told(0, files=(0, 9)), read_min_free(text)) is Level.OK


def test_mixed() -> None:
    """The last threshold that is passed counts, also where one before it is not."""
    thresholds = read_min_free("1%,1GiB,1KiB")

    assert level_of(told(500), thresholds) is Level.NO_DEBUG


@given(free=st.integers(0, 2000), less=st.integers(0, 2000))
def test_less_space_is_never_better(free: int, less: int) -> None:
    """Where there is less room the level is the same or higher."""
    thresholds = read_min_free("20%,1MiB,1%")
    levels = [level_of(told(free + more, 4000), thresholds) for more in (0, less)]

    assert levels == sorted(levels, reverse=True)


# --- for real


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB that takes 100 files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = "size=1m,nr_inodes=100,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path, kilobytes: int) -> None:
    """Leave so much room on the disk."""
    (disk / "filler").write_bytes(bytes(1024 * (1024 - kilobytes)))


@needs_root
def test_a_disk_fills(disk: Path) -> None:
    """Each level comes as the disk fills, and goes when there is room again."""
    space = Space({"trail": disk}, DEFAULT)
    found = []
    for second, left in enumerate((1024, 96, 48, 8, 0, 1024)):
        fill(disk, left)
        found.append((space.look(second).name, space.free["trail"] // 1024))

    assert found == [
        ("OK", 1024),
        ("WARN", 96),
        ("NO_DEBUG", 48),
        ("REFUSE", 8),
        ("REFUSE", 0),
        ("OK", 1024),
    ]


@needs_root
def test_a_disk_of_many_files(disk: Path) -> None:
    """A disk without room for a file's name is full with all its bytes free."""
    space = Space({"trail": disk}, DEFAULT)
    for number in range(99):  # the root of the disk is one, too
        (disk / str(number)).touch()

    assert space.look(0) is Level.REFUSE
    assert space.free == {"trail": 1 << 20}


@needs_root
def test_one_look_a_second(disk: Path) -> None:
    """Within a second the last look holds, and what it found can be had."""
    space = Space({"trail": disk}, DEFAULT)
    assert (space.level, space.free) == (Level.OK, {})
    fill(disk, 0)

    assert space.look(7.0) is Level.REFUSE
    fill(disk, 1024)
    assert space.look(7.9) is Level.REFUSE
    assert (space.level, space.free) == (Level.REFUSE, {"trail": 0})
    assert space.look(8.0) is Level.OK


@needs_root
def test_the_scarcest_counts(disk: Path, tmp_path: Path) -> None:
    """Of several directories the fullest decides, in whatever order."""
    fill(disk, 0)
    never = read_min_free("0,0,0")
    for directories in (
        {"trail": disk, "journal": tmp_path},
        {"trail": Path("/proc"), "journal": disk},
    ):
        assert Space(directories, DEFAULT).look(0) is Level.REFUSE
        assert Space(directories, never).look(0) is Level.OK


@needs_root
def test_a_trail_that_is_not_there(disk: Path) -> None:
    """A directory that will be made counts as where it will be made."""
    fill(disk, 0)
    space = Space({"trail": disk / "no" / "trail", "file": disk / "filler/x"}, DEFAULT)

    assert space.look(0) is Level.REFUSE
    assert space.free == {"trail": 0, "file": 0}


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
def test_a_file_system_that_does_not_tell() -> None:
    """A file system without a size, and one that fails to answer, are no reason."""
    space = Space({"kernel": Path("/proc"), "long": Path("/" + "x" * 5000)}, DEFAULT)

    assert space.look(0) is Level.OK
    assert space.free == {}
