# A WSGI response on its way to the server: `start_response`, `write`, and the result.
#
# Rule 1: a list, a tuple and the server's file wrapper go on as the very objects that
#         they are; servers look at their type and length. They give no hook after the
#         return, so their record is committed when the application returns them.
# Rule 2: of any other iterable each chunk passes as it comes. The record is committed
#         before the chunk that reaches Content-Length, else before the end is told.
# Rule 3: the server judges a start before we note it, and whether it is too late to
#         take one back.
#
# Where it was built the compiled road has tees of its own that do the same, and come
# here with what is not ordinary.
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from audit_mw.auditor import Receipt, Recorder
from audit_mw.current_exchange import Current, enter, leave
from audit_mw.errors import AuditUnavailable
from audit_mw.wsgi_result import close, file_size, is_file, is_plain, is_sized, size

if TYPE_CHECKING:
    from audit_mw.wsgi_input import TeeInput

__all__ = [
    "Environ",
    "Response",
    "StartResponse",
    "answers_head_alone",
    "close",
    "code",
    "end",
    "fields_of",
    "file_size",
    "is_file",
    "is_plain",
    "refuse",
    "size",
    "wait",
]

Environ = dict[str, Any]
Write = Callable[[bytes], Any]
StartResponse = Callable[..., Write]
Headers = Iterable[tuple[str, str]]

# These answer HEAD, 204 and 304 without a look into the iterable: nothing is asked for
# of which the record could be committed in time.
_HEAD_ONLY = {"Granian"}

