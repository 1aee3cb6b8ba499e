# What a run knows when it stops, or is stopped: the next one goes on from there.
#
# It is one file of SQLite: digests of values, and beside them all else as one text of
# JSON, so that both are of the same moment, though the run is killed.
#
# Rule 1: nothing in it is code. It may come from somebody else.
# Rule 2: it is believed, so nobody but its owner may write to it.
# Rule 3: what was judged is not read again; a run without a checkpoint reads all.
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit_mw.errors import AuditError
from audit_mw.verify.spilled import Spilt

__all__ = ["CheckpointError", "open_checkpoint", "read_state", "write_state"]

_FORMAT = 1
# What reading a state of another shape raises.
_WRONG = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError),
    *(TypeError, ValueError),
)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class CheckpointError(AuditError):
    """A checkpoint cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"the checkpoint {str(path)!a} {reason}; remove it, or name another"
        )


def open_checkpoint(path: Path, trail: Path) -> Spilt:
    """
    Return the values of a checkpoint; it is made where there is none.

    Args:
        path: of the checkpoint.
        trail: that it is of, a directory.

    Raises:
        CheckpointError: it is none, or others may write to it.
        OSError: it cannot be opened.
    """
    if trail.is_file():
        raise CheckpointError(path, "is of no use for the text of a console")
    fd = os.open(path, _FLAGS, 0o600)
    try:
        status = os.fstat(fd)
    finally:
        os.close(fd)
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(path, "is no regular file")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CheckpointError(path, "is not only its owner's to write")
    try:
        return Spilt(path)
    except ValueError as error:
        raise CheckpointError(path, f"cannot be read ({error})") from error


def read_state(
    path: Path, spilt: Spilt, trail: Path, take: Callable[[Any], None]
) -> None:
    """
    Give what the last run knew, if there was one, to who goes on.

    Raises:
        CheckpointError: it is of another trail, or no such thing.
    """
    text = spilt.state()
    if text is None:
        return
    try:
        state = json.loads(text)
        if state["format"] != _FORMAT or state["trail"] != str(trail.absolute()):
            raise CheckpointError(path, "is of another trail, or another version")
        take(state)
    except _WRONG as error:
        raise CheckpointError(
            path, f"cannot be read ({type(error).__name__})"
        ) from error


def write_state(spilt: Spilt, trail: Path, state: dict[str, Any]) -> None:
    """
    Make what is known outlive this process.

    Raises:
        OSError: it cannot be written.
    """
    whole = {"format": _FORMAT, "trail": str(trail.absolute()), **state}
    spilt.keep(json.dumps(whole))
