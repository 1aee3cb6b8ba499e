# One exchange on its way to the trail: what an edge holds while a request runs.
#
# The edge tells what passes; the recorder lets the exchange judge. Before the last
# message is handed over the record is in the journal; when the server took it, or did
# not, that is noted. What must be waited for in between is yielded to the edge, which
# knows how: a thread blocks, a task of an event loop does not.
#
# (Longer than 250 lines, since the states of one recording are one thing.)
import time
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from audit_mw.errors import AuditUnavailable
from audit_mw.event import DELIVERY, Draft, Event
from audit_mw.exchange import Exchange
from audit_mw.ordinary import Begun
from audit_mw.policy.principal import principal_of
from audit_mw.said import Said
from audit_mw.statements import Statement
from audit_mw.trail.place import Place
from audit_mw.trail.receipt import Receipt
from audit_mw.trail.writer import Writer

__all__ = ["Recorder", "Vouched", "ask", "fault_of"]

Fields = Iterable[tuple[bytes, bytes]]
# What must be waited for, one after the other, and told of by `check`.
Steps = Iterable[Receipt]


class Vouched(NamedTuple):
    """What the application says, as it stands when it is asked."""

    user: object = None
    action: str | None = None


class Recorder:
    """
    Records one exchange.

    Args:
        exchange: the state machine.
        place: keeps its record.
        writer: takes the records of faults.
        vouch: asks the edge, at the last moment, what the application vouches for.
        opening: what to wait for before the application is called.
        lenient: answer though the record can be kept by this process only.
    """

    # As they are at first: to set each of them for each request has its price.
    is_vouched = False  # by an integration
    # The record is in the journal: nothing that is sent later changes it.
    committed = False
    # The last message is held back for it. Who gives up waiting may send again.
    _is_pending = False
    # The record is with the writer: nothing changes it.
    _is_sent = False
    _refused: AuditUnavailable | None = None
    _told: tuple[BaseException, ...] = ()

    def __init__(  # noqa: PLR0913 - what one exchange is made of
        self,
        exchange: Exchange,
        place: Place,
        writer: Writer,
        vouch: Callable[[], Vouched],
        opening: Steps = (),
        *,
        lenient: bool = False,
    ) -> None:
        self._exchange = exchange
        self._place = place
        self._writer = writer
        self._vouch = vouch
        self._lenient = lenient
        self.opening = opening

    @property
    def event(self) -> str:
        """The event id."""
        return self._exchange.event

    @property
    def refused(self) -> AuditUnavailable | None:
        """Why the record failed, if it did."""
        return self._refused

    @property
    def exchange(self) -> Exchange:
        """What passes is told to this."""
        return self._exchange

    @property
    def said(self) -> Said:
        """What the application said of it so far."""
        return self._exchange.said

    def go_on(self, begun: Begun) -> None:
        """Go on from what the compiled road did."""
        self.committed, self._is_sent = begun.is_kept, begun.is_sent
        self.is_vouched = begun.is_vouched

    # --- the request

    def vouch_by(self, change: Callable[[Vouched], Vouched]) -> None:
        """Let what the edge vouches for be changed, at the moment when it is asked."""
        before, self.is_vouched = self._vouch, True
        self._vouch = lambda: change(before())

    @property
    def keeps_debug(self) -> bool:
        """Whether debug records are kept now."""
        return self._writer.keeps_debug

    def read(self, chunk: bytes, *, ended: bool) -> Steps:
        """Take a chunk of the body; it is on record when it was read to its end."""
        if self._exchange.read(chunk, ended=ended) and not self.committed:
            return self._place.open(self._exchange.opening(self._writer.instance))

        return ()

    def drop(self) -> None:
        """Forget the request: the application was not called."""
        self.committed = self._is_sent = True
        self._place.drop()

    # --- the response, before it is handed over; each may raise AuditUnavailable

    def respond(self, status: int, fields: Fields) -> bool:
        """Take the start of a response of WSGI; return whether it is the last."""
        return self._exchange.start(status, fields)

    def start(self, status: int, fields: Fields, *, trailers: bool = False) -> Steps:
        """Take the start of a response."""
        if self._refused is not None:
            self._raise_again()
        is_last = self._exchange.start(status, fields, trailers=trailers)

        return self.commit() if is_last or self._is_pending else ()

    def send(self, length: int, *, more: bool, estimated: bool = False) -> Steps:
        """Take a chunk of a response, or the whole."""
        if self._refused is not None:
            self._raise_again()
        is_last = self._exchange.send(length, more=more, estimated=estimated)

        return self.commit() if is_last or self._is_pending else ()

    def send_trailers(self, *, more: bool) -> Steps:
        """Take the trailers of a response."""
        self._raise_again()

        is_last = self._exchange.send_trailers(more=more)

        return self.commit() if is_last or self._is_pending else ()

    def close_socket(self, code: int) -> Steps:
        """Take the close of a websocket."""
        self._raise_again()

        is_last = self._exchange.close(code)

        return self.commit() if is_last or self._is_pending else ()

    def _raise_again(self) -> None:
        # An application may catch the first one and go on; it must not get further.
        if self._refused is not None:
            raise self._refused

    def commit(self) -> Steps:
        """Keep the record before its last message is handed over."""
        if self._refused is not None:
            self._raise_again()
        if self.committed:
            return ()
        self._is_pending = True
        event = self._finish(DELIVERY)
        if self._exchange.has_findings:
            self._alarm()
        steps = self._place.send(event)
        if steps:
            return self._committing(steps)
        self._is_pending = False
        self.committed = True

        return ()

    def _committing(self, steps: Steps) -> Iterator[Receipt]:
        yield from steps
        self._is_pending = False
        self.committed = True

    def _alarm(self) -> None:
        # Before its response: who has that must not outrun the record of what it did.
        events = self._exchange.alarms(time.monotonic_ns())
        while events:
            try:
                self._writer.commit_safely(events[0])
                del events[0]
            except AuditUnavailable as error:
                # Kept by this process, until it can be written.
                while events:
                    self._commit(events.pop(0))
                if self._lenient:
                    return
                self._refused = error
                self._exchange.unrecorded()
                self._end("failed")
                raise

    def _commit(self, event: Event) -> None:
        # The request's own record decides whether it is answered.
        with suppress(AuditUnavailable):
            self._writer.commit(event)

    def check(self, receipt: Receipt) -> None:
        """
        Go on from what was waited for.

        Raises:
            AuditUnavailable: it failed; what is known is recorded as soon as it can be.
        """
        try:
            receipt.check()
        except AuditUnavailable as error:
            if self._lenient:
                self._end("unknown")
                return
            self._refused = error
            self._exchange.unrecorded()
            self._end("failed")
            raise

    # --- the end

    def taken(self) -> None:
        """Note that the server took the last message."""
        if self.committed and not self._is_sent:
            self._hand_over("taken")

    def handed_over(self) -> None:
        """Note that the server has the last message; what becomes of it nobody says."""
        self._hand_over("unknown")

    def _hand_over(self, delivery: str) -> None:
        if self.committed and not self._is_sent:
            self._is_sent = True
            self._place.sent(delivery)

    def undelivered(self, error: BaseException) -> None:
        """Note that the server raised `error` and took nothing."""
        if self._is_sent:
            return
        gone = isinstance(error, OSError) or _is_end(error)
        if self.committed:
            name = "client gone" if isinstance(error, OSError) else _name_of(error)
            self._exchange.untaken(name, gone=gone)
            self._end("failed")
        elif isinstance(error, OSError):  # the client left (ASGI 2.4)
            self._exchange.gone()

    def say(self, said: Statement) -> None:
        """
        Record something that the application says in this exchange.

        Raises:
            AuditUnavailable: it cannot be; and the response is broken off, whatever
                the application does with the exception. Where the options say to serve
                unrecorded it is counted, and that is all.
            TypeError: something in it cannot be recorded.
            ValueError: something in it is nested too deep.
        """
        self._ask()
        event = self._exchange.tell(said, time.monotonic_ns())
        try:
            self._writer.commit_safely(event)
        except AuditUnavailable as error:
            if self._lenient:
                self._writer.pass_unrecorded()
                return
            if not self.committed and self._refused is None:
                self._refused = error
                self._exchange.unrecorded()
                self._end("failed")
            raise

    def failed(self, error: BaseException) -> None:
        """Note that an exception leaves the application."""
        if error is self._refused:
            return
        gone = _is_end(error)
        if self._is_pending:
            # It was made for a response that nobody has got.
            self._exchange.untaken(_name_of(error), gone=gone)
        if gone:
            self._exchange.gone("cancelled")
            return
        self._exchange.failed(_name_of(error))
        if isinstance(error, OSError) and self._exchange.is_gone:
            return  # how a server tells that the client left: no fault of ours
        if isinstance(error, Exception):
            self._exchange.end_request()
            self.fault(error)

    def end(self) -> None:
        """Record what is not recorded yet: the exchange is over."""
        self._told = ()  # they hold the frames that hold us
        if not self.committed and self._refused is None:
            self._end("failed" if self._exchange.end_early() else "unknown")
        else:
            self.handed_over()

    def _end(self, delivery: str) -> None:
        if not self._is_sent:
            self.committed = self._is_sent = True
            self._place.finish(self._finish(delivery.encode()))
            for event in self._exchange.alarms(time.monotonic_ns()):
                self._commit(event)

    def _finish(self, delivery: object) -> Event | Draft:
        self._ask()
        now = time.monotonic_ns()

        return self._exchange.finish(now, self._writer.instance, delivery)

    def _ask(self) -> None:
        told = ask(self._vouch)
        if told is not None:
            self._exchange.user, self._exchange.action = told

    def mark_told(self, error: BaseException) -> bool:
        """Note that an exception is told of; return whether it was not before."""
        # A framework may tell of it, a logger as well, and both let it go on.
        if any(error is told for told in self._told):
            return False
        self._told = (*self._told, error)

        return True

    def fault(self, error: BaseException) -> None:
        """Record an exception that nobody handled, once, with its traceback."""
        if not self.mark_told(error):
            return
        self._ask()
        fault = fault_of(error, self._exchange.type)
        self._commit(self._exchange.tell(fault, time.monotonic_ns()))


def ask(vouch: Callable[[], Vouched]) -> tuple[str | None, str | None] | None:
    """Return user and action, as the application vouches for them, if it can say."""
    # Its own objects are asked here: whatever they do, it is not the end of the record.
    try:
        user, action = vouch()
        return principal_of(user), action
    except Exception:  # noqa: BLE001 - whatever it is, see above
        return None


def fault_of(error: BaseException, kind: str) -> Statement:
    """Return what is recorded of an exception that nobody handled."""
    return Statement(
        stream="fault",
        type=kind,
        outcome="ERROR",
        reason=_name_of(error),
        traceback="".join(traceback.format_exception(error)),
    )


def _is_end(error: BaseException) -> bool:
    """Tell whether who serves the request ends it: a task is cancelled, or closed."""
    # trio has an exception of its own for it, and this floor does not import trio.
    is_trio = type(error).__module__.partition(".")[0] == "trio"

    return isinstance(error, (CancelledError, GeneratorExit)) or (
        is_trio and type(error).__name__ == "Cancelled"
    )


def _name_of(error: BaseException) -> str:
    if _is_end(error):
        return "cancelled"
    name = f"{type(error).__module__}.{type(error).__qualname__}"

    return name.removeprefix("builtins.")
