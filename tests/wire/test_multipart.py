from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.driving import any_size, calls, cpu_bound, pieces, pieces_every_way
from tests.strategies import chunked, few, fragments

from audit_mw.wire.multipart import FieldPart, FilePart, MultipartParser, Part, Tail
from audit_mw.wire.query import Long

BOUNDARY = b"xyz"
LIMIT = 200
END = b"--xyz--\r\n"


def parser() -> MultipartParser:
    """Return a parser with a low limit."""
    return MultipartParser(BOUNDARY, LIMIT)


def part(disposition: bytes, content: bytes = b"1", more: bytes = b"") -> bytes:
    """Return a part with its delimiter in front."""
    return (
        b"--xyz\r\nContent-Disposition: form-data"
        + (b"; " + disposition if disposition else b"")
        + b"\r\n"
        + more
        + b"\r\n"
        + content
        + b"\r\n"
    )


def parse(body: bytes) -> list[Part]:
    """Return the parts of a body, the same however it is cut."""
    return pieces_every_way(parser, body)


def content(exact: bytes) -> Long:
    """Return what is told of a value that is too long to be held."""
    return Long(len(exact), sha256(exact).hexdigest())


def file_content(exact: bytes) -> Tail:
    """Return what is told of a file; a small one is held."""
    held = exact if len(exact) <= min(LIMIT, 1 << 16) else None

    return Tail(len(exact), held, sha256(exact).hexdigest())


def tail(exact: bytes) -> Tail:
    """Return what is told of bytes behind the end."""
    return Tail(len(exact), exact, sha256(exact).hexdigest())


# --- parts


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", [], id="no bytes"),
        pytest.param(END, [], id="no parts"),
        pytest.param(b"\r\n" + END, [], id="no parts, line break"),
        pytest.param(
            part(b'name="a"') + END, [FieldPart(b"a", b"1", None)], id="field"
        ),
        pytest.param(
            part(b'name="a"') + part(b'name="a"', b"2") + END,
            [FieldPart(b"a", b"1", None), FieldPart(b"a", b"2", None)],
            id="repeated",
        ),
        pytest.param(
            part(b'name="a"', b"") + END, [FieldPart(b"a", b"", None)], id="empty value"
        ),
        pytest.param(
            part(b'name=""') + END, [FieldPart(b"", b"1", None)], id="empty name"
        ),
        pytest.param(
            part(b'name="a"', b"\r\n\x00\xff\r--xy\n--xy\r\n--\r") + END,
            [FieldPart(b"a", b"\r\n\x00\xff\r--xy\n--xy\r\n--\r", None)],
            id="nearly a delimiter",
        ),
        pytest.param(
            part(
                b'name="f"; filename="a.png"',
                b"\x89PNG",
                b"Content-Type: image/png\r\n",
            )
            + END,
            [FilePart(b"f", b"a.png", b"image/png", file_content(b"\x89PNG"), None)],
            id="file",
        ),
        pytest.param(
            part(b'name="f"; filename=""', b"") + END,
            [FilePart(b"f", b"", None, file_content(b""), None)],
            id="no file chosen",
        ),
        pytest.param(
            part('name="é"'.encode(), "é".encode()) + END,
            [FieldPart("é".encode(), "é".encode(), None)],
            id="UTF-8",
        ),
        pytest.param(
            part(b'name="\xff\x80"; filename="\xfe"', more=b"content-type: \xfd\r\n")
            + END,
            [FilePart(b"\xff\x80", b"\xfe", b"\xfd", file_content(b"1"), None)],
            id="no UTF-8",
        ),
    ],
)
def test_parts(body: bytes, expected: list[Part]) -> None:
    """
    Parts come in wire order with exact names and values, files hashed.
    """
    assert expected == parse(body)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        pytest.param(b"", None, id="no name"),
        pytest.param(b"name=a", b"a", id="token"),
        pytest.param(b'NAME="a"', b"a", id="case"),
        pytest.param(b'name="a";x=y', b"a", id="another parameter"),
        pytest.param(b'name="a"; name="b"', b"b", id="two names"),
        pytest.param(b'name="a%22b"', b'a"b', id="quote as browsers write it"),
        pytest.param(b'name="a\\"b"', b'a"b', id="quoted pair"),
        pytest.param(b"name*=UTF-8''%E2%82%AC", "€".encode(), id="extended"),
        pytest.param(b"name=\"a\"; name*=UTF-8''b", b"b", id="both forms"),
        pytest.param(b'name="a', None, id="quote not closed"),
    ],
)
def test_odd_dispositions(disposition: bytes, name: bytes | None) -> None:
    """
    A disposition that readers could take in two ways is kept as sent.
    """
    sent = b"form-data" + (b"; " + disposition if disposition else b"")

    assert [FieldPart(name, b"1", sent)] == parse(part(disposition) + END)


