# Params and details <-> their JSON columns (21 and 22).
#
# A string is first coded like any text, then escaped for JSON, which leaves two
# characters to escape. The third element of a param says whose word it is by its
# type: a string is the client's, null is our placeholder, an object is always ours.
#
# The objects are a table: (the type of the value, its keys in order), each key
# with the way there and back.
#
# (Longer than 250 lines, since the way there and the way back are read side by side.)
import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import orjson

from audit_mw.errors import DamagedRecord
from audit_mw.event import (
    DELIVERY,
    JsonText,
    Opaque,
    Param,
    Params,
    Redacted,
    Rest,
    Spilled,
    Text,
    Unread,
    Upload,
    Value,
)
from audit_mw.trail.encoding import decode_text, encode_text

__all__ = [
    "PENDING",
    "VALUE_KEYS",
    "decode_details",
    "decode_params",
    "encode_details",
    "encode_param",
    "encode_params",
]


# Stands for DELIVERY until it is known. The coder never writes "%" before "{" but for
# what is ours, so no client can type it.
PENDING = b"%{delivery}"


def _string(text: Text) -> bytes:
    coded = encode_text(text)
    if b"\\" in coded:
        coded = coded.replace(b"\\", b"\\\\")
    if b'"' in coded:
        coded = coded.replace(b'"', b'\\"')

    return b'"%s"' % coded


def _maybe_string(text: Text | None) -> bytes:
    return b"null" if text is None else _string(text)


def _ascii(word: str) -> bytes:
    return b'"%s"' % word.encode()


def _maybe_number(number: int | None) -> bytes:
    return b"null" if number is None else b"%d" % number


def encode_param(param: Param) -> bytes:
    """Return one param as it stands in the array of column 21."""
    return b'["%s",%s,%s]' % (
        param.source.encode(),
        _maybe_string(param.name),
        _value(param.value),
    )


def encode_params(params: tuple[Param, ...]) -> bytes:
    """Return column 21; no params are `[]`."""
    coded = params.coded if isinstance(params, Params) else None

    return b"[%s]" % b",".join(map(encode_param, params) if coded is None else coded)


def _value(value: Value) -> bytes:
    if value is None:
        return b"null"
    if isinstance(value, (bytes, tuple)):
        return _string(value)

    return _ENCODERS[type(value)](value)


def _redacted(value: Redacted) -> bytes:
    digest = f',"hmac":"{value.hmac}"' if value.hmac else ""
    return f'{{"len":{value.len},"class":"{value.cls}"{digest}}}'.encode()


def _spilled(value: Spilled) -> bytes:
    return f'{{"len":{value.len},"sha256":"{value.sha256}"}}'.encode()


def _json(value: JsonText) -> bytes:
    return b'{"json":%s}' % _string(value.text)


def _upload(value: Upload) -> bytes:
    return b'{"filename":%s,"type":%s,"len":%d,"sha256":%s}' % (
        _maybe_string(value.filename),
        _maybe_string(value.type),
        value.len,
        b"null" if value.sha256 is None else _ascii(value.sha256),
    )


def _unread(value: Unread) -> bytes:
    return b'{"len":%s,"read":%d}' % (_maybe_number(value.len), value.read)


def _opaque(value: Opaque) -> bytes:
    return b'{"len":%d,"class":"opaque","type":%s}' % (
        value.len,
        _maybe_string(value.type),
    )


def _rest(value: Rest) -> bytes:
    return b'{"count":%d,"len":%d,"sha256":%s}' % (
        value.count,
        value.len,
        _ascii(value.sha256),
    )


_ENCODERS: dict[type, Callable[..., bytes]] = {
    Redacted: _redacted,
    Spilled: _spilled,
    JsonText: _json,
    Upload: _upload,
    Unread: _unread,
    Opaque: _opaque,
    Rest: _rest,
}


def _text(coded: object) -> Text:
    if not isinstance(coded, str):
        raise DamagedRecord(f"{_kind(coded)} where a string must stand")

    return decode_text(coded.encode(errors="surrogatepass"))


def _kind(coded: object) -> str:
    # Not the value itself: it can be long, and nested beyond what repr takes.
    return f"a JSON {type(coded).__name__}"


def _exact(coded: object) -> bytes:
    text = _text(coded)
    if not isinstance(text, bytes):
        raise DamagedRecord("a hole in the text of a JSON number")

    return text


def _opaque_word(coded: object) -> str:
    if coded != "opaque":
        raise DamagedRecord("a class that has no type")

    return "opaque"


def _maybe_text(coded: object) -> Text | None:
    return None if coded is None else _text(coded)


def _word(coded: object) -> str:
    if not isinstance(coded, str):
        raise DamagedRecord(f"{_kind(coded)} where a word must stand")

    return coded


def _maybe_word(coded: object) -> str | None:
    return None if coded is None else _word(coded)


def _count(coded: object) -> int:
    if type(coded) is not int:
        raise DamagedRecord(f"{_kind(coded)} where a count must stand")

    return coded


def _maybe_count(coded: object) -> int | None:
    return None if coded is None else _count(coded)


class _Shape(NamedTuple):
    make: Callable[..., Value]
    decode: tuple[Callable[[object], object], ...]


def _make_redacted(length: int, cls: str, hmac: str | None = None) -> Redacted:
    return Redacted(length, cls, hmac)


