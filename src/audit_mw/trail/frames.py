# Where the frames of an archive begin: as its index says, if that is so.
#
# Rule 1: an index is believed here only where each frame that it names begins there,
#         and says of itself the size that the index says. Whoever could write an index,
#         and not the archive, would else send a reader past records, unnoticed.
# Rule 2: a place is found in few steps, however many frames there are: a reader asks
#         once for each frame that is damaged.
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from audit_mw.trail.index import Frame

__all__ = ["Frames", "Start", "content_size", "is_zstd", "known_frames"]

_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878 3.1.1
_SKIPPABLE = b"\x2a\x4d\x18"  # RFC 8878 3.1.2: behind a byte from 0x50 to 0x5F
_HEADER = 18  # RFC 8878 3.1.1.1: a header has 14 bytes at most, behind the magic


class Start(NamedTuple):
    """Where a frame begins: bytes of the archive, bytes and LFs of what is in it."""

    packed: int
    offset: int
    lines: int


class Frames:
    """
    The frames of one archive.

    Args:
        frames: from its index; none where nobody knows of any.
    """

    def __init__(self, frames: Sequence[Frame] = ()) -> None:
        sums = [
            list(accumulate((frame[part] for frame in frames), initial=0))
            for part in range(3)
        ]
        self._packed, self._offsets, self._lines = sums

    def of(self, offset: int) -> Start:
        """Return the start of the frame that has a byte; else the last before it."""
        # The last sum is the end, and no start.
        starts = self._offsets[: len(self._offsets) - 1] or [0]

        return self._start(max(bisect_right(starts, offset) - 1, 0))

    def behind(self, packed: int) -> Start | None:
        """Return the first that begins behind a byte of the archive, if one does."""
        place = bisect_right(self._packed, packed)

        return self._start(place) if place < len(self._packed) - 1 else None

    def _start(self, place: int) -> Start:
        return Start(self._packed[place], self._offsets[place], self._lines[place])


def known_frames(file: BinaryIO, frames: Sequence[Frame]) -> Frames:
    """
    Return the frames of an index, or none where one of them is not as it says.

    Args:
        file: the archive; where it stands when this returns is nobody's to know.
        frames: what the index says.
    """
    at = 0
    for frame in frames:
        file.seek(at)
        if content_size(file.read(_HEADER)) != frame.bytes:
            return Frames()
        at += frame.packed

    return Frames(frames)


def is_zstd(magic: bytes) -> bool:
    """Tell of the first four bytes of a file whether it is an archive of zstd."""
    # Some tools begin one with a frame of their own, which is to be skipped.
    is_skippable = magic[1:] == _SKIPPABLE and 0x50 <= magic[0] <= 0x5F

    return magic == _MAGIC or is_skippable


def content_size(header: bytes) -> int | None:
    """
    Return what a frame says of its size; None: nothing, or it is no frame.

    Args:
        header: the first 18 bytes of the frame, or all of a shorter one.
    """
    if header[:4] != _MAGIC or len(header) < 5:
        return None
    descriptor = header[4]  # RFC 8878 3.1.1.1.1
    size_flag, single, dictionary = descriptor >> 6, descriptor >> 5 & 1, descriptor & 3
    width = (single, 2, 4, 8)[size_flag]
    # Window_Descriptor is there where the frame is no single segment.
    at = 5 + (1 - single) + (0, 1, 2, 4)[dictionary]
    field = header[at : at + width]
    if not width or len(field) < width:
        return None

    return int.from_bytes(field, "little") + (256 if width == 2 else 0)
