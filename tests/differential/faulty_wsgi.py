# WSGI middlewares that each do one thing wrong, as real ones did. The differential test
# must catch every one of them.
#
# (Longer than 250 lines, since it is a list.)
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from io import BytesIO
from typing import Any

from tests.edges.wsgi_server import Environ, StartResponse

__all__ = ["FAULTY_WSGI", "PassingWsgi"]


class PassingWsgi:
    """A middleware that does nothing, and does it right."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Serve one request."""
        return self.result(self.call(environ, start_response), environ)

    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        """Call the application."""

        def start(*arguments: Any, **named: Any) -> Any:
            return self.start(start_response, *arguments, **named)

        return self.app(environ, start)

    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        """Take a start of the application."""
        return start_response(*arguments, **named)

    def result(self, result: Any, _environ: Environ) -> Any:
        """Take what the application returned."""
        return result


FAULTY_WSGI: dict[str, type[PassingWsgi]] = {}


def _faulty(middleware: type[PassingWsgi]) -> type[PassingWsgi]:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in middleware.__name__)
    FAULTY_WSGI[words.replace("_", "").strip()] = middleware

    return middleware


class _Around:
    """An iterator around a result that closes it, and is no list."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.iterator: Any = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.iterator is None:
            self.iterator = iter(self.result)
        chunk: bytes = next(self.iterator)
        return chunk

    def close(self) -> None:
        if hasattr(self.result, "close"):
            self.result.close()


def _is_plain(result: Any) -> bool:
    # What may be looked at from outside goes on as it is.
    return result is None or hasattr(result, "__len__") or hasattr(result, "filelike")


# --- the call


@_faulty
class _CallsLate(PassingWsgi):
    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        yield from self.app(environ, start_response)


@_faulty
class _CopiesEnviron(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        return self.app(dict(environ), start_response)


@_faulty
class _StripsEnviron(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        environ.pop("server.key", None)
        return self.app(environ, start_response)


@_faulty
class _AddsToEnviron(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        environ["audit.event"] = "1"
        return self.app(environ, start_response)


@_faulty
class _SortsEnviron(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        items = sorted(environ.items(), key=lambda item: item[0])
        environ.clear()
        environ.update(items)
        return self.app(environ, start_response)


@_faulty
class _RestoresEnviron(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        kept = dict(environ)
        result = self.app(environ, start_response)
        environ.update(kept)
        return result


@_faulty
class _CopiesContext(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        return copy_context().run(self.app, environ, start_response)


_KEPT: ContextVar[str] = ContextVar("_KEPT")


@_faulty
class _LeavesAVariable(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        _KEPT.set("never reset")
        return self.app(environ, start_response)


@_faulty
class _MovesToAnotherThread(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        results: list[Any] = []

        def work() -> None:
            with suppress(BaseException):
                results.append(self.app(environ, start_response))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return results[0] if results else None


@_faulty
class _KeepsEnvironOnItself(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        self._start = start_response
        return self.app(environ, self._later)

    def _later(self, *arguments: Any, **named: Any) -> Any:
        return self._start(*arguments, **named)


@_faulty
class _ServesOneAtATime(PassingWsgi):
    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._lock = threading.Lock()

    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        with self._lock:
            return self.app(environ, start_response)


@_faulty
class _SwallowsErrors(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        with suppress(Exception):
            return self.app(environ, start_response)


@_faulty
class _SwallowsWhatStops(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        try:
            return self.app(environ, start_response)
        except Exception:
            raise
        except BaseException:  # noqa: BLE001 - the fault
            return None


@_faulty
class _WrapsErrors(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        try:
            return self.app(environ, start_response)
        except ValueError as error:
            raise type(error)(*error.args) from error.__cause__


@_faulty
class _TiesErrors(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        try:
            return self.app(environ, start_response)
        except Exception as error:
            raise error from LookupError("seen by the middleware")


# --- wsgi.input


class _Input:
    """An input that hands all on."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def __next__(self) -> bytes:
        chunk: bytes = next(self.stream)
        return chunk


class _Without(_Input):
    """An input that lacks a method."""

    def __init__(self, stream: Any, missing: str) -> None:
        super().__init__(stream)
        self.missing = missing

    def __getattr__(self, name: str) -> Any:
        if name == self.missing:
            raise AttributeError(name)
        return getattr(self.stream, name)


class _TakesInput(PassingWsgi):
    teed: Callable[[Any], Any] = _Input

    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        environ["wsgi.input"] = type(self).teed(environ["wsgi.input"])
        return self.app(environ, start_response)


@_faulty
class _ReadsFirst(_TakesInput):
    teed = staticmethod(lambda stream: BytesIO(stream.read()))


