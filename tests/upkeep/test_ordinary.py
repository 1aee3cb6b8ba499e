# The short road of verify takes no line in which the long one finds anything.
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import events, few
from tests.trail.samples import event, spill_of

from audit_mw.errors import DamagedRecord
from audit_mw.event import (
    Event,
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spilled,
    Unread,
    Upload,
)
from audit_mw.trail.record import (
    Draft,
    decode_line,
    decode_value_line,
    draft_event,
    encode_value_line,
    finish_line,
    header_line,
)
from audit_mw.verify import verify_trail
from audit_mw.verify.coding import misspelling, named_values
from audit_mw.verify.ordinary import DetailsSeen, Sound, record_of, value_of

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
INSTANCE = "web-1.example:4711:1eeb7084"
USUAL = event(
    instance=INSTANCE,
    path=(b"/reset/", Hole(9, "token", "1c2d3e4f.66b8"), b'%\xff"'),
    params=(
        Param("query", b"a\\b", b'"%2D'),
        Param("query", b"flag", None),
        Param("form", b"password", Redacted(6, "password")),
        Param("cookie", b"sid", Redacted(6, "token", "1c2d3e4f.66b80c3d")),
        Param("json", b"/a", JsonText(b"1.50")),
        Param("file", b"f", Upload(b"a.png", None, 7, SHA256)),
        Param("body", None, Unread(None, 0)),
        Param("body", None, Opaque(9, b"a/b")),
        Param("form", b"note", Spilled(300, SHA256)),
        Param("rest", None, Rest(3, 4, SHA256)),
    ),
    details={"via": b"direct", "sent_as": [[0, b"%41", None]]},
)


def is_found(text: bytes, stream: str) -> bool:
    """Tell whether the long road finds anything in a line."""
    try:
        record = decode_line(text)
    except DamagedRecord:
        return True

    return record.event.stream != stream or misspelling(text, record) is not None


def line(each: Event, seq: int = 7) -> bytes:
    """Return an event as the writer writes it."""
    return finish_line(draft_event(each), seq)


def spoilt(text: bytes, place: int, length: int, put: bytes, *, sign: bool) -> bytes:
    """Return a line with other bytes in it; `sign`: with a length and check that fit."""
    at = place % len(text)
    changed = text[:at] + put + text[at + length :]
    if not sign:
        return changed
    cells = changed.rstrip(b"\n").split(b"\t")
    if len(cells) < 7 or not cells[4].isdigit() or len(cells[4]) > 15:
        return changed
    before, after = b"\t".join(cells[1:4]), b"\t".join(cells[5:-1])

    return finish_line(Draft("request", before, after), int(cells[4]))


_put = st.binary(max_size=3) | st.sampled_from(
    [b"%", b"%2D", b"%41", b"%0a", b"%{", b"-", b'""', b'"', b"\\", b"\t", b"0", b" "]
)


def test_usual() -> None:
    """What a service writes goes the short road, with all kinds of values."""
    text = line(USUAL)
    record = record_of(text, "request", DetailsSeen())

    assert record is not None
    assert (record.instance, record.seq, record.names) == (INSTANCE, 7, True)
    assert record.record.event == USUAL


@few
@given(events, st.integers(1, 1 << 40))
def test_any_event(each: Event, seq: int) -> None:
    """Whatever is taken is as the long road has it; what names a value says so."""
    text = line(each, seq)
    record = record_of(text, each.stream, DetailsSeen())

    if record is not None:
        assert not is_found(text, each.stream)
        assert (record.instance, record.seq) == (each.instance, seq)
        assert record.names or not list(named_values(each))


@few
@given(
    st.sampled_from([line(USUAL), line(event(instance=INSTANCE))]),
    st.integers(0, 4000),
    st.integers(0, 3),
    _put,
    st.booleans(),
)
def test_spoilt(text: bytes, place: int, length: int, put: bytes, sign: bool) -> None:
    """A line that was changed, and signed again, is taken only if nothing is found."""
    changed = spoilt(text, place, length, put, sign=sign)

    if record_of(changed, "request", DetailsSeen()) is not None:
        assert not is_found(changed, "request")
    if Sound()(changed):
        decode_line(changed)


