# What of a noted append stands in the file: asked after a crash, or a failure.
#
# A process that is killed inside of `write` leaves a part of its lines; so does a disk
# that neither takes the rest nor lets it be cut. What counts is what can be read.
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from xxhash import xxh3_64_hexdigest

from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.index import read_index
from audit_mw.trail.names import PACKED
from audit_mw.trail.notes import Note
from audit_mw.trail.zstd import MissingExtra

__all__ = ["has_segment", "landed", "lines_of"]

_EVENT, _SEQ, _INSTANCE = 2, 4, 8
_CHECK_LEN = 16
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def landed(directory: Path, note: Note, instance: str) -> dict[int, bytes]:
    """
    Return seq -> event id of the whole lines of an append.

    Args:
        directory: of the stream.
        note: of the append.
        instance: whose append it was.

    Raises:
        OSError: the file is there, but cannot be read.
    """
    found: dict[int, bytes] = {}
    for cells in lines_of(_appended(directory, note) or b"", instance):
        seq = int(cells[_SEQ])
        if note.first <= seq <= note.last:
            found[seq] = cells[_EVENT]

    return found


def lines_of(text: bytes, instance: str) -> Iterator[list[bytes]]:
    """Yield the cells of each whole line that is of `instance`."""
    mine = instance.encode()
    for line in text.splitlines(keepends=True):
        cells = line.rstrip(b"\n").split(b"\t")
        is_record = len(cells) > _INSTANCE and cells[_INSTANCE] == mine
        if is_record and line.endswith(b"\n") and cells[_SEQ].isdigit():
            body = line[: -_CHECK_LEN - 1]
            if xxh3_64_hexdigest(body).encode() == cells[-1]:
                yield cells


def has_segment(directory: Path, note: Note) -> bool:
    """Tell whether the file of a note is still there, under whatever name."""
    return _appended(directory, note) is not None


def _appended(directory: Path, note: Note) -> bytes | None:
    """Return what stands where a note says; None if its file is gone."""
    # One more: where half a line could not be cut, a LF came between.
    length = note.length + 1
    fd = _open_inode(directory, note)
    if fd < 0:
        return _closed(directory, note, length)
    try:
        return _read(fd, length, note.offset)
    finally:
        os.close(fd)


def _closed(directory: Path, note: Note, length: int) -> bytes | None:
    """Return the same from a segment that was compressed; None if there is none."""
    with suppress(*UNREADABLE, MissingExtra, FileNotFoundError, NotADirectoryError):
        for path in directory.glob(f"*{PACKED}"):
            index = read_index(path)
            if index and (index.device, index.inode) == (note.device, note.inode):
                with open_segment(path) as file:
                    file.seek(note.offset)
                    return file.read(length)

    return None


def _open_inode(directory: Path, note: Note) -> int:
    """Open the file that a note is about; -1 if it is gone."""
    if not note.inode:
        return -1
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in (note.name, *_names_of(directory, note.inode)):
            with suppress(OSError):
                fd = os.open(directory / name, _FLAGS)
                status = os.fstat(fd)
                if (status.st_dev, status.st_ino) == (note.device, note.inode):
                    return fd
                os.close(fd)

    return -1


def _names_of(directory: Path, inode: int) -> list[str]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in entries if entry.inode() == inode]


def _read(fd: int, length: int, offset: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(fd, length, offset)
        if not part:
            break
        parts.append(part)
        length, offset = length - len(part), offset + len(part)

    return b"".join(parts)
