# `wsgi.input` in several kinds: each tells of a reading before it is done.
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

__all__ = ["STREAMS"]

Enter = Callable[[str, Any], None]


class _Iterable:
    """What PEP 3333 asks of a stream, to the letter."""

    def __init__(self, body: bytes, enter: Enter) -> None:
        self._file = BytesIO(body)
        self._enter = enter

    def read(self, *size: int) -> bytes:
        self._enter("read", size)
        return self._file.read(*size)

    def readline(self, *size: int) -> bytes:
        self._enter("readline", size)
        return self._file.readline(*size)

    def readlines(self, *hint: int) -> list[bytes]:
        self._enter("readlines", hint)
        return self._file.readlines(*hint)

    def __iter__(self) -> Iterator[bytes]:
        for line in self._file:
            self._enter("iteration", ())
            yield line


class _Iterator(_Iterable):
    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._enter("next", ())
        return next(self._file)


class _File(_Iterator):
    def read1(self, *size: int) -> bytes:
        self._enter("read1", size)
        return self._file.read1(*size)

    def readinto(self, buffer: bytearray) -> int:
        self._enter("readinto", (buffer,))
        return self._file.readinto(buffer)

    def seek(self, *to: int) -> int:
        return self._file.seek(*to)


STREAMS = {"iterable": _Iterable, "iterator": _Iterator, "file": _File}
