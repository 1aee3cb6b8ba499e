"""
Standard logging, joined with the trail: a handler that sends log records into it, and a
filter that gives the event id to the lines of any other handler.

    logging.getLogger().addHandler(AuditHandler())

    handler.addFilter(EventIdFilter())
    handler.setFormatter(logging.Formatter("%(event_id)s %(message)s"))

Which stream a record goes to, the first that holds:

    a logger of `security_loggers`, or below one        security
    an exception with it, at WARNING or above           fault
    `error_level` or above                              error
    all else                                            debug, if that is kept

A warning is no error that a user was shown (2.5.2): a framework logs one for each page
that is not there, and the request's own record says that already.
"""

import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from audit_mw import voice
from audit_mw.errors import ConfigError
from audit_mw.integrations.log_records import (
    CARRIED,
    NO_EVENT,
    Origin,
    details_of,
    has_exception,
    outcome_of,
    place_of,
)
from audit_mw.outside import find_trail

__all__ = ["SECURITY_LOGGERS", "AuditHandler", "EventIdFilter"]

SECURITY_LOGGERS = ("security", "django.security")

# A lazy user that is loaded while a record is made may log what the database did.
_is_recording: ContextVar[bool] = ContextVar("audit_mw_logging", default=False)


class AuditHandler(logging.Handler):
    """
    Sends log records into the trail, with the event id of the exchange.

    It does no I/O of its own and needs no queue before it. As any handler it raises
    nothing; where a record cannot be kept it says so on stderr, and in an exchange the
    response is broken off, as the voice has it.

    Args:
        level: below which it takes nothing.
        security_loggers: whose records are for the security officer, with all loggers
            below them.
        error_level: from which on a record without an exception is an error.

    Raises:
        TypeError: security_loggers are no names.
        ValueError: a level that there is not.
    """

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        *,
        security_loggers: str | Iterable[str] = SECURITY_LOGGERS,
        error_level: int | str = logging.ERROR,
    ) -> None:
        super().__init__(level)
        self._security = _names(security_loggers)
        self._below_security = tuple(f"{name}." for name in self._security)
        self._error_level = _number(error_level)

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter a record, and emit it: with no lock, since the trail needs none."""
        # Held while a lazy user is loaded, it would wait for a thread that logs.
        kept: Any = self.filter(record)
        if kept:
            # From Python 3.12 on a filter may give another record.
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)

        return kept

    def emit(self, record: logging.LogRecord) -> None:
        """Record it; but not what is logged while that is done."""
        if _is_recording.get():
            return
        try:
            origin: Origin | None = getattr(record, CARRIED, None)
            within = _here if origin is None else origin.within
            stream = self._stream_of(record, origin)
            if stream == "debug" and not within(_keeps_debug):
                return  # before anything is formatted
            within(_record, stream, record, origin or Origin(record, within))
        except Exception:  # noqa: BLE001 - a handler must not raise
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name
        """Say on stderr that a record was not kept, and not what was in it."""
        # The standard library would print the arguments, secrets and all.
        error = sys.exc_info()[1]
        if logging.raiseExceptions and sys.stderr is not None:
            where = f"{record.name!r} ({place_of(record)})"
            told = f"{type(error).__name__}: {error}"
            with suppress(OSError, ValueError):  # it may be closed
                sys.stderr.write(f"audit_mw: not on record, from {where}: {told}\n")

    def _stream_of(self, record: logging.LogRecord, origin: Origin | None) -> str:
        name, level = record.name, record.levelno
        if name in self._security or name.startswith(self._below_security):
            return "security"
        if level >= logging.WARNING and _has_exception(record, origin):
            return "fault"

        return "error" if level >= self._error_level else "debug"


class EventIdFilter(logging.Filter):
    """
    Gives each record the attribute `event_id`: that of the exchange, or `-`.

    Outside of any exchange a record keeps the one that it has: it was made in one, and
    is handled in another thread.

    Args:
        carry: let an AuditHandler behind a queue know the exchange, too; for the
            QueueHandler, which runs where the record is made.
    """

    def __init__(self, *, carry: bool = False) -> None:
        super().__init__()
        self._carries = carry

    def filter(self, record: logging.LogRecord) -> bool:
        """Add it; nothing is filtered out."""
        found = voice.current()
        if found is not None:
            record.event_id = found.event
        elif not hasattr(record, "event_id"):
            record.event_id = NO_EVENT
        if self._carries:
            setattr(record, CARRIED, Origin(record, voice.carry(_here)))

        return True


def _here(function: Callable[..., Any], /, *args: Any) -> Any:
    return function(*args)


def _record(stream: str, record: logging.LogRecord, origin: Origin) -> None:
    details = details_of(record, origin.message)
    token = _is_recording.set(True)
    try:
        voice.log(
            stream,
            details,
            outcome=outcome_of(record.levelno),
            error=origin.error,
            traceback=origin.trace,
        )
    finally:
        _is_recording.reset(token)


def _has_exception(record: logging.LogRecord, origin: Origin | None) -> bool:
    if origin is not None:
        return origin.has_exception

    return has_exception(record)


def _keeps_debug() -> bool:
    found = voice.current()
    if found is not None:
        return found.recorder.keeps_debug
    try:
        return find_trail().auditor.keeps_debug
    except ConfigError:
        return False  # there is no trail yet, and so none that keeps it


def _names(names: str | Iterable[str]) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) else tuple(names)
    if not all(isinstance(name, str) and name for name in given):
        raise TypeError(f"security_loggers must be names of loggers, not {given!r}")

    return given


def _number(level: int | str) -> int:
    if isinstance(level, int):
        return level
    known = logging.getLevelNamesMapping()
    if level not in known:
        raise ValueError(f"error_level is {level!r}: give one of {', '.join(known)}")

    return known[level]
