# `wsgi.input`, teed: what the application reads of a body is what the record knows.
#
# Nothing is read that the application does not ask for, and nothing is held.
#
# Where it was built the compiled road has a tee of its own, which takes `read` alone;
# one of these takes over where more is asked for.
from collections.abc import Callable, Iterable, Iterator
from contextlib import ContextDecorator
from functools import partial
from typing import Any

from audit_mw.auditor import Receipt, Recorder
from audit_mw.errors import AuditUnavailable

__all__ = ["TeeInput", "note_leaving", "told"]


class TeeInput:
    """
    `wsgi.input` that tells what the application read of it (PEP 3333).

    Args:
        stream: what the server gives.
        recorder: is told; None where the record is made.
        told: how many bytes it was told of before.
    """

    def __init__(self, stream: Any, recorder: Recorder | None, told: int = 0) -> None:
        self._stream = stream
        self._recorder = recorder
        # What is read again after a seek back was told before.
        self._at = self._told = told

    def let_go(self) -> None:
        """Tell nothing any more: the record is made."""
        # The recorder has the environ, and that has us: only a collection of garbage
        # would find what a request leaves behind.
        self._recorder = None

    def _tell(self, chunk: bytes, *, ended: bool) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        known = self._told - self._at
        self._at += len(chunk)
        if known > 0:
            chunk = chunk[known:]
        self._told = max(self._told, self._at)
        told(recorder.read(chunk, ended=ended))

    def read(self, *size: Any) -> bytes:
        """Read as the stream does."""
        # The one that is called for each request: no object is made for it.
        try:
            chunk: bytes = self._stream.read(*size)
        except BaseException as error:
            note_leaving(self._recorder, error)
            raise
        asked = size[0] if size else None
        whole = asked is None or asked < 0
        if chunk is not None:  # a raw stream that has nothing yet
            self._tell(chunk, ended=whole or (not chunk and asked != 0))

        return chunk

    def readline(self, *size: Any) -> bytes:
        """Read a line as the stream does."""
        with _Leaving(self._recorder):
            line: bytes = self._stream.readline(*size)
        self._tell(line, ended=not line and size != (0,))

        return line

    def readlines(self, *hint: Any) -> list[bytes]:
        """Read lines as the stream does."""
        with _Leaving(self._recorder):
            lines: list[bytes] = self._stream.readlines(*hint)
        for line in lines:
            self._tell(line, ended=False)
        if not lines or not hint or not hint[0] or hint[0] < 0:
            self._tell(b"", ended=True)

        return lines

    def __iter__(self) -> Iterator[bytes]:
        lines = iter(self._stream)

        return self if lines is self._stream else self._each(lines)

    def __next__(self) -> bytes:
        try:
            with _Leaving(self._recorder):
                line: bytes = next(self._stream)
        except StopIteration:
            self._tell(b"", ended=True)
            raise
        self._tell(line, ended=False)

        return line

    def _each(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        # PEP 3333 asks for an iterable, which need be no iterator.
        with _Leaving(self._recorder):
            for line in lines:
                self._tell(line, ended=False)
                yield line
        self._tell(b"", ended=True)

    def __getattr__(self, name: str) -> Any:
        # Streams may have more than PEP 3333 asks for, and readers that find it use it:
        # werkzeug reads by readinto() where there is one.
        found = getattr(self._stream, name)
        if name == "seek":
            return partial(self._seek, found)
        tee = _MORE.get(name)

        return (
            partial(tee, self._tell, _Leaving(self._recorder)(found)) if tee else found
        )

    def _seek(self, seek: Callable[..., Any], *to: Any) -> Any:
        result = seek(*to)
        if isinstance(result, int):  # as all of io's streams answer
            self._at = result

        return result


class _Leaving(ContextDecorator):
    """Notes that the client left, where a read says so by what it raises."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        note_leaving(self._recorder, error)


def told(steps: Iterable[Receipt]) -> None:
    """Wait until what was read is on record, or could not be."""
    try:
        for receipt in steps:
            receipt.wait()
    except AuditUnavailable:
        pass  # the end will be on record, or be refused


def note_leaving(recorder: Recorder | None, error: BaseException | None) -> None:
    """Note that the client left, if a read says so by what it raises."""
    # Without errno it is the server that raises it, by its own judgement: uWSGI,
    # mod_wsgi and gunicorn do. A disk that fails under a spooled body has one.
    lost = isinstance(error, OSError) and error.errno is None
    if recorder is not None and (lost or isinstance(error, ConnectionError)):
        recorder.exchange.gone()


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
