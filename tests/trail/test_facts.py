# What is in a segment, part by part, against the obvious: line by line.
import hashlib
import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_mw.errors import DamagedRecord
from audit_mw.trail import facts
from audit_mw.trail.encoding import decode_time
from audit_mw.trail.facts import Measure, measure, parts
from audit_mw.trail.index import Facts

TIME = re.compile(
    rb"[0-9]+\t([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)\t"
)
TIMES = st.sampled_from(
    [
        b"2026-11-21T05:26:07.123456Z",
        b"2026-11-21T05:26:07.123457Z",
        b"2026-13-21T05:26:07.123456Z",
        b"1999-01-01T00:00:00.000000Z",
    ]
)
RECORDS = st.builds(b"%d\t%s\tand so on".__mod__, st.tuples(st.integers(0, 999), TIMES))
LINES = st.one_of(
    RECORDS,
    st.builds(b"#".__add__, RECORDS),
    st.builds(b"\r".__add__, RECORDS),
    st.builds(b" ".__add__, RECORDS),
    st.just(b""),
    st.binary(max_size=40),
)
SEGMENTS = st.builds(
    bytes.__add__, st.lists(LINES).map(b"\n".join), st.sampled_from([b"", b"\n"])
)


def obvious(text: bytes) -> Facts:
    """Return what is in a segment, found line by line."""
    lines = text.split(b"\n")
    times = sorted(match[1] for line in lines if (match := TIME.match(line)))

    return Facts(
        first=moment(times[0]) if times else None,
        last=moment(times[-1]) if times else None,
        records=len(lines) - 1 - sum(line.startswith(b"#") for line in lines),
        bytes=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
    )


def moment(coded: bytes) -> int | None:
    """Return a time, or None for what is none."""
    try:
        return decode_time(coded)
    except DamagedRecord:
        return None


@given(SEGMENTS)
def test_obvious(text: bytes) -> None:
    """Whatever a segment holds, it is measured as line by line."""
    assert obvious(text) == measure(io.BytesIO(text))


@given(st.data())
def test_in_parts(data: st.DataObject) -> None:
    """It is the same, wherever a part ends: at the end of a line, or within it."""
    text = data.draw(SEGMENTS)
    cuts = data.draw(st.lists(st.integers(0, len(text))).map(sorted))
    found = Measure()
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        if begin < end:
            found.take(text[begin:end])

    expected = obvious(text)
    if any(cut and text[cut - 1 : cut] != b"\n" for cut in cuts):
        # The time of a line that is cut there may be missed.
        expected = replace(expected, first=None, last=None)
        assert expected == replace(found.facts(), first=None, last=None)
    else:
        assert expected == found.facts()


def test_long_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middle of a line is no line, whatever it begins with."""
    monkeypatch.setattr(facts, "_PART", 4)
    monkeypatch.setattr(facts, "_STEP", 4)
    text = b"1234567\n12345678#9012345\n#2345678\n"

    assert b"#9012345" in list(parts(io.BytesIO(text)))
    assert obvious(text) == measure(io.BytesIO(text))
