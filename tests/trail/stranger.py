# Somebody else, with files: what another uid meets at a trail.
#
# `python -m tests.trail.stranger UID TASK DIRECTORY` becomes that user, with no group
# but its own, and writes what the task returns as JSON. Nothing here asserts.
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from audit_mw.trail.owner import acting_as, check_owner

__all__ = ["NOBODY"]

NOBODY = 65534


def check(directory: Path) -> str:
    """Return why the trail is refused, or nothing."""
    try:
        check_owner(directory)
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror}"

    return ""


def make(directory: Path) -> list[int]:
    """Make a file in the block; return whose it is."""
    with acting_as(directory):
        (directory / "made").touch()
    status = (directory / "made").stat()

    return [status.st_uid, status.st_gid]


TASKS: dict[str, Callable[[Path], object]] = {"check": check, "make": make}


def main(uid: str, task: str, directory: str) -> None:
    """Become that user for the time of a task."""
    before = os.getgroups(), os.getegid(), os.geteuid()
    if int(uid) != os.geteuid():
        os.setgroups([])
        os.setegid(int(uid))
        os.seteuid(int(uid))
    try:
        said = TASKS[task](Path(directory))
    finally:
        if before[2] != os.geteuid():
            os.seteuid(before[2])
            os.setegid(before[1])
            os.setgroups(before[0])
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
