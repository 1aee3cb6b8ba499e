# One exchange on its way to the trail: what an edge holds while a request runs.
#
# The edge tells what passes; the recorder lets the exchange judge, and commits its
# record before the last message is handed over. If that fails, the edge must not hand
# it over: `AuditUnavailable` goes up, and the client gets no complete response.
#
# Until the journal takes over behind `Writer`, a line is on disk before the server has
# taken the last message and is never rewritten, so its delivery is `unknown`; when the
# server then does not take it, a fault record with the same event id says so.
import time
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from audit_mw.errors import AuditUnavailable
from audit_mw.event import Event
from audit_mw.exchange import Exchange
from audit_mw.policy.principal import principal_of
from audit_mw.trail.writer import Writer

__all__ = ["Recorder", "Vouched"]

Fields = Iterable[tuple[bytes, bytes]]


class Vouched(NamedTuple):
    """What the application says, as it stands when it is asked."""

    user: object = None
    action: str | None = None


class Recorder:
    """
    Records one exchange.

    Args:
        exchange: the state machine.
        writer: where the record goes.
        vouch: asks the edge, at the last moment, what the application vouches for.
    """

    __slots__ = ("_committed", "_exchange", "_refused", "_vouch", "_writer")

    def __init__(
        self, exchange: Exchange, writer: Writer, vouch: Callable[[], Vouched]
    ) -> None:
        self._exchange = exchange
        self._writer = writer
        self._vouch = vouch
        self._committed = False
        self._refused: AuditUnavailable | None = None

    @property
    def event(self) -> str:
        """The event id."""
        return self._exchange.event

    @property
    def refused(self) -> AuditUnavailable | None:
        """Why the record failed, if it did."""
        return self._refused

    @property
    def committed(self) -> bool:
        """Whether the record is written: nothing that follows changes it."""
        return self._committed

    @property
    def exchange(self) -> Exchange:
        """What passes is told to this."""
        return self._exchange

    # --- the response, before it is handed over; each may raise AuditUnavailable

    def start(self, status: int, fields: Fields, *, trailers: bool = False) -> None:
        """Take the start of a response."""
        self._raise_again()
        if self._exchange.start(status, fields, trailers=trailers):
            self.commit()

    def send(self, length: int, *, more: bool, estimated: bool = False) -> None:
        """Take a chunk of a response, or the whole."""
        self._raise_again()
        if self._exchange.send(length, more=more, estimated=estimated):
            self.commit()

    def send_trailers(self, *, more: bool) -> None:
        """Take the trailers of a response."""
        self._raise_again()
        if self._exchange.send_trailers(more=more):
            self.commit()

    def close_socket(self, code: int) -> None:
        """Take the close of a websocket."""
        self._raise_again()
        if self._exchange.close(code):
            self.commit()

    def _raise_again(self) -> None:
        # An application may catch the first one and go on; it must not get further.
        if self._refused is not None:
            raise self._refused

    # --- the end

    def undelivered(self, error: BaseException, *, over: bool) -> None:
        """
        Note that the server raised `error` and took nothing.

        Args:
            error: as it was raised.
            over: the record was committed before this message: it says nothing of it.
        """
        if over:
            return
        if self._committed:
            self._add_fault("the server did not take the last message", "")
        elif isinstance(error, OSError):  # the client left (ASGI 2.4)
            self._exchange.gone()

    def failed(self, error: BaseException) -> None:
        """Note that an exception leaves the application."""
        if error is self._refused:
            return
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        if isinstance(error, (CancelledError, GeneratorExit)):
            self._exchange.gone("cancelled")
            return
        self._exchange.failed(name.removeprefix("builtins."))
        if isinstance(error, OSError) and self._exchange.is_gone:
            return  # how a server tells that the client left: no fault of ours
        if isinstance(error, Exception):
            shown = "".join(traceback.format_exception(error))
            self._add_fault(name.removeprefix("builtins."), shown)

    def end(self) -> None:
        """
        Record what is not recorded yet: the exchange is over.

        Raises:
            AuditUnavailable: the record failed; it is held.
        """
        if not self._committed and self._refused is None:
            self.commit("failed" if self._exchange.end_early() else "unknown")

    def commit(self, delivery: str = "unknown") -> None:
        """
        Write the record, once.

        Raises:
            AuditUnavailable: it failed; an amended record is held.
        """
        if self._committed:
            return
        self._raise_again()
        try:
            self._writer.commit(self._finish(delivery))
        except AuditUnavailable as error:
            self._refused = error
            self._exchange.unrecorded()
            self._writer.hold(self._finish("failed"))
            raise
        self._committed = True

    def _finish(self, delivery: str) -> Event:
        exchange = self._exchange
        # The application's own objects are asked here: whatever they do, it is not
        # the end of the record.
        with suppress(Exception):
            vouched = self._vouch()
            exchange.user = principal_of(vouched.user)
            exchange.action = vouched.action

        return exchange.finish(time.monotonic_ns(), self._writer.instance, delivery)

    def _add_fault(self, reason: str, shown: str) -> None:
        exchange, writer = self._exchange, self._writer
        event = exchange.fault(time.monotonic_ns(), writer.instance, reason, shown)
        try:
            writer.commit(event)
        except AuditUnavailable:
            # The request's own record decides whether it is answered; this one comes
            # behind, and is written as soon as it can be.
            writer.hold(event)
