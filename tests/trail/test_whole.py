# Many lines at once: those that fit their length and check are counted, to the first
# that does not; in Python and compiled alike.
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trail.samples import event

from audit_mw.trail.record import draft_event, finish_line, header_line
from audit_mw.trail.whole import count_each, count_whole

LINE = finish_line(draft_event(event()), 1)
OTHER = finish_line(draft_event(event(path=b"/" + b"x" * 999)), 2)
# What is nearly a line: cut, longer, with another check, number, or end.
NEARLY = [
    *(b"", b"\n", b"\t\n", b"1\n", b"18\t" + b"0" * 15, LINE[:-1], LINE[1:], LINE[:9]),
    *(b"0" + LINE, LINE[:-2] + b"x\n", LINE[:-1] + b"\r\n", LINE.replace(b"1", b"2")),
    *(LINE.replace(b"\t", b"\x00\t", 1), LINE.upper(), header_line("request")),
    *(LINE[:-17] + b"\n", b"19\t" + b"0" * 15 + b"\n", b"-" + LINE[1:]),
]
pieces = st.sampled_from([LINE, OTHER, *NEARLY]) | st.binary(max_size=40)


@given(st.lists(pieces, max_size=8))
def test_alike(some: list[bytes]) -> None:
    """Both count the same of any bytes, and no more than is there."""
    text = b"".join(some)
    found = count_whole(text)

    assert count_each(text) == found
    assert found[1] <= len(text)
    assert found[0] == text[: found[1]].count(b"\n")


@pytest.mark.parametrize("piece", NEARLY, ids=ascii)
def test_nearly(piece: bytes) -> None:
    """What is nearly a line ends the count, and what is behind it is not counted."""
    assert count_whole(LINE + OTHER + piece + LINE) in {
        (2, len(LINE + OTHER)),
        (3, len(LINE + OTHER + LINE)) if not piece else (2, len(LINE + OTHER)),
    }
    assert count_whole(LINE + piece)[0] == count_each(LINE + piece)[0] == 1


@given(st.lists(st.sampled_from([LINE, OTHER]), max_size=30), st.integers(0, 40_000))
def test_cut(lines: list[bytes], cut: int) -> None:
    """Of a text that is cut, all lines before the cut are counted."""
    text = b"".join(lines)[:cut]
    whole_ones = text[: text.rfind(b"\n") + 1]

    assert count_whole(text) == (whole_ones.count(b"\n"), len(whole_ones))


def test_compiled() -> None:
    """Where it was built, the compiled one is asked."""
    if find_spec("audit_mw.trail._lines") is None:
        pytest.skip("it was not built")

    assert count_whole is not count_each
