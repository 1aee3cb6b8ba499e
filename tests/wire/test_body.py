from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import calls, pieces, pieces_every_way
from tests.strategies import chunked, few, fragments

from audit_mw.wire.body import (
    BodyParser,
    Piece,
    compile_body_parser,
    media_types,
)
from audit_mw.wire.head import MediaType, Pair
from audit_mw.wire.json import Member
from audit_mw.wire.multipart import FieldPart, Tail
from audit_mw.wire.query import Long

LIMIT = 100
FORM = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=xyz"


def tag(name: bytes) -> str | None:
    """Return the class of a name, as policy would."""
    return "password" if name == b"password" else None


choose = compile_body_parser(LIMIT, tag)


def read(body: bytes, *types: bytes, codings: Sequence[bytes] = ()) -> list[Piece[str]]:
    """Return the pieces of a body with these field lines, however it is cut."""
    fields = [
        *((b"content-type", media_type) for media_type in types),
        *((b"content-encoding", coding) for coding in codings),
    ]

    def make() -> BodyParser[str]:
        return choose(fields)

    return pieces_every_way(make, body)


def member(name: bytes, value: bytes, *, is_string: bool = False) -> Member[str]:
    """Return a member without a tag."""
    return Member(None, name, value, is_string, None)


def tail(exact: bytes) -> Tail:
    """Return a body as it is held."""
    return Tail(len(exact), exact, sha256(exact).hexdigest())


def test_media_types() -> None:
    """
    Each Content-Type line gives its media type, in order.
    """
    fields = [(b"content-type", b"A/B; c=d"), (b"x", b"y"), (b"content-type", b"")]

    assert [MediaType(b"a/b", {b"c": b"d"}), MediaType(b"", {})] == media_types(fields)


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        pytest.param(b"a=1&a", FORM, [Pair(b"a", b"1"), Pair(b"a", None)], id="form"),
        pytest.param(
            b"a=1",
            FORM.upper() + b"; charset=x",
            [Pair(b"a", b"1")],
            id="form, odd type",
        ),
        pytest.param(
            b"a=" + b"1" * 100,
            FORM,
            [(b"a", Long(100, sha256(b"1" * 100).hexdigest()))],
            id="form, long value",
        ),
        pytest.param(b'{"a":1}', b"application/json", [member(b"/a", b"1")], id="JSON"),
        pytest.param(b'{"a":1}', b"text/json", [member(b"/a", b"1")], id="text/json"),
        pytest.param(
            b'{"a":1}', b"application/problem+json", [member(b"/a", b"1")], id="+json"
        ),
        pytest.param(
            b'{"password":1}',
            b"application/json",
            [Member(None, b"/password", b"1", is_string=False, tag="password")],
            id="JSON, classed",
        ),
        pytest.param(
            b'"a"',
            b"application/json",
            [member(b"", b"a", is_string=True)],
            id="string",
        ),
        pytest.param(
            '{"a":1}'.encode("utf-16"),
            b"application/json",
            [member(b"/a", b"1")],
            id="JSON in UTF-16",
        ),
        pytest.param(
            b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--xyz--',
            MULTIPART,
            [FieldPart(b"a", b"1", None)],
            id="multipart",
        ),
        pytest.param(
            b"--xyz--", b"multipart/form-data", [tail(b"--xyz--")], id="no boundary"
        ),
        pytest.param(
            b"----",
            b'multipart/form-data; boundary=""',
            [tail(b"----")],
            id="empty one",
        ),
        pytest.param(
            b"--xyz--", b"multipart/mixed; boundary=xyz", [tail(b"--xyz--")], id="mixed"
        ),
        pytest.param(b"a=1", b"text/plain", [tail(b"a=1")], id="text"),
        pytest.param(b"a=1", b"", [tail(b"a=1")], id="empty type"),
        pytest.param(b"", b"text/plain", [], id="no bytes of text"),
        pytest.param(b"", b"application/json", [], id="no bytes of JSON"),
        pytest.param(b"", FORM, [], id="no bytes of a form"),
        pytest.param(b"", MULTIPART, [], id="no bytes of parts"),
    ],
)
def test_by_type(body: bytes, media_type: bytes, expected: list[Piece[str]]) -> None:
    """
    The media type says how a body is read.
    """
    assert expected == read(body, media_type)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"a":1}', [member(b"/a", b"1")], id="object"),
        pytest.param(b" [1]", [member(b"", b"[]"), member(b"/0", b"1")], id="array"),
        pytest.param(b"{}", [member(b"", b"{}")], id="empty object"),
        pytest.param(b"1", [tail(b"1")], id="number"),
        pytest.param(b"a=1", [tail(b"a=1")], id="form"),
        pytest.param(b"{", [tail(b"{")], id="brace"),
        pytest.param(b"[1", [tail(b"[1")], id="not closed"),
        pytest.param(b'{"a":1}x', [tail(b'{"a":1}x')], id="something behind"),
        pytest.param(b"{a}", [tail(b"{a}")], id="no JSON"),
    ],
)
@pytest.mark.parametrize("media_type", [b"", b"text/plain", b"application/x-foo", None])
def test_json_of_another_type(
    body: bytes, expected: list[Piece[str]], media_type: bytes | None
) -> None:
    """
    A whole object or array of a type that no parser knows is read as JSON.
    """
    assert expected == read(body, *([] if media_type is None else [media_type]))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"x", [tail(b"x")], id="nothing good"),
        pytest.param(b"{", [tail(b"{")], id="only a brace"),
        pytest.param(b'{"a":{"b"', [tail(b'{"a":{"b"')], id="no member"),
        pytest.param(b"  ", [tail(b"  ")], id="spaces"),
        pytest.param(b'{"a":1', [member(b"/a", b"1"), Tail(1, None)], id="end missing"),
        pytest.param(
            b'{"a":1,"b"', [member(b"/a", b"1"), Tail(4, None)], id="cut in a key"
        ),
        pytest.param(b'{"a":1}x', [member(b"/a", b"1"), Tail(1, None)], id="behind"),
        pytest.param(
            b"[" + b" " * LIMIT,
            [Tail(LIMIT + 1, None, sha256(b"[" + b" " * LIMIT).hexdigest())],
            id="over the limit",
        ),
    ],
)
def test_broken_json(body: bytes, expected: list[Piece[str]]) -> None:
    """
    Of a broken document the good members are kept, and the rest is counted.
    """
    assert expected == read(body, b"application/json")


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        pytest.param(
            [b"text/plain", FORM], [Pair(b"[1]", None, (b"[1]", None))], id="form"
        ),
        pytest.param(
            [b"application/json", FORM],
            [member(b"", b"[]"), member(b"/0", b"1")],
            id="JSON first",
        ),
        pytest.param(
            [FORM, b"application/json"],
            [Pair(b"[1]", None, (b"[1]", None))],
            id="form first",
        ),
    ],
)
def test_several_types(types: list[bytes], expected: list[Piece[str]]) -> None:
    """
    Of several types the first that a parser knows counts.
    """
    assert expected == read(b"[1]", *types)


