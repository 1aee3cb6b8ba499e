"""
The compiled `start_response`, `write`, result and `wsgi.input` are to applications and
servers what those in Python are, in what the grammar of conversations does not do.
"""

import gc
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from weakref import ref
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from tests.compiled.roads import Pair, Road

Environ = dict[str, Any]
App = Callable[[Environ, Any], Any]
BODY = b"a=1\n&b=2"
LENGTH = [("Content-Length", "2")]


class Text(str):
    """A text that is not one to who looks closely."""

    __slots__ = ()


class Server:
    """What a server gives to a request, and what it got of it."""

    def __init__(self, body: Any) -> None:
        self.got: list[Any] = []
        self.environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a",
            "RAW_URI": "/a?q=1",
            "QUERY_STRING": "q=1",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "REMOTE_PORT": "4711",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(BODY)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.errors": sys.stderr,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input": body,
        }

    def start(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        """Note a start."""
        self.got.append(("start", status, headers, bool(exc_info)))

        return lambda chunk: self.got.append(("write", chunk))

    def serve(self, app: App) -> Any:
        """Serve it to the end, and return the result."""
        try:
            result = app(self.environ, self.start)
            self.got += [type(result) in (list, tuple), hasattr(result, "__len__")]
            self.got += list(result)
            getattr(result, "close", list)()
        except Exception as error:  # noqa: BLE001 - it must be the same
            self.got.append((type(error), str(error)))
            error.__traceback__ = None
            return None

        return result


class Holder:
    """An application that can be changed after it was wrapped."""

    app: App

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        """Do as the application does."""
        return self.app(environ, start_response)


@pytest.fixture
def holder() -> Holder:
    """What holds the application."""
    return Holder()


@pytest.fixture
def pair(holder: Holder, tmp_path: Path) -> Iterator[Pair]:
    """Both roads around it."""
    made = Pair(holder, tmp_path, max_slots=16, interface="wsgi")
    yield made
    made.close()


def serve(road: Road, stream: Callable[[], Any] = lambda: io.BytesIO(BODY)) -> Server:
    """Serve one request."""
    server = Server(stream())
    server.serve(road.middleware)

    return server


def same(pair: Pair, stream: Callable[[], Any] = lambda: io.BytesIO(BODY)) -> Server:
    """Serve on both roads, twice; return what the server got on the compiled one."""
    for _ in range(2):  # the first request is never a short one: it opens the trail
        off, on = serve(pair.off, stream), serve(pair.on, stream)

        assert off.got == on.got
        assert pair.check() >= 1

    return on


def _reading(read: Callable[[Any], object]) -> App:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])

        return [repr(read(environ["wsgi.input"])).encode()]

    return app


def _is_wrong(call: Callable[[], object]) -> None:
    # Each road has words of its own for that.
    with pytest.raises(TypeError):
        call()


def _keeps(stream: Any) -> object:
    stream.mine = 1

    return stream.mine


def _reads_its_own(stream: Any) -> object:
    stream.read = lambda: b"mine"

    return stream.read()


_READS: dict[str, Callable[[Any], object]] = {
    "all": lambda it: it.read(),
    "none": lambda it: it.read(None),
    "less than nothing": lambda it: it.read(-1),
    "nothing": lambda it: (it.read(0), it.read(3)),
    "to the end": lambda it: [it.read(3), it.read(8), it.read(8)],
    "a part": lambda it: it.read(3),
    "true": lambda it: it.read(bool(it)),
    "two sizes": lambda it: it.read(1, 2),
    "a named size": lambda it: _is_wrong(partial(it.read, size=1)),
    "no size": lambda it: it.read("1"),
    "a line": lambda it: (it.read(1), it.readline(), it.readline(2), it.read()),
    "lines": lambda it: (it.readlines(), it.read()),
    "each line": list,
    "its iterator": lambda it: iter(it) is it,
    "next": lambda it: (next(it), it.read()),
    "into": lambda it: (it.readinto(bytearray(3)), it.read()),
    "read1": lambda it: (it.read(2), it.read1(), it.read1()),
    "again": lambda it: (it.read(), it.seek(0), it.read(), it.tell()),
    "again, a part": lambda it: (it.read(5), it.seek(3), it.read()),
    "ahead": lambda it: (it.read(1), it.seek(6), it.read()),
    "no such": lambda it: hasattr(it, "peek"),
    "closed": lambda it: (it.closed, it.close(), it.closed),
    "kept": _keeps,
    "own read": _reads_its_own,
    "buffered": lambda it: io.TextIOWrapper(io.BufferedReader(it)).read(),
    "weakly held": lambda it: ref(it)() is it,
}


