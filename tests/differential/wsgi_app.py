# A WSGI application that does what its request says, step by step, and notes all that
# it sees.
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tests.differential.asgi_app import OF_APP, OF_SERVER
from tests.differential.notes import ERRORS, Notes
from tests.differential.wsgi_requests import WsgiRequest
from tests.differential.wsgi_results import RESULTS
from tests.edges.wsgi_server import Environ, StartResponse

__all__ = ["STEPS", "WsgiScript"]

_CAUGHT: dict[str, tuple[type[BaseException], ...]] = {
    "nothing": (),
    "errors": (Exception,),
    "all": (BaseException,),
}
_ENOUGH = 9


class WsgiScript:
    """
    The application of one call.

    Args:
        request: says what to do.
        notes: take what is seen.
        meet: waits for the other applications of the batch.
    """

    def __init__(
        self, request: WsgiRequest, notes: Notes, meet: Callable[[], str]
    ) -> None:
        self._request = request
        self._notes = notes
        self._meet = meet
        self._tokens: list[Any] = []
        self._write: Any = None
        self._kept: Any = None
        self.result_id = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Be called as an application."""
        self._environ, self._start_response = environ, start_response
        shown = [environ[key] for key in environ if key != "wsgi.input"]
        self._notes.place("app called with", environ)
        self._note("app called", list(environ), *shown)
        if self._request.meets:
            self._note("app met", self._meet())
        result = RESULTS[self._request.shape](self)
        self.result_id = id(result)

        return result

    def finish(self) -> None:
        """End what is left of a generator that goes on when it is closed."""
        for _ in range(_ENOUGH * _ENOUGH if self._kept is not None else 0):
            with suppress(RuntimeError):
                self._kept.close()

    def _note(self, what: str, *things: Any) -> None:
        task = threading.current_thread()
        self._notes.note(what, *things, task, OF_SERVER.get())

    # --- steps

    def play(self, steps: Any) -> Iterator[bytes]:
        """Do the steps; a chunk goes where the shape of the result says."""
        caught = _CAUGHT[self._request.catches]
        try:
            for name, *arguments in steps:
                try:
                    if name == "yield":
                        yield arguments[0]
                    else:
                        STEPS[name](self, *arguments)
                except caught as error:
                    self._notes.error("app catches", error)
        except BaseException as error:
            self._notes.error("app ends with", error)
            raise
        finally:
            self._note("app ends")

    def lazily(self) -> Iterator[bytes]:
        """Do all steps when the first chunk is asked for."""
        player = self.play(self._request.steps)
        if self._request.catches == "all":
            self._kept = player

        return player

    def partly(self) -> Iterator[bytes]:
        """Do the steps before the first chunk now, and the others later."""
        names = [step[0] for step in self._request.steps]
        at = names.index("yield") if "yield" in names else len(names)
        for _ in self.play(self._request.steps[:at]):
            pass
        player = self.play(self._request.steps[at:])
        if self._request.catches == "all":
            self._kept = player

        return player

    def at_once(self) -> list[bytes]:
        """Do all steps now."""
        return list(self.play(self._request.steps))

    def note(self, what: str) -> None:
        """Note what happens to the result."""
        self._note(f"result {what}")

    def wrapper(self) -> Any:
        """Return the file wrapper of the server."""
        return self._environ["wsgi.file_wrapper"]

    def _start(self, status: str, headers: list[Any], how: str) -> None:
        sent = list(headers)
        if how == "keyword":
            self._write = self._start_response(status, sent, exc_info=None)
        elif how == "none":
            self._write = self._start_response(status, sent, None)
        else:
            self._write = self._start_response(status, sent)
        self._note("app started", sent)

    def _start_again(self, status: str, headers: list[Any]) -> None:
        try:
            int("on the way")
        except ValueError as error:
            exc_info = sys.exc_info()
            self._write = self._start_response(status, list(headers), exc_info)
            self._note("app started again", error)

    def _write_this(self, chunk: bytes) -> None:
        if self._write is not None:
            self._note("app wrote", self._write(chunk))

    def _read(self, name: str, *size: int) -> None:
        method = getattr(self._environ["wsgi.input"], name, None)
        self._note("app reads", name, method is not None)
        if method is None:
            return
        buffer = bytearray(abs(size[0]) if size else 4)
        found = method(buffer) if name == "readinto" else method(*size)
        self._note("app read", found, bytes(buffer))

    def _iterate(self, count: int) -> None:
        lines = iter(self._environ["wsgi.input"])
        for _ in range(count):
            self._note("app read line", next(lines, None))

    def _next(self) -> None:
        try:
            self._note("app read next", next(self._environ["wsgi.input"], None))
        except TypeError:
            self._note("input is no iterator")

    def _has(self, name: str) -> None:
        self._note("input has", hasattr(self._environ["wsgi.input"], name))

    def _set(self) -> None:
        self._tokens.append(OF_APP.set(len(self._notes)))

    def _reset(self) -> None:
        if self._tokens:
            OF_APP.reset(self._tokens.pop())

    def _change(self, what: str) -> None:
        if what == "add":
            self._environ["REMOTE_USER"] = "alice"
        else:
            self._environ.pop("HTTP_COOKIE", None)

    def _raise(self, name: str) -> None:
        raise ERRORS[name]("as the script has it")

    def _raise_from(self) -> None:
        try:
            int("first")
        except ValueError as error:
            raise ExceptionGroup("then", [ValueError(1)]) from error

    def _say(self) -> None:
        self._note("app goes on")


STEPS: dict[str, Callable[..., None]] = {
    "start": WsgiScript._start,
    "start again": WsgiScript._start_again,
    "write": WsgiScript._write_this,
    **{
        name: lambda script, *size, name=name: script._read(name, *size)
        for name in ("read", "readline", "readlines", "read1", "readinto")
    },
    "iterate": WsgiScript._iterate,
    "next": WsgiScript._next,
    "has": WsgiScript._has,
    "set": WsgiScript._set,
    "reset": WsgiScript._reset,
    "environ": WsgiScript._change,
    "raise": WsgiScript._raise,
    "raise from": WsgiScript._raise_from,
    "note": WsgiScript._say,
}
