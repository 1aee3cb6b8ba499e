import json
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.driving import any_size, calls, cpu_bound
from tests.strategies import few, fragments

from audit_mw.wire.json import Flat, Member, Prefix, flatten

Row = tuple[bytes, bytes, bool]  # pointer, value, is_string
SECRETS = {b"password": "password", b"token": "token"}


def tag(name: bytes) -> str | None:
    """Return the class of a name, as policy would."""
    return SECRETS.get(name.lower())


def pointer(member: Member[str]) -> bytes:
    """Return the whole pointer of a member."""
    return (member.prefix.text() if member.prefix else b"") + member.name


def members_of(document: bytes) -> list[Member[str]]:
    """Return the members of a document, each by itself."""
    return [it for it in flatten(document, tag).members if isinstance(it, Member)]


def rows(document: bytes) -> list[Row]:
    """Return the members of a document in brief."""
    return [
        (pointer(member), member.value, member.is_string)
        for member in members_of(document)
    ]


def tags(document: bytes) -> dict[bytes, str | None]:
    """Return the tag of each member by its pointer."""
    return {pointer(member): member.tag for member in members_of(document)}


# --- one document


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(b'"a"', [(b"", b"a", True)], id="string alone"),
        pytest.param(b" 1 ", [(b"", b"1", False)], id="number alone"),
        pytest.param(b"{}", [(b"", b"{}", False)], id="empty object"),
        pytest.param(b"[]", [(b"", b"[]", False)], id="empty array"),
        pytest.param(b"[ \n]", [(b"", b"[]", False)], id="empty array, spaces"),
        pytest.param(b'{"a":"1"}', [(b"/a", b"1", True)], id="object"),
        pytest.param(
            b'["a",1]',
            [(b"", b"[]", False), (b"/0", b"a", True), (b"/1", b"1", False)],
            id="array, with an entry of its own",
        ),
        pytest.param(
            b'{"a":1,"a":"2","a":1}',
            [(b"/a", b"1", False), (b"/a", b"2", True), (b"/a", b"1", False)],
            id="repeated key",
        ),
        pytest.param(
            b'{"a":{"x":1},"a":{"x":2}}',
            [(b"/a/x", b"1", False), (b"/a", b"{}", False), (b"/a/x", b"2", False)],
            id="repeated object",
        ),
        pytest.param(
            b'{"a":{},"b":[{}]}',
            [(b"/a", b"{}", False), (b"/b", b"[]", False), (b"/b/0", b"{}", False)],
            id="empty within",
        ),
        pytest.param(
            b'{"~":1,"/":2,"~1":3,"":4}',
            [
                (b"/~0", b"1", False),
                (b"/~1", b"2", False),
                (b"/~01", b"3", False),
                (b"/", b"4", False),
            ],
            id="RFC 6901 escapes",
        ),
        pytest.param(
            b"[12.50,-0,1E+2,100000000000000000000001,true,false,null]",
            [
                (b"", b"[]", False),
                (b"/0", b"12.50", False),
                (b"/1", b"-0", False),
                (b"/2", b"1E+2", False),
                (b"/3", b"100000000000000000000001", False),
                (b"/4", b"true", False),
                (b"/5", b"false", False),
                (b"/6", b"null", False),
            ],
            id="exact text of numbers and literals",
        ),
        pytest.param(
            b"[NaN,Infinity,-Infinity]",
            [
                (b"", b"[]", False),
                (b"/0", b"NaN", False),
                (b"/1", b"Infinity", False),
                (b"/2", b"-Infinity", False),
            ],
            id="what Python reads beyond the standard",
        ),
        pytest.param(
            b'"a\x00\n\t"', [(b"", b"a\x00\n\t", True)], id="control characters"
        ),
        pytest.param(b'"\xff"', [(b"", b"\xff", True)], id="no UTF-8"),
        pytest.param(b"\xef\xbb\xbf1", [(b"", b"1", False)], id="byte order mark"),
    ],
)
def test_members(document: bytes, expected: list[Row]) -> None:
    """
    Members come in wire order, named by pointer, repeats kept, numbers exact.
    """
    assert (expected, 0) == (rows(document), flatten(document, tag).tail)


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        pytest.param(rb"\"\\\/\b\f\n\r\t", b'"\\/\b\f\n\r\t', id="short"),
        pytest.param(rb"\u0041\u00e9\u20AC", "Aé€".encode(), id="units"),
        pytest.param(rb"\u0000", b"\x00", id="zero"),
        pytest.param(rb"\ud83d\ude00", "😀".encode(), id="surrogate pair"),
        pytest.param(rb"\uD83D", b"\xed\xa0\xbd", id="high surrogate alone"),
        pytest.param(rb"\ude00", b"\xed\xb8\x80", id="low surrogate alone"),
        pytest.param(
            rb"\ude00\ud83d",
            b"\xed\xb8\x80\xed\xa0\xbd",
            id="surrogates in wrong order",
        ),
        pytest.param(
            rb"\ud83d\ud83d\ude00",
            b"\xed\xa0\xbd\xf0\x9f\x98\x80",
            id="high, then pair",
        ),
        pytest.param(rb"\\u0041", rb"\u0041", id="escaped backslash"),
        pytest.param(rb"\x\u00g1", rb"\x\u00g1", id="no escape at all"),
    ],
)
def test_escapes(string: bytes, expected: bytes) -> None:
    """
    Keys and values are unescaped, and a surrogate without its half is kept.
    """
    assert [(b"", expected, True)] == rows(b'"' + string + b'"')
    name = b"/" + expected.replace(b"~", b"~0").replace(b"/", b"~1")
    assert [(name, b"1", False)] == rows(b'{"' + string + b'":1}')


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("bytes_cut", [0, 1, 2])
def test_utf_16(coding: str, bytes_cut: int) -> None:
    """
    A document in UTF-16 is read like any other, and so is one that is cut.
    """
    document = '{"é😀":"ü","b":[1,"€'.encode(coding)
    rest = '"]}'.encode(coding).removeprefix(b"\xff\xfe")
    whole = document + rest
    expected = [
        ("/é😀".encode(), "ü".encode(), True),
        (b"/b", b"[]", False),
        (b"/b/0", b"1", False),
    ]

    assert [*expected, (b"/b/1", "€".encode(), True)] == rows(whole)
    assert Flat(flatten(whole, tag).members, 0) == flatten(whole, tag)
    cut = document[: len(document) - bytes_cut]
    assert expected == rows(cut)
    assert len(',"€'.encode("utf-16-le")) - bytes_cut == flatten(cut, tag).tail