@pytest.mark.parametrize(
    ("codings", "is_read"),
    [
        pytest.param([b"gzip"], False, id="gzip"),
        pytest.param([b"x"], False, id="unknown"),
        pytest.param([b"identity, gzip"], False, id="list"),
        pytest.param([b"identity", b"gzip"], False, id="two lines"),
        pytest.param([b""], True, id="empty"),
        pytest.param([b" Identity "], True, id="identity"),
    ],
)
def test_content_encoding(codings: list[bytes], *, is_read: bool) -> None:
    """
    The bytes of a coded body are not what its type says.
    """
    expected = [Pair(b"a", b"1")] if is_read else [tail(b"a=1")]

    assert expected == read(b"a=1", FORM, codings=codings)


TYPES = st.sampled_from(
    [FORM, MULTIPART, b"application/json", b"text/plain", b"", b"multipart/form-data"]
)
BODIES = fragments(
    b"--xyz", b"\r\n", b"--", b'Content-Disposition: form-data; name="a"', b"&", b"=", b"%4",
    b'{"a":', b"[", b"]", b"}", b'"', b",", b"1", b"x" * 60, most=16,
)  # fmt: skip


@few
@given(BODIES, TYPES, st.data())
def test_chunks_do_not_matter(
    body: bytes, media_type: bytes, data: st.DataObject
) -> None:
    """
    No body is an error, and however it is cut, the same pieces come out.
    """
    chunks = data.draw(chunked(st.just(body)))

    pieces_every_way(lambda: choose([(b"content-type", media_type)]), body, chunks)


@few
@given(BODIES.filter(bool), TYPES)
def test_nothing_is_lost(body: bytes, media_type: bytes) -> None:
    """
    A body of any bytes leaves a trace, unless it is an empty set of parts.
    """
    found = pieces(choose([(b"content-type", media_type)]), [body])

    assert found or (media_type == MULTIPART and b"--xyz--" in body)


@pytest.mark.parametrize("media_type", [FORM, MULTIPART, b"application/json", b""])
def test_work_is_linear(media_type: bytes) -> None:
    """
    Twice the chunks take twice the calls, also of a body that is not understood.
    """
    fields = [(b"content-type", media_type)]
    once = calls(lambda: pieces(choose(fields), [b"x" * 100] * 1_000))
    twice = calls(lambda: pieces(choose(fields), [b"x" * 100] * 2_000))

    assert twice <= 2.1 * once
