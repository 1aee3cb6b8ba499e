# The edge for WSGI (PEP 3333): tee what passes, parse nothing, keep nothing.
#
# Rule 1: the application is called at once, with the server's own environ, of which
#         only `wsgi.input` is replaced, and closed exactly once.
# Rule 2: a list, a tuple and the server's file wrapper go on as the very objects that
#         they are; servers look at their type and length. They give no hook after the
#         return, so their record is committed when the application returns them.
# Rule 3: of any other iterable each chunk passes as it comes. The record is committed
#         before the chunk that reaches Content-Length, else before the end is told.
# Rule 4: whatever the application raises goes on unchanged.
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import IOBase
from os import fstat
from types import TracebackType
from typing import Any

from audit_mw.auditor import Auditor, Recorder
from audit_mw.errors import AuditUnavailable
from audit_mw.wsgi_head import request_head, vouched
from audit_mw.wsgi_input import TeeInput

__all__ = ["WSGIApp", "WsgiAuditMiddleware"]

Environ = dict[str, Any]
ExcInfo = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)
Write = Callable[[bytes], Any]
StartResponse = Callable[..., Write]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_REFUSAL = "503 Service Unavailable"
_REFUSAL_BODY = b"Service Unavailable\n"
_REFUSAL_FIELDS = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(_REFUSAL_BODY))),
    ("Retry-After", "5"),
]


class WsgiAuditMiddleware:
    """A WSGI application around another one; made by `AuditMiddleware`."""

    def __init__(self, app: WSGIApp, auditor: Auditor) -> None:
        self.app = app
        self._auditor = auditor
        self._event_header = auditor.config.event_header

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        try:
            recorder = self._auditor.begin(
                request_head(environ), lambda: vouched(environ)
            )
        except AuditUnavailable:
            start_response(_REFUSAL, list(_REFUSAL_FIELDS))
            return [_REFUSAL_BODY]
        response = _Response(recorder, start_response, self._event_header)
        if "wsgi.input" in environ:
            environ["wsgi.input"] = TeeInput(environ["wsgi.input"], recorder)
        try:
            result = self.app(environ, response.start)
        except BaseException as error:
            _end(recorder, error)
            raise

        return response.returned(result, environ)


def _end(recorder: Recorder, error: BaseException) -> None:
    recorder.failed(error)
    try:
        recorder.end()
    except AuditUnavailable as unavailable:
        raise unavailable from error


class _Response:
    """`start_response`, `write`, and what becomes of the result."""

    def __init__(
        self,
        recorder: Recorder,
        start_response: StartResponse,
        event_header: str | None,
    ) -> None:
        self._recorder = recorder
        self._start_response = start_response
        self._event_header = event_header
        self._bodiless = False

    def start(
        self, status: str, headers: list[tuple[str, str]], *exc_info: ExcInfo | None
    ) -> Write:
        """Take the application's `start_response`."""
        if self._recorder.refused is not None:
            raise self._recorder.refused
        fields = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers
        ]
        # WSGI holds a start back until there is a body, so it is no last message yet.
        self._bodiless = self._recorder.exchange.start(_code(status), fields)
        if self._event_header:
            headers = [*headers, (self._event_header, self._recorder.event)]
        write = self._start_response(status, headers, *exc_info)

        def tee_write(chunk: bytes) -> Any:
            self.passing(chunk)
            return write(chunk)

        return tee_write

    def passing(self, chunk: bytes) -> None:
        """Tell of a chunk before it passes."""
        if self._bodiless and not self._recorder.committed:
            self._recorder.commit()
        else:
            self._recorder.send(len(chunk), more=True)

    def returned(self, result: Any, environ: Environ) -> Iterable[bytes]:
        """Return what goes to the server in the place of `result`."""
        if isinstance(result, (list, tuple)):
            return self._whole(result, sum(map(len, result)), estimated=False)
        if _is_file(result, environ):
            size = _file_size(result)
            return self._whole(result, size, estimated=True)
        if hasattr(type(result), "__len__"):
            return _SizedTee(result, self, self._recorder)

        return _Tee(result, self, self._recorder)

    def _whole(self, result: Any, size: int, *, estimated: bool) -> Iterable[bytes]:
        recorder = self._recorder
        if not recorder.exchange.has_started:
            # Some servers call lazily started responses broken, others do not; the
            # record can only say what was said.
            recorder.exchange.end_early()
        try:
            if self._bodiless:
                recorder.commit()
            else:
                recorder.send(size, more=False, estimated=estimated)
        except AuditUnavailable as error:
            _close(result)
            return self._refuse(error)

        return result  # type: ignore[no-any-return] # the very object

    def _refuse(self, error: AuditUnavailable) -> Iterable[bytes]:
        # Nothing was sent yet, so the start can be taken back (PEP 3333). Where it was,
        # through write(), the server raises: the response is broken off.
        try:
            raise error
        except AuditUnavailable:
            self._start_response(_REFUSAL, list(_REFUSAL_FIELDS), sys.exc_info())

        return [_REFUSAL_BODY]


class _Tee:
    """An iterable that tells what passes; closed once, with what it is around."""

    def __init__(self, result: Any, response: _Response, recorder: Recorder) -> None:
        self._result = result
        self._response = response
        self._recorder = recorder
        self._next: Callable[[], bytes] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._next is None:
                self._next = iter(self._result).__next__
            chunk = self._next()
        except StopIteration:
            self._finish()
            raise
        except BaseException as error:
            _end(self._recorder, error)
            raise
        self._response.passing(chunk)

        return chunk

    def _finish(self) -> None:
        # The end is the last message, unless an earlier one was.
        recorder = self._recorder
        if not recorder.exchange.has_started:
            recorder.exchange.end_early()
        recorder.send(0, more=False)

    def close(self) -> None:
        """Close the application's iterable; what is not recorded yet is cut short."""
        if self._closed:
            return
        self._closed = True
        try:
            _close(self._result)
        except BaseException as error:
            self._abandon()
            _end(self._recorder, error)
            raise
        self._abandon()
        self._recorder.end()

    def _abandon(self) -> None:
        # The server closes early when the client is gone.
        if not self._recorder.committed and self._recorder.refused is None:
            self._recorder.exchange.gone()

    def __del__(self) -> None:
        # A server that forgets close() must not cost the record.
        with suppress(Exception):
            if not self._closed:
                self._abandon()
                self._recorder.end()


class _SizedTee(_Tee):
    """Around a sequence that is no list: servers take Content-Length from `len`."""

    def __len__(self) -> int:
        return len(self._result)


def _close(result: Any) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        close()


def _is_file(result: Any, environ: Environ) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type):
        return isinstance(result, wrapper)

    # uWSGI's wrapper is a function that returns the file itself.
    return wrapper is not None and isinstance(result, IOBase)


# wsgiref and gunicorn call it `filelike`, werkzeug and waitress call it `file`.
_FILES = ("filelike", "file")


def _file_size(result: Any) -> int:
    for file in (result, *(getattr(result, name, None) for name in _FILES)):
        with suppress(Exception):
            return int(max(fstat(file.fileno()).st_size - file.tell(), 0))

    return 0


def _code(status: str) -> int:
    digits = status[:3]

    return int(digits) if digits.isdigit() else 0
