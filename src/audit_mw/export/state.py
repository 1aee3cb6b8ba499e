# How far an export is, on the disk: to go on from there, without a record twice.
#
# Rule: what is exported is on the disk before the state says so, and the state says how
#       long the file was then. What a killed export wrote behind that is cut off, and
#       written again.
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from audit_mw.errors import AuditError

__all__ = ["State", "WrongState", "open_target", "read_state", "write_state"]

FORMAT = 1
_MOST_BYTES = 64 << 20


class WrongState(AuditError):
    """A checkpoint that is none, or that is of another export."""


class State(NamedTuple):
    """
    How far an export is.

    Args:
        form: what it was exported to.
        out: the file; None: standard output.
        size: how long that was.
        reader: the checkpoint of the reader.
    """

    form: str
    out: str | None
    size: int
    reader: Mapping[str, Any]


def read_state(path: Path) -> State | None:
    """
    Return what a checkpoint says; None if there is none yet.

    Raises:
        WrongState: it is none.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(_MOST_BYTES))
        return _state(fields)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WrongState(f"{path}: no checkpoint of an export: {error}") from error


def _state(fields: Mapping[str, Any]) -> State:
    out, size = fields["out"], fields["size"]
    if fields["format"] != FORMAT:
        raise ValueError(f"its format is {fields['format']!r}")
    if not (type(size) is int and size >= 0 and isinstance(out, str | None)):
        raise TypeError("what it says of the file")

    return State(str(fields["to"]), out, size, dict(fields["reader"]))


def write_state(path: Path, state: State) -> None:
    """Put a checkpoint in the place of the one before; it is whole at any moment."""
    fields = {
        "format": FORMAT,
        "to": state.form,
        "out": state.out,
        "size": state.size,
        "reader": state.reader,
    }
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(json.dumps(fields).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def open_target(out: Path, state: State | None) -> BinaryIO:
    """
    Open the file of an export, to go on where the state says.

    Raises:
        WrongState: the file is shorter than it was, or there already without a state.
        OSError: it cannot be opened.
    """
    if state is None:
        try:
            return out.open("xb")
        except FileExistsError as error:
            raise WrongState(f"{out} is there already; nothing is written") from error
    file = out.open("r+b" if state.size else "ab")
    size = file.seek(0, os.SEEK_END)
    if size < state.size:
        file.close()
        raise WrongState(
            f"{out} has {size} bytes, and had {state.size}: it is not what was exported"
        )
    file.truncate(state.size)
    file.seek(state.size)

    return file
