# WSGI applications that each do one odd but legal thing.
#
# `ODD` names each with what its environ differs in. Objects that an application
# returns note in the trace of the call what the server does with them.
#
# (Longer than 250 lines, since it is a list.)
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.edges.wsgi_server import (
    SEEN,
    App,
    Environ,
    StartResponse,
    WsgiServer,
    environment,
    trace_of,
)

__all__ = ["ODD", "Odd", "Stopped", "answering"]


@dataclass(frozen=True)
class Odd:
    """An application, and how it is called."""

    app: App
    environ: dict[str, Any]
    strict: bool

    def server(self, **more: Any) -> WsgiServer:
        """Return a server that is about to call the application."""
        return WsgiServer(environment(**self.environ), **more)


ODD: dict[str, Odd] = {}


def _odd(
    *, name: str = "", strict: bool = True, **environ: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    # strict: wsgiref.validate has nothing against it.
    def add(app: Callable[..., Any]) -> Callable[..., Any]:
        ODD[name or app.__name__.replace("_", " ")] = Odd(app, environ, strict)
        return app

    return add


_TEXT = ("Content-Type", "text/plain")
_LENGTH_5 = ("Content-Length", "5")


def answering(
    status: str = "200 OK",
    result: Any = None,
    *headers: tuple[str, str],
) -> App:
    """Return an application that answers, and does nothing else."""

    def app(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [_TEXT, *headers])
        return [b"hello"] if result is None else result

    return app


class Stopped(BaseException):
    """What ends a process, as SystemExit does, but not that of the tests."""


class _Result:
    """What an application returns: notes each use of it."""

    def __init__(self, environ: Environ, *chunks: bytes) -> None:
        self._trace = trace_of(environ)
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        self._trace.add("result iter")

        return self

    def __next__(self) -> bytes:
        self._trace.add("result next")

        return next(self._chunks)

    def close(self) -> None:
        self._trace.add("result close")


# --- starts

_odd(name="head", REQUEST_METHOD="HEAD")(answering())
_odd(name="no content", strict=False)(answering("204 No Content", []))
_odd(name="not modified", strict=False)(answering("304 Not Modified", []))
_odd(name="content-length 0")(answering("200 OK", [], ("Content-Length", "0")))
_odd(name="repeated headers")(
    answering("200 OK", None, ("Set-Cookie", "a=1"), ("Set-Cookie", "a=2"))
)
_odd(name="any byte in a header")(answering("200 OK", None, ("X-Name", "\xe9\xff")))
_odd(name="text beyond bytes in a header", strict=False)(
    answering("200 OK", None, ("X-Name", "\u20ac"))
)
_odd(name="status without reason", strict=False)(answering("200"))
_odd(name="status with odd reason")(answering("299 Ni\xe7e  and odd"))
_odd(name="status of other digits", strict=False)(answering("\xb2\xb2\xb2 Squared"))
_odd(name="no status", strict=False)(answering(""))


@_odd(strict=False)
def headers_as_lists(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [list(_TEXT), list(_LENGTH_5)])
    return [b"hello"]


@_odd(strict=False)
def start_with_keyword(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT], exc_info=None)
    return [b"hello"]


@_odd(strict=False)
def start_with_broken_header(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT, ("X-Count", 7)])
    return [b"hello"]


