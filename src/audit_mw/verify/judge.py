# The judgement of a trail, pass by pass: lines with their numbers and values, what is
# there again, archives, journals.
#
# What is held grows with instances, segments and gaps, never with records: see
# `verify/ranges.py` and `verify/spilled.py`.
#
# (Longer than 250 lines, since all passes judge one state, and a checkpoint is of it.)
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from audit_mw.errors import DamagedRecord
from audit_mw.event import Event, Rest, Spilled
from audit_mw.trail.adoption import survey
from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.facts import measure
from audit_mw.trail.index import read_index
from audit_mw.trail.names import SegmentName, index_path
from audit_mw.trail.params import decode_params
from audit_mw.trail.reader import NO_FILE, strangers
from audit_mw.trail.record import VALUES, Record, StoredValue
from audit_mw.verify.checkpoint import open_checkpoint, read_state, write_state
from audit_mw.verify.coding import named_by, named_values
from audit_mw.verify.lines import Good, Lines
from audit_mw.verify.lives import Lives
from audit_mw.verify.marks import Mark, Marks
from audit_mw.verify.numbers import Numbers
from audit_mw.verify.ordinary import (
    DetailsSeen,
    OrdinaryRecord,
    names_value,
    record_of,
    value_of,
)
from audit_mw.verify.repeats import Repeats
from audit_mw.verify.report import MISSING, MOST, Place, Report
from audit_mw.verify.snapshot import Seen, take_snapshot, unread
from audit_mw.verify.spilled import Named, Spilt

__all__ = ["verify_trail"]

_JOURNALS = ".journal"
_KEEP_SECONDS = 5.0
# Stream, name and size; when it, and its index, were changed last.
_ArchiveKey = tuple[str, str, int, int, int]


def verify_trail(
    trail: Path,
    journal_dir: Path | None = None,
    watch: Callable[[Callable[[], float]], object] | None = None,
    checkpoint: Path | None = None,
) -> Report:
    """
    Judge a trail; writers may go on meanwhile.

    Args:
        trail: the directory.
        journal_dir: where the journals are; None: in the trail.
        watch: is given what tells how much is done, from 0 to 1.
        checkpoint: a file that outlives the run, from which the next one goes on.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        OSError: a segment cannot be read.
        MissingExtra: a segment is closed, and there is no zstd.
    """
    values = Spilt() if checkpoint is None else open_checkpoint(checkpoint, trail)
    with values as spilt, Repeats() as repeats:
        judge = _Judge(trail, spilt, repeats, is_kept=checkpoint is not None)
        if checkpoint is not None:
            read_state(checkpoint, spilt, trail, judge.restore)
        if watch is not None:
            watch(judge.part)
        judge.look_at_lines()
        judge.look_at_archives()
        judge.look_at_all()
        judge.look_at_journals(journal_dir or trail / _JOURNALS)

        return judge.report


