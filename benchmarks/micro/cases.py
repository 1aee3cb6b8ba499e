# The micro-benchmarks: a table of what is called, with what, and how often.
#
# Rule 1: what is measured is named by a string, and looked up when its turn comes: the
#         same table serves an older revision, which may lack some of it.
# Rule 2: a case builds all that it can before it is measured. What is left is one call
#         without arguments.
# Rule 3: what is lazy is drained, else nothing would be measured.
#
# (Longer than 250 lines, since a case is read beside what makes its call.)
import mmap
from collections import deque
from collections.abc import Callable, Iterable
from io import BytesIO
from itertools import cycle
from pkgutil import resolve_name
from typing import Any, NamedTuple

from benchmarks.micro import apps
from benchmarks.micro.inputs import (
    CODED_QUERY,
    COOKIES,
    ENVIRON,
    FORM,
    FORWARDED,
    HOSTILE_QUERY,
    HOSTILE_TEXT,
    JSON,
    MULTIPART,
    NODES,
    PLAIN_QUERY,
    TYPE_OF_MULTIPART,
    new_scopes,
    new_texts,
    new_urls,
    scope,
)

__all__ = ["CASES", "Case", "chosen", "ready"]

Call = Callable[[], object]
_KEY = b"k" * 32


class Case(NamedTuple):
    """
    One micro-benchmark.

    Args:
        name: `floor: what, with what`.
        needs: what is looked up, as `module:name` in audit_mw, a space between them.
        make: takes what was looked up, and returns the call that is measured.
        loops: how often it is called for a count of instructions.
    """

    name: str
    needs: str
    make: Callable[..., Call]
    loops: int = 200


def ready(case: Case) -> Call:
    """
    Return the call that a case measures, after it worked once.

    Raises:
        AttributeError, ImportError: this revision has no such thing.
        TypeError, ValueError: it has, but takes something else.
    """
    needs = (resolve_name(f"audit_mw.{need}") for need in case.needs.split())
    call = case.make(*needs)
    call()

    return call


def chosen(words: Iterable[str]) -> list[Case]:
    """Return the cases with any of the words in their name; without words, all."""
    words = tuple(words)

    return [it for it in CASES if not words or any(word in it.name for word in words)]


# --- the makers


def drain(*arguments: object) -> Callable[[Callable[..., Iterable[object]]], Call]:
    """Return a maker of a call with these arguments, the result of which is drained."""
    return lambda function: lambda: deque(function(*arguments), maxlen=0)


def plain(*arguments: object) -> Callable[[Callable[..., object]], Call]:
    """Return a maker of a call with these arguments."""
    return lambda function: lambda: function(*arguments)


def streamed(body: bytes, media: bytes) -> Callable[..., Call]:
    """Return a maker of a call that parses a body, as it comes from a socket."""
    fields = [(b"content-type", media)]
    chunks = [body[at : at + 65536] for at in range(0, len(body), 65536)]

    def make(compile_body_parser: Any, classifier: Any) -> Call:
        choose = compile_body_parser(1 << 20, classifier())

        def call() -> None:
            parser = choose(fields)
            for chunk in chunks:
                deque(parser.feed(chunk), maxlen=0)
            deque(parser.finish(), maxlen=0)

        return call

    return make


def redacting(use: Callable[[Any], Call]) -> Callable[..., Call]:
    """Return a maker that hands a redactor to `use`."""
    return lambda config, keyring, redactor: use(
        redactor(config.load({}, {}), keyring(_KEY))
    )


def params(param: Any, redacted: Any) -> tuple[object, ...]:
    """Return the params of a typical request."""
    pairs = [piece.split(b"=") for piece in PLAIN_QUERY.split(b"&")]
    cookies = [piece.split(b"=") for piece in COOKIES.split(b"; ")]
    secret = param(
        "cookie", b"sessionid", redacted(32, "token", "0f1e2d3c." + "ab" * 16)
    )

    return (
        *(param("query", name, value) for name, value in pairs),
        secret,
        *(param("cookie", name, value) for name, value in cookies[1:]),
        param("header", b"referer", b"https://shop.example/catalogue?page=2"),
    )


DETAILS = {
    "via": b"direct",
    "delivery": b"taken",
    "scheme": b"http",
    "http_version": b"1.1",
    "request_len": 0,
    "app": {"order": 17, "note": b"100% \xff"},
}


