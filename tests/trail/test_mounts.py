# On what a directory lies: the kernel's table by hand, and mounts of our own.
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_mw.trail.mounts import file_system, is_in_memory, parse_mounts

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/mountinfo").exists(), reason="needs Linux's /proc"
)


# --- the table


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            rb"36 35 98:0 / / rw,noatime - ext3 /dev/root rw,errors=continue",
            {Path("/"): "ext3"},
            id="plain",
        ),
        pytest.param(
            rb"36 35 98:0 /mnt1 /mnt2 rw master:1 propagate_from:2 - xfs /dev/a rw",
            {Path("/mnt2"): "xfs"},
            id="optional fields",
        ),
        pytest.param(
            rb"9 1 0:4 / /a\040b\134040\011\012 rw - tmpfs - rw",
            {Path("/a b\\040\t\n"): "tmpfs"},
            id="odd characters",
        ),
        pytest.param(rb"9 1 0:4 / /a - b rw", {}, id="a field is missing"),
        pytest.param(b"", {}, id="empty"),
        pytest.param(b" - ", {}, id="no fields"),
    ],
)
def test_line(line: bytes, expected: dict[Path, str]) -> None:
    """A mount point is unescaped once, and the type found behind all optional fields."""
    assert expected == parse_mounts(line)


def test_later_mount_covers() -> None:
    """Of two mounts at one place the later is the one that is seen."""
    table = b"1 0 0:1 / /a rw - ext4 x rw\n2 1 0:2 / /a rw - tmpfs y rw\n"

    assert parse_mounts(table) == {Path("/a"): "tmpfs"}


@given(st.binary(max_size=200))
def test_any_table(table: bytes) -> None:
    """No table is an error."""
    parse_mounts(table)


# --- for real


@contextmanager
def mounted(directory: Path) -> Iterator[Path]:
    """Mount a small tmpfs there for the block."""
    directory.mkdir(exist_ok=True)
    options = ["-o", "size=64k,mode=755"]
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        unmount(directory)


def unmount(directory: Path) -> None:
    """Take a mount away, also after a failure."""
    subprocess.run(["umount", "--lazy", directory], check=True)


@needs_root
@needs_proc
@pytest.mark.parametrize("name", ["disk", "a disk", "a\\040disk", "a\ndisk", "d\udcff"])
def test_memory(tmp_path: Path, name: str) -> None:
    """What lies on a tmpfs is in memory, whatever its name, there yet or not."""
    before = file_system(tmp_path)
    with mounted(tmp_path / name) as disk:
        (tmp_path / "link").symlink_to(disk)
        for path in (disk, disk / "no" / "trail", tmp_path / "link" / "trail"):
            assert (file_system(path), is_in_memory(path)) == ("tmpfs", True)
        assert file_system(tmp_path) == before
        assert file_system(tmp_path / f"{name}-not") == before

    assert file_system(tmp_path / name) == before


@needs_root
@needs_proc
def test_within_each_other(tmp_path: Path) -> None:
    """The nearest mount counts: what lies on a tmpfs may be no tmpfs itself."""
    with ExitStack() as mounts:
        disk = mounts.enter_context(mounted(tmp_path / "disk"))
        (disk / "proc").mkdir()
        where = disk / "proc"
        subprocess.run(["mount", "--bind", "/proc/self", where], check=True)
        mounts.callback(unmount, where)

        assert (file_system(disk), file_system(where)) == ("tmpfs", "proc")
        assert is_in_memory(where) is False


@needs_proc
def test_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative directory counts from where the process is."""
    monkeypatch.chdir("/proc")

    assert file_system(Path("self")) == file_system(Path()) == "proc"
