from urllib.parse import quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import any_size, calls, cpu_bound
from tests.strategies import few, fragments, raw

from audit_mw.wire.head import Pair
from audit_mw.wire.query import (
    decode_percent,
    encode_path,
    encode_plain,
    parse_query,
)

QUERIES = fragments(
    b"&", b"=", b"+", b"%", b"%20", b"%2", b"%25", b"%zz", b"%c3%A9", b"a", b";", b"%26"
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"", [], id="none"),
        pytest.param(b"a=1", [(b"a", b"1", None)], id="one"),
        pytest.param(
            b"b=1&a=2&b=1",
            [(b"b", b"1", None), (b"a", b"2", None), (b"b", b"1", None)],
            id="order and repeats",
        ),
        pytest.param(b"a", [(b"a", None, None)], id="no equals sign"),
        pytest.param(b"a=", [(b"a", b"", None)], id="empty value"),
        pytest.param(b"=a", [(b"", b"a", None)], id="empty name"),
        pytest.param(b"a=b=c", [(b"a", b"b=c", (b"a", b"b=c"))], id="second equals"),
        pytest.param(
            b"&a&",
            [(b"", None, None), (b"a", None, None), (b"", None, None)],
            id="empty pieces",
        ),
        pytest.param(
            b"a;b=1", [(b"a;b", b"1", (b"a;b", b"1"))], id="no other separator"
        ),
    ],
)
def test_pieces(query: bytes, expected: list[Pair]) -> None:
    """
    Pairs come out in the order and number in which they were sent.
    """
    assert expected == list(parse_query(query))


@pytest.mark.parametrize(
    ("sent", "value", "is_plain"),
    [
        pytest.param(b"a+b", b"a b", True, id="plus"),
        pytest.param(b"a%20b", b"a b", True, id="%20"),
        pytest.param(b"a+b%20c", b"a b c", False, id="both"),
        pytest.param(b"%C3%A9", b"\xc3\xa9", True, id="upper-case hex"),
        pytest.param(b"%c3%a9", b"\xc3\xa9", False, id="lower-case hex"),
        pytest.param(b"\xc3\xa9", b"\xc3\xa9", False, id="not coded"),
        pytest.param(b"%41", b"A", False, id="coded without need"),
        pytest.param(b"%2520", b"%20", True, id="a percent sign of its own"),
        pytest.param(b"%253Cb", b"%3Cb", True, id="coded twice"),
        pytest.param(b"%2B", b"+", True, id="coded plus"),
        pytest.param(b"%zz%4", b"%zz%4", False, id="malformed escapes stay"),
        pytest.param(b"%%41", b"%A", False, id="percent before an escape"),
        pytest.param(b"%", b"%", False, id="percent alone"),
        pytest.param(b"%0A%00", b"\n\x00", True, id="control characters"),
    ],
)
def test_decoded_once(sent: bytes, value: bytes, *, is_plain: bool) -> None:
    """
    A half is decoded once; where that cannot be undone the piece is kept as sent.
    """
    as_value = Pair(b"n", value, None if is_plain else (b"n", sent))
    as_name = Pair(value, None, None if is_plain else (sent, None))

    assert [as_value, as_name] == list(parse_query(b"n=" + sent + b"&" + sent))


@few
@given(QUERIES)
def test_nothing_is_lost(query: bytes) -> None:
    """
    Each piece is given back: by plain coding of its pair, or as it was sent.
    """
    sent = query.split(b"&") if query else []
    pairs = list(parse_query(query))

    assert [True] * len(sent) == [
        _is_whole(pair, piece) for pair, piece in zip(pairs, sent, strict=True)
    ]


def _is_whole(pair: Pair, piece: bytes) -> bool:
    if pair.sent is not None:
        return _joined(*pair.sent) == piece
    coded = _joined(
        encode_plain(pair.name),
        None if pair.value is None else encode_plain(pair.value),
    )

    return piece in (coded, coded.replace(b"%20", b"+"))


def _joined(name: bytes, value: bytes | None) -> bytes:
    return name if value is None else name + b"=" + value


@few
@given(QUERIES)
def test_decoded_as_by_the_standard_library(text: bytes) -> None:
    """
    Decoding agrees with a reader that others use.
    """
    assert unquote_to_bytes(text.replace(b"+", b" ")) == decode_percent(text)


@few
@given(raw)
def test_plain_coding_is_undone(text: bytes) -> None:
    """
    Decoding gives back what plain coding was made from, in printable characters.
    """
    coded = encode_plain(text)

    assert text == decode_percent(coded)
    assert coded.isascii()
    assert coded.decode().isprintable()


@few
@given(raw)
def test_plain_coding_of_browsers(text: bytes) -> None:
    """
    A pair as a common coder writes it is plain.
    """
    coded = quote_plus(text, safe="*").replace("~", "%7E").replace("%7E", "~").encode()

    assert [(text, text, None)] == list(parse_query(coded + b"=" + coded))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(b"/a/b-c_d.e~f", b"/a/b-c_d.e~f", id="unreserved"),
        pytest.param(b"/a:@!$&'()*+,;=", b"/a:@!$&'()*+,;=", id="sub-delimiters"),
        pytest.param(b"/a b%?#\xff\n", b"/a%20b%25%3F%23%FF%0A", id="coded"),
    ],
)
def test_path(path: bytes, expected: bytes) -> None:
    """
    A decoded path is coded as RFC 3986 asks a client to.
    """
    assert expected == encode_path(path)


@few
@given(raw)
def test_path_is_undone(path: bytes) -> None:
    """
    Decoding gives back the path that was coded.
    """
    assert path == unquote_to_bytes(encode_path(path))


@pytest.mark.parametrize("piece", [b"&", b"=", b"%", b"+&", b"%41", b"a=%zz&"])
def test_work_is_linear(piece: bytes) -> None:
    """
    Twice the query takes twice the calls.
    """
    once = calls(lambda: list(parse_query(piece * 2_000)))
    twice = calls(lambda: list(parse_query(piece * 4_000)))

    assert twice <= 2.1 * once


@any_size
@pytest.mark.parametrize("byte", list(b'&=;%+"\\[a\x00'))
def test_hostile_bytes(*, byte: int, size: int) -> None:
    """
    Any amount of one byte cost what they weigh.
    """
    with cpu_bound(120):
        count = sum(1 for _ in parse_query(bytes([byte]) * size))

    assert count == (size + 1 if byte == ord("&") else 1)


@few
@given(st.lists(st.tuples(raw, raw), min_size=1, max_size=6))
def test_pairs_round_trip(pairs: list[tuple[bytes, bytes]]) -> None:
    """
    Pairs that are coded plainly and parsed again are the same pairs.
    """
    query = b"&".join(encode_plain(n) + b"=" + encode_plain(v) for n, v in pairs)

    assert [(*pair, None) for pair in pairs] == list(parse_query(query))