def with_event(use: Callable[..., Call]) -> Callable[..., Call]:
    """Return a maker that hands the event of a typical request on, after the others."""

    def make(event: Any, param: Any, redacted: Any, *others: Any) -> Call:
        typical = event(
            time=1_795_238_767_123_456,
            event="019aa4f2-35c3-7a1b-8c4d-5e6f70819203",
            stream="request",
            type="request",
            outcome="SUCCESS",
            service=b"bank",
            instance="web1:4711:1eeb7084",
            client=b"192.0.2.7",
            peer=b"192.0.2.7:41522",
            method=b"GET",
            path=b"/search",
            status=200,
            sent=15,
            micros=812,
            params=params(param, redacted),
            details=DETAILS,
        )
        return use(typical, *others)

    return make


def in_slot(number: int, size: int) -> Callable[..., Call]:
    """Return a maker of a call that puts `size` bytes into a slot."""

    def make(geometry: Any, block: Any, sending: int) -> Call:
        layout = geometry(64, 4096, 4, 69632)
        slot = block(mmap.mmap(-1, layout.size), layout).slots[number]
        return lambda: slot.put(sending, bytes(size))

    return make


def asgi(
    asked: Callable[[], Iterable[dict[str, Any]]], body: bytes = b""
) -> Callable[..., Call]:
    """Return a maker of whole requests over ASGI, in this process, each in its turn."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_message: object) -> None:
        pass

    def make(wrap: Any = None) -> Call:
        app: Any = wrap(apps.asgi, service="bench") if wrap else apps.asgi
        scopes = cycle(list(asked()))

        def call() -> None:
            # Without an event loop, which would cost more than what is measured.
            running = app(dict(next(scopes)), receive, send)
            try:
                running.send(None)
            except StopIteration:
                return
            running.close()
            raise RuntimeError("a request waits for something")

        return call

    return make


def wsgi(wrap: Any = None) -> Call:
    """Return a whole request over WSGI, in this process."""
    app: Any = wrap(apps.wsgi, service="bench") if wrap else apps.wsgi

    def start_response(*_arguments: object) -> None:
        pass

    def call() -> None:
        answer = app(ENVIRON | {"wsgi.input": BytesIO()}, start_response)
        deque(answer, maxlen=0)
        if hasattr(answer, "close"):
            answer.close()

    return call


# --- the table

_BODY = "wire.body:compile_body_parser policy.names:Classifier"
_REDACTOR = "config:Config policy.keyring:Keyring policy.redaction:Redactor"
_EVENT = "event:Event event:Param event:Redacted"
_SLOT = "trail.slots:Geometry trail.slots:Block trail.slots:SENDING"
_DRAFT = f"{_EVENT} trail.record:draft_event"
_LINE = f"{_DRAFT} trail.record:finish_line"
_WRAP = "middleware:AuditMiddleware"
_FORM = b"application/x-www-form-urlencoded"
_JSON = b"application/json"


def _seen(redactor: Any) -> Call:
    return lambda: redactor.value(None, b"the winter sale, 12 left", b"q")


def _unseen(redactor: Any) -> Call:
    texts = new_texts()
    return lambda: redactor.value(None, next(texts), b"q")


def _password(redactor: Any) -> Call:
    return lambda: redactor.value(
        redactor.class_of("form", b"password", b"hunter2"), b"hunter2", b"password"
    )


def _token(redactor: Any) -> Call:
    value = b"0123456789abcdef" * 2
    return lambda: redactor.value(
        redactor.class_of("cookie", b"sessionid", value), value, b"sessionid"
    )


def _assigned(redactor: Any) -> Call:
    return lambda: redactor.text(b"login failed for alice; password=hunter2 was given")


def _hostile(redactor: Any) -> Call:
    return lambda: redactor.finds(HOSTILE_TEXT)


def _url(redactor: Any) -> Call:
    urls = new_urls()
    return lambda: redactor.url(next(urls))


def _details(order: object) -> Callable[..., Call]:
    return lambda encode: lambda: encode(DETAILS, order)


CASES = (
    Case("wire: query, typical", "wire.query:parse_query", drain(PLAIN_QUERY)),
    Case("wire: query, coded", "wire.query:parse_query", drain(CODED_QUERY)),
    Case(
        "wire: query, 1,000 hostile", "wire.query:parse_query", drain(HOSTILE_QUERY), 5
    ),
    Case("wire: percent, decoded", "wire.query:decode_percent", plain(CODED_QUERY)),
    Case(
        "wire: percent, coded", "wire.query:encode_plain", plain(b"caf\xc3\xa9 & tea")
    ),
    Case("wire: cookies, typical", "wire.cookies:parse_cookies", drain([COOKIES])),
    Case("wire: media type", "wire.head:parse_media_type", plain(TYPE_OF_MULTIPART)),
    Case("wire: list field", "wire.head:split_list", drain([FORWARDED])),
    Case("wire: X-Forwarded-For", "wire.forwarded:parse_nodes", drain([NODES])),
    Case("wire: Forwarded", "wire.forwarded:parse_forwarded", drain([FORWARDED])),
    Case("wire: form, 20 fields", _BODY, streamed(FORM, _FORM), 50),
    Case("wire: JSON, 2 kB", _BODY, streamed(JSON, _JSON), 3),
    Case("wire: multipart, 50 kB", _BODY, streamed(MULTIPART, TYPE_OF_MULTIPART), 5),
    Case("redaction: ordinary, seen before", _REDACTOR, redacting(_seen)),
    Case("redaction: ordinary, new", _REDACTOR, redacting(_unseen), 50),
    Case("redaction: password", _REDACTOR, redacting(_password)),
    Case("redaction: token", _REDACTOR, redacting(_token)),
    Case("redaction: password in text", _REDACTOR, redacting(_assigned), 50),
    Case("redaction: URL, new", _REDACTOR, redacting(_url), 50),
    Case("redaction: hostile text", _REDACTOR, redacting(_hostile), 5),
    Case("coder: text, plain", "trail.encoding:encode_text", plain(PLAIN_QUERY)),
    Case(
        "coder: text, to be coded", "trail.encoding:encode_text", plain(b"100% \xff\n")
    ),
    Case("coder: text, decoded", "trail.encoding:decode_text", plain(b"100%25 %FF%0A")),
    Case("coder: column", "trail.encoding:encode_column", plain(b"/search")),
    Case("coder: time", "trail.encoding:encode_time", plain(1_795_238_767_123_456)),
    Case(
        "coder: params",
        f"{_EVENT} trail.params:encode_params",
        with_event(lambda event, encode: lambda: encode(tuple(event.params))),
    ),
    Case(
        "coder: params, decoded",
        f"{_EVENT} trail.params:encode_params trail.params:decode_params",
        with_event(lambda event, encode, decode: plain(encode(event.params))(decode)),
    ),
    Case("coder: details", "trail.params:encode_details", _details({})),
    Case(
        "record: draft",
        _DRAFT,
        with_event(lambda event, draft: plain(event)(draft)),
    ),
    Case(
        "record: finish",
        _LINE,
        with_event(lambda event, draft, finish: plain(draft(event), 4711)(finish)),
    ),
    Case(
        "record: decode",
        f"{_LINE} trail.record:decode_line",
        with_event(
            lambda event, draft, finish, decode: plain(finish(draft(event), 1))(decode)
        ),
        50,
    ),
    Case(
        "journal: version",
        f"{_DRAFT} trail.entry:encode_version",
        with_event(lambda event, draft, encode: plain(draft(event), ())(encode)),
    ),
    Case("journal: put, 1 kB", _SLOT, in_slot(0, 1000)),
    Case("journal: put, 60 kB", _SLOT, in_slot(64, 60_000)),
    Case("event id", "ids:EventIds", lambda ids: ids().make),
    Case("request: ASGI GET, alone", "", asgi(lambda: [scope()])),
    Case("request: ASGI GET", _WRAP, asgi(lambda: [scope()]), 30),
    Case("request: ASGI GET, new values", _WRAP, asgi(new_scopes), 30),
    Case(
        "request: ASGI form", _WRAP, asgi(lambda: [scope("POST", b"", _FORM)], FORM), 10
    ),
    Case(
        "request: ASGI JSON, 2 kB",
        _WRAP,
        asgi(lambda: [scope("POST", b"", _JSON)], JSON),
        3,
    ),
    Case("request: WSGI GET, alone", "", wsgi),
    Case("request: WSGI GET", _WRAP, wsgi, 30),
)