@pytest.mark.parametrize("name", _READS)
def test_input(pair: Pair, holder: Holder, name: str) -> None:
    """However the body is read, it is what it is, and the record is the same."""
    holder.app = _reading(_READS[name])
    same(pair)


class _Stream:
    """A stream whose chunks are of any kind."""

    def __init__(self, *chunks: Any) -> None:
        self._chunks = iter(chunks)

    def read(self, *_size: Any) -> Any:
        found = next(self._chunks, b"")
        if isinstance(found, BaseException):
            raise found

        return found


class _Bytes(bytes):
    __slots__ = ()


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param((bytearray(BODY),), id="bytearray"),
        pytest.param((memoryview(BODY),), id="memoryview"),
        pytest.param((_Bytes(BODY),), id="kind of bytes"),
        pytest.param((None, BODY), id="not yet"),
        pytest.param(("text", BODY), id="text"),
        pytest.param((7, BODY), id="number"),
        pytest.param((BODY[:3], OSError("gone")), id="gone"),
        pytest.param((ConnectionResetError(104, "reset"),), id="reset"),
        pytest.param((OSError(5, "disk"), BODY), id="disk"),
        pytest.param((ValueError("odd"), BODY), id="odd"),
    ],
)
def test_streams(pair: Pair, holder: Holder, chunks: Any) -> None:
    """Whatever a stream gives or raises is what the application gets."""
    holder.app = _reading(lambda it: [it.read(), it.read()])
    same(pair, lambda: _Stream(*chunks))


def test_no_input(pair: Pair, holder: Holder) -> None:
    """Where a server gives none there is none; nor is there more of what is nothing."""
    holder.app = _reading(lambda it: it.read())
    same(pair, lambda: None)

    assert serve(pair.on, lambda: None).got[-1][0] is AttributeError


def test_read_too_late(pair: Pair, holder: Holder) -> None:
    """What is read when the record is made is read, and changes nothing."""
    kept: list[Any] = []

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        kept.append(environ["wsgi.input"])
        start_response("200 OK", LENGTH)
        return [b"ok"]

    holder.app = app
    same(pair)

    late = [(it.read(3), it.readline(), it.read(), it.read()) for it in kept]
    assert late == [(b"a=1", b"\n", b"&b=2", b"")] * 4
    assert pair.check() == 0


# --- the start


def _starting(*args: Any, **named: Any) -> App:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        start_response(*args, **named)
        return [b"ok"]

    return app


