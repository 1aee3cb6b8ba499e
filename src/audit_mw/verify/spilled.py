# Whether each value that a record names is in the values stream, with that length.
#
# There may be as many values as records, so digests are kept in a temporary database of
# SQLite: 16 MiB in memory, the rest in a file without a name, which goes with the
# process. (In TMPDIR; some 60 bytes a value.)
#
# A spilled rest of params names values as well. It is looked into when it is known
# which values are such rests, so the values are then read twice.
import sqlite3
from pathlib import Path
from typing import NamedTuple, Self

from audit_mw.event import Rest, Spilled
from audit_mw.verify.report import Place

__all__ = ["Named", "Spilt"]

_OFTEN = ("synchronous=NORMAL", "cache_size=-16384", "temp_store=1")  # of a checkpoint
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-16384", "temp_store=1")
_TABLES = """
CREATE TABLE IF NOT EXISTS stored (sha256 BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rest (
    sha256 BLOB PRIMARY KEY, time INTEGER, cut INTEGER,
    file INTEGER, line INTEGER, offset INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, text TEXT);
"""


class Named(NamedTuple):
    """Who names a value: where, of when, and how many of its values were kept out."""

    place: Place
    time: int
    cut: int


class Spilt:
    """
    The values of a trail; used as a context manager.

    Args:
        path: of a checkpoint, in which they are kept; None: they go with the process.

    Raises:
        ValueError: the file is another thing.
    """

    def __init__(self, path: Path | None = None) -> None:
        name = "" if path is None else str(path)
        self._database = sqlite3.connect(name, isolation_level=None)
        try:
            for pragma in _PRAGMAS if path is None else _OFTEN:
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(_TABLES)
            self._database.execute("BEGIN")
            self.has_rests = self._has_rests()
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise ValueError(str(error)) from error

    def _has_rests(self) -> bool:
        return self._database.execute("SELECT 1 FROM rest").fetchone() is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._database.close()

    def state(self) -> str | None:
        """Return what was kept beside the values."""
        row = self._database.execute("SELECT text FROM state").fetchone()

        return None if row is None else str(row[0])

    def keep(self, text: str) -> None:
        """
        Make the values, and a text beside them, outlive this process.

        Raises:
            OSError: they cannot be written.
        """
        try:
            self._database.execute(
                "INSERT OR REPLACE INTO state VALUES (1, ?)", (text,)
            )
            self._database.execute("COMMIT")
            self._database.execute("BEGIN")
        except sqlite3.Error as error:
            raise OSError(f"the checkpoint cannot be written: {error}") from error

    def store(self, sha256: str, size: int) -> None:
        """Take a value that is there."""
        row = bytes.fromhex(sha256), size
        self._database.execute("INSERT OR IGNORE INTO stored VALUES (?, ?)", row)

    def size(self, named: Spilled | Rest) -> int | None:
        """Return how long a value is that is named; None: it is not there."""
        query = "SELECT size FROM stored WHERE sha256 = ?"
        row = self._database.execute(query, (_digest(named),)).fetchone()

        return None if row is None else int(row[0])

    def expect_rest(self, rest: Rest, named: Named) -> None:
        """Take a value that is a rest of params: what it names is looked for, too."""
        self.has_rests = True
        row = _digest(rest), named.time, named.cut, *named.place
        query = "INSERT OR IGNORE INTO rest VALUES (?, ?, ?, ?, ?, ?)"
        self._database.execute(query, row)

    def take_rest(self, sha256: str) -> Named | None:
        """Return who names a value as a rest of params, if anybody does: once."""
        key = (bytes.fromhex(sha256),)
        query = "SELECT time, cut, file, line, offset FROM rest WHERE sha256 = ?"
        row = self._database.execute(query, key).fetchone()
        if row is None:
            return None
        self._database.execute("DELETE FROM rest WHERE sha256 = ?", key)

        return Named(Place(*row[2:]), row[0], row[1])


def _digest(named: Spilled | Rest) -> bytes:
    try:
        return bytes.fromhex(named.sha256)
    except ValueError:  # of a record that was forged, or written by somebody else
        return named.sha256.encode(errors="replace")
