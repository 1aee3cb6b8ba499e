# Requests as a server may hand them over, ordinary ones and such as are nearly so, with
# what no server should put there: as ASGI scopes, as WSGI environs.
from typing import Any

from hypothesis import strategies as st
from tests.json_bodies import JSON_TYPES, documents
from tests.test_roads import COOKIES, FIELDS, JWT, NAMES, PATHS, PEERS, USERS, VALUES

__all__ = ["FORM", "as_environ", "as_scope", "requests"]

FORM = b"application/x-www-form-urlencoded"

_LONG = tuple(b"a" * size for size in (11, 12, 13, 63, 64, 65, 128))
_WORDS = (
    *VALUES,
    *_LONG,
    b"0123456789ab-0123456789ab",
    b"4111-1111-1111-1111",
    b"123456789012",
    b"1234567890123",
    b"01890a5d-ac96-774b-bcce-b302099a8057",
    b"cGFzc3dvcmQ9aHVudGVyMg",
    b"70617373776f72643d68756e74657232",
    b"sk-0123456789abcdefghijKLMNOP",
    b"\x00",
)
_pair = st.tuples(st.sampled_from(NAMES), st.sampled_from(_WORDS)).map(b"=".join)
_plain = st.tuples(
    st.from_regex(rb"[a-z]{1,6}", fullmatch=True),
    st.from_regex(rb"[A-Za-z0-9_-]{0,66}", fullmatch=True),
).map(b"=".join)
_pairs = st.lists(st.one_of(_plain, _plain, _pair), max_size=5).map(b"&".join)
_many = st.sampled_from((63, 64, 65, 66)).map(
    lambda size: b"&".join(b"p%d=%d" % (at, at) for at in range(size))
)
queries: Any = st.one_of(_pairs, _pairs, _pairs, st.binary(max_size=24), _many)

_cookies = st.one_of(st.sampled_from(COOKIES), st.binary(max_size=24))
_lines: Any = st.one_of(
    st.sampled_from([each for each in FIELDS if isinstance(each, tuple)]),
    _cookies.map(lambda value: (b"cookie", value)),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(_WORDS)),
)
_crowd = st.sampled_from((63, 64, 65)).map(
    lambda size: [(b"x-%d" % at, b"1") for at in range(size)]
)
_fields: Any = st.one_of(
    *[st.lists(_lines, max_size=5, unique_by=lambda it: it[0])] * 4,
    st.lists(_lines, max_size=7),
    st.lists(st.sampled_from(FIELDS), max_size=4),
    _crowd,
)
_PEERS: tuple[Any, ...] = (
    *[("192.0.2.7", 4711)] * 8,
    *PEERS,
    ("192.0.2.7", 1 << 70),
    ("192.0.2.7", -1),
    ("192.0.2.7", True),
    ("", 1),
    ("fe80::1%eth0", 1),
    ["192.0.2.7", 1],
    ("a\tb", 1),
    ("x" * 300, 1),
)


class _Text(str):
    __slots__ = ()


# What takes the place of something in a request that has nothing else wrong.
_ODD: tuple[dict[str, Any], ...] = (
    *[{}] * 12,
    {"method": _Text("GET")},
    {"method": "G\u20acT"},
    {"method": "-"},
    {"method": ""},
    {"method": "x" * 300},
    {"http_version": None},
    {"http_version": "2"},
    {"http_version": "1.1\t"},
    {"http_version": _Text("1.1")},
    {"scheme": "https"},
    {"scheme": None},
    {"scheme": "ht%tp"},
    {"extensions": None},
    {"extensions": {"tls": {"server_cert": None}}},
    {"user": "alice"},
    {"user": "-"},
    {"user": JWT.decode()},
    {"user": type("User", (), {"username": "eve", "is_authenticated": True})()},
    {"user": type("Bad", (), {"username": property(lambda _: 1 / 0)})()},
    {"endpoint": print},
    {"route": type("Route", (), {"path": "/a/{b}"})()},
)
requests: Any = st.fixed_dictionaries(
    {
        "method": st.sampled_from(("GET", "HEAD", "POST", "POST", "PUT", "OPTIONS")),
        "path": st.one_of(
            st.sampled_from((b"/search", b"/", b"/search")),
            st.sampled_from(PATHS),
            st.binary(max_size=12),
        ),
        "query": queries,
        "fields": _fields,
        "peer": st.sampled_from(_PEERS),
        "odd": st.sampled_from(_ODD),
        "remote_user": st.sampled_from(USERS),
        "body": st.one_of(queries, documents),
        "media": st.sampled_from((None, FORM, FORM, JSON_TYPES[0], *JSON_TYPES)),
        "declared": st.sampled_from((0, 0, 0, 0, 1, -1, None)),
        "cut": st.sampled_from((None, None, None, 0, 3)),
        "status": st.sampled_from((200, 200, 204, 302, 304, 401, 404, 500, 999)),
        "length": st.sampled_from((None, b"2", b"0", b" 2 ", b"x", b"1", b"9" * 19)),
    }
)


def _with_body(request: dict[str, Any]) -> list[Any]:
    fields = list(request["fields"])
    if request["media"] and request["method"][0] == "P":
        fields.append((b"content-type", request["media"]))
        if request["declared"] is not None:
            length = len(request["body"]) + request["declared"]
            fields.append((b"content-length", b"%d" % length))

    return fields


def as_scope(request: dict[str, Any]) -> dict[str, Any]:
    """Return a new scope."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": request["path"].decode("latin-1"),
        "raw_path": request["path"],
        "query_string": request["query"],
        "headers": _with_body(request),
        "client": request["peer"],
        "server": ("192.0.2.1", 80),
    }

    return scope | dict(request["odd"])


def as_environ(request: dict[str, Any]) -> dict[str, Any]:
    """Return a new environ; what it cannot say is left out."""
    peer = request["peer"] or ("", "")
    environ = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": request["path"].decode("latin-1"),
        "RAW_URI": (request["path"] + b"?" + request["query"]).decode("latin-1"),
        "QUERY_STRING": request["query"].decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer[0],
        "REMOTE_PORT": peer[1] if len(request["fields"]) % 2 else str(peer[1]),
        "wsgi.url_scheme": request["odd"].get("scheme", "http"),
    }
    for name, value in _with_body(request):
        if isinstance(name, bytes) and isinstance(value, bytes):
            key = name.decode("latin-1").upper().replace("-", "_")
            bare = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
            environ[key if bare else f"HTTP_{key}"] = value.decode("latin-1")
    if request["remote_user"] is not None:
        environ["REMOTE_USER"] = request["remote_user"]

    return environ
