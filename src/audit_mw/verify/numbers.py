# The numbers of records: from 1, without a gap, rising with the position in a file, and
# up to where their instance says that it ended.
from collections.abc import Iterable
from typing import Any

from audit_mw.verify.lives import Lives
from audit_mw.verify.ordinary import OrdinaryRecord
from audit_mw.verify.ranges import Ranges
from audit_mw.verify.repeats import Repeats
from audit_mw.verify.report import MISSING, MOST, Place, Report

__all__ = ["Numbers"]


class Numbers:
    """
    Judges the numbers of all instances in all streams.

    Args:
        report: where findings go.
        lives: what `system` says; its records are to be taken first.
        repeats: takes the numbers that are there again.
    """

    def __init__(self, report: Report, lives: Lives, repeats: Repeats) -> None:
        self._report = report
        self._lives = lives
        self._repeats = repeats
        self._ranges: dict[tuple[str, str], Ranges] = {}
        self._tops: dict[tuple[str, str], tuple[int, int]] = {}
        self._beyond: set[tuple[str, str]] = set()
        self._broken: set[tuple[str, str]] = set()

    def begin_file(self, tops: Iterable[Any] = ()) -> None:
        """Forget what was the largest number in the last file; `tops`: in this one."""
        self._tops = {
            (str(instance), str(stream)): (int(seq), int(line))
            for (instance, stream), (seq, line) in tops
        }

    def tops(self) -> list[Any]:
        """Return the largest number in this file of each instance, and its line."""
        return [[key, top] for key, top in self._tops.items()]

    def kept(self) -> list[Any]:
        """Return what was taken, for a checkpoint."""
        ranges = [[key, each.kept()] for key, each in self._ranges.items()]

        return [ranges, sorted(self._beyond)]

    def restore(self, kept: list[Any]) -> None:
        """Take what `kept` gave."""
        ranges, beyond = kept
        for (instance, stream), each in ranges:
            self._ranges[str(instance), str(stream)] = Ranges().restore(each)
        self._beyond = {(str(instance), str(stream)) for instance, stream in beyond}

    def take(self, record: OrdinaryRecord, place: Place) -> None:
        """Take a record; those of a file in their order."""
        if not 1 <= record.seq <= MOST:
            return
        key = record.instance, record.stream
        ranges = self._ranges.get(key)
        if ranges is None:
            ranges = self._ranges[key] = Ranges()
        if not ranges.add(record.seq, place):
            self._repeats.take(record, place)
            return
        self._judge_order(key, record, place)
        self._judge_end(key, record, place)

    def _judge_order(
        self, key: tuple[str, str], record: OrdinaryRecord, place: Place
    ) -> None:
        top, line = self._tops.get(key, (0, 0))
        if record.seq > top:
            self._tops[key] = record.seq, place.line
        elif "recovered" not in record.record.event.details:
            what = f"seq {record.seq} of {key[0]} stands behind {top}, of line {line}"
            self._report.add(place, what)

    def _judge_end(
        self, key: tuple[str, str], record: OrdinaryRecord, place: Place
    ) -> None:
        limit = self._lives.of(key[0]).limit(key[1])
        if limit is None or record.seq <= limit or key in self._beyond:
            return
        details = record.record.event.details
        if "recovered" in details or details.get("reason") == b"process_died":
            return
        self._beyond.add(key)
        what = f"seq {record.seq} of {key[0]}, which ended at {limit} (sys_shutdown)"
        self._report.add(place, what)

    def end(self) -> None:
        """Name what is missing, when all was taken."""
        for key, ranges in self._ranges.items():
            for first, last, place in ranges.gaps():
                if first == 1 and self._has_expired(key):
                    self._report.expired += last
                else:
                    self._miss(place, first, last, key, "before this one")
        self._judge_ends()
        self._report.runs = len(self._ranges.keys() | self._broken)
        self._report.broken = len(self._broken)
        instances = self._lives.instances()
        self._report.instances = len(instances)
        self._report.unended = sum(
            life.limit("system") is None for life in instances.values()
        )

    def _judge_ends(self) -> None:
        for instance, life in self._lives.instances().items():
            for stream, (last, place) in life.last.items():
                key = instance, stream
                known = self._ranges[key].last if key in self._ranges else 0
                if known < last and not (known == 0 and self._has_expired(key)):
                    self._miss(place, known + 1, last, key, "before this end")
                elif known < last:
                    self._report.expired += last

    def _has_expired(self, key: tuple[str, str]) -> bool:
        """Tell whether the first records of an instance may have expired."""
        began = self._lives.of(key[0]).began

        return (began or 0) < self._lives.expired_until(key[1])

    def _miss(
        self, place: Place, first: int, last: int, key: tuple[str, str], where: str
    ) -> None:
        self._broken.add(key)
        self._report.missing += last - first + 1
        which = f"seq {first}" if first == last else f"seq {first} to {last}"
        what = f"{which} of {key[0]} in {key[1]} is missing {where}"
        self._report.add(place, what, MISSING)