def test_other_disposition() -> None:
    """
    A part that is no form-data is a part, and shows what it is.
    """
    body = b'--xyz\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n' + END

    assert [FieldPart(b"a", b"1", b'attachment; name="a"')] == parse(body)


def test_two_dispositions() -> None:
    """
    Of two disposition lines both are kept, since readers differ on which counts.
    """
    body = part(b'name="a"', more=b'content-disposition: form-data; name="b"\r\n') + END
    sent = b'form-data; name="a", form-data; name="b"'

    assert [FieldPart(b"a", b"1", sent)] == parse(body)


def test_odd_file() -> None:
    """
    A file whose disposition is odd keeps it as sent, too.
    """
    sent = b"form-data; filename=a; name=f"

    assert [FilePart(b"f", b"a", None, file_content(b"1"), sent)] == parse(
        part(b"filename=a; name=f") + END
    )


def test_folded_head() -> None:
    """
    A head line that is folded is put together again.
    """
    body = b'--xyz\r\nContent-Disposition: form-data;\r\n  name="a"\r\n\r\n1\r\n' + END

    assert [found.name for found in parse(body) if isinstance(found, FieldPart)] == [
        b"a"
    ]


# --- around the parts


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            b"hello\r\n" + part(b'name="a"') + END,
            [Tail(5, b"hello"), FieldPart(b"a", b"1", None)],
            id="preamble",
        ),
        pytest.param(
            part(b'name="a"') + b"--xyz--",
            [FieldPart(b"a", b"1", None)],
            id="end without line break",
        ),
        pytest.param(
            part(b'name="a"') + b"--xyz--\r\nmore",
            [FieldPart(b"a", b"1", None), tail(b"more")],
            id="epilogue",
        ),
        pytest.param(
            part(b'name="a"') + b"--xyz--more",
            [FieldPart(b"a", b"1", None), tail(b"more")],
            id="epilogue without line break",
        ),
        pytest.param(
            part(b'name="a"') + END + b"\r\n\r\n",
            [FieldPart(b"a", b"1", None)],
            id="line breaks behind the end",
        ),
        pytest.param(
            part(b'name="a"') + END + part(b'name="b"') + END,
            [FieldPart(b"a", b"1", None), tail(part(b'name="b"') + END)],
            id="parts behind the end",
        ),
        pytest.param(
            part(b'name="a"') + END + b"p" * 1_000,
            [
                FieldPart(b"a", b"1", None),
                Tail(1_000, None, content(b"p" * 1_000).sha256),
            ],
            id="long epilogue",
        ),
        pytest.param(b"no boundary", [Tail(11, None)], id="no boundary"),
        pytest.param(
            part(b'name="a"') + part(b'name="b"'),
            [FieldPart(b"a", b"1", None), Tail(len(part(b'name="b"')) - 7, None)],
            id="no end",
        ),
        pytest.param(
            part(b'name="a"') + b"--xyz\r\nContent-Dis",
            [FieldPart(b"a", b"1", None), Tail(11, None)],
            id="cut in a head",
        ),
        pytest.param(
            part(b'name="a"') + b"--xyz\r\nX: y\r\n\r\n1\r\n" + part(b'name="c"') + END,
            [
                FieldPart(b"a", b"1", None),
                Tail(len(b"X: y\r\n\r\n1\r\n" + part(b'name="c"') + END), None),
            ],
            id="no disposition",
        ),
        pytest.param(
            b"--xyz\r\n\r\n\r\n1\r\n" + END,
            [Tail(len(b"\r\n\r\n1\r\n" + END), None)],
            id="no head",
        ),
        pytest.param(
            part(b'name="a"')[:-3] + END,
            [FieldPart(b"a", b"", None)],
            id="no content at all",
        ),
        pytest.param(
            part(b'name="a"')[:-3].replace(b"\r\n", b"\n") + END,
            [FieldPart(b"a", b"", None)],
            id="no content at all, LF",
        ),
        pytest.param(
            part(b'name="a"') + part(b'name="b"', more=b"\r\n") + END,
            [FieldPart(b"a", b"1", None), FieldPart(b"b", b"\r\n1", None)],
            id="blank line in a value",
        ),
    ],
)
def test_around(body: bytes, expected: list[Part]) -> None:
    """
    What stands before the first part, behind the last, or is broken, is counted.
    """
    assert expected == parse(body)