# No Content-Length: some servers keep that of a start which this one takes back.
_REFUSAL = [("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "5")]


def refuse(
    environ: Environ, start_response: StartResponse, *exc_info: Any
) -> list[bytes]:
    """Answer 503; with exc_info in the place of what was started before."""
    start_response("503 Service Unavailable", list(_REFUSAL), *exc_info)

    # Not every server drops the body of an answer to HEAD.
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [b"Service Unavailable\n"]


def end(recorder: Recorder, error: BaseException) -> None:
    """Record that `error` leaves the application."""
    recorder.failed(error)
    recorder.end()


def wait(recorder: Recorder, steps: Iterable[Receipt]) -> None:
    """
    Wait until the record is kept.

    Raises:
        AuditUnavailable: it is not: what it is of must not be handed over.
    """
    for receipt in steps:
        with suppress(AuditUnavailable):
            receipt.wait()
        recorder.check(receipt)


def answers_head_alone(environ: Environ) -> bool:
    """Tell whether the server asks for nothing where there is no body to send."""
    return environ.get("SERVER_SOFTWARE") in _HEAD_ONLY


class Response:
    """`start_response`, `write`, and what becomes of the result."""

    __slots__ = (
        "_bodiless",
        "_environ",
        "_event_header",
        "_start_response",
        "current",
        "input",
        "recorder",
    )

    def __init__(
        self,
        current: Current,
        environ: Environ,
        start_response: StartResponse,
        event_header: str | None,
    ) -> None:
        self.current = current
        self.recorder = current.recorder
        self._environ = environ
        self._start_response = start_response
        self._event_header = event_header
        self._bodiless = False
        self.input: TeeInput | None = None

    def start(self, status: str, headers: Headers, *more: Any, **named: Any) -> Write:
        """Take the application's `start_response`."""
        if self.recorder.refused is not None:
            raise self.recorder.refused
        sent = headers
        if self._event_header:
            sent = [*headers, (self._event_header, self.recorder.event)]
        write = self._start_response(status, sent, *more, **named)
        # WSGI holds a start back until there is a body, so it is no last message yet.
        self._bodiless = self.recorder.respond(code(status), fields_of(headers))

        def tee_write(chunk: bytes) -> Any:
            self.passing(chunk)
            try:
                result = write(chunk)
            except BaseException as error:
                self.recorder.undelivered(error)
                raise
            self.recorder.taken()

            return result

        return tee_write

    def passing(self, chunk: bytes) -> None:
        """Tell of a chunk before it passes."""
        if self._bodiless and not self.recorder.committed:
            wait(self.recorder, self.recorder.commit())
        else:
            wait(self.recorder, self.recorder.send(size((chunk,)), more=True))

    def returned(self, result: Any) -> Iterable[bytes]:
        """Return what goes to the server in the place of `result`."""
        if is_plain(result):
            return self._whole(result, size(result), estimated=False)
        if is_file(result, self._environ):
            return self._whole(result, file_size(result), estimated=True)
        tee = _SizedTee(result, self) if is_sized(result) else _Tee(result, self)
        if self._bodiless and answers_head_alone(self._environ):
            return self._whole(tee, 0, estimated=False)

        return tee

    def _whole(self, result: Any, length: int, *, estimated: bool) -> Iterable[bytes]:
        try:
            if self._bodiless:
                steps = self.recorder.commit()
            else:
                steps = self.recorder.send(length, more=False, estimated=estimated)
            if steps:
                wait(self.recorder, steps)
        except AuditUnavailable as error:
            close(result)
            return self.refuse(error)
        self.recorder.handed_over()
        self.end()

        return result  # type: ignore[no-any-return] # the very object

    def end(self) -> None:
        """Note that the application is through with the request."""
        self.current.end()
        if self.input is not None:
            self.input.let_go()

    def refuse(self, error: AuditUnavailable) -> list[bytes]:
        """Take the start back, if nothing was sent yet; else the server raises."""
        self.end()
        exc_info = (type(error), error, error.__traceback__)

        return refuse(self._environ, self._start_response, exc_info)


class _Tee:
    """An iterable that tells what passes; closed once, with what it is around."""

    def __init__(self, result: Any, response: Response) -> None:
        self._result = result
        self._response = response
        self._recorder = response.recorder
        self._iterator: Iterator[bytes] | None = None
        self._refusal: Iterator[bytes] | None = None
        self._closed = self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._refusal is not None:
            return next(self._refusal)
        self._recorder.taken()  # who asks for more took what it was given
        chunk: bytes = self._pull()
        try:
            if chunk is not _END:
                self._response.passing(chunk)
                return chunk
            wait(self._recorder, self._recorder.send(0, more=False))
        except AuditUnavailable as error:
            self._refusal = iter(self._response.refuse(error))
            return next(self._refusal)
        self._has_ended = True
        raise StopIteration

    def _pull(self) -> Any:
        before = enter(self._response.current)
        try:
            if self._iterator is None:
                self._iterator = iter(self._result)
            return next(self._iterator, _END)
        except BaseException as error:
            if error is self._recorder.refused:
                return _END  # to be told, which raises it again
            end(self._recorder, error)
            raise
        finally:
            leave(before)

    def close(self) -> None:
        """Close the application's iterable; what is not recorded yet is cut short."""
        if self._closed:
            return
        self._closed = True
        if self._has_ended:
            self._recorder.taken()
        before = enter(self._response.current)
        try:
            close(self._result)
        except BaseException as error:
            self._abandon()
            end(self._recorder, error)
            raise
        finally:
            leave(before)
            self._response.end()
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
                self._response.end()


_END: Any = object()


class _SizedTee(_Tee):
    """Around a sequence that is no list: servers take Content-Length from `len`."""

    def __len__(self) -> int:
        return len(self._result)


def code(status: str) -> int:
    """Return the number of a status; 0 where it has none."""
    digits = str(status)[:3]

    return int(digits) if digits.isascii() and digits.isdigit() else 0


def fields_of(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return what is to be known of the headers of a response: its length."""
    # What else the headers of a response say nobody asks: so only these are looked at.
    try:
        same = [pair for pair in headers if len(pair[0]) == _LENGTH_OF_NAME]
        return [(_latin(name).lower(), _latin(value)) for name, value in same]
    except (TypeError, ValueError, LookupError):  # no pairs: the server's to judge
        return []


_LENGTH_OF_NAME = len("content-length")


def _latin(text: object) -> bytes:
    return str(text).encode("latin-1", "replace")