@_odd(strict=False)
def start_without_headers(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", None)
    return [b"hello"]


@_odd()
def one_list_of_headers(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", _HEADERS)
    return [b"hello"]


_HEADERS = [_TEXT, _LENGTH_5]


def _failing() -> Any:
    try:
        return int("on the way")
    except ValueError:
        return sys.exc_info()


@_odd()
def starts_again(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT, _LENGTH_5])
    start_response("500 Oh No", [_TEXT], _failing())
    return _Result(environ, b"sorry, that failed")


@_odd()
def starts_again_too_late(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    yield b"hel"
    start_response("500 Oh No", [_TEXT], _failing())
    yield b"never"


@_odd(strict=False)
def starts_twice(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    start_response("201 Created", [_TEXT])
    return [b"hello"]


@_odd(strict=False)
def never_starts(_environ: Environ, _start_response: StartResponse) -> Any:
    return [b"hello"]


# --- results that are no iterator: servers look at what they are


@_odd()
def a_list(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return answering("200 OK", [b"hello"], _LENGTH_5)(environ, start_response)


_odd(name="a list of several")(answering("200 OK", [b"he", b"", b"llo"]))
_odd(name="a tuple")(answering("200 OK", (b"hello",)))
_odd(name="an empty list")(answering("200 OK", []))
_odd(name="a list of bytearrays", strict=False)(answering("200 OK", [bytearray(b"x")]))
_odd(name="a list of no bytes", strict=False)(answering("200 OK", [7]))


class _List(list[bytes]):
    """A list that has to be closed."""

    def __init__(self, environ: Environ, *chunks: bytes) -> None:
        super().__init__(chunks)
        self._trace = trace_of(environ)

    def close(self) -> None:
        self._trace.add("result close")


class _LazyList(_List):
    """A list whose content is made while it is iterated over."""

    def __iter__(self) -> Iterator[bytes]:
        self._trace.add("result iter")
        yield b"made "
        yield b"just now"


@_odd()
def a_list_to_close(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _List(environ, b"he", b"llo")


@_odd()
def a_lazy_list(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _LazyList(environ)


class _Sized(_Result):
    """An iterable of one chunk that tells so, and is no list."""

    def __len__(self) -> int:
        self._trace.add("result len")

        return 1


@_odd()
def sized(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _Sized(environ, b"hello")


class _File(BytesIO):
    """A file that notes being closed."""

    def __init__(self, environ: Environ) -> None:
        super().__init__(b"line\nline\n")
        self._trace = trace_of(environ)

    def close(self) -> None:
        self._trace.add("result close")
        super().close()


@_odd()
def file_wrapper(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [_TEXT, ("Content-Length", "10")])
    return environ["wsgi.file_wrapper"](_File(environ))


@_odd()
def file_wrapper_of_a_file(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [_TEXT])
    return environ["wsgi.file_wrapper"](Path(__file__).open("rb"))


def _wrap_as_uwsgi(file: Any, _size: int = 0) -> Any:
    return file


_AS_UWSGI: dict[str, Any] = {"wsgi.file_wrapper": _wrap_as_uwsgi}


@_odd(**_AS_UWSGI)
def file_wrapper_function(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [_TEXT])
    return environ["wsgi.file_wrapper"](_File(environ))


@_odd()
def a_file(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _File(environ)


# --- iterators


@_odd()
def generator(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return (chunk for chunk in (b"he", b"", b"llo"))


@_odd()
def generator_starts(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    yield b"he"
    yield b"llo"


@_odd()
def iterator(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _Result(environ, b"", b"hello", b"")


@_odd()
def empty_iterator(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _Result(environ)


class _Iterable:
    """Something with __iter__ alone."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"hello"


@_odd()
def iterable(_environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [_TEXT])
    return _Iterable()


@_odd(name="a class")
class _AClass:
    """PEP 3333's own example of a class."""

    def __init__(self, environ: Environ, start_response: StartResponse) -> None:
        self._trace = trace_of(environ)
        self._start = start_response

    def __iter__(self) -> Iterator[bytes]:
        self._trace.add("result iter")
        self._start("200 OK", [_TEXT])
        yield b"hello"


@_odd()
def content_length_then_more(
    environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT, _LENGTH_5])
    return _Result(environ, b"he", b"llo", b"", b"")


@_odd(REQUEST_METHOD="HEAD")
def head_iterator(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT, _LENGTH_5])
    return _Result(environ, b"he", b"llo")


@_odd()
def no_content_iterator(
    environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return _Result(environ, b"")


class _Broken(_Result):
    """Raises where it would end."""

    def __next__(self) -> bytes:
        try:
            return super().__next__()
        except StopIteration:
            raise ValueError("in the middle") from None


@_odd()
def raises_in_the_middle(
    environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT, ("Content-Length", "9")])
    return _Broken(environ, b"hello")


@_odd()
def raises_at_first(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _Broken(environ)


@_odd()
def raises_after_last(
    environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT, _LENGTH_5])
    return _Broken(environ, b"hello")


class _Unclosable(_Result):
    """Raises when it is closed."""

    def close(self) -> None:
        super().close()
        raise ValueError("in close")


@_odd()
def raises_in_close(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return _Unclosable(environ, b"hello")


# --- write


@_odd()
def writes_alone(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", [_TEXT])
    write(b"he")
    write(b"llo")
    return []


@_odd()
def writes_then_returns(
    environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])(b"he")
    return _Result(environ, b"ll", b"o")


@_odd()
def writes_content_length(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    write = start_response("200 OK", [_TEXT, _LENGTH_5])
    write(b"")
    write(b"hello")
    return []


@_odd()
def writes_then_raises(
    _environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])(b"he")
    raise ValueError("after a write")


# --- the request

_BODY = b"a=1&\nb=2&\nc=3"
_POST: dict[str, Any] = {
    "REQUEST_METHOD": "POST",
    "CONTENT_TYPE": "application/x-www-form-urlencoded",
    "CONTENT_LENGTH": str(len(_BODY)),
    "body": _BODY,
}


def _reading(name: str, read: Callable[[Any], Any], *, strict: bool = True) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found = read(environ["wsgi.input"])
        trace_of(environ).add("app read", found)
        return answering()(environ, start_response)

    _odd(name=name, strict=strict, **_POST)(app)


def _into(stream: Any) -> Any:
    buffer = bytearray(4)
    count = stream.readinto(buffer)

    return count, buffer, stream.read(-1)


_reading("never reads", lambda _: None)
_reading("read", lambda stream: stream.read(), strict=False)
_reading("read(-1)", lambda stream: stream.read(-1))
_reading("read(0)", lambda stream: stream.read(0))
_reading("read(n)", lambda stream: [stream.read(5) for _ in "1234"])
_reading("read part", lambda stream: stream.read(3))
_reading("readline", lambda stream: [stream.readline() for _ in "1234"])
_reading("readline(n)", lambda stream: [stream.readline(3) for _ in "12"])
_reading("readlines", lambda stream: stream.readlines())
_reading("readlines(n)", lambda stream: [stream.readlines(3) for _ in "1234"])
_reading("iteration", list)
_reading("iteration by next", lambda stream: next(iter(stream)))
_reading("mixed", lambda stream: (stream.readline(), stream.read(2), list(stream)))
_reading("readinto", _into, strict=False)
_reading("read1", lambda stream: (stream.read1(3), stream.read1()), strict=False)
_reading("readall", lambda s: getattr(s, "readall", s.read)(), strict=False)
_reading("tell and seek", lambda s: (s.tell(), s.seek(3), s.read(2)), strict=False)
_reading("fileno", lambda stream: hasattr(stream, "fileno"))
_reading("no such method", lambda s: getattr(s, "nothing", None))


@_odd()
def changes_environ(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    environ["app.key"] = object()
    environ["PATH_INFO"] = "/changed"
    del environ["QUERY_STRING"]
    return answering()(environ, start_response)


@_odd()
def names_user_late(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    yield b"hello"
    environ["REMOTE_USER"] = "alice"


# --- the call


@_odd()
def sets_context(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    SEEN.set("what the application set")
    return answering()(environ, start_response)


@_odd()
def raises_before_start(_environ: Environ, _start_response: StartResponse) -> Any:
    raise ValueError("before the start")


@_odd()
def raises_after_start(_environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [_TEXT])
    raise ValueError("after the start")


@_odd()
def is_stopped(_environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [_TEXT])
    raise Stopped("as SystemExit would")


@_odd(strict=False)
def returns_nothing(_environ: Environ, start_response: StartResponse) -> None:
    start_response("200 OK", [_TEXT])
