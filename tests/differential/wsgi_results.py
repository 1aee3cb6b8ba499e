# What a WSGI application returns, in all shapes that PEP 3333 allows: each notes how it
# is used.
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Protocol

__all__ = ["RESULTS"]


class Script(Protocol):
    """What a result asks of the application that returns it."""

    def lazily(self) -> Iterator[bytes]:
        """Do all steps when the first chunk is asked for."""

    def partly(self) -> Iterator[bytes]:
        """Do the steps before the first chunk now, and the others later."""

    def at_once(self) -> list[bytes]:
        """Do all steps now."""

    def note(self, what: str) -> None:
        """Note what happens to the result."""

    def wrapper(self) -> Any:
        """Return the file wrapper of the server."""


class _Iterator:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._chunks = script.partly()

    def __iter__(self) -> Iterator[bytes]:
        self._script.note("iter")
        return self

    def __next__(self) -> bytes:
        self._script.note("next")
        return next(self._chunks)

    def close(self) -> None:
        self._script.note("close")


class _Iterable:
    def __init__(self, script: Script) -> None:
        self._chunks = script.partly()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


class _Sized(_Iterator):
    def __len__(self) -> int:
        self._script.note("len")
        return 1


class _List(list[bytes]):
    def __init__(self, script: Script) -> None:
        super().__init__(script.at_once())
        self._script = script

    def close(self) -> None:
        self._script.note("close")


class _LazyList(_List):
    def __iter__(self) -> Iterator[bytes]:
        self._script.note("iter")
        yield b"made just now"


class _File(BytesIO):
    def __init__(self, script: Script) -> None:
        self._script = script  # first: a file that was never made is closed, too
        super().__init__(b"".join(script.at_once()))

    def close(self) -> None:
        self._script.note("close")
        super().close()


class _OwnWrapper:
    """A file wrapper that is not the server's."""

    def __init__(self, script: Script) -> None:
        self._file = _File(script)

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(4), b"")


RESULTS: dict[str, Callable[[Script], Any]] = {
    "generator": lambda script: script.lazily(),
    "list": lambda script: script.at_once(),
    "tuple": lambda script: tuple(script.at_once()),
    "closing list": _List,
    "lazy list": _LazyList,
    "iterator": _Iterator,
    "iterable": _Iterable,
    "sized": _Sized,
    "file": _File,
    "file wrapper": lambda script: script.wrapper()(_File(script)),
    "own wrapper": _OwnWrapper,
    "nothing": lambda script: script.at_once() and None,
}