@_faulty
class _InputWithoutReadline(_TakesInput):
    teed = staticmethod(lambda stream: _Without(stream, "readline"))


@_faulty
class _InputWithoutMore(_TakesInput):
    teed = staticmethod(lambda stream: _Without(stream, "readinto"))


@_faulty
class _InputIteratesByReadline(_TakesInput):
    class teed(_Input):  # noqa: N801 - in the place of the function
        def __iter__(self) -> Iterator[bytes]:
            return iter(self.stream.readline, b"")


@_faulty
class _InputIsItsIterator(_TakesInput):
    class teed(_Input):  # noqa: N801
        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            for line in self.stream:
                return bytes(line)
            raise StopIteration


@_faulty
class _InputNamesSizes(_TakesInput):
    class teed(_Input):  # noqa: N801
        def read(self, size: int = -1) -> Any:
            return self.stream.read(size)


@_faulty
class _InputReadsAhead(_TakesInput):
    class teed(_Input):  # noqa: N801
        def readline(self, *size: int) -> Any:
            line = self.stream.readline(*size)
            return line or self.stream.read(0)


@_faulty
class _InputJoinsLines(_TakesInput):
    class teed(_Input):  # noqa: N801
        def readlines(self, *_hint: int) -> Any:
            return self.stream.readlines()


@_faulty
class _InputDrained(_TakesInput):
    def result(self, result: Any, environ: Environ) -> Any:
        environ["wsgi.input"].read()
        return result


@_faulty
class _InputHidesErrors(_TakesInput):
    class teed(_Input):  # noqa: N801
        def read(self, *size: int) -> Any:
            try:
                return self.stream.read(*size)
            except OSError:
                return b""


# --- start_response and write


def _write_late(start_response: Any, given: Any, named: Any, chunk: bytes) -> Any:
    return start_response(*given, **named)(chunk)


@_faulty
class _StartsLate(PassingWsgi):
    def call(self, environ: Environ, start_response: StartResponse) -> Any:
        given: list[Any] = []

        def keep(*arguments: Any, **named: Any) -> Any:
            given.append((arguments, named))
            return partial(_write_late, start_response, arguments, named)

        result = self.app(environ, keep)
        for arguments, named in given:
            start_response(*arguments, **named)
        return result


