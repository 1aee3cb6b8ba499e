# Standard logging, joined with the trail: which record goes where, with what, and that
# nothing of it reaches the application.
import asyncio
import io
import logging
import logging.config
import logging.handlers
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from tests.edges.asgi_server import AsgiServer, Receive, Scope, Send, http_scope
from tests.edges.audited import Audited
from tests.edges.wsgi_server import Environ, StartResponse, WsgiServer, environment
from tests.integrations.slots import no_slot_left

import audit_mw
from audit_mw.event import Event, Hole
from audit_mw.integrations.logging import AuditHandler, EventIdFilter

STREAMS = ("security", "fault", "error", "debug")
NOTHING = (None, None, None)  # as logger.exception() has it where there is none
Log = Callable[[logging.Logger], object]


class Alone(logging.Logger):
    """A logger that nobody else listens to: pytest raises what it cannot format."""


@pytest.fixture
def logger() -> logging.Logger:
    """The logger of an application."""
    return Alone("shop", logging.DEBUG)


def serve(audited: Audited, log: Log, logger: logging.Logger, **options: Any) -> Any:
    """Serve one request, in which `log` is called; return the server."""

    def app(_environ: Environ, start_response: StartResponse) -> list[bytes]:
        log(logger)
        start_response("200 OK", [])
        return [b"ok"]

    server = WsgiServer(environment())
    server.run(app, lambda app: audited(app, **options))

    return server


def told(audited: Audited) -> dict[str, list[Event]]:
    """Return the events of each stream that log records go to."""
    streams = {stream: audited.events(stream) for stream in STREAMS}

    return {stream: events for stream, events in streams.items() if events}


def only(audited: Audited, stream: str) -> Event:
    """Return the one event that was made of a log record; it is in `stream`."""
    found = told(audited)
    assert list(found) == [stream]
    (event,) = found[stream]

    return event


def app_of(event: Event) -> dict[str, object]:
    """Return what the application added."""
    app = event.details["app"]
    assert isinstance(app, dict)

    return app


def _raise() -> None:
    raise LookupError("no such account")


def _fail() -> str:
    raise LookupError("no such account")


def logs_exception(logger: logging.Logger, level: int = logging.ERROR) -> None:
    """Log an exception that is caught."""
    try:
        _raise()
    except LookupError:
        logger.log(level, "account %d", 17, exc_info=True)


# --- which stream


@pytest.mark.parametrize(
    ("name", "log", "stream", "outcome"),
    [
        pytest.param(name, log, stream, outcome, id=f"{number} {stream}")
        for number, (name, log, stream, outcome) in enumerate(
            [
                ("shop", lambda log: log.critical("x"), "error", "ERROR"),
                ("shop", lambda log: log.error("x"), "error", "ERROR"),
                ("shop", lambda log: log.warning("x"), "debug", "FAILURE"),
                ("shop", lambda log: log.info("x"), "debug", "SUCCESS"),
                ("shop", lambda log: log.debug("x"), "debug", "SUCCESS"),
                ("shop", lambda log: log.log(5, "x"), "debug", "SUCCESS"),
                ("shop", logs_exception, "fault", "ERROR"),
                ("shop", lambda log: logs_exception(log, 30), "fault", "FAILURE"),
                ("shop", lambda log: logs_exception(log, 20), "debug", "SUCCESS"),
                (
                    "shop",
                    lambda log: log.error("x", exc_info=NOTHING),
                    "error",
                    "ERROR",
                ),
                ("shop.money", lambda log: log.info("x"), "security", "SUCCESS"),
                ("shop.money", lambda log: log.warning("x"), "security", "FAILURE"),
                ("shop.money", logs_exception, "security", "ERROR"),
                ("shop.money.in", lambda log: log.info("x"), "security", "SUCCESS"),
                ("shop.moneyless", lambda log: log.info("x"), "debug", "SUCCESS"),
            ]
        )
    ],
)
def test_streams(
    name: str,
    log: Log,
    stream: str,
    outcome: str,
    audited: Audited,
) -> None:
    """Level, logger and exception decide; the type is `log`, the event the request's."""
    logger = Alone(name, 1)
    logger.addHandler(AuditHandler(security_loggers=("security", "shop.money")))
    serve(audited, log, logger, debug=True)
    event = only(audited, stream)

    assert (event.type, event.outcome) == ("log", outcome)
    assert event.event == audited.event().event
    assert event.client == b"192.0.2.7"