def _make_opaque(length: int, _cls: str, media_type: Text | None) -> Opaque:
    return Opaque(length, media_type)


# An object is known by its keys, which are never the client's.
_SHAPES = {
    ("len", "class"): _Shape(_make_redacted, (_count, _word)),
    ("len", "class", "hmac"): _Shape(_make_redacted, (_count, _word, _word)),
    ("len", "sha256"): _Shape(Spilled, (_count, _word)),
    ("json",): _Shape(JsonText, (_exact,)),
    ("filename", "type", "len", "sha256"): _Shape(
        Upload, (_maybe_text, _maybe_text, _count, _maybe_word)
    ),
    ("len", "read"): _Shape(Unread, (_maybe_count, _count)),
    ("len", "class", "type"): _Shape(_make_opaque, (_count, _opaque_word, _maybe_text)),
    ("count", "len", "sha256"): _Shape(Rest, (_count, _count, _word)),
}


# The keys of each object that may stand in the place of a value.
VALUE_KEYS = tuple(_SHAPES)


def decode_params(coded: bytes) -> tuple[Param, ...]:
    """
    Return the params of column 21, or of a spilled rest.

    Raises:
        DamagedRecord: it is no array of triples that the coder writes.
    """
    triples = _loads(coded)
    if not isinstance(triples, list):
        raise DamagedRecord("params that are no JSON array")

    return tuple(map(_decode_param, triples))


def _decode_param(triple: object) -> Param:
    if not isinstance(triple, list) or len(triple) != 3:
        raise DamagedRecord(f"{_kind(triple)} where [source, name, value] must stand")
    source, name, value = triple

    return Param(_word(source), _maybe_text(name), _decode_value(value))


def _decode_value(value: object) -> Value:
    if value is None or isinstance(value, str):
        return _maybe_text(value)
    shape = _SHAPES.get(tuple(value)) if isinstance(value, dict) else None
    if shape is None or not isinstance(value, dict):
        raise DamagedRecord(f"{_kind(value)} is no value of a param")

    return shape.make(
        *(
            decode(item)
            for decode, item in zip(shape.decode, value.values(), strict=True)
        )
    )


def _loads(coded: bytes) -> object:
    try:
        return orjson.loads(coded)
    except orjson.JSONDecodeError as error:
        raise DamagedRecord(f"a column that is no JSON: {error}") from error


def encode_details(details: Mapping[str, object], order: Mapping[str, int]) -> bytes:
    """
    Return column 22.

    Args:
        details: text, numbers, lists and mappings by key.
        order: the place of each key that is ours; what is not in it follows.
    """
    keys = sorted(details, key=lambda key: order.get(key, len(order)))

    return b"{%s}" % b",".join(
        b"%s:%s" % (_key(key), _detail(details[key])) for key in keys
    )


def _key(key: str) -> bytes:
    # A key is the application's text, and text may hold half a surrogate pair.
    return _string(key.encode(errors="surrogatepass"))


def _detail(value: object) -> bytes:
    if value is DELIVERY:
        return b'"%s"' % PENDING
    if isinstance(value, (bytes, tuple)):
        return _string(value)
    if isinstance(value, bool) or value is None:
        return {True: b"true", False: b"false", None: b"null"}[value]
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, list):
        return b"[%s]" % b",".join(map(_detail, value))
    if isinstance(value, Mapping):
        return encode_details(value, {})

    raise TypeError(f"{type(value).__name__} is no value of details")


# Lists and mappings in each other. What an application says is eight deep, each at most
# two here, under a key of ours; who forges a line may nest it beyond what the coder, or
# whoever prints it, can go down.
_DEEPEST = 32


def decode_details(coded: bytes) -> dict[str, object]:
    """
    Return what `encode_details` made `coded` from.

    Raises:
        DamagedRecord: it is no object that the coder writes, or nested too deep.
    """
    try:
        details = _loads_exact(coded) if _LARGE.search(coded) else _loads(coded)
        if not isinstance(details, dict):
            raise DamagedRecord("details that are no JSON object")
        return _decode_mapping(details, _DEEPEST)
    except RecursionError as error:
        raise DamagedRecord("details that are nested too deep") from error


_LARGE = re.compile(rb"[0-9]{19}")


def _loads_exact(coded: bytes) -> object:
    # orjson reads an integer beyond 64 bits as a float.
    try:
        return json.loads(coded)
    except ValueError as error:
        raise DamagedRecord(f"a column that is no JSON: {error}") from error


def _decode_mapping(details: dict[str, object], room: int) -> dict[str, object]:
    return {
        _decode_key(key): _decode_detail(item, room - 1)
        for key, item in details.items()
    }


def _decode_key(key: str) -> str:
    text = _text(key)
    if not isinstance(text, bytes):
        raise DamagedRecord("a hole in a key of details")
    try:
        return text.decode(errors="surrogatepass")
    except UnicodeDecodeError as error:
        raise DamagedRecord("a key of details that is no text") from error


def _decode_detail(value: object, room: int) -> object:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, dict)) and not room:
        raise DamagedRecord("details that are nested too deep")
    if isinstance(value, list):
        return [_decode_detail(item, room - 1) for item in value]
    if isinstance(value, dict):
        return _decode_mapping(value, room)
    if isinstance(value, float):
        raise DamagedRecord("a number in details that is not whole")

    return value
