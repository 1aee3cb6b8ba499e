# No limit cuts silently, and no client can fill a record, the memory or the disk.
import hashlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.canary.drive import Request, drive_asgi
from tests.edges.audited import read_trail

from audit_mw.body_params import BodyParams
from audit_mw.config import Config
from audit_mw.event import Event, Hole, Opaque, Param, Rest, Spilled, Unread
from audit_mw.gathering import Gathering
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.redaction import Redactor
from audit_mw.trail.params import decode_params, encode_param, encode_params
from audit_mw.trail.reader import find_value
from audit_mw.wire.query import FormParser, parse_query

FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")


def sha256(value: bytes) -> str:
    """Return the digest of a spilled value."""
    return hashlib.sha256(value).hexdigest()


def record(trail: Path, request: Request, **options: object) -> Event:
    """Send one request, and return its event."""
    drive_asgi([request], trail, **options)
    (event,) = read_trail(trail)

    return event


def rest_of(trail: Path, event: Event) -> tuple[Rest, tuple[Param, ...]]:
    """Return the rest of an event, and the params that it names."""
    rest = event.params[-1].value
    assert isinstance(rest, Rest)
    stored = find_value(trail, rest.sha256)
    assert stored is not None
    assert len(stored) == rest.len

    return rest, decode_params(stored)


@pytest.mark.parametrize("size", [256, 257], ids=["at the limit", "beyond it"])
def test_spill_over(tmp_path: Path, size: int) -> None:
    """A value longer than spill_over is in the values stream, by its digest."""
    value = b"x" * size
    event = record(tmp_path, Request(query=b"q=" + value))
    expected = value if size == 256 else Spilled(size, sha256(value))

    assert event.params == (Param("query", b"q", expected),)
    assert find_value(tmp_path, sha256(value)) == (None if size == 256 else value)


@pytest.mark.parametrize(
    ("request_", "column"),
    [
        pytest.param(Request(path=b"/" + b"x" * 300), "path", id="path"),
        pytest.param(Request(method="X" * 301), "method", id="method"),
    ],
)
def test_long_column(tmp_path: Path, request_: Request, column: str) -> None:
    """A column longer than spill_over keeps its length and digest."""
    event = record(tmp_path, request_)
    (hole,) = getattr(event, column)

    assert hole == Hole(301, sha256=hole.sha256)
    assert len(find_value(tmp_path, hole.sha256) or b"") == 301


def test_long_name(tmp_path: Path) -> None:
    """A name longer than spill_over is spilled like a value."""
    name = b"n" * 300
    (param,) = record(tmp_path, Request(query=name + b"=1")).params

    assert param == Param("query", (Hole(300, sha256=sha256(name)),), b"1")
    assert find_value(tmp_path, sha256(name)) == name


def test_equal_values_once(tmp_path: Path) -> None:
    """Equal values are stored once, and named each time."""
    value = b"x" * 300
    event = record(tmp_path, Request(query=b"a=%b&b=%b" % (value, value)))
    (segment,) = (tmp_path / "values").glob("*.log")

    assert [param.value for param in event.params] == [Spilled(300, sha256(value))] * 2
    assert len(segment.read_bytes().splitlines()) == 2


def test_max_params(tmp_path: Path) -> None:
    """What goes beyond max_params is one rest, as it would have stood."""
    query = b"&".join(b"p%d=%d" % (n, n) for n in range(30))
    event = record(tmp_path, Request(query=query), max_params=10)
    rest, others = rest_of(tmp_path, event)

    assert [param.value for param in event.params[:-1]] == [
        b"%d" % n for n in range(10)
    ]
    assert [param.value for param in others] == [b"%d" % n for n in range(10, 30)]
    assert rest.count == 20


def test_cookies_and_fields_in_the_rest(tmp_path: Path) -> None:
    """Cookies and field lines come after the body, so they can be in the rest."""
    request = Request(
        query=b"a=1&b=2",
        fields=(FORM, (b"cookie", b"c=3"), (b"host", b"shop")),
        body=b"d=4",
    )
    event = record(tmp_path, request, max_params=3)
    _, others = rest_of(tmp_path, event)

    assert [param.source for param in event.params] == [
        "query",
        "query",
        "form",
        "rest",
    ]
    assert [param.source for param in others] == ["cookie", "header", "header"]


def test_sent_as_in_the_rest(tmp_path: Path) -> None:
    """In the rest, how an odd param was sent stands behind it."""
    event = record(tmp_path, Request(query=b"a=1&b=%61"), max_params=1)
    rest, others = rest_of(tmp_path, event)

    assert others == (Param("query", b"b", b"a"), Param("sent_as", b"b", b"%61"))
    assert rest.count == 2


def test_max_record(tmp_path: Path) -> None:
    """A record never outgrows max_record, however its values are coded."""
    query = b"&".join(b"p=%b" % (b"%FF" * 200) for _ in range(900))
    event = record(tmp_path, Request(query=query), max_record="64KiB")
    (segment,) = (tmp_path / "request").glob("*.log")
    rest, others = rest_of(tmp_path, event)

    assert max(map(len, segment.read_bytes().splitlines())) <= 64 << 10
    assert len(event.params) - 1 + rest.count == 900
    assert {param.value for param in others} == {b"\xff" * 200}


