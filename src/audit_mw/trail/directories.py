# The directories of a trail: made with their mode, and their names made durable.
import os
import stat
from pathlib import Path

__all__ = ["make_directory", "sync_directory"]

_MODE = 0o750


def make_directory(path: Path, *, sync: bool = False) -> None:
    """Make a directory of the trail, with its mode, if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(_MODE)
    except FileExistsError:
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode | _MODE != mode:
        path.chmod(mode | _MODE)  # whatever the umask took away
    if sync:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
