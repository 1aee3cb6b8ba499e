"""
The short road gives, byte for byte, what the long one gives.

Both serve the same requests, one after the other, so that what came before is known.
"""

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import at_length
from tests.json_bodies import HOSTILE, JSON_TYPES, documents

from audit_mw.config import Config
from audit_mw.event import DELIVERY, Draft, Event, RequestHead
from audit_mw.exchange import Exchange
from audit_mw.ordinary import Ordinary
from audit_mw.rules import Rules
from audit_mw.trail.params import encode_details, encode_param
from audit_mw.trail.record import draft_event
from audit_mw.trail.sheet import Sheet

KEY = bytes(range(32))
INSTANCE = "host:1:0"
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlb2Zub3RoaW5n"

# Each that is ordinary stands beside some that are nearly so.
NAMES = (
    b"q page sort colour p u user username email code key variables query password "
    b"token pin id a.b a[b] a-b _x 1 %70assword PASSWORD p%61ge seed ticket sign "
    b"redirect next url next_page session state"
).split()
VALUES = (
    b"",
    b"1",
    b"shoes",
    b"blue+shoes",
    b"blue%20shoes",
    b"blue suede",
    b"price-desc",
    b"0123456789abcdef",
    b"0123456789abcdefA",
    b"hunter2",
    b"4111111111111111",
    b"4111+1111+1111+1111",
    b"a=b",
    b"a%3Db",
    b"password:x",
    b"al:ice",
    b"/reset/abc123def456",
    b"https://a:b@c/d",
    b"%zz",
    b"%41",
    b"%0a",
    b"caf\xc3\xa9",
    b"\xff",
    b'"',
    b"\\",
    b"{",
    b'{"password":"x',
    b"abcdefghijkl",
    b"abcdefghijklm",
    b"x" * 257,
    JWT,
)
PATHS = (
    b"/",
    b"/search",
    b"/shop/42/edit",
    b"/verify",
    b"/reset-password/abc123",
    b"/a%20b",
    b"/a%00",
    b"/caf\xc3\xa9",
    b"/login;jsessionid=0123456789abcdef",
    b"//a:b@c/d",
    b"",
    b"*",
    b"/x" * 200,
)
COOKIES = (
    b"",
    b";",
    b"theme=dark",
    b"theme=dark; lang=en",
    b"sessionid=0123456789abcdef0123456789abcdef; theme=dark",
    b"sessionid=other; sessionid=0123456789abcdef0123456789abcdef",
    b"flag",
    b"=x",
    b"page=1",
    b"q",
    b'a="b; c"; d=e',
    b'password="x; y',
    b"a = b",
    b"theme=%41",
    b"state=Ab3dEf6hIj9lMn2pQr5t; x=y",
    b"session=eyJhIjoxfQ.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb",
    b"big=" + b"x" * 300,
)
FIELDS = (
    (b"host", b"shop.example"),
    (b"Host", b"shop.example"),
    (b"host", b"a:b@shop.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64)"),
    (b"user-agent", b"x" * 300),
    (b"user-agent", b'"\\ \xff\n'),
    (b"accept", b"*/*"),
    (b"accept", b"\xff\x00"),
    (b"referer", b"https://shop.example/catalogue?page=2"),
    (b"referer", b"https://shop.example/reset?token=abc123def"),
    (b"origin", b"https://shop.example"),
    (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    (b"x-request-id", b"abc-1"),
    (b"authorization", b"Bearer " + JWT),
    (b"authorization", b"Basic YWxpY2U6aHVudGVyMg=="),
    (b"authorization", b""),
    (b"x-api-key", b"0123456789abcdef"),
    (b"x-csrf-token", b"abc"),
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"x-forwarded-for", b"203.0.113.9, 10.0.0.1"),
    (b"x-forwarded-for", b"nonsense"),
    (b"x-forwarded-proto", b"https"),
    (b"forwarded", b"for=203.0.113.9"),
    (b"content-length", b"0"),
    (b"content-length", b"5"),
    (b"content-type", b"application/json"),
    (b"transfer-encoding", b"chunked"),
    (b"p", b"hunter2"),
    ("text", "value"),
    (b"host", "text"),
    [b"accept", b"a list"],
    [b"host", b"a list"],
)
PEERS = (
    ("192.0.2.7", 4711),
    ("192.0.2.8", 4711),
    ("10.0.0.1", 4711),
    ("2001:db8::1", 4711),
    ("::ffff:10.0.0.1", 4711),
    ("192.0.2.7", 0),
    ("203.0.113.9", 0),
    ("unix", None),
    ("testclient", 50000),
    None,
)
USERS = (
    None,
    "alice",
    "al ice",
    "al\u202eice",
    "eve\n",
    "",
    "x" * 300,
    "50%",
    JWT.decode(),
)


