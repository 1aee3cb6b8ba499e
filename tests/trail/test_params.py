import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.strategies import details, few, fragments, params

from audit_mw.errors import DamagedRecord
from audit_mw.event import (
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spilled,
    Unread,
    Upload,
    Value,
)
from audit_mw.trail.params import (
    decode_details,
    decode_params,
    encode_details,
    encode_param,
    encode_params,
)

SHA = "0123456789abcdef" * 4
ALPHABET = frozenset(range(0x20, 0x7F))
DEEP = b"[" * 1_000 + b"]" * 1_000
FOREIGN = fragments(
    b"[", b"]", b"{", b"}", b",", b":", b'"', b"null", b"1", b"1.5", b"true", b'"len"', b"9" * 30,
    b'["query","a",', b'{"len":', b'"class"', b'"sha256"', b'"%41"', b'"\\u0041"', b"\xff", b"%",
    most=16,
)  # fmt: skip


# --- params


@pytest.mark.parametrize(
    ("param", "coded"),
    [
        pytest.param(Param("query", b"a", b"1"), b'["query","a","1"]', id="value"),
        pytest.param(Param("query", b"a", None), b'["query","a",null]', id="no value"),
        pytest.param(Param("body", None, b""), b'["body",null,""]', id="no name"),
        pytest.param(
            Param("form", b'"\\', b'\\"%\n'),
            b'["form","\\"\\\\","\\\\\\"%25%0A"]',
            id="escapes",
        ),
        pytest.param(
            Param("query", b"null", b'{"len":1}'),
            b'["query","null","{\\"len\\":1}"]',
            id="a client's object is a string",
        ),
        pytest.param(
            Param("json", (Hole(300, sha256=SHA), b"/a"), b"1"),
            b'["json","%%{300:%s}/a","1"]' % SHA.encode(),
            id="a hole in a name",
        ),
    ],
)
def test_param(param: Param, coded: bytes) -> None:
    """
    A param is [source, name, value], and a string is always the client's.
    """
    assert coded == encode_param(param)
    assert (param,) == decode_params(b"[%s]" % coded)


@pytest.mark.parametrize(
    ("value", "coded"),
    [
        pytest.param(
            Redacted(6, "password"), b'{"len":6,"class":"password"}', id="len"
        ),
        pytest.param(
            Redacted(9, "token", "ab.cd"),
            b'{"len":9,"class":"token","hmac":"ab.cd"}',
            id="keyed digest",
        ),
        pytest.param(
            Spilled(300, SHA), b'{"len":300,"sha256":"%s"}' % SHA.encode(), id="spilled"
        ),
        pytest.param(JsonText(b"12.50"), b'{"json":"12.50"}', id="JSON text"),
        pytest.param(JsonText(b"{}"), b'{"json":"{}"}', id="JSON object"),
        pytest.param(
            Upload(b'a".png', b"image/png", 3, SHA),
            b'{"filename":"a\\".png","type":"image/png","len":3,"sha256":"%s"}'
            % SHA.encode(),
            id="upload",
        ),
        pytest.param(
            Upload(None, None, 0, SHA),
            b'{"filename":null,"type":null,"len":0,"sha256":"%s"}' % SHA.encode(),
            id="upload without a type",
        ),
        pytest.param(Unread(60, 0), b'{"len":60,"read":0}', id="unread"),
        pytest.param(Unread(None, 5), b'{"len":null,"read":5}', id="unread, no length"),
        pytest.param(
            Opaque(9, b"application/x-foo"),
            b'{"len":9,"class":"opaque","type":"application/x-foo"}',
            id="opaque",
        ),
        pytest.param(
            Opaque(9, None),
            b'{"len":9,"class":"opaque","type":null}',
            id="opaque, no type",
        ),
        pytest.param(
            Redacted(9, "opaque"), b'{"len":9,"class":"opaque"}', id="a class called so"
        ),
        pytest.param(
            Rest(3, 90, SHA),
            b'{"count":3,"len":90,"sha256":"%s"}' % SHA.encode(),
            id="rest",
        ),
    ],
)
def test_objects(value: Value, coded: bytes) -> None:
    """
    An object is always ours, and is known by its keys.
    """
    column = b'[["form","a",%s]]' % coded

    assert column == encode_params((Param("form", b"a", value),))
    assert (Param("form", b"a", value),) == decode_params(column)


def test_no_params() -> None:
    """
    No params are an empty array.
    """
    assert encode_params(()) == b"[]"
    assert decode_params(b"[]") == ()


