# Two names that exchange their files at one moment: a writer that looks meanwhile finds
# one of them, and makes no third in a gap.
import ctypes
import os
from pathlib import Path

__all__ = ["exchange"]

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one: Path, other: Path) -> None:
    """
    Let each of two names have what the other has; both must be there.

    Raises:
        OSError: neither is changed.
    """
    names = os.fsencode(one), os.fsencode(other)
    if _libc.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one), None, str(other))