class Course(NamedTuple):
    """One request, and what becomes of it."""

    head: RequestHead
    body: tuple[bytes, ...]
    ended: bool
    user: str | None
    action: str | None
    status: int | None
    gone: bool
    said: tuple[str, Any] | None
    early: bool = False  # the response starts before the body is read


pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)).map(b"=".join)
odd = st.one_of(
    st.sampled_from((b"", b"flag", b"=", b"==", b"?")), st.binary(max_size=12)
)
queries = st.lists(st.one_of(pairs, pairs, pairs, odd), max_size=5).map(b"&".join)
cookies = st.one_of(st.sampled_from(COOKIES), st.binary(max_size=24)).map(
    lambda value: (b"cookie", value)
)
fields: Any = st.lists(st.one_of(st.sampled_from(FIELDS), cookies), max_size=7).map(
    tuple
)
heads = st.builds(
    RequestHead,
    type=st.sampled_from(("request", "request", "request", "websocket")),
    method=st.sampled_from((b"GET", b"GET", b"HEAD", b"POST", b"DELETE", b"G%T")),
    path=st.one_of(st.sampled_from(PATHS), st.binary(max_size=12)),
    query=st.one_of(queries, st.binary(max_size=24)),
    fields=fields,
    scheme=st.sampled_from(("http", "https", None, "", "h%")),
    http_version=st.sampled_from(("1.1", "1.0", "2", None)),
    peer=st.sampled_from(PEERS),
    joined=st.booleans(),
    reconstructed=st.booleans(),
    rewritten=st.sampled_from((None, None, {"by": "x-forwarded-for"})),
    tls=st.sampled_from(({}, {}, {"tls_version": b"TLSv1.3"})),
)
FORM = (b"content-type", b"application/x-www-form-urlencoded")


@st.composite
def posts(draw: st.DrawFn) -> Course:
    """A form that is posted, whole or nearly so."""
    course = draw(courses)
    body = draw(queries)
    length = draw(st.sampled_from((len(body), len(body), len(body), len(body) + 1, 3)))
    types = draw(
        st.sampled_from(
            (FORM, FORM, (FORM[0], FORM[1] + b"; charset=utf-8"), (FORM[0], b"a/b"))
        )
    )
    fields = *course.head.fields, types, (b"content-length", b"%d" % length)
    chunks = draw(st.sampled_from(((body,), (body,), (body[:4], body[4:]), ())))

    return course._replace(
        head=course.head._replace(method=b"POST", fields=fields), body=chunks
    )


