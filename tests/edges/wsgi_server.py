# A WSGI server in memory: it does what PEP 3333 asks of one, and notes all of it.
#
# A probe between the middleware and the application notes what the application sees
# and does. It is there bare and wrapped, so that both traces can be compared.
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

from tests.edges.tracing import Step, Trace, plain

__all__ = ["App", "Environ", "StartResponse", "WsgiServer", "environment", "trace_of"]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], Any]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
Wrap = Callable[[Any], Any]

SEEN: ContextVar[str] = ContextVar("SEEN", default="nothing")


def environment(body: bytes = b"", **changes: Any) -> Environ:
    """Return the environ of a GET request, but for `changes`."""
    environ: Environ = {
        "QUERY_STRING": "q=1&q=2",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "4711",
        "HTTP_COOKIE": "a=1",
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "test.body": body,
    }
    setup_testing_defaults(environ)

    return environ | changes


def trace_of(environ: Environ) -> Trace:
    """Return the trace of the call that `environ` is of."""
    trace: Trace = environ["test.trace"]

    return trace


class _Input:
    """`wsgi.input` that notes each call; it has what BytesIO has."""

    def __init__(self, body: bytes, trace: Trace) -> None:
        self._stream = BytesIO(body)
        self._trace = trace

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)

        def noted(*arguments: Any) -> Any:
            self._trace.add(f"input {name}", arguments)
            return found(*arguments)

        return noted

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._trace.add("input next")

        return next(self._stream)


_OURS = {"wsgi.input", "test.trace"}


def _probe(app: Any, trace: Trace) -> App:
    def probed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def started(*arguments: Any, **named: Any) -> Callable[[bytes], Any]:
            trace.add("app starts", arguments)
            try:
                write = start_response(*arguments, **named)
            except BaseException as error:
                trace.add("app sees start raise", error)
                raise

            def written(chunk: bytes) -> Any:
                trace.add("app writes", chunk)
                try:
                    return write(chunk)
                except BaseException as error:
                    trace.add("app sees write raise", error)
                    raise

            return written

        shown = {key: environ[key] for key in environ if key not in _OURS}
        trace.append(Step("app called", environ, plain(shown)))
        try:
            result: Iterable[bytes] = app(environ, started)
        except BaseException as error:
            trace.add("app raises", error)
            raise
        trace.add("app returns", result)
        return result

    return probed


@dataclass
class WsgiServer:
    """
    One request of a server.

    Args:
        environ: what the application is called with.
        error: is raised by `write` ...
        failing: ... at the chunk with this number, from 0.
        leaves_after: so many chunks are taken, then the client is gone.
        forgets_close: the server does not call close().
    """

    environ: Environ
    error: BaseException | None = None
    failing: int = -1
    leaves_after: int = -1
    forgets_close: bool = False
    trace: Trace = field(default_factory=Trace)
    head: tuple[str, list[tuple[str, str]]] | None = None
    chunks: list[bytes] = field(default_factory=list)
    raised: BaseException | None = None
    result: Any = None

    def run(self, app: Any, wrap: Wrap = lambda app: app) -> "WsgiServer":
        """Serve it to the end, whatever that is."""
        self.is_sent = False
        self.environ["test.trace"] = self.trace
        self.environ["wsgi.input"] = _Input(self.environ["test.body"], self.trace)
        try:
            self._serve(wrap(_probe(app, self.trace)))
        except BaseException as error:  # noqa: BLE001 - it is what the test looks at
            self.raised = error
        self.trace.add("server sees in context", SEEN.get())

        return self

    def _serve(self, app: App) -> None:
        result: Any = app(self.environ, self._start_response)
        self.result = result
        self.trace.add("server may take len", hasattr(result, "__len__"))
        if hasattr(result, "__len__"):
            self.trace.add("server takes len", len(result))
        try:
            if self.leaves_after:
                self._write_all(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None and not self.forgets_close:
                close()

    def _write_all(self, result: Iterable[bytes]) -> None:
        for chunk in result:
            self._write(chunk)
            if len(self.chunks) == self.leaves_after:
                return
        if not self.is_sent:
            self._write(b"")

    def _start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,
    ) -> Callable[[bytes], Any]:
        self.trace.add("server is told to start", (status, headers))
        if exc_info:
            try:
                if self.is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.head is not None:
            raise AssertionError("a second start without exc_info")
        self.head = status, headers

        return self._write

    def _write(self, chunk: bytes) -> None:
        self.trace.add("server writes", chunk)
        assert self.head is not None, "no start"
        assert isinstance(chunk, (bytes, bytearray)), "no bytes"
        if self.error is not None and len(self.chunks) == self.failing:
            raise self.error
        self.is_sent = self.is_sent or bool(chunk)
        self.chunks.append(chunk)

    @property
    def status(self) -> str | None:
        """The status that the client got."""
        return self.head and self.head[0]

    @property
    def body(self) -> bytes:
        """The body that the client got."""
        return b"".join(self.chunks)
