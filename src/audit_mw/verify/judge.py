# The judgement of a trail, pass by pass: lines with their numbers and values, what is
# there again, archives, journals.
#
# What is held grows with instances, segments and gaps, never with records: see
# `verify/ranges.py` and `verify/spilled.py`.
from collections.abc import Iterable, Mapping
from pathlib import Path

from audit_mw.errors import DamagedRecord
from audit_mw.event import Event, Rest, Spilled
from audit_mw.trail.adoption import survey
from audit_mw.trail.archive import UNREADABLE, open_segment
from audit_mw.trail.facts import measure
from audit_mw.trail.index import read_index
from audit_mw.trail.params import decode_params
from audit_mw.trail.record import VALUES, Record, StoredValue
from audit_mw.verify.coding import named_by, named_values
from audit_mw.verify.lines import Good, Lines
from audit_mw.verify.lives import Lives
from audit_mw.verify.numbers import Numbers
from audit_mw.verify.repeats import Repeats
from audit_mw.verify.report import MISSING, MOST, Place, Report
from audit_mw.verify.snapshot import Seen, take_snapshot, unread
from audit_mw.verify.spilled import Named, Spilt

__all__ = ["verify_trail"]

_JOURNALS = ".journal"


def verify_trail(trail: Path, journal_dir: Path | None = None) -> Report:
    """
    Judge a trail; writers may go on meanwhile.

    Args:
        trail: the directory.
        journal_dir: where the journals are; None: in the trail.

    Raises:
        OSError: a segment cannot be read.
        MissingExtra: a segment is closed, and there is no zstd.
    """
    with Spilt() as spilt, Repeats() as repeats:
        judge = _Judge(trail, spilt, repeats)
        judge.look_at_lines()
        judge.look_at_archives()
        judge.look_at_journals(journal_dir or trail / _JOURNALS)

        return judge.report


class _Judge:
    def __init__(self, trail: Path, spilt: Spilt, repeats: Repeats) -> None:
        self.report = Report(trail)
        self._seen = take_snapshot(trail)
        self.report.unread = unread(trail)
        self._lines = Lines(self.report)
        self._lives = Lives()
        self._numbers = Numbers(self.report, self._lives, repeats)
        self._spilt = spilt
        self._repeats = repeats

    # --- lines

    def look_at_lines(self) -> None:
        for seen in self._seen[VALUES]:
            for good in self._lines.judged(seen):
                self._take_value(good)
        for stream, segments in self._seen.items():
            for seen in segments if stream != VALUES else ():
                self._numbers.begin_file()
                for good in self._lines.judged(seen):
                    self._take_record(good)
        self._look_into_rests()
        self._look_at_repeats()
        self._numbers.end()
        self.report.told = self._lives.told
        self.report.counted = self._lives.counted

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
        self._numbers.take(record, good.place)
        # Whatever names a value has one of these in its line.
        if b'"sha256"' in good.text or b"%{" in good.text:
            named = Named(good.place, event.time, _cut(event))
            self._look_up(named_values(event), named)

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
        before = self.report.paths[first.file]
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
                if seen.is_packed:
                    self._look_at_archive(seen)
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
        closed = self._lives.closed.get((seen.stream, seen.path.name))
        if closed is not None and closed.sha256 != facts.sha256.encode():
            self.report.add(begin, "what is in it is not what was closed")

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


def _cut(event: Event) -> int:
    cut = event.details.get("cut")
    count = cut.get("count") if isinstance(cut, Mapping) else 0

    return min(max(count, 0), MOST) if isinstance(count, int) else 0