@pytest.mark.parametrize(
    "delimiter",
    [
        pytest.param(b"\r\n--xyz\r\n", id="CRLF"),
        pytest.param(b"\n--xyz\n", id="LF"),
        pytest.param(b"\r\n--xyz \t\r\n", id="padding"),
        pytest.param(b"\r\n--xyz" + b" " * 100 + b"\r\n", id="long padding"),
        pytest.param(b"\r\n--xyz\n", id="mixed"),
    ],
)
def test_delimiters(delimiter: bytes) -> None:
    """
    A delimiter is one however it is padded and wherever the chunks are cut.
    """
    head = b'Content-Disposition: form-data; name="a"\r\n\r\n'
    body = delimiter + head + b"1" + delimiter + head + b"2\r\n--xyz-- \r\n"

    assert [FieldPart(b"a", b"1", None), FieldPart(b"a", b"2", None)] == parse(body)


def test_old_line_ends() -> None:
    """
    A body with carriage returns alone is read, too.
    """
    body = part(b'name="a"').replace(b"\r\n", b"\r") + b"--xyz--\r"

    assert [FieldPart(b"a", b"1", None)] == parse(body)


# --- bounds


@pytest.mark.parametrize("extra", [0, 1])
def test_limit_of_a_value(extra: int) -> None:
    """
    A value within the limit is held, of a longer one length and digest are.
    """
    value = b"v" * (LIMIT + extra)
    told = content(value) if extra else value

    assert [FieldPart(b"a", told, None)] == parse(part(b'name="a"', value) + END)


@pytest.mark.parametrize("extra", [0, 1])
def test_limit_of_a_preamble(extra: int) -> None:
    """
    With a preamble beyond the limit the whole body is a tail.
    """
    preamble = b"p\r\n" * 50 + b"p" * (LIMIT - 150 + extra)
    body = preamble + b"\r\n" + part(b'name="a"') + END
    parts = [Tail(LIMIT, preamble), FieldPart(b"a", b"1", None)]

    assert ([Tail(len(body), None)] if extra else parts) == parse(body)


@pytest.mark.parametrize("extra", [0, 1])
def test_limit_of_a_head(extra: int) -> None:
    """
    With a head beyond the limit the rest of the body is a tail.
    """
    known = len(b'Content-Disposition: form-data; name="b"\r\nX: ')
    broken = part(b'name="b"', more=b"X: " + b"x" * (LIMIT - known + extra) + b"\r\n")
    body = part(b'name="a"') + broken + END
    last = Tail(len(broken + END) - 7, None) if extra else FieldPart(b"b", b"1", None)

    assert [FieldPart(b"a", b"1", None), last] == parse(body)


def test_long_boundary() -> None:
    """
    A boundary longer than the limit does not break a body.
    """
    boundary = b"b" * (2 * LIMIT)
    body = (part(b'name="a"', b"b" * LIMIT) + END).replace(b"xyz", boundary)

    assert [FieldPart(b"a", b"b" * LIMIT, None)] == pieces_every_way(
        lambda: MultipartParser(boundary, LIMIT), body
    )


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("line", [b"x", b"\r", b"\n", b"\r\n", b"x" * 99 + b"\r\n"])
def test_large_file(size: int, line: bytes) -> None:
    """
    A file of any length and any line length is hashed as it is.
    """
    exact = (line * size)[:size]
    body = part(b'name="f"; filename="f"', exact) + part(b'name="a"') + END
    expected = [
        FilePart(b"f", b"f", None, file_content(exact), None),
        FieldPart(b"a", b"1", None),
    ]
    parts = [body[at : at + 1_000] for at in range(0, len(body), 1_000)]

    assert expected == pieces(parser(), [body])
    assert expected == pieces(parser(), parts)


