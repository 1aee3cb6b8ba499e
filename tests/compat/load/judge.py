# A trail against what its client did and what its application was handed.
#
# Each function yields what is wrong, in words; nothing, where all is well.
import hmac
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.compat.load.mix import KINDS, Case, Ending
from tests.compat.load.servers import Loaded
from tests.edges.audited import KEY
from tests.serving import SECONDS

from audit_mw.event import Event
from audit_mw.trail.reader import Damage, read_segment, segments
from audit_mw.trail.record import VALUES, Record, StoredValue

__all__ = ["await_records", "complaints"]

_WORD = re.compile(r"case-\d{7}-end")
_DIGEST = re.compile(r"sha256='([0-9a-f]{64})'")
_HOLDERS = 4  # query, user-agent, referer, x-request-id
_COOKIES = 2  # so long a value may be a session's id, so these are keyed digests
_TOKENS = hmac.digest(KEY, b"audit_mw/1/token", "sha256")


_USUAL = ("sys_startup", "sys_shutdown")


def await_records(loaded: Loaded) -> None:
    """Return when there is a line for each request, or when none comes any more."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and _lines(loaded) < sum(loaded.counted().values()):
        time.sleep(0.1)


def _lines(loaded: Loaded) -> int:
    paths = segments(loaded.trail, "request")

    return sum(path.read_bytes().count(b"\n") - 1 for path in paths)


def complaints(
    trail: Path, sent: Mapping[Case, int | None], witnessed: list[str]
) -> Iterator[str]:
    """
    Yield all that is wrong with a trail.

    Args:
        trail: its directory.
        sent: the requests, and of those answered whole the status.
        witnessed: the words of the requests that reached the application.
    """
    yield from _answered(sent, witnessed)
    cases = {case.word: case for case in sent}
    stored = {value.sha256 for value in _values(trail)}
    seen = _Seen()
    for record in _records(trail, "request"):
        yield from _one(record.event, cases, stored)
        yield from seen.note(record)
    yield from seen.compare(witnessed)
    yield from _faults(seen.broken, trail)
    for stream in ("security", "system"):  # nothing was refused, or is amiss
        for record in _records(trail, stream):
            if record.event.type not in _USUAL:
                yield f"in {stream}: {record}"


def _records(trail: Path, stream: str) -> Iterator[Record]:
    for path in segments(trail, stream):
        for item in read_segment(path):
            assert not isinstance(item, Damage), item
            if isinstance(item, Record):
                yield item


def _values(trail: Path) -> Iterator[StoredValue]:
    for path in segments(trail, VALUES):
        for item in read_segment(path):
            assert not isinstance(item, Damage), item
            if isinstance(item, StoredValue):
                yield item


def _words(event: Event) -> list[str]:
    return _WORD.findall(repr((event.path, event.params, event.details)))


class _Seen:
    """What is kept of the records of requests: there may be very many."""

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()
        self._ids: set[str] = set()
        self._sequence = _Sequence()
        self.broken: list[str] = []

    def note(self, record: Record) -> Iterator[str]:
        """Take a record, in the order of the segment."""
        event = record.event
        self._words.update(_words(event)[:1])
        if event.event in self._ids:
            yield f"a second record has the event id {event.event}"
        self._ids.add(event.event)
        if event.outcome == "ERROR":
            self.broken.append(event.event)
        yield from self._sequence.note(record)

    def compare(self, witnessed: list[str]) -> Iterator[str]:
        """Compare with the words that reached the application."""
        for word, count in (self._words - Counter(witnessed)).items():
            yield f"{word} has {count} records too many"
        for word, count in (Counter(witnessed) - self._words).items():
            yield f"{word} has {count} records too few"


class _Sequence:
    """The seq of each instance: from 1, without a gap."""

    def __init__(self) -> None:
        self._last: Counter[str] = Counter()

    def note(self, record: Record) -> Iterator[str]:
        """Take a record, in the order of the segment."""
        instance = record.event.instance
        due = self._last[instance] + 1
        if record.seq != due:
            yield f"seq {record.seq} of {instance} stands where {due} must"
        self._last[instance] = record.seq


def _answered(sent: Mapping[Case, int | None], witnessed: list[str]) -> Iterator[str]:
    once, lost = Counter(witnessed), 0
    for case, status in sent.items():
        if case.manner in ("body", "response"):
            continue
        # A busy server may reset a connection, and then hands over nothing of it.
        lost += status is None and not once[case.word]
        if (status is not None) != (once[case.word] == 1):
            yield f"{case} was answered {status} and seen {once[case.word]} times"
    if lost > len(sent) // 100:
        yield f"{lost} of {len(sent)} requests were lost on the way to the application"


def _one(event: Event, cases: Mapping[str, Case], stored: set[str]) -> Iterator[str]:
    words = set(_words(event))
    if len(words) != 1 or not words <= cases.keys():
        yield f"{sorted(words)} in the record of one request"
        return
    case = cases[words.pop()]
    kind, body = KINDS[case.kind], case.body
    shown = [repr(param) for param in event.params]
    holders = sum(case.word in param for param in shown)
    cookies = sum(_token(case.word) in param for param in shown)
    digests = set(_DIGEST.findall("".join(shown)))
    if not _fits(event, kind.endings):
        ending = event.outcome, event.status, event.sent, event.details.get("reason")
        yield f"{case} ended as {ending}"
    if case.manner == "body":
        return  # how much of it came is not known
    counts = holders - body.holders, cookies
    if counts != (_HOLDERS, _COOKIES) or digests != body.digests:
        yield f"{case} has {counts}, {digests} in {event.params}"
    if case.kind == "json" and not digests <= stored:
        yield f"{case} has a value that is not stored: {digests}"


def _token(word: str) -> str:
    return hmac.digest(_TOKENS, word.encode(), "sha256").hex()[:32]


def _fits(event: Event, endings: frozenset[Ending]) -> bool:
    return any(
        (event.outcome, event.status) == (ending.outcome, ending.status)
        and ending.sent in (None, event.sent)
        for ending in endings
    )


def _faults(broken: list[str], trail: Path) -> Iterator[str]:
    sequence, told = _Sequence(), Counter[str]()
    for record in _records(trail, "fault"):
        yield from sequence.note(record)
        told[record.event.event] += 1
    if told != Counter(broken):
        yield f"{len(broken)} errors, {told.total()} faults of {len(told)} requests"