@pytest.mark.parametrize("name", ["security", "django.security.csrf"])
def test_usual_security_loggers(name: str, audited: Audited) -> None:
    """Those of the name `security`, and Django's, need no option."""
    logger = Alone(name)
    logger.addHandler(AuditHandler())
    serve(audited, lambda log: log.warning("x"), logger)

    assert only(audited, "security").type == "log"


def test_error_level(audited: Audited, logger: logging.Logger) -> None:
    """From which level on a record is an error can be said."""
    logger.addHandler(AuditHandler(error_level="WARNING"))
    serve(audited, lambda log: log.warning("x"), logger)

    assert only(audited, "error").outcome == "FAILURE"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"error_level": "LOUD"}, ValueError, "give one of CRITICAL"),
        ({"level": "LOUD"}, ValueError, "Unknown level"),
        ({"security_loggers": [7]}, TypeError, "names of loggers"),
    ],
)
def test_wrong_options(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A wrong option is an error where it is given."""
    with pytest.raises(error, match=words):
        AuditHandler(**options)


def test_one_name(audited: Audited, logger: logging.Logger) -> None:
    """A single name is one logger, not its letters."""
    logger.addHandler(AuditHandler(security_loggers="shop"))
    serve(audited, lambda log: log.info("x"), logger)

    assert only(audited, "security").type == "log"


# --- the debug stream


class Unformattable:
    """An argument that nobody may format."""

    def __str__(self) -> str:
        raise AssertionError("formatted")


def test_debug_is_off(audited: Audited, logger: logging.Logger) -> None:
    """By default what is no error is dropped, before it is even formatted."""
    logger.addHandler(AuditHandler())
    serve(audited, lambda log: log.warning("%s", Unformattable()), logger)

    assert told(audited) == {}


@pytest.mark.parametrize("min_free", ["100%,100%,0", "0,100%,0"])
def test_debug_stops_when_space_is_low(
    min_free: str, audited: Audited, logger: logging.Logger
) -> None:
    """Below the second threshold only the debug stream stops."""
    logger.addHandler(AuditHandler())

    def log(logger: logging.Logger) -> None:
        assert audited.is_flushed()  # the writer has looked by now
        logger.info("x")
        logger.error("y")

    serve(audited, log, logger, debug=True, min_free=min_free)

    assert app_of(only(audited, "error"))["message"] == b"y"


# --- what stands in a record


def test_details(audited: Audited, logger: logging.Logger) -> None:
    """Message, logger, level, line and what else was given are there."""
    logger.addHandler(AuditHandler())
    more = {"order": 17, "paid": True, "request": object(), "when": None}
    serve(audited, lambda log: log.error("order %d", 17, extra=more), logger)
    app = app_of(only(audited, "error"))
    place = app.pop("place")

    assert isinstance(place, bytes)
    assert place.startswith(f"{__file__}:".encode())
    assert app == {
        "message": b"order 17",
        "logger": b"shop",
        "level": b"ERROR",
        "extra": {"order": 17, "paid": True, "when": None},
    }


def test_fault(audited: Audited, logger: logging.Logger) -> None:
    """An exception is there by its name and its traceback, with the message."""
    logger.addHandler(AuditHandler())
    serve(audited, logs_exception, logger)
    event = only(audited, "fault")
    trace = event.details["traceback"]

    assert event.details["reason"] == b"LookupError"
    assert app_of(event)["message"] == b"account 17"
    assert isinstance(trace, bytes)
    assert trace.endswith(b"LookupError: no such account\n")
    assert b"in _raise" in trace


def test_stack(audited: Audited, logger: logging.Logger) -> None:
    """A stack that is asked for is there, behind an exception or without one."""
    logger.addHandler(AuditHandler())
    serve(audited, lambda log: log.error("x", stack_info=True), logger)
    trace = only(audited, "error").details["traceback"]

    first = trace[0] if isinstance(trace, tuple) else trace

    assert isinstance(first, bytes)
    assert first.startswith(b"Stack (most recent call last):\n")


def test_formatted_before(audited: Audited, logger: logging.Logger) -> None:
    """What a formatter made of an exception that there is not is no exception."""
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    logger.addHandler(AuditHandler())
    serve(audited, lambda log: log.error("x", exc_info=NOTHING), logger)

    assert "traceback" not in only(audited, "error").details


def test_formatted_elsewhere(audited: Audited, logger: logging.Logger) -> None:
    """A record that came over a socket has the text of its exception only."""
    logger.addHandler(AuditHandler())
    came = {"name": "shop", "levelno": 40, "levelname": "ERROR", "msg": "x"}
    record = logging.makeLogRecord(came | {"exc_text": "ValueError: there"})
    serve(audited, lambda log: log.handle(record), logger)

    assert only(audited, "fault").details["traceback"] == b"ValueError: there"


def test_secrets(audited: Audited, logger: logging.Logger) -> None:
    """Secrets are withheld in message, attributes and traceback alike."""
    logger.addHandler(AuditHandler())

    def log(logger: logging.Logger) -> None:
        try:
            int("password=hunter2")
        except ValueError:
            more = {"password": "hunter2"}
            logger.exception("sent %s", {"password": "hunter2"}, extra=more)

    serve(audited, log, logger)
    event = only(audited, "fault")
    trace = event.details["traceback"]
    lines = b"".join(path.read_bytes() for path in audited.trail.glob("*/*.log"))

    assert app_of(event)["extra"] == {"password": (Hole(7, "password"),)}
    assert isinstance(trace, tuple)
    assert b"hunter2" not in lines


def test_secret_of_the_request(audited: Audited, logger: logging.Logger) -> None:
    """What was withheld of the request is withheld in what is logged of it."""
    logger.addHandler(AuditHandler())

    def app(_environ: Environ, start_response: StartResponse) -> list[bytes]:
        logger.error("who typed %s?", "Tr0ub4dor")
        start_response("200 OK", [])
        return [b"ok"]

    environ = environment(QUERY_STRING="password=Tr0ub4dor")
    WsgiServer(environ).run(app, audited)
    message = app_of(only(audited, "error"))["message"]

    assert message == (b"who typed ", Hole(9, "password"), b"?")


def test_one_line(audited: Audited, logger: logging.Logger) -> None:
    """What is logged ends no line and moves no cursor, and decodes to what it was."""
    logger.addHandler(AuditHandler())
    odd = "a\nb\tc\x1b[2J\u2028\ud800 %41"
    serve(audited, lambda log: log.error("%s", odd), logger)

    message = app_of(only(audited, "error"))["message"]
    assert message == odd.encode(errors="surrogatepass")


def test_long_message(audited: Audited, logger: logging.Logger) -> None:
    """A long message is in the values stream; logger and line stay in the record."""
    logger.addHandler(AuditHandler())
    serve(audited, lambda log: log.error("x" * 20_000), logger)
    app = app_of(only(audited, "error"))
    message = app["message"]

    assert isinstance(message, tuple)
    assert isinstance(message[0], Hole)
    assert (message[0].len, message[0].cls) == (20_000, None)
    assert app["logger"] == b"shop"


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (lambda log: log.error("%d", "x"), b"%d (not formatted: TypeError)"),
        (lambda log: log.log(40, *("a", "b")), b"a (not formatted: TypeError)"),
        (
            lambda log: log.error("%s", Unformattable()),
            b"%s (not formatted: AssertionError)",
        ),
        (lambda log: log.error(ValueError("a text")), b"a text"),
        (lambda log: log.error({"a": 1}), b"{'a': 1}"),
    ],
)
def test_odd_messages(
    log: Log, message: bytes, audited: Audited, logger: logging.Logger
) -> None:
    """A message that cannot be formatted is kept as it was written."""
    logger.addHandler(AuditHandler())
    server = serve(audited, log, logger)

    assert server.raised is None
    assert app_of(only(audited, "error"))["message"] == message


# --- an exception that goes on


def _asgi(audited: Audited, act: Callable[[], None]) -> AsgiServer:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        act()

    return AsgiServer(http_scope()).run(app, audited)


def test_logged_and_raised(audited: Audited, logger: logging.Logger) -> None:
    """An exception that is logged and goes on is one fault: the one with the message."""
    logger.addHandler(AuditHandler())

    def act() -> None:
        try:
            _raise()
        except LookupError:
            logger.exception("looking")
            raise

    server = _asgi(audited, act)

    assert isinstance(server.raised, LookupError)
    assert app_of(only(audited, "fault"))["message"] == b"looking"


def test_told_and_logged(audited: Audited, logger: logging.Logger) -> None:
    """What a framework logs of an exception that is on record is an error by its name."""
    logger.addHandler(AuditHandler())

    def act() -> None:
        try:
            _raise()
        except LookupError as error:
            audit_mw.voice.fault(error)
            logger.exception("Exception on %s", "/account")

    _asgi(audited, act)
    found = told(audited)
    (error,), (fault,) = found["error"], found["fault"]

    assert (error.details["reason"], fault.type) == (b"LookupError", "request")
    assert app_of(error)["message"] == b"Exception on /account"
    assert "traceback" not in error.details


def test_flask(audited: Audited) -> None:
    """A framework that logs what it makes a 500 of needs nothing else for a fault."""
    app = Flask("shop")
    app.logger = Alone("shop")  # else it is one that pytest listens to
    app.logger.addHandler(AuditHandler())
    app.add_url_rule("/", view_func=_fail)
    server = WsgiServer(environment()).run(app, lambda _: audited(app))
    event = only(audited, "fault")

    assert server.status == "500 INTERNAL SERVER ERROR"
    assert audited.event().status == 500
    assert event.details["reason"] == b"LookupError"
    assert app_of(event)["message"] == b"Exception on / [GET]"


# --- where it runs


def test_threads(audited: Audited, logger: logging.Logger) -> None:
    """What runs for the request is of it; a plain thread is of none."""
    logger.addHandler(AuditHandler())

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        logger.error("task")
        await asyncio.to_thread(logger.error, "thread of asyncio")
        for target in (logger.error, audit_mw.carry(logger.error)):
            thread = threading.Thread(target=target, args=["plain thread"])
            thread.start()
            thread.join()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    AsgiServer(http_scope()).run(app, audited)
    own = audited.event().event
    events = audited.events("error")

    assert [event.event == own for event in events] == [True, True, False, True]
    assert "automation" not in events[0].details


@pytest.mark.parametrize("debug", [False, True])
def test_debug_outside(
    audited: Audited, logger: logging.Logger, *, debug: bool
) -> None:
    """Outside of any exchange the trail that is meant says if debug is kept."""
    logger.addHandler(AuditHandler())
    with audit_mw.open(trail=str(audited.trail), debug=debug):
        logger.info("x")

    assert list(told(audited)) == (["debug"] if debug else [])


def test_attribution(audited: Audited, logger: logging.Logger) -> None:
    """What many requests log at the same time is each of its own request."""
    logger.addHandler(AuditHandler())

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        name = scope["path"]
        logger.error("task %s", name)
        await asyncio.to_thread(logger.error, "thread %s", name)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0)
        logger.error("later %s", name)
        await send({"type": "http.response.body", "body": b"ok"})

    async def many() -> None:
        wrapped = audited(app)
        calls = (_call(wrapped, f"/{number}") for number in range(60))
        await asyncio.gather(*calls)

    asyncio.run(many())
    paths = {event.event: event.path for event in audited.events()}
    words = [
        (app_of(event)["message"], event.event) for event in audited.events("error")
    ]

    assert len(words) == 180
    for message, event in words:
        assert isinstance(message, bytes)
        assert message.split()[1] == paths[event]


async def _call(app: Any, path: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_message: Any) -> None:
        await asyncio.sleep(0)

    await app(http_scope(path=path, raw_path=path.encode()), receive, send)


def test_outside(audited: Audited, logger: logging.Logger) -> None:
    """Outside of any exchange a record is an event of its own, of the process."""
    logger.addHandler(AuditHandler())
    with audit_mw.open(trail=str(audited.trail), automation="nightly"):
        logger.error("x")
    event = only(audited, "error")

    assert event.client is None
    assert event.details["automation"] == b"nightly"


NO_TRAIL = """
import logging
from audit_mw.integrations.logging import AuditHandler
logging.basicConfig(level="INFO", handlers=[AuditHandler()])
logging.info("before the application is wrapped")
logging.error("password is %s", "hunter2")
"""


def test_no_trail() -> None:
    """Where there is no trail yet it is said on stderr, without what was logged."""
    done = subprocess.run(
        [sys.executable, "-c", NO_TRAIL], capture_output=True, text=True, check=True
    )

    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("audit_mw: not on record, from 'root' (")
    assert "option 'trail'" in done.stderr
    assert "hunter2" not in done.stderr


def test_cannot_be_recorded(
    audited: Audited, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """The handler raises nothing, but the response is broken off."""
    logger.addHandler(AuditHandler())
    reached: list[bool] = []

    def app(_environ: Environ, start_response: StartResponse) -> list[bytes]:
        with no_slot_left(middleware):
            logger.error("x")
        reached.append(True)
        start_response("200 OK", [])
        return [b"ok"]

    middleware = audited(app)
    server = WsgiServer(environment()).run(app, lambda _: _put(middleware, _))

    assert reached == [True]
    assert server.status == "503 Service Unavailable"
    assert "no slot free" in capsys.readouterr().err
    assert audited.event().details["reason"] == b"audit trail unavailable"


def test_silenced(
    audited: Audited,
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who silences the errors of handlers silences ours; the response is refused."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.addHandler(AuditHandler())

    def log(logger: logging.Logger) -> None:
        with no_slot_left(audited._made[0]):
            logger.error("x")

    assert serve(audited, log, logger).status == "503 Service Unavailable"
    assert capsys.readouterr().err == ""


def test_nobody_to_tell(
    audited: Audited, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where stderr is closed nothing is said, and nothing raised."""
    closed = io.StringIO()
    closed.close()
    logger.addHandler(AuditHandler())

    def log(logger: logging.Logger) -> None:
        with no_slot_left(audited._made[0]), monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", closed)
            logger.error("x")

    assert serve(audited, log, logger).status == "503 Service Unavailable"


def _put(middleware: Any, app: Any) -> Any:
    middleware.app = app
    return middleware


class LazyUser:
    """A user that is loaded when it is asked for, by a database that logs."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    @property
    def is_authenticated(self) -> bool:
        """Tell whether it is logged in."""
        self._logger.error("SELECT 1")
        return True

    @property
    def username(self) -> str:
        """Its name."""
        return "alice"


def test_no_recursion(audited: Audited, logger: logging.Logger) -> None:
    """What is logged while a record is made, by what it asks for, makes no other."""
    logger.addHandler(AuditHandler())

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["user"] = LazyUser(logger)
        logger.error("x")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    server = AsgiServer(http_scope()).run(app, audited)
    events = audited.events("error")

    assert server.raised is None
    assert app_of(events[0])["message"] == b"x"
    assert events[0].user == audited.event().user == b"alice"


class Chatty:
    """An argument that logs what it does."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def __str__(self) -> str:
        self._logger.error("formatting")
        return "chatty"


def test_argument_that_logs(audited: Audited, logger: logging.Logger) -> None:
    """What the formatting of a message logs is on record as well."""
    logger.addHandler(AuditHandler())
    serve(audited, lambda log: log.error("%s", Chatty(log)), logger)
    messages = [app_of(event)["message"] for event in audited.events("error")]

    assert messages == [b"formatting", b"chatty"]


def _then(logger: logging.Logger, done: threading.Event) -> None:
    logger.error("x")
    done.set()


def test_no_lock(logger: logging.Logger, audited: Audited) -> None:
    """A thread that is slow to record holds up no other."""
    handler = AuditHandler()
    logger.addHandler(handler)
    done = threading.Event()

    def log(logger: logging.Logger) -> None:
        handler.acquire()  # as a handler that is busy has it
        try:
            thread = threading.Thread(target=_then, args=[logger, done])
            thread.start()
            assert done.wait(20)
            thread.join()
        finally:
            handler.release()

    assert serve(audited, log, logger).raised is None


def test_filters(audited: Audited, logger: logging.Logger) -> None:
    """Filters of the handler hold."""
    handler = AuditHandler()
    handler.addFilter(lambda record: record.getMessage() != "no")
    logger.addHandler(handler)

    def log(logger: logging.Logger) -> None:
        logger.error("no")
        logger.error("yes")

    serve(audited, log, logger)

    assert app_of(only(audited, "error"))["message"] == b"yes"


# --- configuration


@pytest.fixture
def configured() -> Iterator[logging.Logger]:
    """The logger that the configurations below name; all is as it was afterwards."""
    names = (None, "shop", "shop.money")
    loggers = [logging.getLogger(name) for name in names]
    before = [(list(each.handlers), each.level, each.propagate) for each in loggers]
    yield loggers[1]
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)