@pytest.mark.parametrize("coding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf_32(coding: str) -> None:
    """
    A document in UTF-32 is read until a unit that is no character.
    """
    whole = '["é"]'.encode(coding)
    expected = [(b"", b"[]", False), (b"/0", "é".encode(), True)]

    assert (expected, 0) == (rows(whole), flatten(whole, tag).tail)
    damaged = whole[:-4] + b"\xff\xff\xff\xff"
    assert (expected, 4) == (rows(damaged), flatten(damaged, tag).tail)


def test_wide_surrogates() -> None:
    """
    A lone surrogate in UTF-16 is kept like an escaped one.
    """
    document = '["\ud800"]'.encode("utf-16-le", "surrogatepass")

    assert rows(document) == rows(b'["\\ud800"]')


# --- any document, against the standard library


class Pairs(list[tuple[str, object]]):
    """An object as its pairs."""


class Number(str):
    """A number or a literal as its text."""

    __slots__ = ()


def _reference(document: bytes) -> list[Row]:
    value = json.loads(
        document,
        strict=False,
        object_pairs_hook=Pairs,
        parse_float=Number,
        parse_int=Number,
        parse_constant=Number,
    )

    return list(_walk("", value, repeated=False))


def _walk(name: str, value: object, *, repeated: bool) -> Iterator[Row]:
    if isinstance(value, Pairs):
        if repeated or not value:
            yield _row(name, Number("{}"))
        seen = set()
        for key, item in value:
            below = f"{name}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from _walk(below, item, repeated=key in seen)
            seen.add(key)
    elif isinstance(value, list):
        yield _row(name, Number("[]"))
        for place, item in enumerate(value):
            yield from _walk(f"{name}/{place}", item, repeated=False)
    elif isinstance(value, str):
        yield _row(name, value)
    else:
        yield _row(name, Number(json.dumps(value)))


def _row(name: str, value: str) -> Row:
    return (
        name.encode("utf-8", "surrogatepass"),
        value.encode("utf-8", "surrogatepass"),
        not isinstance(value, Number),
    )


_space = st.sampled_from(["", "", " ", "\t\n", "\r "])
_numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
_characters = st.characters(exclude_categories=(), exclude_characters='"\\')
_strings = st.lists(
    st.sampled_from(
        [
            r"\"",
            r"\\",
            r"\/",
            r"\n",
            r"\u00e9",
            r"\ud83d",
            r"\ude00",
            r"\uDBFF",
            "~",
            "/",
        ]
    )
    | st.text(_characters, max_size=2),
    max_size=4,
).map(lambda parts: '"' + "".join(parts) + '"')
_keys = st.sampled_from(['"a"', '"b"', '"a/b~"']) | _strings


@st.composite
def _containers(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    def spaced(text: str) -> str:
        return draw(_space) + text + draw(_space)

    items = draw(st.lists(inner, max_size=4))
    if draw(st.booleans()):
        return spaced("[" + spaced(",".join(map(spaced, items))) + "]")
    pairs = [spaced(draw(_keys)) + ":" + spaced(item) for item in items]

    return spaced("{" + spaced(",".join(pairs)) + "}")


documents = st.recursive(
    _numbers
    | _strings
    | st.sampled_from(["true", "false", "null", "NaN", "-Infinity"]),
    _containers,
    max_leaves=12,
).map(lambda text: text.encode("utf-8", "surrogatepass"))


@few
@given(documents)
def test_as_by_the_standard_library(document: bytes) -> None:
    """
    The members of a good document are those that the standard library's reader sees.
    """
    assert (_reference(document), 0) == (rows(document), flatten(document, tag).tail)


@few
@given(documents, st.sampled_from(["utf-16", "utf-16-be", "utf-32", "utf-32-le"]))
def test_codings(document: bytes, coding: str) -> None:
    """
    A document means the same in every coding that JSON readers take.
    """
    text = document.decode("utf-8", "surrogatepass")
    wide = text.encode(coding, "surrogatepass")
    # A NUL for the second character, and a document is taken for UTF-16 itself.
    assume(_as_readers_decode(document) == _as_readers_decode(wide) == text)

    assert rows(document) == rows(wide)


def _as_readers_decode(wide: bytes) -> str:
    return wide.decode(json.detect_encoding(wide), "replace")


@few
@given(_containers(_numbers | _strings))
def test_cut_anywhere(document: str) -> None:
    """
    Cut at any byte a document keeps the members before the cut, and it shows.
    """
    body = document.strip(" \t\r\n").encode("utf-8", "surrogatepass")
    whole = rows(body)
    for end in range(1, len(body)):
        flat = flatten(body[:end], tag)
        kept = rows(body[:end])

        assert flat.tail > 0
        # A number has no end of its own, so the last one may be half of one.
        assert kept[:-1] == whole[: len(kept)][:-1]
        assert not kept or _begins(whole[len(kept) - 1], kept[-1])


def _begins(whole: Row, kept: Row) -> bool:
    name, value, is_string = kept

    return kept == whole or (
        (name, is_string) == (whole[0], whole[2]) and whole[1].startswith(value)
    )


@few
@given(
    fragments(
        b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b'"a"', b"1", b"\\u", b"d800",
        b" ", b"null", b"-", b"\xff", b"\x00", b'{"name":"token","value":', most=20,
    )
)  # fmt: skip
def test_never_raises(document: bytes) -> None:
    """
    No document is an error, and no more comes out than came in.
    """
    members, tail = members_of(document), flatten(document, tag).tail

    assert len(members) <= len(document)
    assert 0 <= tail <= max(1, len(document))
    assert sum(len(member.value) for member in members) <= 2 * len(document)


@few
@given(
    fragments(b'{"a":', b"[", b'"', b"\xd8", b"\xdc", b"\x00", b"1", b",", b"]", b"}"),
    st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]),
    st.integers(0, 5),
    st.binary(max_size=5),
)
def test_wide_never_raises(document: bytes, coding: str, cut: int, junk: bytes) -> None:
    """
    Nor is any document in wide characters, cut or followed by junk.
    """
    wide = document.decode("latin-1").encode(coding)
    wide = wide[: max(0, len(wide) - cut)] + junk

    assert 0 <= flatten(wide, tag).tail <= max(1, len(wide))