def test_max_spill(tmp_path: Path) -> None:
    """What goes beyond max_spill keeps length and digest, and is counted."""
    values = [b"%d" % n * 400 for n in range(4)]
    query = b"&".join(b"q=" + value for value in values)
    event = record(tmp_path, Request(query=query), max_spill=900)

    assert [p.value for p in event.params] == [Spilled(400, sha256(v)) for v in values]
    assert [find_value(tmp_path, sha256(v)) is not None for v in values] == [
        True,
        True,
        False,
        False,
    ]
    assert event.details["cut"] == {"count": 2, "len": 800}


def test_max_spill_of_the_rest(tmp_path: Path) -> None:
    """A rest that does not fit keeps count, length and digest, and is counted."""
    query = b"&".join(b"p%d=%d" % (n, n) for n in range(500))
    event = record(tmp_path, Request(query=query), max_params=1, max_spill=100)
    rest = event.params[-1].value
    whole = encode_params(
        tuple(Param("query", b"p%d" % n, b"%d" % n) for n in range(1, 500))
    )

    assert rest == Rest(499, len(whole), sha256(whole))
    assert event.details["cut"] == {"count": 1, "len": len(whole)}


def test_large_json_is_opaque(tmp_path: Path) -> None:
    """A JSON document beyond max_body keeps its length and type, nothing else."""
    body = b'{"a":"' + b"x" * 2000 + b'"}'
    event = record(tmp_path, Request(fields=(JSON,), body=body), max_body=1024)

    assert Param("body", None, Opaque(len(body), JSON[1])) in event.params


def test_long_form_value(tmp_path: Path) -> None:
    """A form's value beyond max_body is hashed as it streams, and counted as cut."""
    body = b"a=" + b"%41" * 2000 + b"&b=1"
    event = record(tmp_path, Request(fields=(FORM,), body=body), max_body=1024)

    assert event.params[:2] == (
        Param("form", b"a", Spilled(2000, sha256(b"A" * 2000))),
        Param("form", b"b", b"1"),
    )
    assert event.details["cut"] == {"count": 1, "len": 2000}


def test_opaque_types(tmp_path: Path) -> None:
    """A body of a type that opaque_types allows is kept, though nobody can read it."""
    fields = ((b"content-type", b"Application/Octet-Stream; x=y"),)
    request = Request(fields=fields, body=b"\xff\x00\x01")
    event = record(tmp_path, request, opaque_types="application/octet-stream")

    assert Param("body", None, b"\xff\x00\x01") in event.params


def test_text_body_is_kept(tmp_path: Path) -> None:
    """A body that is text and names no secret is kept."""
    request = Request(fields=((b"content-type", b"text/plain"),), body=b"hello\nworld")
    event = record(tmp_path, request)

    assert Param("body", None, b"hello\nworld") in event.params


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"<password>x</password>", Opaque(22, b"text/xml"), id="secret"),
        pytest.param(b"\x00\x01", Opaque(2, b"text/xml"), id="no text"),
    ],
)
def test_opaque_body(tmp_path: Path, body: bytes, value: Opaque) -> None:
    """A body that may hold a secret keeps type and length only."""
    fields = ((b"content-type", b"text/xml"),)
    event = record(tmp_path, Request(fields=fields, body=body))

    assert Param("body", None, value) in event.params


def test_unread(tmp_path: Path) -> None:
    """A body that the application never read is named with its declared length."""
    request = Request(type="http", fields=((b"content-length", b"60"),))
    drive_asgi([request], tmp_path)
    (event,) = read_trail(tmp_path)

    # The driver's application reads an empty body to its end, so nothing is unread.
    assert not any(isinstance(param.value, Unread) for param in event.params)


@settings(max_examples=30)
@given(
    st.lists(st.binary(min_size=1, max_size=90), max_size=60),
    st.integers(1, 40),
    st.integers(0, 3000),
)
def test_bounds_hold(pieces: list[bytes], max_params: int, max_spill: int) -> None:
    """Params, their bytes and their spills stay within the limits, nothing is lost."""
    config = Config.load(
        {"max_params": max_params, "max_spill": max_spill, "spill_over": 64}, {}
    )
    gathering = Gathering(config, Redactor(config, Keyring(b"k" * 32)), encode_param)
    query = b"&".join(pieces)
    pairs = list(parse_query(query))
    gathering.add_pairs("query", pairs)
    params = gathering.finish()
    count = sum(
        param.value.count if isinstance(param.value, Rest) else 1 for param in params
    )
    odd = sum(pair.sent is not None for pair in pairs)

    assert len(params) <= max_params + 1
    assert len(encode_params(params)) <= config.max_record
    assert sum(len(spill.value) for spill in gathering.spilling.spills) <= max_spill
    assert len(pairs) <= count <= len(pairs) + odd


# Less than a param of its own for each piece of a form of so many kB would take.
@pytest.mark.parametrize(
    ("size", "most"),
    [(96, 4 << 20), pytest.param(256, 8 << 20, marks=pytest.mark.long)],
)
@pytest.mark.parametrize("byte", [b"&", b"=", b"a&"], ids=["&", "=", "a&"])
def test_memory_of_a_hostile_form(byte: bytes, size: int, most: int) -> None:
    """A form of many kB of separators is read to its end in a bounded memory."""
    config = Config.load({}, {})
    redactor = Redactor(config, Keyring(b"k" * 32))
    gathering = Gathering(config, redactor, encode_param)
    body = BodyParams(config, redactor, gathering, FORM[1])
    parser = FormParser(config.max_body)
    chunk = byte * (16_384 // len(byte))
    tracemalloc.start()
    try:
        for _ in range(size // 16):
            for pair in parser.feed(chunk):
                body.add(pair)
        for pair in parser.finish():
            body.add(pair)
        gathering.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < most