def test_dict_config(audited: Audited, configured: logging.Logger) -> None:
    """It is configured as any handler; its options are keys beside `class`."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "audit": {
                    "class": "audit_mw.integrations.logging.AuditHandler",
                    "level": "INFO",
                    "security_loggers": ["shop.money"],
                    "error_level": "WARNING",
                }
            },
            "loggers": {
                "shop": {"handlers": ["audit"], "level": "DEBUG", "propagate": False}
            },
        }
    )

    def log(logger: logging.Logger) -> None:
        logger.debug("below its level")
        logger.warning("x")
        logging.getLogger("shop.money").info("y")

    serve(audited, log, configured, debug=True)

    assert list(told(audited)) == ["security", "error"]


def test_filter_in_dict_config(audited: Audited, configured: logging.Logger) -> None:
    """The filter is configured as any other, with its option."""
    shown = io.StringIO()
    name = "audit_mw.integrations.logging.EventIdFilter"
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"event": {"()": name, "carry": False}},
            "formatters": {"short": {"format": "%(event_id)s %(message)s"}},
            "handlers": {
                "lines": {
                    "class": "logging.StreamHandler",
                    "stream": shown,
                    "filters": ["event"],
                    "formatter": "short",
                }
            },
            "loggers": {
                "shop": {"handlers": ["lines"], "level": "INFO", "propagate": False}
            },
        }
    )
    serve(audited, lambda log: log.error("x"), configured)

    assert shown.getvalue() == f"{audited.event().event} x\n"


FILE_CONFIG = """
[loggers]
keys=root,shop

