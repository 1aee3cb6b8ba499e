# The journals of processes that died -> their records, in the segments.
#
# Rule 1: exactly once, though several look at the same moment, and though the adopter
#         may be killed as well. An adopter holds the lock, appends as the dead process
#         would have, with notes in the dead journal, and frees its slots; whoever comes
#         next goes on from there.
# Rule 2: a journal of another trail is left alone, and one that cannot be read is
#         never removed: it is told, and stays for who can.
# Rule 3: on a console it is at least once: nobody can look what is on it. What has a
#         number may be there, and comes again under that number.
#
# (Longer than 250 lines, since each step of an adoption relies on the order of all.)
import errno
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from audit_mw.config import CONSOLES
from audit_mw.errors import AuditError
from audit_mw.trail.appender import Appender, Files
from audit_mw.trail.directories import sync_directory
from audit_mw.trail.entry import Entry
from audit_mw.trail.journal import Journal
from audit_mw.trail.journal_header import Facts, JournalError
from audit_mw.trail.journals import find_journals
from audit_mw.trail.landed import has_segment
from audit_mw.trail.lost import entry_of, is_moved
from audit_mw.trail.record import mark_recovered
from audit_mw.trail.scan import scan
from audit_mw.trail.slots import FREE, OPEN

__all__ = [
    "Adopted",
    "JournalState",
    "Unadopted",
    "adopt",
    "boot_id",
    "is_of",
    "survey",
]


# Of a system that has too much to do to open a file.
_BUSY = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)


class Unadopted(AuditError):
    """
    A journal of a dead process could not be appended now; it stays.

    Args:
        path: where it is.
        cause: why.
        is_lasting: it cannot be read; else the disk takes nothing now, but may later.
    """

    def __init__(self, path: Path, cause: Exception, *, is_lasting: bool) -> None:
        super().__init__(f"{path}: {cause if str(cause) else repr(cause)}")
        self.is_lasting = is_lasting


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an adoption did: whose records, how many, and how many were not whole."""

    instance: str
    records: int
    unfinished: int
    damaged: int


@dataclass(frozen=True, slots=True)
class JournalState:
    """
    A journal as it is found.

    Args:
        path: where it is.
        alive: somebody has it.
        waiting: records in it that are in no segment; 0 where somebody has it.
        problem: why it cannot be read.
    """

    path: Path
    alive: bool
    waiting: int
    problem: str | None = None


def boot_id() -> str:
    """Return the id of the machine's boot; empty where the kernel tells none."""
    with suppress(OSError):
        # Bytes: text may import a codec, which the trail's owner may not read.
        told = Path("/proc/sys/kernel/random/boot_id").read_bytes()
        return told.decode("ascii").strip()

    return ""


def survey(directory: Path, trail: Path | None = None) -> list[JournalState]:
    """Return the journals (of a trail), and what waits in them; nothing is changed."""
    return [state for path in find_journals(directory) for state in _look(path, trail)]


def _look(path: Path, trail: Path | None) -> Iterator[JournalState]:
    try:
        journal = Journal.take_over(path)
    except (OSError, ValueError, JournalError) as error:
        yield JournalState(path, alive=False, waiting=0, problem=str(error))
        return
    if journal is None:
        if path.exists():
            yield JournalState(path, alive=True, waiting=0)
        return
    waiting = sum(slot.state != FREE for slot in journal.slots())
    is_ours = trail is None or is_of(journal.facts, path, trail)
    journal.close()
    if is_ours:
        yield JournalState(path, alive=False, waiting=waiting)


def adopt(path: Path, files: Files) -> Adopted | None:
    """
    Append what the journal of a dead process keeps, and remove it.

    Returns:
        What was done; None if somebody has the journal, or it is of another trail.

    Raises:
        Unadopted: it stays; why.
    """
    try:
        journal = Journal.take_over(path)
    except Exception as error:
        # Whatever is wrong with one journal must not keep the others from their end.
        is_busy = isinstance(error, OSError) and error.errno in _BUSY
        raise Unadopted(path, error, is_lasting=not is_busy) from error
    if journal is None:
        return None
    files.journals.append(journal)
    try:
        if not is_of(journal.facts, journal.path, files.trail):
            return None
        return _empty(journal, files)
    except Exception as error:
        is_lasting = not isinstance(error, OSError)
        raise Unadopted(path, error, is_lasting=is_lasting) from error
    finally:
        files.journals.remove(journal)
        journal.close()


