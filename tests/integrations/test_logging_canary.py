# A secret that a client sent, or that a log record names as one, is logged in every way
# that a log record has; it must be nowhere.
import logging
import sys
from collections.abc import Callable
from urllib.parse import quote

import pytest
from tests.canary.places import CANARIES
from tests.canary.spellings import leaks
from tests.edges.audited import Audited
from tests.integrations.test_logging import STREAMS, Alone
from tests.voice.stages import INTERFACES, Stage

from audit_mw.integrations.logging import AuditHandler

Log = Callable[[logging.Logger, str], object]
KINDS = ["alphanumeric", "jwt", "lines", "non-ascii", "parted", "punctuated"]
LINES = ["alphanumeric", "jwt", "non-ascii", "parted"]  # of one line, and unquoted


def _raise(shown: str) -> None:
    raise LookupError(shown)


def _fails(log: logging.Logger, shown: str, chained: str = "") -> None:
    try:
        try:
            _raise(chained)
        except LookupError:
            _raise(shown)
    except LookupError:
        log.exception("looking")


def _came(log: logging.Logger, **of: object) -> None:
    """Handle a record that was made elsewhere."""
    came = {"name": "shop", "levelno": 40, "levelname": "ERROR", "msg": "x"}
    log.handle(logging.makeLogRecord(came | of))


def _given(log: logging.Logger, shown: str) -> None:
    try:
        _raise(f"was {shown}")
    except LookupError:
        log.warning("x", exc_info=sys.exc_info())


# Where the client sent it as a password, and it is logged anywhere.
SENT: dict[str, Log] = {
    "message": lambda log, shown: _came(log, msg=f"it was {shown}"),
    "message, quoted": lambda log, shown: _came(log, msg=f"it was {shown!r}"),
    "message, debug": lambda log, shown: _came(log, msg=f"it was {shown}", levelno=10),
    "message of a bad format": lambda log, shown: _came(
        log, msg=f"%d {shown}", args="x"
    ),
    "an object": lambda log, shown: log.error(ValueError(shown)),
    "args": lambda log, shown: log.error("who typed %s?", shown),
    "args, repr": lambda log, shown: log.error("who typed %r?", shown),
    "args, bytes": lambda log, shown: log.error("who typed %s?", shown.encode()),
    "args, inside": lambda log, shown: log.info("sent %s", {"a": [shown]}),
    "args, a mapping": lambda log, shown: log.error("of %(a)s", {"a": shown}),
    "extra": lambda log, shown: log.error("x", extra={"seen": f"it was {shown}"}),
    "extra, bytes": lambda log, shown: log.error("x", extra={"seen": shown.encode()}),
    "extra, a key": lambda log, shown: log.error("x", extra={shown: 1}),
    "exc_info": _given,
    "exception": _fails,
    "exception before": lambda log, shown: _fails(log, "e", shown),
    "stack_info": lambda log, shown: _came(log, stack_info=f"Stack\n  of {shown}"),
    "exc_text": lambda log, shown: _came(log, exc_text=f"ValueError: {shown}"),
    "exc_text, quoted": lambda log, shown: _came(log, exc_text=f"KeyError: {shown!r}"),
    "logger": lambda log, shown: _came(log, name=f"shop.{shown}"),
    "level": lambda log, shown: _came(log, levelname=shown),
    "place": lambda log, shown: _came(log, pathname=f"/{shown}/a.py", lineno=1),
}
# Where only its name says that it is one.
NAMED: dict[str, Log] = {
    "extra": lambda log, shown: log.error("x", extra={"password": shown}),
    "extra, bytes": lambda log, shown: log.error("x", extra={"pin": shown.encode()}),
    "extra, debug": lambda log, shown: log.debug("x", extra={"api_key": shown}),
    "extra of a fault": lambda log, shown: _came(
        log, exc_text="ValueError", user_password=shown
    ),
}
WRITTEN: dict[str, Log] = {
    "message": lambda log, shown: _came(log, msg=f"password={shown}"),
    "args": lambda log, shown: log.error("token=%s", shown),
    "args, a mapping": lambda log, shown: log.error("sent %s", {"password": shown}),
    "extra": lambda log, shown: log.error("x", extra={"seen": f"password={shown}"}),
    "exception": lambda log, shown: _fails(log, f"password={shown}"),
    "stack_info": lambda log, shown: _came(log, stack_info=f"Stack\n  pin={shown}"),
    "exc_text": lambda log, shown: _came(log, exc_text=f"KeyError: password={shown}"),
}


def logs(audited: Audited, ways: dict[str, Log], kind: str, sent: bytes = b"") -> None:
    """Log a canary in all ways, in one request; it must be nowhere."""
    logger = Alone("shop", logging.DEBUG)
    logger.addHandler(AuditHandler())
    canary = CANARIES[kind]

    def log() -> None:
        for way in ways.values():
            way(logger, canary.decode())

    stage = Stage(INTERFACES[len(kind) % 2], audited, debug=True)
    server = stage.serve(log, sent)
    told = [event for stream in STREAMS for event in stage.events(stream)]

    assert server.raised is None
    assert [event.event for event in told] == [audited.event().event] * len(ways)
    assert leaks(audited.trail, canary) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_sent(kind: str, audited: Audited) -> None:
    """A password of the request is in no file, wherever a log record has it."""
    body = b"user=alice&password=" + quote(CANARIES[kind], safe="").encode()

    logs(audited, SENT, kind, body)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_named(kind: str, audited: Audited) -> None:
    """An attribute that is called a secret is in no file, though nobody sent it."""
    logs(audited, NAMED, kind)


@pytest.mark.parametrize("kind", LINES)
def test_what_is_written(kind: str, audited: Audited) -> None:
    """In a text, what stands behind a secret's name is in no file."""
    logs(audited, WRITTEN, kind)