# --- faults


@pytest.mark.parametrize(
    ("document", "expected", "tail"),
    [
        pytest.param(b"", [], 1, id="empty"),
        pytest.param(b"  ", [], 2, id="spaces"),
        pytest.param(b"x", [], 1, id="no JSON"),
        pytest.param(b"{", [], 1, id="brace"),
        pytest.param(b'{"a"', [], 4, id="key"),
        pytest.param(b'{"a":', [], 5, id="colon"),
        pytest.param(b'{"a":1', [b"/a"], 1, id="end missing"),
        pytest.param(b'{"a":1,', [b"/a"], 1, id="comma"),
        pytest.param(b'{"a":1,"b"', [b"/a"], 4, id="second key"),
        pytest.param(b'{"a":1,"b":"x', [b"/a"], 7, id="string"),
        pytest.param(b'{"a":1,}', [b"/a"], 2, id="comma before brace"),
        pytest.param(b'{"a" 1}', [], 7, id="no colon"),
        pytest.param(b"{1:2}", [], 5, id="number as key"),
        pytest.param(b'{"a":1 "b":2}', [b"/a"], 7, id="no comma"),
        pytest.param(b'{"a":1]', [b"/a"], 1, id="wrong end"),
        pytest.param(b'{"a":1,"b":{"c"', [b"/a"], 9, id="object without a member"),
        pytest.param(b"[", [b""], 1, id="bracket"),
        pytest.param(b"[1,]", [b"", b"/0"], 2, id="comma before bracket"),
        pytest.param(b"[1 2]", [b"", b"/0"], 3, id="no comma in array"),
        pytest.param(b"[01]", [b"", b"/0"], 2, id="leading zero"),
        pytest.param(b"[1.]", [b"", b"/0"], 2, id="point without digits"),
        pytest.param(b"[+1]", [b""], 3, id="plus"),
        pytest.param(b"['a']", [b""], 4, id="single quotes"),
        pytest.param(b"[nul]", [b""], 4, id="half a literal"),
        pytest.param(b"]", [], 1, id="end alone"),
        pytest.param(b"1 2", [b""], 2, id="two documents"),
        pytest.param(b"{}x", [b""], 1, id="something behind"),
        pytest.param(b"[]\x00", [b""], 1, id="zero byte behind"),
    ],
)
def test_first_fault(document: bytes, expected: list[bytes], tail: int) -> None:
    """
    At the first fault it stops: what stood before is kept, the rest is counted.
    """
    assert (expected, tail) == (
        [name for name, _, _ in rows(document)],
        flatten(document, tag).tail,
    )


