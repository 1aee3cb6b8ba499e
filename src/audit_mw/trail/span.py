# From when to when: which lines are of that time, and which segments may have one.
#
# Rule 1: a segment never has a record that began after its day or hour, but it may have
#         one that began long before: a record is appended when its request ended. So
#         only an index can tell that a segment is too late.
# Rule 2: what is not known is read.
# Rule 3: an index is no evidence: it may call for a segment to be read, but hides none
#         alone. That all is too early is believed where the last frame, which holds the
#         youngest but for a few, does not say otherwise; that all is too late, where
#         the day or hour of the segment is. So a lie could only hide what began long
#         before that which was appended with it; `verify` finds the lie.
import io
from contextlib import suppress
from dataclasses import dataclass

from audit_mw.errors import DamagedRecord
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.facts import measure
from audit_mw.trail.frames import content_size
from audit_mw.trail.index import Facts, Frame, Index, open_regular, read_index
from audit_mw.trail.names import period_of
from audit_mw.trail.seen import Seen
from audit_mw.trail.zstd import MissingExtra, ZstdError, unpacker

__all__ = ["Span", "time_of"]

_TIME_LEN = len(b"2026-11-21T05:26:07.123456Z")
# A clock that is set back may leave a record in a segment whose time was over.
_SLACK_SECONDS = 86_400
_MOST_BYTES = 16 << 20  # a frame of ours has 4 MiB, and a line at most
_ENDS = 253_402_300_799_999_999  # the year 9999


def time_of(line: bytes) -> bytes:
    """Return the cell `time` of a line; what sorts before it was before it."""
    at = line.find(b"\t") + 1

    return line[at : at + _TIME_LEN]


@dataclass(frozen=True, slots=True)
class Span:
    """
    From when to when, in microseconds since the epoch.

    Args:
        since: the first that is in it; None: the begin.
        until: the first that is not in it any more; None: the end.
    """

    since: int | None = None
    until: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether it has all times."""
        return self.since is None and self.until is None

    @property
    def cells(self) -> tuple[bytes, bytes]:
        """What the cell `time` of a line in it is at least, and what it is below."""
        since = b"" if self.since is None else _cell(self.since)
        until = b"\x7f" if self.until is None else _cell(self.until)

        return since, until

    def may_have(self, seen: Seen) -> bool:
        """Tell whether a segment may have a line of it."""
        index, period = _index(seen), period_of(seen.path.name)
        facts = None if index is None else index.facts
        if facts is not None and self._meets(facts):
            return True
        if period is None:
            return True
        end = (period.end + _SLACK_SECONDS) * 1_000_000
        if self.since is not None and end <= self.since:
            return False
        if index is None or facts is None or facts.first is None or facts.last is None:
            return True
        start = period.start * 1_000_000
        if self.until is not None and min(facts.first, start) >= self.until:
            return False
        is_early = self.since is not None and facts.last < self.since

        return not (is_early and _ends_as_said(seen, index))

    def _meets(self, facts: Facts) -> bool:
        if facts.first is None or facts.last is None:
            return False
        is_late = self.until is not None and facts.first >= self.until
        is_early = self.since is not None and facts.last < self.since

        return not (is_late or is_early)


def _cell(micros: int) -> bytes:
    return encode_time(min(max(micros, 0), _ENDS))


def _index(seen: Seen) -> Index | None:
    # The index of another file of that name says nothing of this one, and a segment
    # beside its archive may have grown.
    if not seen.path.name.endswith(".zst"):
        return None
    with suppress(DamagedRecord, OSError):
        index = read_index(seen.path)
        if index and sum(frame.packed for frame in index.frames) == seen.size:
            return index

    return None


def _ends_as_said(seen: Seen, index: Index) -> bool:
    """Tell whether the last frame of an archive is no later than its index says."""
    try:
        found = measure(io.BytesIO(_last_frame(seen, index.frames[-1]))).last
    except MissingExtra:  # then nobody could read it either
        return True
    except (IndexError, DamagedRecord, OSError, ZstdError):
        return False

    last = index.facts.last

    return found is not None and last is not None and found <= last


def _last_frame(seen: Seen, frame: Frame) -> bytes:
    """Return what is in the last frame, if it is one, and as long as is said."""
    with open_regular(seen.path) as file:
        file.seek(seen.size - frame.packed)
        packed = file.read(min(frame.packed, _MOST_BYTES))
    if content_size(packed) != frame.bytes or frame.bytes > _MOST_BYTES:
        raise DamagedRecord("no such frame")
    unpacking = unpacker()
    exact = unpacking.decompress(packed)
    if not unpacking.eof or unpacking.unused_data:
        raise DamagedRecord("no such frame")

    return exact