def is_of(facts: Facts, path: Path, trail: Path) -> bool:
    """Tell whether a journal's records belong to a trail."""
    # stdout or stderr: who collects one has the records of both.
    on_console = str(trail) in CONSOLES or trail.is_file()
    if on_console or facts.trail in CONSOLES:
        return on_console and facts.trail in CONSOLES
    if not facts.trail:  # it lies in its trail, and went with it wherever that went
        return path.parent.parent.resolve() == trail.resolve()

    return Path(facts.trail).resolve() == trail.resolve()


def _empty(journal: Journal, files: Files) -> Adopted:
    entries, unfinished, damaged = _read(journal)
    total = len(entries)
    trusted = files.is_console or _is_trusted(journal.facts)
    if files.is_console:
        _mark_repeated(entries)
    elif trusted:
        _mark_recovered(journal, files, entries)
    else:
        entries = _forget_landed(journal, files, entries)
    appender = Appender(files, journal, unsettled=trusted)
    down = appender.append(entries)
    files.sync()
    for entry in down:
        if entry.slot is not None:
            entry.slot.mark(FREE)
    if appender.error is not None:
        raise appender.error
    journal.remove()
    sync_directory(journal.path.parent)

    return Adopted(journal.facts.instance, total, unfinished, damaged)


def _read(journal: Journal) -> tuple[list[Entry], int, int]:
    """Return the entries of a journal in their order, how many run, how many rot."""
    entries: list[Entry] = []
    unfinished = damaged = 0
    for slot in journal.slots():
        if slot.state == FREE:
            continue
        if is_moved(slot, journal):
            slot.mark(FREE)  # first: the large slot will be free before this one
            continue
        unfinished += slot.state == OPEN
        try:
            entries.append(entry_of(slot))
        except (ValueError, struct.error):
            damaged += 1
    entries.sort(key=_order)

    return entries, unfinished, damaged


def _order(entry: Entry) -> tuple[int, bytes, int]:
    state = 0 if entry.slot is None else -entry.slot.state

    return entry.seq or 1 << 64, entry.stamp, state


def _is_trusted(facts: Facts) -> bool:
    """Tell whether the pages of a journal are as its process left them."""
    # After a loss of power any page may be older than the next: a slot may have been
    # freed and come back, and a note may be of an earlier append.
    return facts.boot == boot_id() and facts.durability == "process"


def _forget_landed(journal: Journal, files: Files, entries: list[Entry]) -> list[Entry]:
    """Free what a segment has already, where no note tells; return what is left."""
    found, last = scan(files.trail, entries, journal.facts.instance)
    for stream in found:
        journal.last[stream] = max(
            last.get(stream, 0), _noted(journal, entries, stream)
        )
    left = []
    for entry in entries:
        # A record can be there twice: in the slot that it was moved from.
        stamps = found[entry.stream]
        if entry.stamp in stamps and entry.slot is not None:
            entry.slot.mark(FREE)
        else:
            left.append(entry)
            stamps.add(entry.stamp)

    return left


def _noted(journal: Journal, entries: list[Entry], stream: str) -> int:
    """Return the last seq of a stream, as far as its note tells."""
    note = journal.note(stream)
    if note is None:
        return 0
    is_open = any(
        note.first <= entry.seq <= note.last
        for entry in entries
        if entry.stream == stream
    )

    return note.first - 1 if is_open else note.last


def _mark_recovered(journal: Journal, files: Files, entries: list[Entry]) -> None:
    for entry in entries:
        note = journal.note(entry.stream)
        in_doubt = note is not None and note.first <= entry.seq <= note.last
        if note and in_doubt and not has_segment(files.trail / entry.stream, note):
            entry.draft = mark_recovered(entry.draft)


def _mark_repeated(entries: list[Entry]) -> None:
    for entry in entries:
        if entry.seq:
            entry.draft = mark_recovered(entry.draft, entry.delivery)
