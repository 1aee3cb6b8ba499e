# Records that are there more than once: told apart in a second reading.
#
# Adoption may append a record again when the segment is gone that it was in: it says
# `recovered` then, and may know less of the delivery. And a backup that was put beside
# what it is of holds equal lines. Neither is damage; two different records with one
# number are.
import hashlib
import sqlite3
from dataclasses import replace
from typing import Any, Self

from audit_mw.event import Event
from audit_mw.trail.record import Record, draft_event
from audit_mw.verify.ordinary import OrdinaryRecord
from audit_mw.verify.ranges import Ranges
from audit_mw.verify.report import Place

__all__ = ["Repeats"]

_TABLE = """
CREATE TABLE first (
    instance BLOB, stream TEXT, seq INTEGER, exact BLOB, plain BLOB, recovered INTEGER,
    file INTEGER, line INTEGER, offset INTEGER, PRIMARY KEY (instance, stream, seq)
) WITHOUT ROWID;
"""
_NOT_JUDGED = ("recovered", "delivery")


class Repeats:
    """The numbers that were there twice; used as a context manager."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, str], Ranges] = {}
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(f"PRAGMA cache_size=-16384; {_TABLE} BEGIN;")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._database.close()

    @property
    def streams(self) -> set[str]:
        """The streams in which there are any."""
        return {stream for _, stream in self._ranges}

    def take(self, record: OrdinaryRecord, place: Place) -> None:
        """Take a number that was there before."""
        key = record.instance, record.stream
        self._ranges.setdefault(key, Ranges()).add(record.seq, place)

    def kept(self) -> list[Any]:
        """Return the numbers, for a checkpoint."""
        return [[key, each.kept()] for key, each in self._ranges.items()]

    def restore(self, kept: list[Any]) -> None:
        """Take what `kept` gave."""
        for (instance, stream), each in kept:
            self._ranges[str(instance), str(stream)] = Ranges().restore(each)

    def again(self, record: Record, place: Place) -> tuple[Place, bool] | None:
        """
        Return where a record was before, and whether it is the same; None: nowhere.

        To be asked for each record of `streams`, in the order of the first reading.
        """
        key = record.event.instance, record.event.stream
        if key not in self._ranges or record.seq not in self._ranges[key]:
            return None
        # What is no UTF-8 in a record is no text of SQLite's.
        named = key[0].encode(errors="surrogateescape"), key[1], record.seq
        digests = _digests(record)
        row = self._find(named)
        if row is None:
            query = "INSERT INTO first VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            self._database.execute(query, (*named, *digests, *place))
            return None
        exact, plain, recovered, *first = row
        is_recovered = recovered or digests[2]
        is_same = digests[1] == plain if is_recovered else digests[0] == exact

        return Place(*first), is_same

    def _find(
        self, named: tuple[bytes, str, int]
    ) -> tuple[bytes, bytes, int, int, int, int] | None:
        query = (
            "SELECT exact, plain, recovered, file, line, offset FROM first "
            "WHERE instance = ? AND stream = ? AND seq = ?"
        )
        row: tuple[bytes, bytes, int, int, int, int] | None
        row = self._database.execute(query, named).fetchone()

        return row


def _digests(record: Record) -> tuple[bytes, bytes, bool]:
    """Return the digest of all, that of what recovery leaves as it is, and whether."""
    event = record.event

    return _digest(event), _digest(_plain(event)), "recovered" in event.details


def _digest(event: Event) -> bytes:
    draft = draft_event(event)

    return hashlib.blake2b(draft.before + b"\t" + draft.after, digest_size=16).digest()


def _plain(event: Event) -> Event:
    details = {
        key: value for key, value in event.details.items() if key not in _NOT_JUDGED
    }

    return replace(event, details=details)