@st.composite
def json_posts(draw: st.DrawFn) -> Course:
    """A JSON document that is posted to an ordinary address, whole or nearly so."""
    course, body = draw(posts()), draw(documents)
    method = draw(st.sampled_from((b"POST", b"POST", b"PUT", b"PATCH", b"DELETE")))
    query = draw(
        st.sampled_from((b"", b"q=1", b"a=1&b=2", b"name=x", course.head.query))
    )
    length = len(body) + draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    media = draw(st.sampled_from((JSON_TYPES[0], *JSON_TYPES)))
    fields = draw(
        st.sampled_from(
            (
                (),
                ((b"cookie", b"a=1; user=bob"),),
                ((b"cookie", b"sessionid=0123456789abcdef0123456789abcdef"),),
                ((b"authorization", b"Bearer " + JWT),),
                course.head.fields,
            )
        )
    )
    about = (b"content-type", media), (b"content-length", b"%d" % length)
    head = course.head._replace(
        type="request", method=method, query=query, fields=(*fields, *about)
    )
    if draw(st.booleans()):
        head = head._replace(
            path=b"/search",
            peer=("192.0.2.7", 4711),
            scheme="http",
            http_version="1.1",
            rewritten=None,
            tls={},
        )
    cut = draw(st.integers(0, len(body)))
    whole = (body,)
    chunks = draw(st.sampled_from((whole, whole, whole, (body[:cut], body[cut:]), ())))

    return course._replace(head=head, body=chunks)


SAID = (
    None,
    None,
    ("user", "bob"),
    ("roles", ("clerk",)),
    ("session", b"0123456789abcdef0123456789abcdee"),
    ("action", "users.search"),
    ("rows", 4),
    ("outcome", "FAILURE"),
    ("notes", {"a": 1}),
)
courses = st.builds(
    Course,
    head=heads,
    body=st.sampled_from(
        ((), (), (b"",), (b"a=1&password=hunter2",), (b"a=1", b"&b=2"))
    ),
    ended=st.booleans(),
    user=st.sampled_from(USERS),
    action=st.sampled_from(
        (None, None, "shop.views.search", "GET /a b", "%", JWT.decode())
    ),
    status=st.sampled_from((200, 200, 204, 302, 401, 404, 500, None)),
    gone=st.booleans(),
    said=st.sampled_from(SAID),
    early=st.booleans(),
)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"trusted_proxies": ["10.0.0.0/8", "unix"]},
    {"trusted_proxies": ["10.0.0.0/8"], "forwarded_by": "forwarded"},
    {"secret_patterns": ["shoe."]},
    {"secret_names": ["colour"], "record_fields": ["accept", "p"]},
    {"session_cookie": "theme"},
    {"detectors": []},
    {"spill_over": 64},
    {"max_params": 3},
    {"tls_fields": {"tls_version": "x-request-id"}, "trusted_proxies": ["192.0.2.7"]},
    {"not_secret": ["token"], "service": "50% shop"},
)


def make_rules(options: dict[str, Any]) -> Rules:
    config = Config.load({"key": KEY} | options)
    service = config.service or "shop"

    return Rules(config, KEY, service, encode_param, lambda it: encode_details(it, {}))


def versions(rules: Rules, ordinary: Ordinary | None, course: Course) -> list[Any]:
    """Return the drafts of the versions of one record, and of what it alarms of."""
    try:
        exchange = Exchange(rules, course.head, "event", 0, 0, ordinary)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return [type(error)]  # it is refused
    begun = exchange.opening(INSTANCE)
    if course.said is not None:
        setattr(exchange.said, *course.said)
    if course.early and course.status is not None:
        exchange.start(course.status, ())
    chunks = [*course.body, b""] if course.ended else course.body
    kept = [
        exchange.opening(INSTANCE)
        for at, chunk in enumerate(chunks)
        if exchange.read(chunk, ended=at == len(course.body))
    ]
    exchange.user, exchange.action = course.user, course.action
    if course.gone:
        exchange.gone()
    if course.status is not None:
        exchange.start(course.status, ())
        exchange.send(7, more=False)
    ended = exchange.finish(12_345, INSTANCE, DELIVERY)
    alarms = exchange.alarms(23_456)

    return [_draft(each) for each in (begun, *kept, ended, *alarms)]


def _draft(event: Event | Draft) -> tuple[bytes, bytes]:
    draft = draft_event(event) if isinstance(event, Event) else event

    return draft.before, draft.after


