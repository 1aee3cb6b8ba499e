# Disks of a test's own: a small tmpfs, an ext4 in a file, the freezing of one, and the
# cutting of its power.
#
# Each ends with its `with`, also when the test fails. What the file of an ext4 holds is
# what a disk holds: pages that were not written back are not in it.
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Disk", "ext4", "frozen", "mounted", "needs", "tmpfs"]

_TRIES = 1200  # a process that was just killed still holds its files for a while
_QUIET = 0.02  # seconds without a write, after which what was begun is through
# Nothing is written back but what somebody syncs.
_OPTIONS = "loop,noatime,nodiratime"


def needs(*tools: str) -> pytest.MarkDecorator:
    """Return what skips a test without root, or without a command."""
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    if os.geteuid() != 0:
        lacking = ["root", *lacking]

    return pytest.mark.skipif(bool(lacking), reason=f"needs {', '.join(lacking)}")


@contextmanager
def tmpfs(directory: Path, size: str = "4m") -> Iterator[Path]:
    """Mount a tmpfs of `size` at a directory, which is made."""
    with mounted(directory, "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs"):
        yield directory


@contextmanager
def mounted(directory: Path, *what: str | Path) -> Iterator[None]:
    """Mount something at a directory, which is made; unmount it in the end."""
    directory.mkdir(parents=True, exist_ok=True)
    _run("mount", *what, directory)
    try:
        yield
    finally:
        _unmount(directory)


def _unmount(directory: Path) -> None:
    for _ in range(_TRIES):
        command = ["umount", str(directory)]
        if not subprocess.run(
            command, check=False, stderr=subprocess.DEVNULL
        ).returncode:
            return
        time.sleep(0.05)
    _run("umount", "--lazy", directory)


@dataclass(frozen=True)
class Disk:
    """An ext4 in a file: the file is the disk, `path` is where it is mounted."""

    image: Path
    path: Path

    def cut(self, copy: Path) -> Path:
        """
        Copy the disk as it is now, without what was not written back.

        Nobody may be about to write: a copy takes its time, and one that began before
        a write and ended after it is nothing that a disk ever was.
        """
        before = -1
        while before != self._written():
            before = self._settled()
            _run("cp", "--sparse=always", self.image, copy)

        return copy

    def replace(self, copy: Path) -> None:
        """Take the disk out, and put in another, at the same place."""
        _unmount(self.path)
        _run("cp", "--sparse=always", copy, self.image)
        # As at a boot. It says 1 where it had something to mend.
        check = ["e2fsck", "-f", "-y", str(self.image)]
        subprocess.run(
            check, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _run("mount", "-o", _OPTIONS, self.image, self.path)

    def _settled(self) -> int:
        written = -1
        while written != (now := self._written()):
            written = now
            time.sleep(_QUIET)

        return written

    def _written(self) -> int:
        device = self.path.stat().st_dev
        numbers = f"{os.major(device)}:{os.minor(device)}"
        told = Path(f"/sys/dev/block/{numbers}/stat").read_text(encoding="ascii")

        return int(told.split()[6])  # sectors


@contextmanager
def ext4(directory: Path, *features: str, size: str = "96M") -> Iterator[Disk]:
    """Make and mount an ext4 that writes back when it must, and no sooner."""
    directory.mkdir(parents=True, exist_ok=True)
    disk = Disk(directory / "image", directory / "mounted")
    _run("truncate", "-s", size, disk.image)
    # Without the lazy parts nothing writes to it but what is tested.
    lazy = ("-E", "lazy_itable_init=0,lazy_journal_init=0")
    _run("mkfs.ext4", "-q", "-F", *lazy, *features, disk.image)
    try:
        with mounted(disk.path, "-o", _OPTIONS, disk.image):
            yield disk
    finally:
        disk.image.unlink()


@contextmanager
def frozen(directory: Path) -> Iterator[None]:
    """Freeze the file system that is mounted at a directory."""
    # The shell thaws when its input ends: also when this process is killed, for
    # nothing could unmount a frozen one.
    script = 'fsfreeze -f "$1" && echo frozen && read -r _; fsfreeze -u "$1"'
    shell = subprocess.Popen(
        ["sh", "-c", script, "sh", directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert shell.stdout
        assert shell.stdout.readline() == b"frozen\n"
        yield
    finally:
        shell.communicate()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