class _Judge:
    def __init__(
        self, trail: Path, spilt: Spilt, repeats: Repeats, *, is_kept: bool
    ) -> None:
        self._marks = Marks() if is_kept else None
        self._kept_at = time.monotonic()
        self._torn: dict[Place, int] = {}
        self._blank = 0
        self._well: dict[_ArchiveKey, str] = {}  # to the digest of what is in it
        self._state: dict[str, Any] = {}
        self.report = Report(trail)
        self._seen = take_snapshot(trail)
        self.report.unread = unread(trail)
        self._lines = Lines(self.report)
        self._lives = Lives()
        self._numbers = Numbers(self.report, self._lives, repeats)
        self._spilt = spilt
        self._repeats = repeats

    def part(self) -> float:
        """Return how much of the lines was read, from 0 to 1."""
        total = sum(seen.size for each in self._seen.values() for seen in each)

        return self._lines.done / total if total else 1.0

    # --- lines

    def look_at_lines(self) -> None:
        """Read each line once."""
        for seen in self._seen[VALUES]:
            with self._marked(seen) as mark:
                for good in self._lines.judged(seen, self._pass_value, mark):
                    self._take_value(good)
        for stream, segments in self._seen.items():
            for seen in segments if stream != VALUES else ():
                self._look_at_records(seen)
        self._keep()

    def look_at_all(self) -> None:
        """Judge what only all lines together tell, and what has none."""
        self._look_at_strangers()
        self._look_for_lost()
        self._look_into_rests()
        self._look_at_repeats()
        self._numbers.end()
        self.report.told = self._lives.told
        self.report.counted = self._lives.counted

    def _look_at_strangers(self) -> None:
        for stream in self._seen:
            for path in strangers(self.report.trail, stream):
                self.report.add(Place(self.report.file(path), 1, 0), NO_FILE, MISSING)

    def _look_at_records(self, seen: Seen) -> None:
        details = DetailsSeen()

        def pass_by(text: bytes, place: Place) -> bool:
            record = record_of(text, seen.stream, details)
            if record is None:
                return False
            self.report.records[seen.stream] += 1
            self._numbers.take(record, place)
            if record.names:
                self._look_at_names(record.record.event, place)

            return True

        # Of `system` each record is looked into.
        take = None if seen.stream == "system" else pass_by
        with self._marked(seen) as mark:
            self._numbers.begin_file(() if mark is None else mark.tops)
            for good in self._lines.judged(seen, take, mark):
                self._take_record(good)

    def _pass_value(self, text: bytes, _place: Place) -> bool:
        value = value_of(text)
        if value is None:
            return False
        self.report.records[VALUES] += 1
        self._spilt.store(value.sha256, value.size)

        return True

    def _take_value(self, good: Good) -> None:
        if isinstance(good.item, StoredValue):
            self.report.records[VALUES] += 1
            self._spilt.store(good.item.sha256, len(good.item.value))

    def _take_record(self, good: Good) -> None:
        record = good.item
        if not isinstance(record, Record):
            return
        event = record.event
        self.report.records[event.stream] += 1
        if event.stream == "system":
            self._lives.take(record, good.place)
        told = OrdinaryRecord(event.instance, event.stream, record.seq, good.text)
        self._numbers.take(told, good.place)
        if names_value(good.text):
            self._look_at_names(event, good.place)

    def _look_at_names(self, event: Event, place: Place) -> None:
        named = Named(place, event.time, _cut(event))
        self._look_up(named_values(event), named)

    def _look_for_lost(self) -> None:
        """Name what an earlier run read, and what is not there any more."""
        for stream, mark in self._marks.left if self._marks is not None else ():
            name = SegmentName(self.report.paths[mark.file].name).unpacked
            expired = {SegmentName(known).unpacked for _, known in self._lives.expired}
            if name not in expired:
                what = f"{stream}/{name}, of which {mark.offset} bytes were read before"
                place = Place(mark.file, 1, 0)
                self.report.add(place, f"{what}, is not in the trail", MISSING)

    # --- the checkpoint

    @contextmanager
    def _marked(self, seen: Seen) -> Iterator[Mark | None]:
        """Give how far a segment was judged; remember how far it is now."""
        if self._marks is None:
            yield None
            return
        yield self._marks.take(seen)
        number = self._lines.begin(seen).file
        end, half = self._lines.ends[number]
        if half:
            self._torn[Place(number, end.line + 1, end.offset)] = half
        if not end.offset:
            self._blank += 1  # it has nothing by which it is known again
            return
        tops = self._numbers.tops()
        self._marks.put(seen, Mark(number, end.line, end.offset, tops))
        if time.monotonic() - self._kept_at > _KEEP_SECONDS:
            self._keep()

    def _keep(self) -> None:
        if self._marks is None:
            return
        self._state = {
            "archives": self._kept_archives(),
            "marks": self._marks.kept(),
            "report": self.report.kept(self._torn, self._blank),
            "lives": self._lives.kept(),
            "numbers": self._numbers.kept(),
            "repeats": self._repeats.kept(),
        }
        write_state(self._spilt, self.report.trail, self._state)
        self._kept_at = time.monotonic()

    def restore(self, state: dict[str, Any]) -> None:
        """Take what an earlier run knew."""
        if self._marks is not None:
            self._marks.restore(state["marks"])
            files = {mark.file for _, mark in self._marks.left}
            if files and not 0 <= min(files) <= max(files) < len(
                state["report"]["paths"]
            ):
                raise ValueError("a file that there is not")
        self.report.restore(state["report"])
        self._lives.restore(state["lives"])
        self._numbers.restore(state["numbers"])
        self._repeats.restore(state["repeats"])
        self._well = {
            (str(stream), str(name), int(size), int(changed), int(indexed)): sha256
            for stream, name, size, changed, indexed, *digest in state["archives"]
            for sha256 in map(str, digest)  # a run before had none, and measures anew
        }

    # --- values

    def _look_up(self, values: Iterable[Spilled | Rest], named: Named) -> None:
        missing, rests = [], []
        for value in values:
            size = self._spilt.size(value)
            if size is None:
                missing.append(value)
            elif size != value.len:
                what = f"the value {value.sha256} has {size} bytes, not {value.len}"
                self.report.add(named.place, what, MISSING)
            if isinstance(value, Rest):
                rests.append(value)
        has_expired = named.time < self._lives.expired_until(VALUES)
        if len(missing) > named.cut and not has_expired:
            self._miss(missing, named)
        left = named._replace(cut=max(named.cut - len(missing), 0))
        for rest in rests:
            self._spilt.expect_rest(rest, left)

    def _miss(self, missing: list[Spilled | Rest], named: Named) -> None:
        first = missing[named.cut]
        more = len(missing) - named.cut - 1
        what = f"the value {first.sha256} of {first.len} bytes is not in the trail"
        what += f", nor are {more} more" if more else ""
        self.report.add(named.place, what, MISSING)

    def _look_into_rests(self) -> None:
        for seen in self._seen[VALUES] if self._spilt.has_rests else ():
            for place, _, item in self._lines.again(seen):
                if not isinstance(item, StoredValue):
                    continue
                named = self._spilt.take_rest(item.sha256)
                if named is not None:
                    self._look_into(item.value, named, place)

    def _look_into(self, rest: bytes, named: Named, place: Place) -> None:
        try:
            params = decode_params(rest)
        except DamagedRecord as error:
            self.report.add(place, f"a rest of params that is none: {error}")
            return
        self._look_up((value for param in params for value in named_by(param)), named)

    # --- what is there again

    def _look_at_repeats(self) -> None:
        for stream in sorted(self._repeats.streams):
            for seen in self._seen[stream]:
                for place, _, item in self._lines.again(seen):
                    if isinstance(item, Record):
                        self._judge_repeat(item, place)

    def _judge_repeat(self, record: Record, place: Place) -> None:
        again = self._repeats.again(record, place)
        if again is None:
            return
        first, is_same = again
        before = self.report.at(first, "").path
        what = (
            f"seq {record.seq} of {record.event.instance} is at {before}:{first.line}"
        )
        if is_same:
            self.report.repeat(place, f"{what} as well")
        else:
            self.report.add(place, f"{what} as well, and says something else")

    # --- archives

    def look_at_archives(self) -> None:
        """Compare each archive with its index, and with the record of its closing."""
        known = set()
        for stream, segments in self._seen.items():
            for seen in segments:
                known.add((stream, seen.path.name))
                if seen.is_packed and not self._was_well(seen):
                    self._look_at_archive(seen)
        self._keep_archives()
        for name, closed in self._lives.closed.items():
            is_there = name in known or self.report.trail.joinpath(*name).exists()
            if not is_there and name not in self._lives.expired:
                what = f"the segment {'/'.join(name)}, closed here, is not in the trail"
                self.report.add(closed.place, what, MISSING)

    def _look_at_archive(self, seen: Seen) -> None:
        begin = self._lines.begin(seen)
        try:
            with open_segment(seen.path) as file:
                facts = measure(file)
            index = read_index(seen.path)
        except DamagedRecord as error:
            self.report.add(begin, f"archive or index: {error}")
            return
        except (*UNREADABLE, FileNotFoundError):
            return  # it was named when its lines were read
        if index is not None and index.facts != facts:
            self.report.add(begin, "its index says something else than is in it")
        if not self._is_as_closed(seen, facts.sha256):
            self.report.add(begin, "what is in it is not what was closed")
        elif index is None or index.facts == facts:
            self._well[_archive_key(seen)] = facts.sha256

    def _is_as_closed(self, seen: Seen, sha256: str) -> bool:
        closed = self._lives.closed.get((seen.stream, seen.path.name))

        return closed is None or closed.sha256 == sha256.encode()

    def _was_well(self, seen: Seen) -> bool:
        """Tell whether an earlier run found an archive well, and it is the same."""
        sha256 = self._well.get(_archive_key(seen))

        # The record of its closing may have come since.
        return sha256 is not None and self._is_as_closed(seen, sha256)

    def _kept_archives(self) -> list[tuple[object, ...]]:
        return [(*key, sha256) for key, sha256 in sorted(self._well.items())]

    def _keep_archives(self) -> None:
        # With what was known of the lines: what is found here is found anew each time.
        if self._state:
            self._state["archives"] = self._kept_archives()
            write_state(self._spilt, self.report.trail, self._state)

    # --- journals

    def look_at_journals(self, directory: Path) -> None:
        """Name what waits in the journals of processes that died."""
        for state in survey(directory, self.report.trail):
            place = Place(self.report.file(state.path), 1, 0)
            self.report.waiting += state.waiting
            if state.problem is not None:
                self.report.add(place, f"a journal: {state.problem}", MISSING)
            elif state.waiting:
                what = f"{state.waiting} records of a process that died wait in it"
                self.report.add(place, f"{what}: audit-mw recover", MISSING)


def _archive_key(seen: Seen) -> _ArchiveKey:
    path = seen.path

    return seen.stream, path.name, seen.size, _changed(path), _changed(index_path(path))


def _changed(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime_ns

    return 0


def _cut(event: Event) -> int:
    cut = event.details.get("cut")
    count = cut.get("count") if isinstance(cut, Mapping) else 0

    return min(max(count, 0), MOST) if isinstance(count, int) else 0
