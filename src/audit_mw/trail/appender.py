# Entries -> lines: numbers, one write a stream, and what to do when it fails.
#
# It serves the journal of this process and, when it is adopted, that of a dead one:
# both are emptied by the same steps, so both can be broken off anywhere.
#
# Rule 1: a seq is the number of an append that worked. It is stored in the slot, then
#         the note is made, then the lines are written, then the slots are freed.
# Rule 2: after a write that failed, or of which nobody knows how it ended, the file is
#         asked what stands in it (`landed`), before anything is numbered again. Where
#         nobody can tell, as of a console, it is written again under its old numbers.
#
# (Longer than 250 lines, since what is open and what is appended to it are one thing.)
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from audit_mw.config import Config
from audit_mw.event import STREAMS
from audit_mw.trail.console import Console, ConsoleStream
from audit_mw.trail.entry import Entry, without
from audit_mw.trail.journal import Journal
from audit_mw.trail.journals import find_journals, read_notes
from audit_mw.trail.landed import landed
from audit_mw.trail.lines import finish_lines, number_entries
from audit_mw.trail.losses import Loss
from audit_mw.trail.notes import NOTED, Note
from audit_mw.trail.record import VALUES, finish_value_parts
from audit_mw.trail.segment import Noting, SegmentFile
from audit_mw.trail.slots import FREE
from audit_mw.trail.spill import SpillFile

__all__ = ["Appender", "Files"]


class Files:
    """
    What a process has open of a trail: the active segment of each stream, or a console.

    Args:
        config: the options.
        directory: where the journals of the trail are.
    """

    def __init__(self, config: Config, directory: Path) -> None:
        self.trail = Path(config.trail)
        self._directory = directory
        self.journals: list[Journal] = []  # that this process has open
        self.is_console = config.is_console
        self.segments: Mapping[str, SegmentFile | ConsoleStream]
        if config.is_console:
            console = Console(config.trail, directory)
            self.segments = {each: ConsoleStream(console) for each in NOTED}
            self.spills = SpillFile(self.segments[VALUES], finish_value_parts)
        else:
            self.segments = {each: self._segment(each, config) for each in NOTED}
            self.spills = SpillFile(self.segments[VALUES])

    def _segment(self, stream: str, config: Config) -> SegmentFile:
        return SegmentFile(
            self.trail,
            stream,
            config.rotate,
            self._covering,
            sync=config.durability == "disk",
        )

    def landed(self, stream: str, note: Note, instance: str) -> dict[int, bytes] | None:
        """
        Return seq -> event id of the lines of an append that are down.

        Returns:
            None where nobody knows.

        Raises:
            OSError: the file is there, but cannot be read.
        """
        segment = self.segments[stream]
        if isinstance(segment, ConsoleStream):
            return segment.landed(note, instance)

        return landed(self.trail / stream, note, instance)

    def _covering(self, device: int, inode: int, size: int) -> int | None:
        """Return where the append began of which a journal has the whole, if any."""
        notes = [journal.note(each) for journal in self.journals for each in NOTED]
        for path in find_journals(self._directory):
            notes += read_notes(path)
        for note in notes:
            if note is not None and note.covers(device, inode, size):
                return note.offset

        return None

    def losses(self) -> Iterator[Loss]:
        """Yield what was found since the last time."""
        for segment in self.segments.values():
            losses, segment.losses = segment.losses, []
            yield from losses

    def sync(self) -> None:
        """
        Make what was appended durable.

        Raises:
            OSError: the disk does not.
        """
        for segment in self.segments.values():
            segment.sync()

    def close(self) -> None:
        """Let go of all files; the next append opens them again."""
        for segment in self.segments.values():
            segment.close()