def check_same(served: list[Course], options: dict[str, Any]) -> None:
    """Whatever requests come, one after the other, both roads give the same records."""
    long, short = make_rules(options), make_rules(options)
    ordinary = Ordinary(short, Sheet)

    for course in (*served, *served):
        assert versions(short, ordinary, course) == versions(long, None, course)


_SERVED = st.lists(
    st.one_of(courses, posts(), json_posts(), json_posts()), min_size=1, max_size=6
)
test_same = settings(max_examples=100)(
    given(_SERVED, st.sampled_from(OPTIONS))(check_same)
)
test_same_at_length = pytest.mark.long(
    at_length(400)(given(_SERVED, st.sampled_from(OPTIONS))(check_same))
)


def ordinary_course(
    query: bytes = b"q=shoes&page=2",
    *more: tuple[bytes, bytes],
    method: bytes = b"GET",
    user: str | None = "alice",
    body: bytes = b"",
) -> Course:
    fields = (
        (b"host", b"shop.example"),
        (b"accept", b"*/*"),
        (b"user-agent", b"Mozilla/5.0"),
        *more,
        (b"cookie", b"sessionid=0123456789abcdef0123456789abcdef; theme=dark"),
    )
    head = RequestHead(
        method,
        b"/search",
        query,
        fields,
        scheme="http",
        http_version="1.1",
        peer=("192.0.2.7", 4711),
    )

    return Course(
        head,
        (body,),
        ended=True,
        user=user,
        action="shop.search",
        status=200,
        gone=False,
        said=None,
    )


@pytest.mark.parametrize(
    "course",
    [
        ordinary_course(),
        ordinary_course(b""),
        ordinary_course(b"q=blue+suede+shoes&page=2"),
        ordinary_course(method=b"HEAD"),
        ordinary_course(b"q=x", (b"authorization", b"Bearer " + JWT)),
        ordinary_course(b"q=x", (b"traceparent", b"00-0af7651916cd43dd-01")),
        ordinary_course(b"q=x", (b"referer", b"https://shop.example/a?b=c")),
        ordinary_course(user=None),
        ordinary_course(
            b"", FORM, (b"content-length", b"7"), method=b"POST", body=b"a=1&b=2"
        ),
        *[
            ordinary_course(
                b"q=1",
                (b"content-type", JSON_TYPES[0]),
                (b"content-length", b"%d" % len(body)),
                method=b"POST",
                body=body,
            )
            for body in (
                b"{}",
                b'{"a":1,"b":[true,{"c":"caf\xc3\xa9"}]}',
                b'{"user":"bob","password":"hunter2"}',
                b'{"name":"token","value":"hunter2"}',
            )
        ],
    ],
)
def test_short(course: Course) -> None:
    """
    What most requests are like goes by the short road.
    """
    rules = make_rules({})
    ordinary = Ordinary(rules, Sheet)
    exchange = Exchange(rules, course.head, "event", 0, 0, ordinary)
    begun = exchange.opening(INSTANCE)
    for chunk in course.body:
        exchange.read(chunk, ended=True)
    exchange.user, exchange.action = course.user, course.action
    exchange.start(200, ())
    exchange.send(7, more=False)
    ended = exchange.finish(12_345, INSTANCE, DELIVERY)

    assert isinstance(begun, Draft)
    assert isinstance(ended, Draft)
    assert exchange.alarms(1) == []
    assert JWT not in ended.after


def test_no_secret_is_remembered() -> None:
    """
    What is withheld is nowhere in the memory of the short road.
    """
    rules = make_rules({})
    ordinary = Ordinary(rules, Sheet)
    secrets = JWT, b"0123456789abcdef0123456789abcdef", b"hunter2", b"abcdef123456"
    for query in (b"q=" + JWT, b"password=hunter2", b"next=/reset/abcdef123456"):
        referer = b"https://shop.example/?" + query
        for more in ((), ((b"authorization", JWT),), ((b"referer", referer),)):
            versions(rules, ordinary, ordinary_course(query, *more))

    remembered = repr(vars(ordinary)).encode()
    assert b"shoes" not in remembered
    assert b"shop.example" in remembered
    assert not [secret for secret in secrets if secret in remembered]


