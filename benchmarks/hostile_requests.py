# What a client may send to make us work: requests of any size, by name.
#
# Each is made of one idea, repeated to the size. Where an idea needs many pieces, they
# are either all the same (which a memory of ours could answer) or all different (which
# none can). What is nearly a secret is here since near misses are what patterns try
# again and again.
import json
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

__all__ = ["HOSTILE", "NEARLY", "Hostile"]

Fields = tuple[tuple[bytes, bytes], ...]


class Hostile(NamedTuple):
    """
    One request; `kind` tells what a framework would parse of it.

    `messages` are those of a websocket.
    """

    kind: str
    body: bytes = b""
    media: bytes = b""
    query: bytes = b""
    fields: Fields = ()
    path: bytes = b"/things"
    messages: tuple[bytes, ...] = ()


Make = Callable[[int], Hostile]


def _fill(piece: bytes, size: int) -> bytes:
    return (piece * (size // len(piece) + 1))[:size]


def _numbered(piece: bytes, size: int, between: bytes = b"") -> bytes:
    """Return `piece` again and again, with a number of its own each time."""
    length = len(piece % 100_000) + len(between)
    pieces = [piece % (100_000 + at) for at in range(size // length)]

    return between.join(pieces)


# --- bodies


def _form(body: bytes) -> Hostile:
    return Hostile("form", body, b"application/x-www-form-urlencoded")


def _form_of(piece: bytes) -> Make:
    return lambda size: _form(_fill(piece, size))


def _form_with(piece: bytes) -> Make:
    return lambda size: _form(_numbered(piece, size, b"&"))


def _json(body: bytes) -> Hostile:
    return Hostile("json", body, b"application/json")


def _array_of(item: bytes) -> Make:
    return lambda size: _json(b"[%b]" % b",".join([item] * (size // (len(item) + 1))))


def _json_value(piece: bytes) -> Make:
    return lambda size: _json(b'{"note":"%b"}' % (piece * (size // len(piece))))


def _json_with(piece: bytes) -> Make:
    return lambda size: _json(b"{%b}" % _numbered(piece, size, b","))


def _nested(size: int) -> Hostile:
    # Below the depth at which readers give up, again and again.
    item = b"[" * 900 + b"]" * 900

    return _json(b"[%b]" % b",".join([item] * max(1, size // len(item))))


def _long_pointers(size: int) -> Hostile:
    key = b"k" * (size // 4)

    return _json(b'{"%b":[%b]}' % (key, b",".join([b"1"] * (size * 3 // 8))))


def _deep_pointers(size: int) -> Hostile:
    opened = b'{"%b":' % (b"k" * 250)
    depth = min(900, size // 300) // 2 * 2  # how long names are depends on that
    rest = b",".join([b"1"] * ((size - depth * len(opened)) // 2 + 1))

    return _json(opened * depth + b"[" + rest + b"]" + b"}" * depth)


def _named_values(size: int) -> Hostile:
    item = b'{"name":"password","value":1}'

    return _json(b"[%b]" % b",".join([item] * (size // (len(item) + 1))))


_BOUNDARY = b"frontier"
_MULTIPART = b"multipart/form-data; boundary=" + _BOUNDARY


def _multipart(body: bytes) -> Hostile:
    return Hostile("multipart", body, _MULTIPART)


def _parts_of(head: bytes, content: bytes, end: bytes = b"--frontier--\r\n") -> Make:
    part = b"--frontier\r\n%b\r\n\r\n%b\r\n" % (head, content)

    return lambda size: _multipart(part * max(1, size // len(part)) + end)


def _one_part(piece: bytes, head: bytes = b"") -> Make:
    start = b'--frontier\r\nContent-Disposition: form-data; name="a"\r\n'

    return lambda size: _multipart(
        start + head + b"\r\n" + _fill(piece, size) + b"\r\n--frontier--\r\n"
    )


def _long_head(size: int) -> Hostile:
    start = b'--frontier\r\nContent-Disposition: form-data; name="a"\r\n'
    lines = _fill(b"X-A: b\r\n", size // 8 * 8)

    return _multipart(start + lines + b"\r\nx\r\n--frontier--\r\n")


_FIELD = b'Content-Disposition: form-data; name="a"'
_FILE = b'Content-Disposition: form-data; name="a"; filename="b.txt"'


def _text_of(piece: bytes, media: bytes = b"text/plain") -> Make:
    return lambda size: Hostile("raw", _fill(piece, size), media)


def _lines_of(piece: bytes) -> Make:
    return lambda size: Hostile(
        "raw", _numbered(piece, size, b"\n"), b"application/x-ndjson"
    )


# --- heads


def _query_of(piece: bytes) -> Make:
    return lambda size: Hostile("query", query=_fill(piece, size))


def _query_with(piece: bytes) -> Make:
    return lambda size: Hostile("query", query=_numbered(piece, size, b"&"))


def _field_of(name: bytes, piece: bytes, kind: str = "fields") -> Make:
    return lambda size: Hostile(kind, fields=((name, _fill(piece, size)),))


def _field_with(name: bytes, piece: bytes, between: bytes, kind: str) -> Make:
    return lambda size: Hostile(kind, fields=((name, _numbered(piece, size, between)),))


def _many_fields(name: bytes, value: bytes) -> Make:
    numbered = b"%d" in name

    def make(size: int) -> Hostile:
        lines = range(size // (len(name) + len(value) + 4))

        return Hostile(
            "fields",
            fields=tuple((name % at if numbered else name, value) for at in lines),
        )

    return make


def _path_of(piece: bytes) -> Make:
    return lambda size: Hostile("fields", path=b"/" + _fill(piece, size))


def _messages(size: int) -> Hostile:
    return Hostile("websocket", messages=(b"a",) * (size // 4))


# Values that are nearly secrets, or hide one well.
NEARLY = {
    "dots, as in a JWT": b"eyJa.",
    "eyJ": b"eyJ",
    "base64": b"QUJDRGFiY2RlZmdo",
    "hex": b"61626364e9",
    "digits, for Luhn": b"4111111111111112 ",
    "digits apart": b"4 1 ",
    "password=": b"password=",
    "words given nothing": b"a=b;",
    "armour": b"-----BEGIN PRIVATE KEY",
    "armour that does not end": b"-----BEGIN A PRIVATE KEY---- ",
    "quotes": b'"',
    "quoted words": b'"ab","',
    "at signs": b"@",
    "a:b@": b"a:b@",
    "://": b"://",
    "://a:b@": b"://a:b@",
    "dollars": b"$2a$",
    "tags": b"<a>",
    "open tags": b"<a ",
    "blanks": b"a  ",
    "backslashes": b"\\",
    "ampersands": b"&#",
    "entities": b"&amp;",
    "percent signs": b"%25",
    "slashes": b"a/",
    "lines": b"a\n",
    "colons": b":",
    "bearer": b"bearer ",
    "basic": b"basic ",
    "options": b"--p ",
    "iban": b"GB00 1234 5678 ",
    "NUL": b"\0",
    "high bytes": b"\xe9",
    "words": b"is the and of ",
}  # fmt: skip


def _spelt(piece: bytes) -> bytes:
    return json.dumps(piece.decode("latin-1"))[1:-1].encode()


def _numbers() -> Make:
    digits = count(100_000)

    return lambda size: _json(
        b"[%b]" % b",".join(b"-1.5e%d" % next(digits) for _ in range(size // 12))
    )


def _secrets_at_all_depths(level: bytes) -> Make:
    # Each level has a name too long to stand in each that is below: 480 bytes, and more
    # where that would be deeper than readers go.
    def make(size: int) -> Hostile:
        depth = min(size // 500, 490)
        key = b"k" * (size // depth - 20)
        before, after = level.replace(b"%b", key, 1).split(b"%b")

        return _json(before * depth + b"1" + after * depth)

    return make


HOSTILE: dict[str, Make] = {
    "form: &": _form_of(b"&"),
    "form: a&": _form_of(b"a&"),
    "form: a=&": _form_of(b"a=&"),
    "form: =": _form_of(b"="),
    "form: =&": _form_of(b"=&"),
    "form: %25": _form_of(b"%25"),
    "form: %25&": _form_of(b"%25&"),
    "form: %41&": _form_of(b"%41&"),
    "form: +": _form_of(b"+"),
    "form: +&": _form_of(b"+&"),
    "form: distinct names": _form_with(b"n%d=1"),
    "form: distinct values": _form_with(b"a=v%d"),
    "form: distinct texts": _form_with(b"a=some+words+and+%d"),
    "form: one name": _form_of(b"name=value&"),
    "form: secret names": _form_of(b"pin=1&"),
    "form: distinct secret names": _form_with(b"pin%d=1"),
    "form: long names": _form_with(b"n" * 300 + b"%d=1"),
    "form: long values": _form_with(b"a=" + b"v" * 300 + b"%d"),
    "form: brackets": _form_of(b"a[b][c][d][e]=1&"),
    "form: deep brackets": lambda size: _form(b"a" + _fill(b"[b]", size) + b"=1"),
    "form: JSON cut": lambda size: _form(b'{"' + _fill(b"&a", size)),
    "form: odd coding": _form_of(b"%61=%62&"),
    "form: 0xff": _form_of(b"\xff&"),
    "form: user and p": _form_of(b"u=a&p=b&"),
    "json: ones": _array_of(b"1"),
    "json: []": _array_of(b"[]"),
    "json: {}": _array_of(b"{}"),
    "json: strings": _array_of(b'""'),
    "json: short strings": _array_of(b'"ab"'),
    "json: nulls": _array_of(b"null"),
    "json: objects": _array_of(b'{"a":1}'),
    "json: nested": _nested,
    "json: never closed": lambda size: _json(_fill(b"[", size)),
    "json: equal keys": _array_of(b'{"a":1,"a":2}'),
    "json: one key": lambda size: _json(b"{%b}" % _fill(b'"a":1,', size)[:-6]),
    "json: distinct keys": _json_with(b'"k%d":1'),
    "json: distinct strings": _json_with(b'"k%d":"v"'),
    "json: secret keys": _json_with(b'"pin%d":1'),
    "json: long pointers": _long_pointers,
    "json: deep pointers": _deep_pointers,
    "json: secrets at all depths": _secrets_at_all_depths(b'{"pin":{"x":1,"%b":%b}}'),
    "json: secrets from below": _secrets_at_all_depths(b'{"pin":{"%b":%b,"x":1}}'),
    "json: names and values": _named_values,
    "json: escapes": _json_value(b"\\u0000"),
    "json: escaped strings": _array_of(b'"\\u0000"'),
    "json: numbers": _numbers(),
    "json: a long number": lambda size: _json(_fill(b"1", size)),
    "json: blanks": lambda size: _json(b"[" + _fill(b" ", size) + b"]"),
    "multipart: tiny parts": _parts_of(_FIELD, b"1"),
    "multipart: tiny files": _parts_of(_FILE, b"1"),
    "multipart: no names": _parts_of(b"X: y", b""),
    "multipart: boundary-like lines": _one_part(b"--frontie\r\n"),
    "multipart: nearly the boundary": _one_part(b"\r\n--frontierx"),
    "multipart: line breaks": _one_part(b"\r\n"),
    "multipart: carriage returns": _one_part(b"\r"),
    "multipart: long head": _long_head,
    "multipart: one long line of head": _one_part(b"\r\n", b"X: " + b"y" * 60_000),
    "multipart: no end": lambda size: _multipart(_fill(b"a\r\n", size)),
    "multipart: epilogue": lambda size: _multipart(
        b"--frontier--\r\n" + _fill(b"password=", size)
    ),
    "multipart: odd names": _parts_of(
        b"Content-Disposition: form-data; name*=UTF-8''a; name=\"b\"", b"1"
    ),
    "lines of JSON": _lines_of(b'{"a":%d}'),
    "query: &": _query_of(b"&"),
    "query: a=1&": _query_of(b"a=1&"),
    "query: distinct": _query_with(b"n%d=1"),
    "query: %25": _query_of(b"%25"),
    "cookies: ;": _field_of(b"cookie", b";", "cookies"),
    "cookies: many": _field_with(b"cookie", b"c%d=1", b"; ", "cookies"),
    "cookies: one name": _field_of(b"cookie", b"a=1; ", "cookies"),
    "cookies: quotes": _field_of(b"cookie", b'sid="; ', "cookies"),
    "cookies: lines": _many_fields(b"cookie", b"a=1"),
    "fields: many": _many_fields(b"x-n%d", b"1"),
    "fields: recorded": _many_fields(b"x-forwarded-for", b"192.0.2.1"),
    "fields: secret": _many_fields(b"x-token-%d", b"1"),
    "fields: types": _many_fields(b"content-type", b"a/b; c=d"),
    "fields: X-Forwarded-For": _field_of(b"x-forwarded-for", b"192.0.2.1, "),
    "fields: commas": _field_of(b"x-forwarded-for", b","),
    "fields: Forwarded": _field_of(b"forwarded", b"for=192.0.2.1, "),
    "fields: Forwarded, quotes": _field_of(b"forwarded", b'for="\\'),
    "fields: type with parameters": _field_of(b"content-type", b'a;b="\\'),
    "fields: Referer": _field_of(b"referer", b"https://a/b?c=d&"),
    "fields: Referer, slashes": _field_of(b"referer", b"a/"),
    "fields: Authorization": _field_of(b"authorization", b"Basic "),
    "path: /": _path_of(b"/"),
    "path: a/": _path_of(b"a/"),
    "path: ;": _path_of(b";"),
    "path: ;a=b": _path_of(b";a=b"),
    "path: %2F": _path_of(b"%2F"),
    "path: reset": _path_of(b"reset/x1y2z3/"),
    "websocket: small messages": _messages,
    **{f"form value: {it}": _form_of(b"a=" + NEARLY[it]) for it in ("eyJ", "hex")},
    **{
        f"text: {name}": _text_of(piece)
        for name, piece in NEARLY.items()
    },
    **{
        f"json value: {name}": _json_value(_spelt(piece))
        for name, piece in NEARLY.items()
    },
    "unknown type: bytes": _text_of(bytes(range(256)), b"application/x-any"),
    "unknown type: [": _text_of(b"[", b"application/x-any"),
}  # fmt: skip
