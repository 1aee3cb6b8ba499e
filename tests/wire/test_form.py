from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import any_size, calls, cpu_bound, pieces, pieces_every_way
from tests.strategies import chunked, few, fragments

from audit_mw.wire.head import Pair
from audit_mw.wire.query import FormParser, Long, parse_query

FORMS = fragments(b"&", b"=", b"+", b"%", b"%4", b"%41", b"%2", b"zz", b"abc", most=20)
LIMIT = 8


def long(decoded: bytes) -> Long:
    """Return what stands for a value that was too long."""
    return Long(len(decoded), sha256(decoded).hexdigest())


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(
            b"a=1&a=2", [(b"a", b"1", None), (b"a", b"2", None)], id="repeats"
        ),
        pytest.param(b"&", [(b"", None, None)] * 2, id="empty pieces"),
        pytest.param(b"a=%C3%A9", [(b"a", "é".encode(), None)], id="at the limit"),
        pytest.param(b"a=%c3%a9+", [(b"a", long("é ".encode()))], id="over the limit"),
        pytest.param(b"=12345678", [(b"", long(b"12345678"))], id="long, no name"),
        pytest.param(b"12345678=", [(b"12345678", long(b""))], id="name at the limit"),
        pytest.param(b"123456789", [(long(b"123456789"), None)], id="long name alone"),
        pytest.param(
            b"123456789=ab", [(long(b"123456789"), long(b"ab"))], id="long name"
        ),
        pytest.param(
            b"abcdef%4=%41%", [(b"abcdef%4", long(b"A%"))], id="escape cut by the end"
        ),
        pytest.param(
            b"n=12345678&b=1&n=12345679",
            [(b"n", long(b"12345678")), (b"b", b"1", None), (b"n", long(b"12345679"))],
            id="between others",
        ),
        pytest.param(
            b"n=a=b=c=d=", [(b"n", long(b"a=b=c=d="))], id="more equals signs"
        ),
        pytest.param(b"n=%%%%%41%%4", [(b"n", long(b"%%%%A%%4"))], id="percent signs"),
    ],
)
def test_pieces(form: bytes, expected: list[object]) -> None:
    """
    Pairs come as they stream by; of a piece beyond the limit, length and digest.
    """
    assert expected == pieces_every_way(lambda: FormParser(LIMIT), form)


@few
@given(FORMS, st.data())
def test_chunks_do_not_matter(form: bytes, data: st.DataObject) -> None:
    """
    However a form is cut, the same pieces come out.
    """
    chunks = data.draw(chunked(st.just(form)))

    pieces_every_way(lambda: FormParser(LIMIT), form, chunks)


@few
@given(FORMS)
def test_a_form_is_a_query(form: bytes) -> None:
    """
    Within the limit a form has the pairs that a query of the same bytes has.
    """
    assert list(parse_query(form)) == pieces_every_way(
        lambda: FormParser(len(form)), form
    )


@few
@given(FORMS)
def test_long_pieces_are_decoded_too(form: bytes) -> None:
    """
    Length and digest are those of the decoded halves, whatever the limit.
    """
    expected = [
        (
            long(pair.name) if name else b"",
            None if pair.value is None else long(pair.value),
        )
        if name or pair.value is not None
        else pair
        for pair in parse_query(form)
        for name in [pair.sent[0] if pair.sent else pair.name]
    ]

    assert expected == pieces_every_way(lambda: FormParser(0), form)[: len(expected)]


@few
@given(FORMS)
def test_held_is_bounded(form: bytes) -> None:
    """
    No piece that is given holds more bytes than the limit.
    """
    sizes = [
        len(part)
        for piece in pieces(FormParser(LIMIT), [form])
        for part in piece[:2]
        if isinstance(part, bytes)
    ]

    assert max(sizes, default=0) <= LIMIT


def test_memory_is_flat() -> None:
    """
    A megabyte in one value leaves no more in the parser than the limit.
    """
    parser = FormParser(LIMIT)
    for _ in range(1_000):
        assert list(parser.feed(b"x" * 1_000)) == []

    assert len(parser._held) <= LIMIT
    assert [(Long(1_000_000, sha256(b"x" * 1_000_000).hexdigest()), None)] == list(
        parser.finish()
    )


def test_finish_twice() -> None:
    """
    A form that is finished has no further piece.
    """
    parser = FormParser(LIMIT)

    assert [Pair(b"a", None)] == pieces(parser, [b"a"])
    assert list(parser.finish()) == []


@pytest.mark.parametrize("piece", [b"&", b"=", b"%", b"%4", b"+&", b"a=%zz&"])
def test_work_is_linear(piece: bytes) -> None:
    """
    Twice the chunks take twice the calls, and no more.
    """
    once = calls(lambda: pieces(FormParser(LIMIT), [piece] * 1_000))
    twice = calls(lambda: pieces(FormParser(LIMIT), [piece] * 2_000))

    assert twice <= 2.1 * once


@any_size
@pytest.mark.parametrize("byte", list(b'&=;%+"\\[a\x00'))
@pytest.mark.parametrize("chunk", [100_000_000, 65_536, 100])
def test_hostile_bytes(*, byte: int, chunk: int, size: int) -> None:
    """
    Any amount of one byte cost what they weigh, in chunks of any size.
    """
    parser = FormParser(1 << 20)
    with cpu_bound(120):
        count = sum(
            1
            for at in range(0, size, chunk)
            for _ in parser.feed(bytes([byte]) * min(chunk, size - at))
        )

    assert count == (size if byte == ord("&") else 0)
