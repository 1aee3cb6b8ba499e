# A record of standard logging -> what the trail keeps of it.
#
# Rule 1: whatever an application puts into a record, something of it can be kept: a
#         message that cannot be formatted is kept as it was written.
# Rule 2: what a queue takes from a record can be carried through it: the exchange, the
#         exception, the message.
import logging
from collections.abc import Callable
from typing import Any

from audit_mw import voice

__all__ = [
    "CARRIED",
    "NO_EVENT",
    "Origin",
    "details_of",
    "has_exception",
    "outcome_of",
    "place_of",
]

NO_EVENT = "-"  # as a column that is absent
CARRIED = "_audit_mw"  # formatters that write all attributes leave out such names

# What every record has, what formatters add, and what uvicorn says twice.
_STANDARD = {
    *vars(logging.makeLogRecord({})),
    *("asctime", "color_message", "event_id", "message", "taskName"),
}
# Of an object nobody knows what its text would tell: frameworks add whole requests.
_PLAIN = (str, bytes, int, float, bool, type(None))


class Origin:
    """
    Where a record was made, and what it had with it there.

    Args:
        record: as it was made.
        within: calls a function in the exchange that the record was made in.
    """

    __slots__ = ("error", "has_exception", "message", "trace", "within")

    def __init__(self, record: logging.LogRecord, within: Callable[..., Any]) -> None:
        self.within = within
        self.message = _message(record)
        self.has_exception = has_exception(record)
        is_told = isinstance(record.exc_info, tuple)
        self.error = record.exc_info[1] if is_told and record.exc_info else None
        told = None if is_told else record.exc_text
        self.trace = "\n".join(filter(None, (told, record.stack_info))) or None

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process there is no exchange; and a queue must not fail by us.
        return type(None), ()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as slip:  # noqa: BLE001 - whatever the text of an argument raises
        said = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return f"{said} (not formatted: {type(slip).__name__})"


def has_exception(record: logging.LogRecord) -> bool:
    """Return whether a record has an exception, or the text of one."""
    found = record.exc_info
    if isinstance(found, tuple):
        # exception() where there is none gives a triple of None, and a formatter that
        # was there before us has made a text of it.
        return found[1] is not None

    return bool(record.exc_text)


def details_of(record: logging.LogRecord, message: str) -> dict[str, object]:
    """Return what a record says, as details of the application's own."""
    told: dict[str, object] = {
        "message": message,
        "logger": record.name,
        "level": record.levelname,
        "place": place_of(record),
    }
    if extra := _extra(record):
        told["extra"] = extra
    event = getattr(record, "event_id", NO_EVENT)
    if event != NO_EVENT and isinstance(event, str) and voice.current() is None:
        told["event_id"] = event  # of an exchange that is not here: a claim

    return told


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and name[:1] != "_" and isinstance(value, _PLAIN)
    }


def place_of(record: logging.LogRecord) -> str:
    """Return the line of the source that made it."""
    return f"{record.pathname}:{record.lineno}"


def outcome_of(level: int) -> str:
    """Return the outcome that a level stands for."""
    if level >= logging.ERROR:
        return "ERROR"

    return "FAILURE" if level >= logging.WARNING else "SUCCESS"