@few
@given(events, st.binary())
def test_sound(each: Event, other: bytes) -> None:
    """A line of any stream is sound or not known to be; what is none is not sound."""
    text = line(each)
    is_sound = record_of(text, each.stream, DetailsSeen()) is not None

    assert Sound()(text) == is_sound
    assert not Sound()(other)
    assert not Sound()(text.replace(b"\t%s\t" % each.stream.encode(), b"\tno\t", 1))


@pytest.mark.long
@pytest.mark.parametrize(
    "put", [b"%", b"%41", b"-", b'"', b"\\", b"\t", b"0", b" ", b""]
)
def test_spoilt_everywhere(put: bytes) -> None:
    """Likewise at each place, with each byte that means something."""
    text = line(USUAL)
    for place in range(len(text)):
        for length in (0, 1, 2):
            changed = spoilt(text, place, length, put, sign=True)
            if record_of(changed, "request", DetailsSeen()) is not None:
                assert not is_found(changed, "request"), changed


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((b"2026-11-", b"2026-02-31T"), id="no such day"),
        pytest.param((b'"via":"direct"', b'"via":"x","via":"direct"'), id="key twice"),
        pytest.param((b'"direct"', b'"%41"'), id="details"),
        pytest.param((INSTANCE.encode(), b"-"), id="no instance"),
    ],
)
def test_left(change: tuple[bytes, bytes]) -> None:
    """What an expression cannot tell is left to the long road."""
    draft = draft_event(USUAL)
    before, after = draft.before.replace(*change), draft.after.replace(*change)
    text = finish_line(Draft("request", before, after), 7)

    assert text != line(USUAL)
    assert record_of(text, "request", DetailsSeen()) is None


@pytest.mark.parametrize("depth", [10, 31, 32, 260, 2000])
def test_deep_details(tmp_path: Path, depth: int) -> None:
    """Details that nest without end break nothing, there twice as well."""
    draft = draft_event(event())
    deep = b'{"app":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    cells = draft.after.split(b"\t")
    cells = [deep if cell.startswith(b"{") else cell for cell in cells]
    text = finish_line(Draft("request", draft.before, b"\t".join(cells)), 1)
    path = tmp_path / "request" / "2026-11-20.log"
    path.parent.mkdir()
    path.write_bytes(header_line("request") + text + text)
    report = verify_trail(tmp_path)

    assert report.is_well is (depth < 32)


def test_another_stream() -> None:
    """A record among those of another stream is left to the long road."""
    assert record_of(line(USUAL), "session", DetailsSeen()) is None


@few
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 3), _put)
def test_values(value: bytes, place: int, length: int, put: bytes) -> None:
    """A value is taken as the long road has it; one that is spoilt is not."""
    text = encode_value_line(USUAL.time, USUAL.event, spill_of(value))
    taken = value_of(text)
    at = place % len(text)
    changed = text[:at] + put + text[at + length :]

    assert (taken is None) == (not value)
    if taken is not None:
        assert (taken.sha256, taken.size) == (spill_of(value).sha256, len(value))
    if changed != text and value_of(changed) is not None:
        found = decode_value_line(changed)
        assert misspelling(changed, found) is None


def test_value_in_other_base64() -> None:
    """Bits that no byte needs are seen, though the value and the check are right."""
    text = encode_value_line(USUAL.time, USUAL.event, spill_of(b"a"))
    cells = text.split(b"\t")
    cells[-2] = b64encode(b"a").replace(b"YQ", b"YR")
    draft = Draft("values", b"\t".join(cells[1:4]), b"\t".join(cells[5:-1]))

    assert value_of(text) is not None
    assert value_of(finish_line(draft, 1)) is None
