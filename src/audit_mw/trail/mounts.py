# On what a directory lies: the type of its file system, and whether that is memory.
#
# It is read from the kernel's table of mounts, proc(5): a line a mount,
#     id parent major:minor root MOUNT-POINT options [field...] - TYPE source options
# with space, tab, LF and backslash of names as three octal digits. The longest mount
# point above a directory is its own; of two at one place the later covers the earlier.
# (By device number it could not be found: each subvolume of btrfs has another.)
import os
import re
from pathlib import Path

__all__ = ["file_system", "is_in_memory", "parse_mounts"]

_TABLE = Path("/proc/self/mountinfo")
_MEMORY = frozenset({"devtmpfs", "ramfs", "rootfs", "tmpfs"})  # gone after a restart
_OCTAL = re.compile(rb"\\([0-7]{3})")


def file_system(directory: Path) -> str | None:
    """Return the type of the file system of a directory, be it there yet or not."""
    try:
        table = parse_mounts(_TABLE.read_bytes())
    except OSError:
        return None
    real = Path(os.path.realpath(directory))
    found = [table[path] for path in (real, *real.parents) if path in table]

    return found[0] if found else None


def is_in_memory(directory: Path) -> bool | None:
    """Tell whether what a directory holds is lost with power; None if unknown."""
    found = file_system(directory)

    return None if found is None else found in _MEMORY


def parse_mounts(table: bytes) -> dict[Path, str]:
    """Return the type of each mount by its mount point."""
    mounts = {}
    for line in table.splitlines():
        before, _, after = line.partition(b" - ")
        fields = before.split(b" ")
        if len(fields) > 5 and after:
            point = _OCTAL.sub(lambda digits: bytes([int(digits[1], 8)]), fields[4])
            mounts[Path(os.fsdecode(point))] = os.fsdecode(after.split(b" ")[0])

    return mounts