@few
@given(st.lists(params, max_size=5).map(tuple))
def test_params_round_trip(column: tuple[Param, ...]) -> None:
    """
    Params decode to themselves, and their column is compact JSON in the alphabet.
    """
    coded = encode_params(column)

    assert column == decode_params(coded)
    assert set(coded) <= ALPHABET
    assert coded.decode() == json.dumps(json.loads(coded), separators=(",", ":"))


@pytest.mark.parametrize(
    "coded",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"-", id="absent"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="object"),
        pytest.param(b"[", id="cut"),
        pytest.param(b"[]x", id="something behind"),
        pytest.param(b"[1]", id="no triple"),
        pytest.param(b'[["query","a"]]', id="two elements"),
        pytest.param(b'[["query","a","1","2"]]', id="four elements"),
        pytest.param(b'[{"a":1,"b":2,"c":3}]', id="object as triple"),
        pytest.param(b'[[null,"a","1"]]', id="no source"),
        pytest.param(b'[["query",1,"1"]]', id="number as name"),
        pytest.param(b'[["query","a",1]]', id="number as value"),
        pytest.param(b'[["query","a",true]]', id="literal as value"),
        pytest.param(b'[["query","a",["1"]]]', id="array as value"),
        pytest.param(b'[["query","a",{}]]', id="object without keys"),
        pytest.param(b'[["query","a",{"x":1}]]', id="foreign object"),
        pytest.param(b'[["query","a",{"class":"token","len":1}]]', id="order of keys"),
        pytest.param(
            b'[["query","a",{"len":"1","class":"token"}]]', id="string as count"
        ),
        pytest.param(
            b'[["query","a",{"len":1.0,"class":"token"}]]', id="float as count"
        ),
        pytest.param(
            b'[["query","a",{"len":true,"class":"token"}]]', id="true as count"
        ),
        pytest.param(b'[["query","a",{"len":1,"class":null}]]', id="no class"),
        pytest.param(
            b'[["query","a",{"len":1,"class":"token","hmac":1}]]', id="no digest"
        ),
        pytest.param(
            b'[["body",null,{"len":1,"class":"token","type":"a/b"}]]', id="not opaque"
        ),
        pytest.param(b'[["json","a",{"json":null}]]', id="no JSON text"),
        pytest.param(b'[["json","a",{"json":"%{token:1}"}]]', id="hole in JSON text"),
        pytest.param(b'[["query","%41","1"]]', id="needless code"),
        pytest.param(b'[["query","a","%0a"]]', id="lower-case hex"),
        pytest.param(b'[["query","a","\\n"]]', id="JSON's own escape of a byte"),
        pytest.param(b'[["query","a","\\ud800"]]', id="surrogate"),
        pytest.param('[["query","a","é"]]'.encode(), id="beyond ASCII"),
        pytest.param(b'[["query","a","\xff"]]', id="no UTF-8"),
        pytest.param(DEEP, id="deep"),
        pytest.param(b"[[%s,1,1]]" % DEEP, id="deep source"),
        pytest.param(b'[["query","a",%s]]' % DEEP, id="deep value"),
        pytest.param(b'[["query","a",{"len":%s,"read":1}]]' % DEEP, id="deep count"),
        pytest.param(b"[" * 100_000, id="deeper"),
    ],
)
def test_damaged_params(coded: bytes) -> None:
    """
    What the coder would not have written is damage, and nothing worse.
    """
    with pytest.raises(DamagedRecord):
        decode_params(coded)


@few
@example(b'[ ["json","a",{"json":"1"}] ]')
@given(FOREIGN)
def test_foreign_params(coded: bytes) -> None:
    """
    Any bytes are params that can be coded again, or damage.
    """
    try:
        column = decode_params(coded)
    except DamagedRecord:
        return

    assert column == decode_params(encode_params(column))


# --- details