[handlers]
keys=audit

[formatters]
keys=

[logger_root]
handlers=

[logger_shop]
qualname=shop
level=DEBUG
propagate=0
handlers=audit

[handler_audit]
class=audit_mw.integrations.logging.AuditHandler
level=INFO
kwargs={'security_loggers': ('shop',)}
"""


def test_file_config(
    audited: Audited, configured: logging.Logger, tmp_path: Path
) -> None:
    """It is configured by a file, too."""
    path = tmp_path / "logging.ini"
    path.write_text(FILE_CONFIG)
    logging.config.fileConfig(path, disable_existing_loggers=False)
    serve(audited, lambda log: log.info("x"), configured)

    assert only(audited, "security").type == "log"


# --- the filter


def test_event_id(audited: Audited, logger: logging.Logger) -> None:
    """The lines of any other handler have the event id; outside it is `-`."""
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.addFilter(EventIdFilter())
    handler.setFormatter(logging.Formatter("%(event_id)s %(message)s"))
    logger.addHandler(handler)
    logger.info("before")
    serve(audited, lambda log: log.info("within"), logger)

    assert shown.getvalue() == f"- before\n{audited.event().event} within\n"


def test_event_id_stays() -> None:
    """A record that was made in a request keeps its id where it is handled later."""
    record = logging.makeLogRecord({"msg": "x", "event_id": "made before"})
    EventIdFilter().filter(record)

    assert record.__dict__["event_id"] == "made before"


def test_event_id_leaves_nothing_else() -> None:
    """A formatter that writes all attributes has one more, and no object of ours."""
    record = logging.makeLogRecord({"msg": "x"})
    before = set(vars(record))
    EventIdFilter().filter(record)

    assert set(vars(record)) - before == {"event_id"}


def _queued(audited: Audited, logger: logging.Logger, *, carry: bool) -> None:
    waiting: queue.Queue[Any] = queue.Queue()
    handler = logging.handlers.QueueHandler(waiting)
    handler.addFilter(EventIdFilter(carry=carry))
    logger.addHandler(handler)
    serve(audited, logs_exception, logger)
    listener = logging.handlers.QueueListener(waiting, AuditHandler())
    listener.start()
    listener.stop()


def test_queue(audited: Audited, logger: logging.Logger) -> None:
    """Through a queue exchange and exception are carried, though the request is over."""
    _queued(audited, logger, carry=True)
    event = only(audited, "fault")

    assert event.event == audited.event().event
    assert event.client == b"192.0.2.7"
    assert event.details["reason"] == b"LookupError"
    assert app_of(event)["message"] == b"account 17"
    assert "extra" not in app_of(event)


def test_queue_that_carries_nothing(audited: Audited, logger: logging.Logger) -> None:
    """Else the id is there as a claim, and the traceback is in the message."""
    _queued(audited, logger, carry=False)
    event = only(audited, "error")
    own = audited.event().event

    assert event.event != own
    assert app_of(event)["event_id"] == own.encode()


def test_queue_of_another_process(audited: Audited, logger: logging.Logger) -> None:
    """A record that is pickled loses the exchange, and nothing else."""
    logger.addHandler(AuditHandler())
    record = logging.makeLogRecord({"name": "shop", "levelno": 40, "msg": "x"})
    EventIdFilter(carry=True).filter(record)
    came = pickle.loads(pickle.dumps(record))
    serve(audited, lambda log: log.handle(came), logger)

    assert app_of(only(audited, "error"))["message"] == b"x"
