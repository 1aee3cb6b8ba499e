# Segments as they stand on the disk -> the bytes of their lines: plain, closed, or
# compressed by somebody else.
#
# What a file is tells its first bytes, not its name: evidence is carried about and
# renamed. Memory is flat, whatever a frame says of its size: 1 KiB goes in at a time,
# and what comes out of that is 32 MiB at worst.
#
# Rule: an archive that ends inside of a frame is damaged. Decompressors give what they
#       have and are silent about it.
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from audit_mw.errors import DamagedRecord
from audit_mw.trail.index import Frame, read_index
from audit_mw.trail.names import SegmentName
from audit_mw.trail.zstd import Unpacker, ZstdError, unpacker

__all__ = ["UNREADABLE", "ArchiveFile", "open_segment", "unpacked"]

_ZSTD = b"\x28\xb5\x2f\xfd"  # RFC 8878 3.1.1
_GZIP = b"\x1f\x8b"  # RFC 1952 2.3.1
_STEP = 1 << 10
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
    magic = file.read(len(_ZSTD))
    file.seek(0)
    if magic == _ZSTD:
        unpacker()  # if there is none, that is known here
        with ArchiveFile(file, _frames(path, file)) as archive:
            yield archive
    elif magic[: len(_GZIP)] == _GZIP:
        with gzip.open(file) as unzipped:
            yield io.BufferedReader(unzipped)
    else:
        yield file


def _frames(path: Path, file: BinaryIO) -> tuple[Frame, ...]:
    # An index of another archive would send us into the middle of a frame.
    try:
        index = read_index(path) if SegmentName(path.name).is_packed else None
    except (DamagedRecord, OSError):
        return ()
    frames = index.frames if index else ()
    size = os.fstat(file.fileno()).st_size

    return frames if sum(frame.packed for frame in frames) == size else ()


class ArchiveFile(io.BufferedReader):
    """
    A closed segment, read as if it were not compressed.

    Args:
        file: the archive, at its start.
        frames: from its index; with them it need not be read from its start.
    """

    def __init__(self, file: BinaryIO, frames: tuple[Frame, ...] = ()) -> None:
        super().__init__(_Unpacking(file, frames), 1 << 16)
        self._frames = frames

    def next_frame(self, offset: int) -> tuple[int, int] | None:
        """
        Return (lines before it, offset) of the first frame behind that of `offset`.

        None: nobody knows where the frames begin, or that was the last one.
        """
        ends = accumulate(frame.bytes for frame in self._frames[:-1])
        lines = accumulate(frame.lines for frame in self._frames)
        for count, end in zip(lines, ends, strict=False):
            if end > offset:
                return count, end

        return None


class _Unpacking(io.RawIOBase):
    def __init__(self, file: BinaryIO, frames: tuple[Frame, ...]) -> None:
        self._file = file
        self._frames = frames
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

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._fill():
            pass
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        self._at += size

        return size

    def _fill(self) -> bool:
        packed = self._packed or self._file.read(_STEP)
        if not packed:
            if self._unpacker is not None:
                raise DamagedRecord("the archive ends inside of a frame")
            return False
        if self._unpacker is None:
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
        packed, start = self._frame_of(offset)
        if not start <= self._at <= offset:
            self._file.seek(packed)
            self._unpacker, self._packed = None, b""
            self._ready = memoryview(b"")
            self._at = start
        self._skip_to(offset)

        return self._at

    def _skip_to(self, offset: int) -> None:
        skipped = memoryview(bytearray(1 << 16))
        while self._at < offset and self.readinto(skipped[: offset - self._at]):
            pass

    def _frame_of(self, offset: int) -> tuple[int, int]:
        packed = start = 0
        for frame in self._frames:
            if start + frame.bytes > offset:
                break
            packed, start = packed + frame.packed, start + frame.bytes

        return packed, start
