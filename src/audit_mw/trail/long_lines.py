# A line that nobody wants, and that is longer than is held at once: whether its length
# and its check fit it is told while it is read, in pieces.
#
# A value may be as long as `max_spill` allows, which is a GiB. Who looks for another
# value must not need the memory for this one.
from typing import BinaryIO

from xxhash import xxh3_64

__all__ = ["pass_line"]

_STEP = 1 << 16
_CHECK_LEN = 17  # with its LF


def pass_line(file: BinaryIO, begin: bytes, size: int) -> tuple[int, bool]:
    """
    Read on to the end of a line.

    Args:
        file: behind `begin`.
        begin: of the line; shorter than it.
        size: how long the line says that it is.

    Returns:
        Its bytes, with those of `begin`; whether length and check fit.
    """
    signed = size - _CHECK_LEN
    check = xxh3_64(begin[:signed])
    end, done = begin[signed:], len(begin)
    while done < signed and (piece := file.readline(min(_STEP, signed - done))):
        check.update(piece)
        done += len(piece)
        if piece.endswith(b"\n"):  # shorter than it says
            return done, False
    end += (rest := file.readline(size - done))
    done += len(rest)
    fits = done == size and end == check.hexdigest().encode() + b"\n"
    while rest and not rest.endswith(b"\n"):  # longer than it says
        rest = file.readline(_STEP)
        done += len(rest)

    return done, fits