# --- tags


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            b'{"password":"x","a":"y"}',
            {b"/password": "password", b"/a": None},
            id="by key",
        ),
        pytest.param(
            b'{"token":{"a":["x"]}}',
            {b"/token/a": "token", b"/token/a/0": "token"},
            id="all below",
        ),
        pytest.param(
            b'{"a":{"token":1},"b":1}',
            {b"/a/token": "token", b"/b": None},
            id="no more",
        ),
        pytest.param(rb'{"p\u0061ssword":1}', {b"/password": "password"}, id="escaped"),
        pytest.param(b'{"token":{}}', {b"/token": "token"}, id="empty object"),
    ],
)
def test_tags(document: bytes, expected: dict[bytes, str | None]) -> None:
    """
    A member has the tag of its key, or of the first key above it that has one.
    """
    assert expected == tags(document)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(b'{"name":"password","value":"x"}', "password", id="before"),
        pytest.param(b'{"value":"x","name":"password"}', "password", id="behind"),
        pytest.param(b'{"Key":"token","Value":"x"}', "token", id="case"),
        pytest.param(
            b'{"name":"a","id":"token","value":"x"}', "token", id="second name"
        ),
        pytest.param(
            b'{"name":"token","id":"password","value":"x"}', "token", id="first of two"
        ),
        pytest.param(b'{"name":"a","value":"x"}', None, id="not secret"),
        pytest.param(b'{"name":"password","value":"x"', "password", id="cut"),
        pytest.param(b'{"value":"x","name":"token",', "token", id="cut, name behind"),
        pytest.param(b'{"name":"password","value":1}', "password", id="number"),
    ],
)
def test_named_by_a_sibling(document: bytes, expected: str | None) -> None:
    """
    A value beside a member that names it has the tag of that name.
    """
    found = {name.lower(): member for name, member in tags(document).items()}

    assert expected == found[b"/value"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            b'{"name":"password","value":["x",{"y":1}],"z":1}',
            {
                b"/name": None,
                b"/value": "password",
                b"/value/0": "password",
                b"/value/1/y": "password",
                b"/z": None,
            },
            id="array",
        ),
        pytest.param(
            b'{"value":{"y":1,"e":{}},"z":1,"name":"token"}',
            {b"/value/y": "token", b"/value/e": "token", b"/z": None, b"/name": None},
            id="object, named behind",
        ),
        pytest.param(
            b'{"name":"token","value":{"password":"x","y":1}}',
            {b"/name": None, b"/value/password": "token", b"/value/y": "token"},
            id="the outermost counts",
        ),
        pytest.param(
            b'{"name":"token","value":{"name":"password","value":["x"]}}',
            {
                b"/name": None,
                b"/value/name": "token",
                b"/value/value": "token",
                b"/value/value/0": "token",
            },
            id="nested",
        ),
        pytest.param(
            b'{"name":"token","value":["x"',
            {b"/name": None, b"/value": "token", b"/value/0": "token"},
            id="cut",
        ),
        pytest.param(
            b'{"name":"a","value":["x"]}',
            {b"/name": None, b"/value": None, b"/value/0": None},
            id="not secret",
        ),
    ],
)
def test_named_containers(document: bytes, expected: dict[bytes, str | None]) -> None:
    """
    All that stands in an array or an object that a sibling names has its tag.
    """
    assert expected == tags(document)