_STARTS: dict[str, App] = {
    "as ever": _starting("200 OK", LENGTH),
    "no text": _starting(200, []),
    "kind of text": _starting(Text("404 Gone"), [(Text("Content-Length"), Text("2"))]),
    "short": _starting("20", []),
    "word": _starting("fine", []),
    "other digits": _starting("٢٠٠ OK", []),
    "low": _starting("099 Low", []),
    "nothing": _starting(None, None),
    "headers in a tuple": _starting("200 OK", (("Content-Length", "2"),)),
    "headers from a generator": _starting("200 OK", (each for each in LENGTH)),
    "no pairs": _starting("200 OK", [1, ("a",), ("b", "c", "d")]),
    "pairs in lists": _starting("200 OK", [["Content-Length", "2"]]),
    "bytes": _starting("200 OK", [(b"Content-Length", b"2")]),
    "number": _starting("200 OK", [("Content-Length", 2)]),
    "too short": _starting("200 OK", [("Content-Length", "1")]),
    "too long": _starting("200 OK", [("content-length", "9" * 19)]),
    "zero": _starting("200 OK", [("CONTENT-LENGTH", "000")]),
    "spaced": _starting("200 OK", [("Content-Length", " 2 ")]),
    "two lengths": _starting("200 OK", [*LENGTH, ("Content-Length", "3")]),
    "another name": _starting("200 OK", [("Content-Lenght", "2"), *LENGTH]),
    "no body": _starting("204 No Content", []),
    "not modified": _starting("304 Not Modified", LENGTH),
    "none": _starting("200 OK", [], None),
    "by name": _starting(status="200 OK", headers=LENGTH, exc_info=None),
    "too many": _starting("200 OK", [], None, None),
    "unknown name": _starting("200 OK", [], colour="red"),
}


@pytest.mark.parametrize("name", _STARTS)
def test_start(pair: Pair, holder: Holder, name: str) -> None:
    """Whatever is started with, the server gets it, and the record is the same."""
    holder.app = _STARTS[name]
    same(pair)


def _starts_again(_environ: Environ, start_response: Any) -> Iterable[bytes]:
    first = start_response("200 OK", LENGTH)
    try:
        int("no number")
    except ValueError:
        second = start_response("500 Sorry", [], sys.exc_info())
    first(b"of the first")
    second(b"of the second")

    return ()


def _writes_what_is_odd(_environ: Environ, start_response: Any) -> Iterable[bytes]:
    write = start_response("200 OK", [])
    for chunk in (b"", bytearray(b"a"), "text", None, 7):
        write(chunk)

    return [b"ok"]


def _writes_in_pieces(_environ: Environ, start_response: Any) -> Iterable[bytes]:
    write = start_response("200 OK", LENGTH)
    write(b"o")
    write(b"k")
    write(b"more")

    return []


def _writes_nowhere(environ: Environ, start_response: Any) -> Iterable[bytes]:
    environ["REQUEST_METHOD"] = "HEAD"
    write = start_response("204 No Content", [])
    write(b"")

    return iter(())


def _starts_with_too_little(_environ: Environ, start_response: Any) -> Iterable[bytes]:
    _is_wrong(partial(start_response, "200 OK"))
    start_response("200 OK", [])

    return [b"ok"]


def _raises_started(_environ: Environ, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    raise KeyError("started")


def _raises_at_once(_environ: Environ, _start_response: Any) -> Iterable[bytes]:
    raise KeyError("at once")


def _never_starts(_environ: Environ, _start_response: Any) -> Iterable[bytes]:
    return [b"ok"]


@pytest.mark.parametrize(
    "app",
    [
        _starts_again,
        _writes_what_is_odd,
        _writes_in_pieces,
        _writes_nowhere,
        _starts_with_too_little,
        _raises_started,
        _raises_at_once,
        _never_starts,
    ],
    ids=lambda it: it.__name__.strip("_"),
)
def test_calls(pair: Pair, holder: Holder, app: App) -> None:
    """In whatever order things are called, the record is the same."""
    holder.app = app
    same(pair)


_PORTS = "1", "9", "10", "65535", "65536", "0", "-1", "", "1a", "٤٧", "9" * 30, 80, None


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "fe80::1%eth0", "a\tb"])
def test_peers(pair: Pair, holder: Holder, host: str) -> None:
    """Whatever the port of the peer, the record is the same."""
    holder.app = _STARTS["as ever"]
    for port in _PORTS:
        for road in (pair.off, pair.on):
            server = Server(io.BytesIO(BODY))
            server.environ |= {"REMOTE_ADDR": host, "REMOTE_PORT": port}
            server.serve(road.middleware)

        assert pair.check() >= 1


# --- the result


class _Meta(type):
    def __len__(cls) -> int:
        return 1


