# What a WSGI application returned: which kind of iterable, and how long.
from collections.abc import Iterable
from contextlib import suppress
from io import IOBase
from os import fstat
from typing import Any

__all__ = ["close", "file_size", "is_file", "is_plain", "is_sized", "size"]


def close(result: Any) -> None:
    """Close a result that can be closed."""
    found = getattr(result, "close", None)
    if found is not None:
        found()


def is_plain(result: Any) -> bool:
    """Tell whether `result` is a list or a tuple that holds what it yields."""
    # A list that makes up its content while it is iterated over is an iterable.
    return isinstance(result, (list, tuple)) and type(result).__iter__ in _ITERS


_ITERS = (list.__iter__, tuple.__iter__)


def is_sized(result: Any) -> bool:
    """Tell whether `result` has a length, by its class, as `len` looks at it."""
    # A class whose own class has one is asked no further: its objects have none.
    return any("__len__" in vars(base) for base in type(result).__mro__)


def size(chunks: Iterable[bytes]) -> int:
    """Return the bytes of all chunks."""
    try:
        return sum(map(len, chunks))
    except TypeError:  # no bytes: the server's to judge
        return 0


def is_file(result: Any, environ: dict[str, Any]) -> bool:
    """Tell whether `result` is of the server's file wrapper."""
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type):
        return isinstance(result, wrapper)

    # uWSGI's wrapper is a function that returns the file itself.
    return wrapper is not None and isinstance(result, IOBase)


# wsgiref and gunicorn call it `filelike`, werkzeug and waitress call it `file`.
_FILES = ("filelike", "file")


def file_size(result: Any) -> int:
    """Return the bytes that are left of the file in `result`; 0 if unknown."""
    for file in (result, *(getattr(result, name, None) for name in _FILES)):
        with suppress(Exception):
            return int(max(fstat(file.fileno()).st_size - file.tell(), 0))

    return 0
