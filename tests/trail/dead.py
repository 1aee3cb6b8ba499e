# The journals of processes that died, made by hand: in any state that a death can leave.
#
# The writer's own steps are taken one by one, and broken off where a test wants it.
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.trail.samples import config, event, nth, spill_of

from audit_mw.event import Event, Spill
from audit_mw.trail.adoption import Adopted, adopt, boot_id
from audit_mw.trail.appender import Files
from audit_mw.trail.entry import encode_version
from audit_mw.trail.journal import Journal
from audit_mw.trail.journal_header import Facts
from audit_mw.trail.notes import Note
from audit_mw.trail.record import draft_event, finish_line
from audit_mw.trail.segment import SegmentFile
from audit_mw.trail.slots import DONE, OPEN, SENDING, Geometry, Slot
from audit_mw.trail.writer import JOURNALS

__all__ = [
    "GEOMETRY",
    "INSTANCE",
    "VALUE",
    "adopt_one",
    "break_off",
    "dead_journal",
    "facts",
    "files_of",
    "keep",
    "lines_of",
    "note_append",
    "slots_of",
]

GEOMETRY = Geometry(16, 4096, 2, 69632)
INSTANCE = event().instance
VALUE = spill_of(b"v" * 3000)


def facts(**changes: Any) -> Facts:
    """Return what the header of a journal says that lies in its trail."""
    told: dict[str, Any] = {
        "trail": "",
        "service": "bank",
        "instance": INSTANCE,
        "boot": boot_id(),
        "durability": "process",
        "geometry": GEOMETRY,
    }

    return Facts(**(told | changes))


def dead_journal(
    where: Path,
    fill: Callable[[Journal], object],
    last: dict[str, int] | None = None,
    name: str = "dead",
    **changes: Any,
) -> Path:
    """Make a journal, fill it, and leave it as a process does that dies."""
    directory = where / JOURNALS
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.journal"
    journal = Journal.create(path, facts(**changes), last or {})
    try:
        fill(journal)
    finally:
        journal.close()

    return path


def slots_of(journal: Journal) -> list[Slot]:
    """Return the slots of a journal: 16 small ones, then 2 large ones."""
    return list(journal.slots())


def keep(
    slot: Slot,
    state: int,
    whole: Event | int,
    *,
    seq: int = 0,
    origin: int = -1,
    spills: Iterable[Spill] = (),
) -> None:
    """Put a record into a slot, as its request did."""
    whole = nth(whole) if isinstance(whole, int) else whole
    slot.claim(origin)
    slot.put(state, encode_version(draft_event(whole), spills))
    slot.number_record(seq)


def lines_of(numbers: Iterable[int], first: int = 1) -> bytes:
    """Return the lines of records of `nth`, numbered from `first` on."""
    return b"".join(
        finish_line(draft_event(nth(number)), seq, "taken")
        for seq, number in enumerate(numbers, first)
    )


def note_append(
    journal: Journal, trail: Path, lines: bytes, written: int, first: int = 1
) -> Path:
    """Note an append of `lines`, and leave `written` bytes of it in its segment."""
    segment = SegmentFile(trail, "request", "day")
    segment.append(b"")
    segment.close()
    path = segment.path
    status = path.stat()
    place = (status.st_dev, status.st_ino, status.st_size, len(lines))
    last = first + lines.count(b"\n") - 1
    journal.set_note("request", Note(*place, first, last, path.name))
    with path.open("ab") as file:
        file.write(lines[:written])

    return path


def break_off(journal: Journal, trail: Path, written: int = 500) -> None:
    """
    Leave an append that was broken off, and records of all states: 0 to 4 of requests.

    Args:
        journal: of the process that died.
        trail: the directory.
        written: bytes of the append that got into the segment.
    """
    slots = slots_of(journal)
    for number in range(3):
        keep(slots[number], DONE, number, seq=number + 1)
    keep(slots[3], OPEN, 3)
    keep(slots[16], SENDING, 3, origin=3)  # being moved
    keep(slots[4], DONE, 4, spills=[VALUE])
    keep(slots[5], OPEN, nth(5, stream="fault"))
    note_append(journal, trail, lines_of(range(3)), written)


def files_of(trail: Path, **options: Any) -> Files:
    """Return the files of a process that adopts."""
    return Files(config(trail, **options), trail / JOURNALS)


def adopt_one(path: Path) -> Adopted | None:
    """Adopt a journal that lies in its trail, and let go of all files."""
    files = files_of(path.parent.parent)
    try:
        return adopt(path, files)
    finally:
        files.close()