@pytest.mark.parametrize(
    ("detail", "coded"),
    [
        pytest.param(b"direct", b'"direct"', id="text"),
        pytest.param(b'"%\n', b'"\\"%25%0A"', id="escapes"),
        pytest.param((b"a", Hole(6, "password")), b'"a%{password:6}"', id="hole"),
        pytest.param(0, b"0", id="zero"),
        pytest.param(-(10**30), b"-1" + b"0" * 30, id="large number"),
        pytest.param(2**64, b"18446744073709551616", id="beyond 64 bits"),
        pytest.param(True, b"true", id="true"),
        pytest.param(False, b"false", id="false"),
        pytest.param(None, b"null", id="nothing"),
        pytest.param([], b"[]", id="empty list"),
        pytest.param([b"a", [1, None]], b'["a",[1,null]]', id="lists"),
        pytest.param({"b": b"x", "a": {}}, b'{"b":"x","a":{}}', id="mappings"),
    ],
)
def test_detail(detail: object, coded: bytes) -> None:
    """
    Details hold text, numbers, literals, lists and mappings.
    """
    column = b'{"k":%s}' % coded

    assert column == encode_details({"k": detail}, {})
    assert {"k": detail} == decode_details(column)
    assert type(detail) is type(decode_details(column)["k"])


@pytest.mark.parametrize(
    ("key", "coded"),
    [
        pytest.param("", b"", id="empty"),
        pytest.param('"\\', b'\\"\\\\', id="escapes"),
        pytest.param("é\t%", b"%C3%A9%09%25", id="codes"),
        pytest.param("\ud800", b"%ED%A0%80", id="surrogate"),
        pytest.param("\udcff", b"%ED%B3%BF", id="surrogate of a byte"),
    ],
)
def test_key(key: str, coded: bytes) -> None:
    """
    Any key that an application makes up is coded, and decodes to itself.
    """
    column = b'{"%s":1}' % coded

    assert column == encode_details({key: 1}, {})
    assert {key: 1} == decode_details(column)


def test_order_of_details() -> None:
    """
    Keys of ours come first, in their order; others follow as they were given.
    """
    given_details = {"y": 1, "b": 2, "x": 3, "a": {"b": 1, "a": 2}}

    assert encode_details(given_details, {"a": 0, "b": 1}) == (
        b'{"a":{"b":1,"a":2},"b":2,"y":1,"x":3}'
    )


@pytest.mark.parametrize("value", [1.5, "text", {1}, object()])
def test_no_detail(value: object) -> None:
    """
    A value of another type is a mistake of ours and no event.
    """
    with pytest.raises(TypeError, match="is no value of details"):
        encode_details({"a": [value]}, {})


@few
@given(details)
def test_details_round_trip(column: dict[str, object]) -> None:
    """
    Details decode to themselves, and their column is compact JSON in the alphabet.
    """
    coded = encode_details(column, {"via": 0, "reason": 1})

    assert column == decode_details(coded)
    assert set(coded) <= ALPHABET
    assert coded.decode() == json.dumps(json.loads(coded), separators=(",", ":"))


@pytest.mark.parametrize(
    "coded",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"1", id="number"),
        pytest.param(b"{", id="cut"),
        pytest.param(b'{"a":1.5}', id="float"),
        pytest.param(b'{"a":1e3}', id="exponent"),
        pytest.param(b'{"a":NaN,"b":%s}' % (b"1" * 30), id="no number"),
        pytest.param(b'{"a":1.5,"b":%s}' % (b"1" * 30), id="float and a large number"),
        pytest.param(b'{"a":%s}' % (b"9" * 10_000), id="number without end"),
        pytest.param(b'{"a":"%41"}', id="needless code"),
        pytest.param(b'{"%41":1}', id="needless code in a key"),
        pytest.param(b'{"%FF":1}', id="key that is no text"),
        pytest.param(b'{"%{token:1}":1}', id="hole in a key"),
        pytest.param(b'{"a":"\\ud800","b":%s}' % (b"1" * 30), id="surrogate"),
        pytest.param(b'{"a":%s}' % DEEP, id="deep"),
        # What a decoder goes down, and the coder, with more frames a level, would not.
        pytest.param(b'{"a":' * 260 + b"1" + b"}" * 260, id="too deep to code"),
        pytest.param(b'{"a":%s,"b":%s}' % (b"1" * 30, DEEP), id="deep, a large number"),
        pytest.param(b'{"a":' * 100_000, id="deeper"),
    ],
)
def test_damaged_details(coded: bytes) -> None:
    """
    What the coder would not have written is damage, and nothing worse.
    """
    with pytest.raises(DamagedRecord):
        decode_details(coded)


@few
@example(b'{ "a" : [1] }')
@given(FOREIGN)
def test_foreign_details(coded: bytes) -> None:
    """
    Any bytes are details that can be coded again, or damage.
    """
    try:
        column = decode_details(coded)
    except DamagedRecord:
        return

    assert column == decode_details(encode_details(column, {}))
