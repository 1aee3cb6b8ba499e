# `wsgi.input`, teed: what the application reads of a body is what the record knows.
#
# Nothing is read that the application does not ask for, and nothing is held.
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from audit_mw.auditor import Recorder

__all__ = ["TeeInput"]


class TeeInput:
    """`wsgi.input` that tells what the application read of it (PEP 3333)."""

    def __init__(self, stream: Any, recorder: Recorder) -> None:
        self._stream = stream
        self._tell = _Once(recorder.exchange.read)

    def read(self, *size: Any) -> bytes:
        """Read as the stream does."""
        chunk: bytes = self._stream.read(*size)
        asked = size[0] if size else None
        whole = asked is None or asked < 0
        if chunk is not None:  # a raw stream that has nothing yet
            self._tell(chunk, ended=whole or (not chunk and asked != 0))

        return chunk

    def readline(self, *size: Any) -> bytes:
        """Read a line as the stream does."""
        line: bytes = self._stream.readline(*size)
        self._tell(line, ended=not line and size != (0,))

        return line

    def readlines(self, *hint: Any) -> list[bytes]:
        """Read lines as the stream does."""
        lines: list[bytes] = self._stream.readlines(*hint)
        for line in lines:
            self._tell(line, ended=False)
        if not lines or not hint or not hint[0] or hint[0] < 0:
            self._tell(b"", ended=True)

        return lines

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            line: bytes = next(self._stream)
        except TypeError:  # iterable, but no iterator: all that PEP 3333 asks for
            line = self._stream.readline()
            if not line:
                self._tell(b"", ended=True)
                raise StopIteration from None
        except StopIteration:
            self._tell(b"", ended=True)
            raise
        self._tell(line, ended=False)

        return line

    def __getattr__(self, name: str) -> Any:
        # Streams may have more than PEP 3333 asks for, and readers that find it use it:
        # werkzeug reads by readinto() where there is one.
        found = getattr(self._stream, name)
        if name == "seek":
            return partial(self._seek, found)
        tee = _MORE.get(name)

        return partial(tee, self._tell, found) if tee else found

    def _seek(self, seek: Callable[..., Any], *to: Any) -> Any:
        result = seek(*to)
        if isinstance(result, int):  # as all of io's streams answer
            self._tell.at = result

        return result


class _Once:
    """Tells each byte once: what is read again after a seek back was told before."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self.at = self._told = 0

    def __call__(self, chunk: bytes, *, ended: bool) -> None:
        known = max(self._told - self.at, 0)
        self.at += len(chunk)
        self._told = max(self._told, self.at)
        self._tell(chunk[known:] if known else chunk, ended=ended)


Tell = Callable[..., None]


def _tee_readinto(tell: Tell, readinto: Callable[..., Any], buffer: Any) -> Any:
    count = readinto(buffer)
    if count is not None:  # None: nothing is there yet
        whole = memoryview(buffer).cast("B")
        tell(bytes(whole[:count]), ended=not count and bool(whole.nbytes))

    return count


def _tee_read(tell: Tell, read: Callable[..., Any], *size: int) -> Any:
    chunk = read(*size)
    if chunk is not None:
        tell(bytes(chunk), ended=not chunk and size != (0,))

    return chunk


def _tee_readall(tell: Tell, readall: Callable[[], Any]) -> Any:
    chunk = readall()
    tell(bytes(chunk or b""), ended=chunk is not None)

    return chunk


_MORE: dict[str, Callable[..., Any]] = {
    "readinto": _tee_readinto,
    "readinto1": _tee_readinto,
    "read1": _tee_read,
    "readall": _tee_readall,
}
