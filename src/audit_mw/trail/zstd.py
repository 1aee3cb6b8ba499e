# The one place that knows which zstd there is: that of Python 3.14, or a package.
#
# Only closed segments need it, so the package is an extra; who meets such a segment
# without it is told its name.
import sys
from typing import Any, Protocol

from audit_mw.errors import AuditError

_library: Any = None
if sys.version_info >= (3, 14):
    from compression import zstd as _library
else:
    try:
        import zstandard as _library
    except ImportError:  # said when it is needed
        _library = None

__all__ = ["MissingExtra", "Unpacker", "ZstdError", "pack", "unpacker"]

_LEVEL = 9


class MissingExtra(AuditError):
    """This Python has no zstd, and the package that brings it is not installed."""

    def __init__(self) -> None:
        super().__init__("closed segments need zstd: install audit-mw[zstd]")


class Unpacker(Protocol):
    """Decompresses one frame."""

    @property
    def eof(self) -> bool:
        """Whether the frame is at its end."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end of the frame."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return what `data` adds to what was decompressed before."""


class _NeverRaised(Exception):
    """Stands for the error of a library that is not there."""


ZstdError: type[Exception] = _library.ZstdError if _library else _NeverRaised


def pack(exact: bytes) -> bytes:
    """
    Return `exact` as one frame that says its size and ends with a checksum.

    Raises:
        MissingExtra: there is no zstd.
    """
    if _library is None:
        raise MissingExtra
    packed: bytes
    if sys.version_info >= (3, 14):
        flags = _library.CompressionParameter
        options = {flags.compression_level: _LEVEL, flags.checksum_flag: 1}
        packed = _library.compress(exact, options=options)
    else:
        compressor = _library.ZstdCompressor(level=_LEVEL, write_checksum=True)
        packed = compressor.compress(exact)

    return packed


def unpacker() -> Unpacker:
    """
    Return what decompresses one frame.

    Raises:
        MissingExtra: there is no zstd.
    """
    if _library is None:
        raise MissingExtra
    made: Unpacker
    if sys.version_info >= (3, 14):
        made = _library.ZstdDecompressor()
    else:
        made = _library.ZstdDecompressor().decompressobj()

    return made
