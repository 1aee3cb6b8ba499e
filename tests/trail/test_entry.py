# A record as a slot keeps it, and as it is appended.
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import events
from tests.trail.samples import nth

from audit_mw.event import Event, Spill
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.entry import Entry, decode_version, encode_version
from audit_mw.trail.record import decode_line, draft_event, finish_line
from audit_mw.trail.slots import Geometry

few = settings(max_examples=50)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
spills = st.builds(Spill, digests, st.binary(max_size=300))


@given(events, st.lists(spills, max_size=4))
@few
def test_round_trip(event: Event, spilled: list[Spill]) -> None:
    """
    A version gives the draft and the values exactly as they were put into it.
    """
    draft = draft_event(event)

    assert (draft, tuple(spilled)) == decode_version(encode_version(draft, spilled))


@given(events)
@few
def test_stamp(event: Event) -> None:
    """
    Stamp and event id are those that stand in the line.
    """
    entry = Entry(draft_event(event))
    cells = finish_line(entry.draft, 7).split(b"\t")

    assert b"\t".join(cells[1:3]) == entry.stamp
    assert cells[2] == entry.event
    assert event.stream == entry.stream


def test_delivery() -> None:
    """
    What is not known until the append stands in the line, and nowhere before.
    """
    draft = decode_version(encode_version(draft_event(nth(1)), ()))[0]
    found = [decode_line(finish_line(draft, 1, told)) for told in ("taken", "unknown")]

    assert [record.event.details["delivery"] for record in found] == [
        b"taken",
        b"unknown",
    ]


def test_typical_record_fits() -> None:
    """
    What a version adds to a record is little: a small slot holds a typical one.
    """
    draft = draft_event(nth(1))
    line = finish_line(draft, 1)

    assert len(encode_version(draft, ())) < len(line)
    assert Geometry(16, 4096, 2, 69632).half_of(0) == 4096
    assert encode_time(nth(1).time) in draft.before