def test_memory_is_bounded() -> None:
    """
    Who varies all that he sends fills no memory.
    """
    rules = make_rules({})
    ordinary = Ordinary(rules, Sheet)
    for number in range(5_000):
        query = b"n%d=%d&q=a+%d" % (number, number, number)
        more = (b"x-request-id", b"%d" % number), (b"x%d" % number, b"1")
        course = ordinary_course(query, *more, user=f"user{number}")
        head = course.head._replace(path=b"/%d" % number, peer=(f"a{number}", 1))
        ordinary.look(head)
        ordinary.maybe_word(course.user)

    sizes = [len(it) for it in vars(ordinary).values() if isinstance(it, dict)]
    assert max(sizes) <= 4096


@pytest.mark.parametrize("query", [b"", b"q=1", b"q=1&p2=a+b"])
@pytest.mark.parametrize("fields", [(), ((b"host", b"a"),), ((b"cookie", b"a=b"),)])
@pytest.mark.parametrize("body", [b"", b"a1=1", b"a1=1&b1=a+b"])
def test_what_is_there(query: bytes, fields: tuple[Any, ...], body: bytes) -> None:
    """
    Whichever of query, body, cookies and field lines are there, both roads agree.
    """
    about = (FORM, (b"content-length", b"%d" % len(body))) if body else ()
    course = ordinary_course(query, method=b"POST" if body else b"GET", body=body)
    course = course._replace(head=course.head._replace(fields=(*about, *fields)))

    check_same([course], {})
    check_same([course], {"record_fields": ["x-other"]})


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("status", [None, 200, 404])
@pytest.mark.parametrize("body", [b"", b"a1=1"])
def test_what_is_said(
    said: tuple[str, Any] | None, status: int | None, body: bytes
) -> None:
    """
    Whatever the application says before the body is read, both roads keep it.
    """
    about = FORM, (b"content-length", b"%d" % len(body))
    course = ordinary_course(b"q=1", *about, method=b"POST", body=body)
    begun = course._replace(said=said, status=status)

    for early in (False, True):
        check_same([begun._replace(early=early)], {})
        check_same([begun._replace(early=early, gone=True)], {})


def json_course(
    body: bytes,
    query: bytes = b"q=1",
    *more: tuple[bytes, bytes],
    media: bytes = JSON_TYPES[0],
) -> Course:
    about = (b"content-type", media), (b"content-length", b"%d" % len(body))

    return ordinary_course(query, *more, *about, method=b"POST", body=body)


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_documents(body: bytes) -> None:
    """
    Whatever a document is, and however it is sent, both roads keep the same of it.
    """
    course = json_course(body)
    short_of_one = course.head._replace(
        fields=(*course.head.fields[:3], (b"content-length", b"%d" % (len(body) - 1)))
    )
    served = [
        course,
        course._replace(body=(body[:3], body[3:])),
        course._replace(head=short_of_one),
        course._replace(body=(body,), ended=False, status=401, user=None),
        json_course(body, b"a=1&name=2&b=3"),
        json_course(body, b"", (b"cookie", b"a=1")),
    ]
    check_same(served, {})
    check_same([course], {"spill_over": 64, "max_params": 3, "detectors": []})


@pytest.mark.parametrize("media", JSON_TYPES)
def test_media_types(media: bytes) -> None:
    """
    Whatever type is declared, both roads read the same as JSON.
    """
    for body in (b"{}", b'{"password":"hunter2","a":"b"}', b"a=1&password=x", b"[1"):
        check_same([json_course(body, media=media)], {})
