# What the micro-benchmarks are fed: ordinary, secret and hostile input of each kind.
#
# All of it is the same in each process and each revision: no clock, nothing random.
from itertools import cycle
from typing import Any

from benchmarks.typical import BROWSER, PATH, QUERY

__all__ = [
    "CODED_QUERY",
    "COOKIES",
    "ENVIRON",
    "FORM",
    "FORWARDED",
    "HOSTILE_QUERY",
    "HOSTILE_TEXT",
    "JSON",
    "MULTIPART",
    "NODES",
    "PLAIN_QUERY",
    "TYPE_OF_MULTIPART",
    "new_scopes",
    "new_texts",
    "new_urls",
    "scope",
]

PLAIN_QUERY = QUERY.encode()
CODED_QUERY = b"q=caf%C3%A9+au+lait&tag=a%26b&path=%2Fetc%2Fhosts&lower=%c3%a9"
HOSTILE_QUERY = b"&".join(b"%%2570%%61ssw%%6frd%d=%%zz%%0a" % at for at in range(1000))
COOKIES = BROWSER["Cookie"].encode()
NODES = b"203.0.113.9, 198.51.100.7:4711, [2001:db8::1]:80, unknown, 192.0.2.1"
FORWARDED = (
    b'for=203.0.113.9;proto=https, for="[2001:db8::1]:4711";by=_x;host=a.example'
)
FORM = b"&".join(b"field%d=value+number+%d" % (at, at) for at in range(20))
JSON = b'{"rows":[%s]}' % b",".join(
    b'{"id":%d,"name":"row %d","price":12.50,"tags":["a","b"],"on":true}' % (at, at)
    for at in range(28)
)  # 2 kB, as an API is sent
# Text that looks as if it were coded again and again, and like the start of secrets.
HOSTILE_TEXT = b'{"a":"%257b%2522pass' * 30 + b"eyJhbGciOiJ" * 30 + b"/" * 200

TYPE_OF_MULTIPART = b"multipart/form-data; boundary=frontier"
_FIELD = b'--frontier\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nvalue %d\r\n'
_FILE = (
    b'--frontier\r\nContent-Disposition: form-data; name="doc"; filename="a.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\n%s\r\n--frontier--\r\n"
)
MULTIPART = b"".join(_FIELD % (at, at) for at in range(10)) + _FILE % (
    b"%PDF-1.7 and some lines\n" * 2048
)


def new_texts() -> "cycle[bytes]":
    """Return texts without end, so many that no bounded memory of ours has the next."""
    return cycle(
        [b"order %d of the winter sale, %d left" % (n, n) for n in range(20000)]
    )


def new_urls() -> "cycle[bytes]":
    """Return the same of URLs."""
    return cycle([b"https://shop.example/a/b?q=order+%d" % n for n in range(20000)])


def scope(
    method: str = "GET", query: bytes = PLAIN_QUERY, media: bytes = b""
) -> dict[str, Any]:
    """Return the scope of a request, as uvicorn makes it."""
    headers = [(name.lower().encode(), BROWSER[name].encode()) for name in BROWSER]
    if media:
        headers.append((b"content-type", media))
    return {
        "type": "http",
        "method": method,
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": query,
        "headers": headers,
        "client": ("192.0.2.7", 41522),
        "scheme": "http",
        "http_version": "1.1",
    }


def new_scopes() -> list[dict[str, Any]]:
    """Return requests, each with a search and a session of its own."""
    scopes = []
    for number in range(5000):
        own = b"%08x" % number
        asked = scope(query=PLAIN_QUERY.replace(b"shoes", b"shoes-" + own))
        cookie = COOKIES.replace(b"01234567", own, 1)
        others = [(b"cookie", cookie)]
        others += [it for it in asked["headers"] if it[0] != b"cookie"]
        scopes.append(asked | {"headers": others})

    return scopes


ENVIRON = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": PATH,
    "QUERY_STRING": QUERY,
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "41522",
    "wsgi.url_scheme": "http",
} | {f"HTTP_{name.upper().replace('-', '_')}": BROWSER[name] for name in BROWSER}
