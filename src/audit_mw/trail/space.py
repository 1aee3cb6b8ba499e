# How much room is left where the trail and its journal are, and what follows from it.
#
# Below the first threshold somebody is told, below the second the debug stream stops,
# below the third requests are refused: while there is still room for what runs, and for
# the record that says why. The scarcest file system decides.
#
# Rule 1: a file system that does not tell is no reason to refuse; the write will be.
# Rule 2: no more than a look a second: on some file systems it is a question over a
#         network.
import os
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path

from audit_mw.option_readers import Threshold

__all__ = ["Level", "Space", "level_of"]

_SECONDS = 1.0


class Level(IntEnum):
    """What the free space asks for; each includes those before it."""

    OK = 0
    WARN = 1
    NO_DEBUG = 2
    REFUSE = 3


_BELOW = (Level.WARN, Level.NO_DEBUG, Level.REFUSE)  # each threshold's


class Space:
    """
    The free space of some directories.

    Args:
        directories: by the names under which they are reported, such as `trail`. One
            that is not there yet counts as the file system on which it would be made.
        thresholds: to warn, to stop debug, to refuse, as `read_min_free` gives them.
    """

    def __init__(
        self, directories: Mapping[str, Path], thresholds: Sequence[Threshold]
    ) -> None:
        self._directories = dict(directories)
        self._thresholds = tuple(thresholds)
        self._next: float | None = None
        self._level = Level.OK
        self._free: dict[str, int] = {}

    @property
    def level(self) -> Level:
        """What the last look found; OK before the first."""
        return self._level

    @property
    def free(self) -> dict[str, int]:
        """Bytes that were free at the last look, of each directory that tells."""
        return dict(self._free)

    def look(self, now: float) -> Level:
        """
        Return what the free space asks for.

        Args:
            now: seconds of a clock that does not step. Within a second of a look the
                answer is that look's.
        """
        if self._next is None or now >= self._next:
            self._next = now + _SECONDS
            self._look()

        return self._level

    def _look(self) -> None:
        level, free = Level.OK, {}
        for name, directory in self._directories.items():
            told = _ask(directory)
            if told is not None:
                level = max(level, level_of(told, self._thresholds))
                free[name] = told.f_bavail * told.f_frsize
        self._level, self._free = level, free


def level_of(told: os.statvfs_result, thresholds: Sequence[Threshold]) -> Level:
    """Return what one file system asks for."""
    room = (told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize)
    files = (told.f_favail, told.f_files)
    passed = [
        level
        for level, threshold in zip(_BELOW, thresholds, strict=True)
        if _below(threshold, *room) or _few(threshold, *files)
    ]

    return max(passed, default=Level.OK)


def _ask(directory: Path) -> os.statvfs_result | None:
    for path in (directory, *directory.absolute().parents):
        try:
            told = os.statvfs(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
        # Those of some networks, and of the kernel itself, have no size.
        return told if told.f_blocks else None

    return None


def _below(threshold: Threshold, free: int, total: int) -> bool:
    if threshold.percent is None:
        return free < (threshold.size or 0)

    return free * 100 < threshold.percent * total


def _few(threshold: Threshold, free: int, total: int) -> bool:
    # Files have no size to compare with, and many file systems do not count them.
    return (
        bool(total)
        and threshold.percent is not None
        and (_below(threshold, free, total))
    )
