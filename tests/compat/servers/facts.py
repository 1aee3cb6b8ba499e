# What the records of each server tell: test_facts.py asks the real servers and fails
# where one says something else, and docs/servers.md is drawn from here.
from collections.abc import Iterator

__all__ = ["COLUMNS", "FACTS", "rows"]

# column -> its heading in the document
COLUMNS = {
    "path": "raw path",
    "bytes": "bytes above 0x7F in it",
    "tls": "TLS told",
    "peer": "peer",
    "unix": "peer, unix socket",
    "lines": "repeated header lines",
    "cookies": "two Cookie lines",
    "leaves": "client leaves within the response",
    "leaves early": "within its body",
    "versions": "HTTP",
    "websocket": "websocket, close code 1000 told as",
    "lost": "its client is lost",
    "file": "file sent by",
}

Row = dict[str, str]

_ASGI: Row = {
    "path": "as sent",
    "bytes": "refused",
    "tls": "no",
    "peer": "address, port",
    "unix": "unix",
    "lines": "kept",
    "cookies": "two",
    "leaves": "ABORTED",
    "leaves early": "ABORTED, 7 bytes",
    "versions": "1.0, 1.1",
    "websocket": "1000",
    "lost": "1006, ABORTED",
    "file": "no",
}
_WSGI: Row = _ASGI | {
    "lines": "joined by `,`",
    "cookies": "one, joined by `,`",
    "leaves early": "SUCCESS, 7 bytes",
    "websocket": "no",
    "lost": "no",
    "file": "file_wrapper",
}
_JOINED: Row = {"lines": "joined by `, `", "cookies": "one, joined by `, `"}
_TLS: Row = {"tls": "version, cipher"}
_LOST: Row = {"lost": "1005, SUCCESS"}
_UVICORN: Row = _ASGI | _LOST | _TLS
_GRANIAN: Row = {"versions": "1, 1.1, 2"}

FACTS: dict[str, Row] = {
    "uvicorn": _UVICORN,
    "hypercorn": _ASGI | {"unix": "-", "versions": "1.0, 1.1, 2", "websocket": "1006"},
    "gunicorn asgi": _ASGI | _TLS,
    "gunicorn sync": _WSGI | _TLS,
    "gunicorn gthread": _WSGI | _TLS,
    "waitress": _WSGI | _JOINED | {"leaves early": "never called", "tls": "cannot"},
    "uvicorn h11": _UVICORN,
    "granian asgi": _ASGI
    | _GRANIAN
    | _LOST
    | {"lines": "repeats together", "file": "pathsend"},
    "daphne": _ASGI
    | {"unix": "-", "lines": "repeats together", "leaves early": "never called"},
    "gunicorn uvicorn": _UVICORN,
    "gunicorn gevent": _WSGI | _TLS,
    "granian wsgi": _WSGI
    | _GRANIAN
    | {"path": "coded again", "peer": "address", "cookies": "two", "file": "no"},
    "uWSGI": _WSGI
    | _JOINED
    | {"bytes": "kept", "peer": "address", "leaves early": "ABORTED"},
    "wsgiref": _WSGI
    | {"path": "coded again", "bytes": "coded again", "peer": "address"}
    | {"unix": "cannot", "tls": "cannot"},
}


def rows() -> Iterator[tuple[str, ...]]:
    """Yield the rows of the document: a server, and its facts."""
    for name in sorted(FACTS, key=str.lower):
        yield (name, *(FACTS[name][column] for column in COLUMNS))
