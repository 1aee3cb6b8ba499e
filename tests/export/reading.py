# Records of tests, as an export has them: written to a segment, and read again.
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.upkeep.trails import add

from audit_mw.event import Event
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.record import decode_line

__all__ = ["exported", "is_same"]


def exported(*events: Event) -> list[Found]:
    """Return the records of events, in their order."""
    with TemporaryDirectory() as name:
        for seq, event in enumerate(events, 1):
            add(Path(name), "2026-11-21.log", (seq, event), stream=event.stream)
        items = list(TrailReader([Path(name)]).read_appended())
    found = [item for item in items if isinstance(item, Found)]
    assert len(found) == len(events)

    return sorted(found, key=lambda it: it.record.seq)


def is_same(lines: Sequence[str], found: Sequence[Found]) -> bool:
    """Tell whether the lines of an export, decoded, are what was recorded."""
    records = [decode_line(line.encode() + b"\n") for line in lines]

    return records == [each.record for each in found]