@_faulty
class _StartsWithThree(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        status, headers, *more = arguments
        return start_response(status, headers, *(more or [named.get("exc_info")]))


@_faulty
class _DropsExcInfo(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **_named: Any
    ) -> Any:
        return start_response(*arguments[:2])


@_faulty
class _DropsWrite(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        start_response(*arguments, **named)
        return lambda chunk: None  # noqa: ARG005 - the fault


@_faulty
class _DropsResultOfWrite(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        write = start_response(*arguments, **named)

        def written(chunk: bytes) -> None:
            write(chunk)

        return written


@_faulty
class _HidesErrorsOfWrite(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        write = start_response(*arguments, **named)

        def written(chunk: bytes) -> Any:
            with suppress(OSError):
                return write(chunk)

        return written


@_faulty
class _DropsEmptyWrites(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        write = start_response(*arguments, **named)
        return lambda chunk: write(chunk) if chunk else None


@_faulty
class _HidesErrorsOfStart(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        with suppress(OSError):
            return start_response(*arguments, **named)


@_faulty
class _ReturnsNoWrite(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        start_response(*arguments, **named)


@_faulty
class _StripsStatus(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        status = " ".join(arguments[0].split())
        return start_response(status, *arguments[1:], **named)


@_faulty
class _CopiesHeaders(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        status, headers, *more = arguments
        return start_response(status, list(headers), *more, **named)


@_faulty
class _LowersHeaders(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        arguments[1][:] = [(name.lower(), value) for name, value in arguments[1]]
        return start_response(*arguments, **named)


@_faulty
class _FoldsHeaders(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        arguments[1][:] = dict(arguments[1]).items()
        return start_response(*arguments, **named)


@_faulty
class _SortsHeaders(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        arguments[1].sort()
        return start_response(*arguments, **named)


@_faulty
class _AddsHeader(PassingWsgi):
    def start(
        self, start_response: StartResponse, *arguments: Any, **named: Any
    ) -> Any:
        arguments[1].append(("X-Event", "1"))
        return start_response(*arguments, **named)


# --- the result


@_faulty
class _IteratesOverLists(PassingWsgi):
    def result(self, result: Any, _environ: Environ) -> Any:
        return iter(result) if type(result) is list else result


@_faulty
class _CopiesLists(PassingWsgi):
    def result(self, result: Any, _environ: Environ) -> Any:
        return list(result) if type(result) is list else result


@_faulty
class _ListsTuples(PassingWsgi):
    def result(self, result: Any, _environ: Environ) -> Any:
        return list(result) if type(result) is tuple else result


@_faulty
class _HidesLength(PassingWsgi):
    def result(self, result: Any, _environ: Environ) -> Any:
        return _Around(result) if hasattr(result, "__len__") else result


@_faulty
class _WrapsFileWrapper(PassingWsgi):
    def result(self, result: Any, environ: Environ) -> Any:
        wrapper = environ["wsgi.file_wrapper"]
        return wrapper(result.filelike) if isinstance(result, wrapper) else result


@_faulty
class _HidesFileWrapper(PassingWsgi):
    def result(self, result: Any, environ: Environ) -> Any:
        wrapper = environ["wsgi.file_wrapper"]
        return _Around(result) if isinstance(result, wrapper) else result


@_faulty
class _ReadsAll(PassingWsgi):
    def result(self, result: Any, _environ: Environ) -> Any:
        return result if _is_plain(result) else list(result)


@_faulty
class _FetchesFirstChunk(PassingWsgi):
    def result(self, result: Any, _environ: Environ) -> Any:
        if _is_plain(result):
            return result
        around = _Around(result)
        around.iterator = itertools.chain(list(itertools.islice(result, 1)), result)
        return around


class _TakesChunks(PassingWsgi):
    around: type[_Around] = _Around

    def result(self, result: Any, _environ: Environ) -> Any:
        return result if _is_plain(result) else type(self).around(result)


@_faulty
class _NeverCloses(_TakesChunks):
    class around(_Around):  # noqa: N801 - in the place of the class
        def close(self) -> None:
            pass


@_faulty
class _ClosesTwice(_TakesChunks):
    class around(_Around):  # noqa: N801
        def close(self) -> None:
            super().close()
            super().close()


@_faulty
class _ClosesAtTheEnd(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __next__(self) -> bytes:
            try:
                return super().__next__()
            except StopIteration:
                super().close()
                raise

        def close(self) -> None:
            pass


@_faulty
class _ClosesAtErrors(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __next__(self) -> bytes:
            try:
                return super().__next__()
            except Exception:
                super().close()
                raise


@_faulty
class _ClosesWhenForgotten(_TakesChunks):
    class around(_Around):  # noqa: N801
        closed = False

        def close(self) -> None:
            if not self.closed:
                self.closed = True
                super().close()

        def __del__(self) -> None:
            self.close()


@_faulty
class _HidesErrorsOfClose(_TakesChunks):
    class around(_Around):  # noqa: N801
        def close(self) -> None:
            with suppress(Exception):
                super().close()


@_faulty
class _LetsGoLate(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __init__(self, result: Any) -> None:
            super().__init__(result)
            self.itself = self  # what the collector alone frees


@_faulty
class _SwallowsGeneratorExit(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __init__(self, result: Any) -> None:
            super().__init__(_going_on(result))


def _going_on(result: Any) -> Iterator[bytes]:
    with suppress(GeneratorExit):
        yield from result


@_faulty
class _SwallowsErrorsOfChunks(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __next__(self) -> bytes:
            try:
                return super().__next__()
            except OSError:
                raise StopIteration from None


@_faulty
class _JoinsChunks(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __next__(self) -> bytes:
            chunk = super().__next__()
            return chunk + b"".join(self.iterator)


@_faulty
class _JoinsTwoChunks(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __next__(self) -> bytes:
            return super().__next__() + next(self.iterator, b"")


@_faulty
class _AddsEmptyChunk(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __init__(self, result: Any) -> None:
            super().__init__(result)
            self.more = iter([b""])

        def __next__(self) -> bytes:
            try:
                return super().__next__()
            except StopIteration:
                return next(self.more)


@_faulty
class _DropsEmptyChunks(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __next__(self) -> bytes:
            while not (chunk := super().__next__()):
                pass
            return chunk


@_faulty
class _ReadsAheadByOne(_TakesChunks):
    class around(_Around):  # noqa: N801
        ahead: bytes | None = None

        def __next__(self) -> bytes:
            chunk = super().__next__() if self.ahead is None else self.ahead
            self.ahead = next(self.iterator, None)
            return chunk


@_faulty
class _CopiesContextOfChunks(_TakesChunks):
    class around(_Around):  # noqa: N801
        def __next__(self) -> bytes:
            return copy_context().run(super().__next__)


@_faulty
class _EndsOnce(_TakesChunks):
    class around(_Around):  # noqa: N801
        ended = False

        def __next__(self) -> bytes:
            if self.ended:
                raise RuntimeError("it has ended")
            try:
                return super().__next__()
            except StopIteration:
                self.ended = True
                raise