# --- bounds


def test_depth() -> None:
    """
    A thousand levels are read, and the next one is a fault.
    """
    deepest = b"[" * 1_000 + b"]" * 1_000
    deeper = b"[" * 1_001 + b"]" * 1_001

    assert (len(rows(deepest)), flatten(deepest, tag).tail) == (1_000, 0)
    assert (len(rows(deeper)), flatten(deeper, tag).tail) == (1_000, 1_002)


def test_deep_pointers_are_shared() -> None:
    """
    Deep in a document a pointer holds only its last part, and still can be told.
    """
    keys = [b"%03d" % level + b"k" * 100 for level in range(900)]
    document = b"".join(b'{"%s":' % key for key in keys) + b"[1,2]" + b"}" * 900
    members = members_of(document)
    whole = b"/" + b"/".join(keys)

    assert [whole, whole + b"/0", whole + b"/1"] == [pointer(m) for m in members]
    assert members[1].prefix is members[2].prefix
    assert max(len(member.name) for member in members) < 1_000
    prefix = members[1].prefix
    assert isinstance(prefix, Prefix)
    assert (len(prefix.text()), sha256(prefix.text()).hexdigest()) == (
        prefix.len,
        prefix.sha256,
    )


def test_huge_key() -> None:
    """
    A key of a megabyte is held once, however many members stand below it.
    """
    key = b"k" * 1_000_000
    members = members_of(b'{"%s":[%s1]}' % (key, b"1," * 999))

    assert b"/" + key + b"/999" == pointer(members[-1])
    assert sum(len(member.name) for member in members) < len(key) + 10_000


@pytest.mark.parametrize(
    "piece",
    [b"[", b"[[],", b'{"a":', b'{"name":"token","value":[', b'[{"k":1},', b'["\\\\",'],
)
def test_work_is_linear(piece: bytes) -> None:
    """
    Twice the document takes twice the calls, also where it nests.
    """
    once = calls(lambda: flatten(piece * 450, tag))
    twice = calls(lambda: flatten(piece * 900, tag))

    assert twice <= 2.1 * once


def test_nested_names_are_linear() -> None:
    """
    Values within values, each named by a sibling, are tagged once, not once a level.
    """
    start = b'{"name":"token","value":['
    once = calls(lambda: flatten(start * 400 + b"1," * 10_000, tag))
    flat = calls(lambda: flatten(b"[" * 400 + b"1," * 10_000, tag))

    assert once <= 2 * flat


@any_size
@pytest.mark.parametrize(
    "piece",
    [b'"', b"[", b"\\", b"{", b",", b":", b" ", b"1", b'"a":', b"[1,", b'"\\', b"\\u",
     b'{"a":', b'{"name":"token","value":[', b"-", b"[],"],
)  # fmt: skip
@pytest.mark.parametrize("start", [b"", b"[", b'"', b'{"'])
def test_hostile_bytes(*, piece: bytes, start: bytes, size: int) -> None:
    """
    Any amount of what the grammar is made of cost what they weigh.
    """
    with cpu_bound(300):
        flatten(start + piece * (size // len(piece)), tag)
