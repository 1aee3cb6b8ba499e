import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.driving import any_size, calls, cpu_bound
from tests.strategies import few, fragments

from audit_mw.wire.cookies import parse_cookies
from audit_mw.wire.head import Pair

LINES = fragments(b";", b"; ", b"=", b" ", b"\t", b'"', b"%3B", b"a", b"\\", b",")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="no line"),
        pytest.param([b""], [], id="empty line"),
        pytest.param([b"a=1"], [(b"a", b"1", None)], id="one"),
        pytest.param(
            [b"a=1; a=2"], [(b"a", b"1", None), (b"a", b"2", None)], id="repeats"
        ),
        pytest.param(
            [b"b=1", b"a=2"],
            [(b"b", b"1", None), (b"a", b"2", None)],
            id="HTTP/2 lines",
        ),
        pytest.param(
            [b"a=1;b=2"], [(b"a", b"1", None), (b"b", b"2", None)], id="no space"
        ),
        pytest.param([b"flag"], [(b"flag", None, None)], id="no equals sign"),
        pytest.param([b"a="], [(b"a", b"", None)], id="empty value"),
        pytest.param([b"=v"], [(b"", b"v", None)], id="empty name"),
        pytest.param([b"a=b=c=="], [(b"a", b"b=c==", None)], id="more equals signs"),
        pytest.param(
            [b"a=1; ; b"],
            [(b"a", b"1", None), (b"", None, None), (b"b", None, None)],
            id="empty piece",
        ),
        pytest.param([b"a;"], [(b"a", None, None), (b"", None, None)], id="empty end"),
        pytest.param(
            [b'a="x;y"'], [(b"a", b'"x', None), (b'y"', None, None)], id="quotes"
        ),
        pytest.param([b"a=%3B+"], [(b"a", b"%3B+", None)], id="not decoded"),
        pytest.param([b"a=\xff\x00"], [(b"a", b"\xff\x00", None)], id="any byte"),
    ],
)
def test_wire_order(lines: list[bytes], expected: list[Pair]) -> None:
    """
    Pairs come out in the order and number in which they were sent, not decoded.
    """
    assert expected == list(parse_cookies(lines))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b" a=1", Pair(b"a", b"1", (b" a", b"1")), id="before"),
        pytest.param(b"a = 1", Pair(b"a", b"1", (b"a ", b" 1")), id="around"),
        pytest.param(b"a=1\t", Pair(b"a", b"1", (b"a", b"1\t")), id="behind"),
        pytest.param(b" a ", Pair(b"a", None, (b" a ", None)), id="no equals sign"),
        pytest.param(b"\t", Pair(b"", None, (b"\t", None)), id="nothing else"),
        pytest.param(b"a= ", Pair(b"a", b"", (b"a", b" ")), id="empty value"),
    ],
)
def test_white_space(line: bytes, expected: Pair) -> None:
    """
    White space around a half is no part of it, but it is kept as sent.
    """
    assert [expected] == list(parse_cookies([line]))
    assert [Pair(b"x", None), expected] == list(parse_cookies([b"x; " + line]))


@few
@given(st.lists(LINES, max_size=3))
def test_nothing_is_lost(lines: list[bytes]) -> None:
    """
    The halves as sent make up the lines again, but for one space behind a semicolon.
    """
    expected = [
        piece.removeprefix(b" ") if place else piece
        for line in lines
        if line
        for place, piece in enumerate(line.split(b";"))
    ]
    halves = [pair.sent or pair[:2] for pair in parse_cookies(lines)]

    assert expected == [
        name if value is None else name + b"=" + value for name, value in halves
    ]


def test_work_is_linear() -> None:
    """
    Twice the pieces take twice the calls.
    """
    once = calls(lambda: list(parse_cookies([b"; =" * 1_000])))
    twice = calls(lambda: list(parse_cookies([b"; =" * 2_000])))

    assert twice <= 2.1 * once


@any_size
@pytest.mark.parametrize("piece", [b";", b"=", b" ", b'"', b"\\", b"; ", b"; a= "])
def test_hostile_bytes(*, piece: bytes, size: int) -> None:
    """
    Any amount of what the grammar is made of cost what they weigh.
    """
    with cpu_bound(120):
        for _ in parse_cookies([piece * (size // len(piece))]):
            pass
