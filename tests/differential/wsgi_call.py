# A WSGI server in memory that serves requests of the grammar, several in turn or in a
# thread each, and notes what it is told and how it ended.
#
# Of a result it looks at what servers look at: whether it is a list, a tuple or of its
# file wrapper, and then at which; else at its length alone.
import itertools
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from typing import Any

from tests.differential.asgi_app import OF_APP, OF_SERVER
from tests.differential.notes import ERRORS, Notes, Story
from tests.differential.wsgi_app import WsgiScript
from tests.differential.wsgi_requests import WsgiRequest
from tests.differential.wsgi_streams import STREAMS
from tests.edges.wsgi_server import App, environment

__all__ = ["dispatch", "serve_wsgi"]

Turns = Generator[None, None, None]


def dispatch(environ: Any, start_response: Any) -> Any:
    """Call the application of the call that `environ` is of."""
    return environ["test.call"].app(environ, start_response)


def serve_wsgi(
    app: App, requests: tuple[WsgiRequest, ...], elsewhere: Executor, patience: float
) -> list[Story]:
    """
    Serve all requests with `app`, and return what happened to each.

    Args:
        app: the application.
        requests: are served in turn, or, if they meet, in threads.
        elsewhere: runs what is done in another thread.
        patience: seconds until one that does not meet the others goes on.
    """
    barrier = threading.Barrier(len(requests))
    calls = [_Call(request, barrier, patience) for request in requests]
    if requests[0].meets:
        _serve_in_threads(app, calls)
    else:
        _serve_in_turn(app, calls, elsewhere)

    return [call.story() for call in calls]


def _serve_in_threads(app: App, calls: list["_Call"]) -> None:
    threads = [threading.Thread(target=list, args=(call.serve(app),)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _serve_in_turn(app: App, calls: list["_Call"], elsewhere: Executor) -> None:
    served = [(call, copy_context(), call.serve(app)) for call in calls]
    for turn in itertools.count():
        for each in list(served):
            call, context, turns = each
            work: Callable[[], Any] = partial(context.run, next, turns, _END)
            moved = call.moves and turn > 0
            if (elsewhere.submit(work).result() if moved else work()) is _END:
                served.remove(each)
        if not served:
            return


_END: Any = object()


class _Call:
    def __init__(
        self, request: WsgiRequest, barrier: threading.Barrier, patience: float
    ) -> None:
        self._request = request
        self._barrier = barrier
        self._patience = patience
        self.moves = request.moves
        self.notes = Notes()
        self.app = WsgiScript(request, self.notes, self._meet)
        stream = STREAMS[request.stream](request.body, self._enter_input)
        more: dict[str, Any] = {"wsgi.input": stream, "test.call": self}
        self._environ = environment(**request.environ, **more)
        self._counts = {"start": 0, "send": 0, "input": 0}
        self._chunks = 0
        self._is_started = self._is_sent = False

    def _meet(self) -> str:
        try:
            self._barrier.wait(self._patience)
        except threading.BrokenBarrierError:
            return "nobody"
        return "the others"

    def serve(self, app: App) -> Turns:
        """Call the application and see it through, chunk by chunk."""
        OF_SERVER.set("before the call")
        self.notes.place("server calls", self._environ)
        try:
            result = app(self._environ, self._start_response)
        except BaseException as error:  # noqa: BLE001 - it is what is compared
            self._failed(error)
            return
        self._look_at(result)
        yield
        try:
            yield from self._take(result)
        except BaseException as error:  # noqa: BLE001 - it is what is compared
            self._failed(error)
        yield
        self._close(result)
        del result
        self._note("server let the result go")
        self.notes.note("in context are", sorted(each.name for each in copy_context()))

    def _look_at(self, result: Any) -> None:
        wrapper = self._environ["wsgi.file_wrapper"]
        is_plain = getattr(type(result), "__iter__", None) in _PLAIN
        if is_plain or isinstance(result, wrapper):
            is_it = id(result) == self.app.result_id
            self._note("server got", type(result).__name__, is_it)
        if hasattr(result, "__len__"):
            self._note("server takes len", len(result))

    def _take(self, result: Any) -> Turns:
        if self._leaves():
            return
        chunks = iter(result)
        while (chunk := next(chunks, _END)) is not _END:
            self._send(chunk)
            if self._leaves():
                return
            yield
        if not self._is_sent:
            self._send(b"")
        if self._request.asks_again:
            self._note("server got again", next(chunks, "nothing"))

    def _leaves(self) -> bool:
        trouble = self._request.trouble

        return trouble.what == "leaves" and self._chunks >= trouble.at

    def _close(self, result: Any) -> None:
        close = getattr(result, "close", None)
        if close is None or self._request.trouble.what == "forgets":
            return
        try:
            close()
        except BaseException as error:  # noqa: BLE001 - it is what is compared
            self._failed(error)

    def _start_response(self, *arguments: Any, **named: Any) -> Any:
        self._note("server is told to start", arguments, named, *arguments)
        self._enter("start")
        exc_info = arguments[2] if arguments[2:] else named.get("exc_info")
        if exc_info and self._is_sent:
            raise exc_info[1]
        if self._is_started and not exc_info:
            raise AssertionError("a second start without exc_info")
        self._is_started = True

        return self._write

    def _write(self, chunk: bytes) -> Any:
        self._send(chunk)

        return self._counts  # PEP 3333 says of nothing that it returns

    def _send(self, chunk: bytes) -> None:
        self._note("server sends", chunk)
        assert self._is_started, "no start"
        self._chunks += 1
        self._enter("send")
        self._is_sent = self._is_sent or bool(chunk)

    def _enter_input(self, name: str, arguments: Any) -> None:
        self._note(f"input {name}", arguments, *arguments)
        self._enter("input")

    def _enter(self, what: str) -> None:
        trouble, number = self._request.trouble, self._counts[what]
        self._counts[what] += 1
        OF_SERVER.set(f"{what} {number}")
        if trouble.what == what and number == trouble.at:
            raise ERRORS[trouble.error]("by the server")

    def _failed(self, error: BaseException) -> None:
        self.notes.error("server sees raised", error)
        # Its frames would keep the result alive.
        error.__traceback__ = None

    def _note(self, what: str, *things: Any) -> None:
        self.notes.note(what, *things, threading.current_thread(), OF_APP.get())

    def story(self) -> Story:
        """Return what happened, with environ as it is in the end."""
        kept = [self._environ[key] for key in self._environ if key not in _OURS]
        self.notes.note("in the end", list(self._environ), *kept)
        story = self.notes.story()
        copy_context().run(self.app.finish)

        return story


_PLAIN = (list.__iter__, tuple.__iter__)
_OURS = {"wsgi.input", "test.call"}
