# What the stream `system` says of all the others: when an instance began and ended, and
# at which numbers; which segments were closed, and which expired.
#
# It grows with the instances and the segments, not with the records.
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, NamedTuple

from audit_mw.event import Event
from audit_mw.trail.names import period_of
from audit_mw.trail.record import Record
from audit_mw.verify.report import MOST, Place

__all__ = ["Closed", "Life", "Lives"]

# Records in which the trail tells of itself, and that are shown in the summary.
_TOLD = (
    "log_gap",
    "log_refused",
    "log_space",
    "segment_closed",
    "segment_expired",
    "sys_crash",
)


class Closed(NamedTuple):
    """The digest of a segment that was closed, and where the record of it stands."""

    sha256: bytes
    place: Place


@dataclass(slots=True)
class Life:
    """
    One instance.

    Args:
        began: time of its first `sys_startup`, microseconds since the epoch.
        started: seq of the last one.
        ended: seq of the last `sys_shutdown`.
        last: the last seq of each stream, as a `sys_shutdown` says, and where.
        said: what the last `sys_shutdown` says.
    """

    began: int | None = None
    started: int = 0
    ended: int = 0
    last: dict[str, tuple[int, Place]] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)

    def limit(self, stream: str) -> int | None:
        """Return the last seq that there can be; None while nobody knows."""
        if not self.ended or self.started > self.ended:
            return None
        own = self.ended if stream == "system" else 0

        return max(self.said.get(stream, 0), own)


class Lives:
    """What was read in `system`."""

    def __init__(self) -> None:
        self._lives: dict[str, Life] = {}
        self.told: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()
        self.closed: dict[tuple[str, str], Closed] = {}
        self.expired: set[tuple[str, str]] = set()
        self._expired_until: dict[str, int] = {}

    def of(self, instance: str) -> Life:
        """Return the life of an instance."""
        life = self._lives.get(instance)
        if life is None:
            life = self._lives[instance] = Life()

        return life

    def instances(self) -> dict[str, Life]:
        """Return all of which anything was read."""
        return self._lives

    def expired_until(self, stream: str) -> int:
        """Return the end of the last period that expired, in microseconds; 0: none."""
        return self._expired_until.get(stream, 0)

    def kept(self) -> dict[str, Any]:
        """Return all, for a checkpoint."""
        return {
            "lives": {name: astuple(life) for name, life in self._lives.items()},
            "told": self.told,
            "counted": self.counted,
            "closed": [
                [name, closed.sha256.decode("latin-1"), closed.place]
                for name, closed in self.closed.items()
            ],
            "expired": sorted(self.expired),
            "until": self._expired_until,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what `kept` gave."""
        for name, (began, started, ended, last, said) in kept["lives"].items():
            places = {
                str(stream): (int(seq), Place(*map(int, place)))
                for stream, (seq, place) in last.items()
            }
            known = None if began is None else int(began)
            self._lives[name] = Life(known, int(started), int(ended), places, said)
        self.told.update(kept["told"])
        self.counted.update(kept["counted"])
        for (stream, name), digest, place in kept["closed"]:
            at = Place(*map(int, place))
            self.closed[str(stream), str(name)] = Closed(digest.encode("latin-1"), at)
        self.expired = {(str(stream), str(name)) for stream, name in kept["expired"]}
        self._expired_until = {key: int(until) for key, until in kept["until"].items()}

    def take(self, record: Record, place: Place) -> None:
        """Take a record of `system`."""
        event = record.event
        if not 1 <= record.seq <= MOST:
            return
        if event.type == "sys_startup":
            self._start(record)
        elif event.type == "sys_shutdown":
            self._end(record, place)
        elif event.type == "segment_closed":
            self._close(event, place)
        elif event.type == "segment_expired":
            self._expire(event)
        if event.type in _TOLD:
            self.told[event.type] += 1
            count = event.details.get("count")
            if isinstance(count, int) and 0 <= count <= MOST:
                self.counted[event.type] += count

    def _start(self, record: Record) -> None:
        life = self.of(record.event.instance)
        life.started = max(life.started, record.seq)
        known = record.event.time if life.began is None else life.began
        life.began = min(known, record.event.time)

    def _end(self, record: Record, place: Place) -> None:
        life = self.of(record.event.instance)
        last = record.event.details.get("last")
        said = {
            stream: seq
            for stream, seq in (last if isinstance(last, Mapping) else {}).items()
            if isinstance(seq, int) and seq <= MOST
        }
        for stream, seq in said.items():
            if seq > life.last.get(stream, (0, place))[0]:
                life.last[stream] = seq, place
        if record.seq > life.ended:
            life.ended, life.said = record.seq, said

    def _close(self, event: Event, place: Place) -> None:
        archive, digest = _name(event, "archive"), event.details.get("sha256")
        if archive and isinstance(digest, bytes):
            self.closed[archive] = Closed(digest, place)

    def _expire(self, event: Event) -> None:
        segment = _name(event, "segment")
        if segment is None:
            return
        self.expired.add(segment)
        period = period_of(segment[1])
        if period is not None:
            until = max(self.expired_until(segment[0]), period.end * 1_000_000)
            self._expired_until[segment[0]] = until


def _name(event: Event, key: str) -> tuple[str, str] | None:
    """Return (stream, name) of a segment that a record names."""
    said = event.details.get(key)
    if not isinstance(said, bytes):
        return None
    stream, slash, name = said.decode(errors="surrogateescape").partition("/")

    return (stream, name) if slash else None