class Appender:
    """
    Appends what one journal keeps.

    Args:
        files: of the trail.
        journal: keeps the notes and the numbers.
        unsettled: nobody knows how the last append of each stream ended.
    """

    def __init__(
        self, files: Files, journal: Journal, *, unsettled: bool = False
    ) -> None:
        self._files = files
        self._journal = journal
        self._unsettled = set(STREAMS) if unsettled else set()
        self._is_durable = journal.facts.durability == "disk"
        self.error: Exception | None = None

    def append(self, entries: Iterable[Entry]) -> list[Entry]:
        """
        Append entries; return those that are in their segments now.

        What kept the others from it is `error`, which is None if there are none.
        """
        self.error = None
        down: list[Entry] = []
        for stream, group in _by_stream(self._with_values(list(entries))).items():
            try:
                down += self._append(stream, group)
            except Exception as error:  # noqa: BLE001 - the other streams are down
                self.error = error

        return down

    def _with_values(self, entries: list[Entry]) -> list[Entry]:
        """Return the entries of which the values are down."""
        try:
            self.spill(entries)
        except Exception as error:  # noqa: BLE001 - as above
            self.error = error
            if self._files.is_console:
                # Its streams are one. And what was numbered must keep its number: who
                # adopts us writes it again under that.
                return []
            return [entry for entry in entries if not entry.spills]

        return entries

    def spill(self, entries: Iterable[Entry]) -> None:
        """
        Append the values of entries.

        Raises:
            OSError: they are not down.
        """
        self._files.spills.append(list(entries), self._noting(VALUES, 0, 0))

    def _append(self, stream: str, entries: list[Entry]) -> list[Entry]:
        settled = self._settle(stream, entries)
        if not self._is_durable:
            # Before the next note is made, which says nothing of these: who adopts us
            # would take them for records that are in no segment. (Where records are
            # synced it looks into the segments instead, and we sync before we free.)
            for entry in settled:
                if entry.slot is not None:
                    entry.slot.mark(FREE)
        waiting = without(entries, settled)
        if not waiting:
            return settled
        first = self._journal.last.get(stream, 0) + 1
        number_entries(waiting, first)
        last = first + len(waiting) - 1
        self._unsettled.add(stream)
        segment = self._files.segments[stream]
        try:
            segment.append(finish_lines(waiting), self._noting(stream, first, last))
        finally:
            # What is gone had the records before these.
            for loss in segment.losses:
                loss.last_seq = loss.last_seq or first - 1
        self._unsettled.discard(stream)
        self._journal.last[stream] = last

        return settled + waiting

    def _noting(self, stream: str, first: int, last: int) -> Noting:
        segment = self._files.segments[stream]

        def note(device: int, inode: int, offset: int, length: int) -> None:
            name = segment.path.name
            self._journal.set_note(
                stream, Note(device, inode, offset, length, first, last, name)
            )

        return note

    def _settle(self, stream: str, entries: list[Entry]) -> list[Entry]:
        """Return the entries that an earlier append left in the file after all."""
        if stream not in self._unsettled:
            return []
        note = self._journal.note(stream)
        if note is None:
            return []
        found = self._files.landed(stream, note, self._journal.facts.instance)
        if found is None:
            return self._append_again(stream, note, entries)
        # What it has no line of is numbered from there on: they are one after another.
        # Where no entry is left of that append it is complete, whatever became of it.
        is_open = any(note.first <= entry.seq <= note.last for entry in entries)
        if is_open:
            self._journal.last[stream] = max(found, default=note.first - 1)
        else:
            self._journal.last[stream] = note.last

        return [entry for entry in entries if found.get(entry.seq) == entry.event]

    def _append_again(
        self, stream: str, note: Note, entries: list[Entry]
    ) -> list[Entry]:
        """Append what has a number, under that number; return it."""
        in_doubt = [entry for entry in entries if entry.seq]
        if in_doubt:
            # The note stays as it is: should we be killed, it is done once more.
            self._files.segments[stream].append(finish_lines(in_doubt))
        numbers = [entry.seq for entry in in_doubt]
        self._journal.last[stream] = max([note.last, *numbers])

        return in_doubt


def _by_stream(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        stream = entry.draft.stream
        if stream not in groups:
            groups[stream] = []
        groups[stream].append(entry)

    return groups