def test_memory_is_flat() -> None:
    """
    Any amount of a file leave no more in the parser than a line or a slice.
    """
    upload = parser()
    for chunk in (part(b'name="f"; filename="f"'), *[b"x" * 100_000] * 100):
        assert list(upload.feed(chunk)) == []

    assert len(upload._held) + len(upload._decoder.buffer) < 200_000


# --- any body


BODIES = fragments(
    b"--xyz", b"--xyz\r\n", b"\r\n--xyz\r\n", b"--xyz--", b"--", b"\r", b"\n", b"\r\n", b" ",
    b'Content-Disposition: form-data; name="a"', b"\r\n\r\n", b"; filename*=utf-8''%E9",
    b'content-disposition: x; name="', b"; name*0=a", b": ", b"x: y\r\n", b"\xff", b"",
    part(b'name="a"'), part(b'name="b"; filename="f"'), b"p" * 150, most=16,
)  # fmt: skip


@few
@given(BODIES, st.data())
def test_chunks_do_not_matter(body: bytes, data: st.DataObject) -> None:
    """
    No body is an error, and however it is cut, the same parts come out.
    """
    chunks = data.draw(chunked(st.just(body)))

    pieces_every_way(parser, body, chunks)


@few
@example(part(b'name="f"; filename="f"') + part(b'name="a"', b"v" * 300) + END)
@given(BODIES)
def test_bounded(body: bytes) -> None:
    """
    All that comes out together is no longer than what came in.
    """
    lengths = [_length(found) for found in parse(body)]

    assert sum(lengths) <= len(body)


def _length(found: Part) -> int:
    if isinstance(found, Tail):
        return found.len
    if isinstance(found, FilePart):
        return found.content.len

    return found.value.len if isinstance(found.value, Long) else len(found.value)


_names = st.binary(max_size=12).filter(lambda name: not set(name) & set(b'\\"%\r\n'))
_contents = fragments(b"\r\n", b"--xy", b"\xff", b"\x00", b"--", b"z").filter(
    lambda exact: b"--xyz" not in exact
)


@few
@given(st.lists(st.tuples(_names, st.none() | _names, _contents), max_size=4))
def test_round_trip(parts: list[tuple[bytes, bytes | None, bytes]]) -> None:
    """
    Parts that are put together as browsers do are the same parts.
    """
    body = END
    expected: list[Part] = []
    for name, filename, exact in reversed(parts):
        disposition = b'name="%s"' % name
        if filename is None:
            expected.insert(0, FieldPart(name, exact, None))
        else:
            disposition += b'; filename="%s"' % filename
            expected.insert(
                0, FilePart(name, filename, None, file_content(exact), None)
            )
        body = part(disposition, exact) + body

    assert expected == parse(body)


# --- work


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(part(b'name="a"'), id="parts"),
        pytest.param(b"--xyz", id="boundaries"),
        pytest.param(b"\r\n", id="lines"),
        pytest.param(b"x" * 100, id="bytes"),
    ],
)
def test_work_is_linear(piece: bytes) -> None:
    """
    Twice the chunks take twice the calls.
    """
    start = part(b'name="a"')[:-2]
    once = calls(lambda: pieces(parser(), [start, *[piece] * 500]))
    twice = calls(lambda: pieces(parser(), [start, *[piece] * 1_000]))

    assert twice <= 2.1 * once


@any_size
@pytest.mark.parametrize(
    "piece",
    [b"\r", b"\n", b"-", b"--xyz", b"\r\n--xyz", b"--xyz ", b" ", b"x", b"a: b\r\n", b'"',
     b"--xyz\r\n\r\n", part(b'name="a"')],
)  # fmt: skip
@pytest.mark.parametrize("start", [b"", b"--xyz\r\n", part(b'name="a"')[:-2]])
@pytest.mark.parametrize("chunk", [100_000_000, 1_000])
def test_hostile_bytes(*, piece: bytes, start: bytes, chunk: int, size: int) -> None:
    """
    Any amount of what the grammar is made of cost what they weigh.
    """
    body = start + piece * (size // len(piece))
    large = MultipartParser(BOUNDARY, 1 << 20)
    with cpu_bound(120):
        for at in range(0, len(body), chunk):
            for _ in large.feed(body[at : at + chunk]):
                pass
        for _ in large.finish():
            pass
