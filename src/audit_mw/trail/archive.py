# Segments as they stand on the disk -> the bytes of their lines: plain, closed, or
# compressed by somebody else.
#
# What a file is tells its first bytes, not its name: evidence is carried about and
# renamed. Memory is flat, whatever a frame says of its size: 1 KiB goes in at a time,
# and what comes out of that is 32 MiB at worst.
#
# Rule 1: an archive that ends inside of a frame is damaged. Decompressors give what
#         they have and are silent about it.
# Rule 2: what is damaged is so each time that it is read. A decompressor that was asked
#         again would go on behind the bytes that it choked on, and find nothing wrong.
#
# (Longer than 250 lines, since both kinds of archive keep these rules side by side.)
import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from audit_mw.errors import DamagedRecord
from audit_mw.trail.frames import Frames, Start, is_zstd, known_frames
from audit_mw.trail.index import Frame, read_index
from audit_mw.trail.names import SegmentName
from audit_mw.trail.zstd import Unpacker, ZstdError, unpacker

__all__ = ["UNREADABLE", "ArchiveFile", "is_archive", "open_segment", "unpacked"]

_MAGIC = 4
_GZIP = b"\x1f\x8b"  # RFC 1952 2.3.1
_STEP = 1 << 10
_BUFFER = 1 << 16
# What reading a compressed file raises where its bytes are not what was written.
UNREADABLE = (DamagedRecord, EOFError, zlib.error, gzip.BadGzipFile)


@contextmanager
def open_segment(path: Path) -> Iterator[BinaryIO]:
    """
    Open a segment for reading, whatever it is compressed with.

    Raises:
        OSError: it cannot be opened.
        MissingExtra: it is closed, and there is no zstd.
    """
    with path.open("rb") as file, unpacked(path, file) as lines:
        yield lines


@contextmanager
def unpacked(path: Path, file: BinaryIO) -> Iterator[BinaryIO]:
    """
    Give what is in a segment that was opened.

    Args:
        path: its name; only its index is looked for there.
        file: at its start, open in binary mode; who opened it closes it.

    Raises:
        MissingExtra: it is closed, and there is no zstd.
    """
    magic = file.read(_MAGIC)
    file.seek(0)
    if is_zstd(magic):
        unpacker()  # if there is none, that is known here
        with ArchiveFile(file, _frames(path, file)) as archive:
            yield archive
    elif magic[: len(_GZIP)] == _GZIP:
        yield io.BufferedReader(_Unzipping(file), _BUFFER)
    else:
        yield file


def is_archive(path: Path) -> bool:
    """Tell whether a file is compressed, whatever its name; one that is gone is not."""
    try:
        with path.open("rb") as file:
            magic = file.read(_MAGIC)
    except OSError:
        return False

    return is_zstd(magic) or magic[: len(_GZIP)] == _GZIP


def _frames(path: Path, file: BinaryIO) -> tuple[Frame, ...]:
    # An index of another archive would send us into the middle of a frame.
    try:
        index = read_index(path) if SegmentName(path.name).is_packed else None
    except (DamagedRecord, OSError):
        return ()
    frames = index.frames if index else ()
    size = os.fstat(file.fileno()).st_size

    return frames if sum(frame.packed for frame in frames) == size else ()


class _Unzipping(io.RawIOBase):
    """Gives what stands before damage; a read of more than that would lose it."""

    def __init__(self, file: BinaryIO) -> None:
        self._packed = file
        self._file = gzip.GzipFile(fileobj=file)
        self._broken: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._broken is not None:
            raise self._broken
        try:
            part = self._file.read1(len(buffer))
        except UNREADABLE as error:
            self._broken = error
            raise
        buffer[: len(part)] = part

        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self._broken is not None:
            # Its own `seek` would go on behind what it choked on.
            self._packed.seek(0)
            self._file = gzip.GzipFile(fileobj=self._packed)
            self._broken = None

        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class ArchiveFile(io.BufferedReader):
    """
    A closed segment, read as if it were not compressed.

    Args:
        file: the archive, at its start.
        frames: from its index; with them it need not be read from its start.
    """

    def __init__(self, file: BinaryIO, frames: Sequence[Frame] = ()) -> None:
        self._unpacking = _Unpacking(file, frames)
        super().__init__(self._unpacking, _BUFFER)

    def skip_frame(self) -> tuple[int, int] | None:
        """
        Go on behind the frame that is damaged; return (lines before, offset) of there.

        None: nobody knows where the frames begin, or that was the last one.
        """
        behind = self._unpacking.next_frame()
        if behind is None:
            return None
        self._unpacking.begin(behind)
        # What is held from before is given up: `seek` would find its way within that.
        super().__init__(self._unpacking, _BUFFER)

        return behind.lines, behind.offset


class _Unpacking(io.RawIOBase):
    def __init__(self, file: BinaryIO, frames: Sequence[Frame]) -> None:
        self._file = file
        self._said = frames
        self._began = 0  # where in the archive the frame begins that is read
        self._broken: DamagedRecord | None = None
        self._unpacker: Unpacker | None = None
        self._packed = b""
        self._ready = memoryview(b"")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    @cached_property
    def _frames(self) -> Frames:
        at = self._file.tell()
        try:
            return known_frames(self._file, self._said)
        finally:
            self._file.seek(at)

    def next_frame(self) -> Start | None:
        """Return where the next frame begins, if that is known."""
        return self._frames.behind(self._began)

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._fill():
            pass
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        self._at += size

        return size

    def _fill(self) -> bool:
        if self._broken is not None:
            raise self._broken
        try:
            return self._unpacked()
        except DamagedRecord as error:
            self._broken = error
            raise

    def _unpacked(self) -> bool:
        packed = self._packed or self._file.read(_STEP)
        if not packed:
            if self._unpacker is not None:
                raise DamagedRecord("the archive ends inside of a frame")
            return False
        if self._unpacker is None:
            self._began = self._file.tell() - len(packed)
            self._unpacker = unpacker()
        try:
            self._ready = memoryview(self._unpacker.decompress(packed))
        except ZstdError as error:
            raise DamagedRecord(f"the archive does not decompress: {error}") from error
        self._packed = b""
        if self._unpacker.eof:
            self._packed = self._unpacker.unused_data
            self._unpacker = None

        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            raise io.UnsupportedOperation("nobody knows where it ends")
        if self._at != offset or self._broken is not None:
            self._near(offset)
        self._skip_to(offset)

        return self._at

    def _near(self, offset: int) -> None:
        start = self._frames.of(offset)
        if not start.offset <= self._at <= offset or self._broken is not None:
            self.begin(start)

    def begin(self, start: Start) -> None:
        """Read on from where a frame begins."""
        self._file.seek(start.packed)
        self._began = start.packed
        self._unpacker, self._packed, self._broken = None, b"", None
        self._ready = memoryview(b"")
        self._at = start.offset

    def _skip_to(self, offset: int) -> None:
        skipped = memoryview(bytearray(1 << 16))
        while self._at < offset and self.readinto(skipped[: offset - self._at]):
            pass
