# A long value that nobody wants: it is passed over in pieces, or named as damage.
import io
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trail.samples import event, spill_of
from tests.upkeep.trails import add_values

from audit_mw.trail.long_lines import pass_line
from audit_mw.trail.reader import Damage, find_values
from audit_mw.trail.record import encode_value_line, is_whole

DAY = "2026-11-21.log"
LONG, OTHER = b"x" * (30 << 20), b"other"
LINE = encode_value_line(event().time, event().event, spill_of(b"y" * 99))


@contextmanager
def held(most: int) -> Iterator[None]:
    """See that no more than so many bytes are held at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@given(st.integers(1, len(LINE) - 1), st.binary(max_size=3), st.integers(0, len(LINE)))
def test_pieces(cut: int, put: bytes, at: int) -> None:
    """What is read in pieces fits where the whole line does, and to the same end."""
    text = (LINE[:at] + put + LINE[at:]).replace(b"\n", b"") + b"\n"
    file = io.BytesIO(text + LINE)
    begin = file.read(min(cut, len(text) - 1))
    size, fits = pass_line(file, begin, len(LINE))

    assert size == len(text) == file.tell()
    assert fits is is_whole(text)


def test_cut() -> None:
    """Half a line does not fit, and its end is that of the file."""
    file = io.BytesIO(LINE[:-9])

    assert pass_line(file, file.read(50), len(LINE)) == (len(LINE) - 9, False)


def test_not_held(tmp_path: Path) -> None:
    """Who looks for another value holds no long one, and is told of no damage."""
    add_values(tmp_path, DAY, LONG, LONG + b"1", OTHER)
    digest, damages = spill_of(OTHER).sha256, list[Damage]()
    with held(60 << 20):
        found = find_values(tmp_path, [digest, "a" * 64], damages)

    assert found == {digest: OTHER}
    assert damages == []


def test_held_by_who_wants_it(tmp_path: Path) -> None:
    """Who looks for a long value gets all of it."""
    add_values(tmp_path, DAY, OTHER, LONG)
    digest = spill_of(LONG).sha256

    assert find_values(tmp_path, [digest]) == {digest: LONG}


@pytest.mark.parametrize("at", [1 << 10, 20 << 20, 40 << 20])
def test_damaged(tmp_path: Path, at: int) -> None:
    """A long line that was changed is named, and what is behind it is read."""
    path = add_values(tmp_path, DAY, LONG)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"#")
    add_values(tmp_path, DAY, OTHER)
    digest, damages = spill_of(OTHER).sha256, list[Damage]()
    found = find_values(tmp_path, [digest, "a" * 64], damages)

    assert found == {digest: OTHER}
    assert [(it.line, "length and check" in it.reason) for it in damages] == [(2, True)]