class _OfMeta(metaclass=_Meta):
    def __iter__(self) -> Iterator[bytes]:
        return iter([b"o", b"k"])


class _Closing:
    def __init__(self, error: BaseException | None = None) -> None:
        self._chunks = iter([b"o", b"k"])
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        if self._error is not None:
            raise self._error


class _NoList(list[bytes]):
    def __iter__(self) -> Iterator[bytes]:
        return iter([b"made", b"now"])


def _fails(at: int) -> Iterator[bytes]:
    for place in range(at):
        yield b"%d" % place
    raise KeyError(at)


_RESULTS: dict[str, Callable[[], Any]] = {
    "list": lambda: [b"o", b"k"],
    "tuple": lambda: (b"o", b"k"),
    "nothing": list,
    "texts": lambda: [b"o", "k"],
    "numbers": lambda: [7],
    "buffers": lambda: [bytearray(b"ok"), memoryview(b"ok")],
    "own list": lambda: _NoList([b"x"]),
    "generator": lambda: (each for each in (b"o", b"", b"k")),
    "odd generator": lambda: (each for each in (b"o", "k", None, 7)),
    "iterator": lambda: iter([b"o", b"k"]),
    "range": lambda: range(2),
    "bytes": lambda: b"ok",
    "text": lambda: "ok",
    "dict": lambda: {b"o": 1, b"k": 2},
    "of a class with a length": _OfMeta,
    "closing": _Closing,
    "failing to close": lambda: _Closing(KeyError("close")),
    "failing at once": lambda: _fails(0),
    "failing later": lambda: _fails(2),
    "file": lambda: FileWrapper(io.BytesIO(b"ok")),
    "no iterable": lambda: 7,
    "none": lambda: None,
}


@pytest.mark.parametrize("head", [LENGTH, []], ids=["length", "no length"])
@pytest.mark.parametrize("name", _RESULTS)
def test_result(pair: Pair, holder: Holder, name: str, head: Any) -> None:
    """Whatever is returned, the server sees the same of it."""

    def app(_environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", list(head))
        return _RESULTS[name]()

    holder.app = app
    same(pair)


@pytest.mark.parametrize("name", ["list", "tuple", "own list", "file"])
def test_very_object(pair: Pair, holder: Holder, name: str) -> None:
    """What servers look at is what the application returned, or tells as much."""
    made: list[Any] = []

    def app(_environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", [])
        made.append(_RESULTS[name]())
        return made[-1]

    holder.app = app
    for _ in range(2):
        found = Server(io.BytesIO()).serve(pair.on.middleware)

        assert (found is made[-1]) == (name != "own list")


def test_to_the_letter(pair: Pair, holder: Holder) -> None:
    """Both sides keep to PEP 3333, as `wsgiref.validate` has it."""

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "text/plain"), *LENGTH])
        yield body[:2]

    holder.app = validator(app)
    for _ in range(2):
        server = Server(io.BytesIO(BODY))
        server.serve(validator(pair.on.middleware))
        assert server.got[-1] == BODY[:2]


def test_event_header(holder: Holder, tmp_path: Path) -> None:
    """The response has the event of its record; the application's own is unchanged."""
    headers = list(LENGTH)
    holder.app = _starting("200 OK", headers)
    road = Road(
        holder, tmp_path, compiled="on", event_header="x-event", interface="wsgi"
    )
    for _ in range(2):
        server = serve(road)
        [(_, record)] = road.news()

        assert server.got[0][2] == [*LENGTH, ("x-event", record["event"].decode())]
    road.close()

    assert headers == LENGTH


def test_forgotten(pair: Pair, holder: Holder) -> None:
    """A result that is dropped has its record, and leaves nothing behind."""

    def app(_environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"o"
        yield b"k"

    holder.app = app
    for _ in range(2):
        for road in (pair.off, pair.on):
            server = Server(io.BytesIO(BODY))
            next(iter(road.middleware(server.environ, server.start)))
            del server
            gc.collect()

        assert pair.check() == 1
