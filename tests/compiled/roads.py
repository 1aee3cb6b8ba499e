# Two middlewares that differ in nothing but the road that ordinary requests go, and
# what they kept, line by line, without what no two runs have in common.
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.edges.audited import KEY
from tests.settling import settle

from audit_mw import AuditMiddleware

__all__ = ["Pair", "Road", "comparable"]

# Of a run: its clock, its ids, its process, and what follows from these.
# In a traceback each road has frames of its own.
_MODULES = rb"asgi_tees|wsgi|wsgi_input|wsgi_response|_native"
_OURS = re.compile(
    # In a group of exceptions a bar is before each line.
    rb'(?:  \| )?  File \\"[^%]*audit_mw/(?:'
    + _MODULES
    + rb")[^%]*%0A(?:(?:  \| )?    (?:(?!%0A).)*%0A)*"
)
_OF_A_RUN = {
    "len",
    "seq",
    "time",
    "event",
    "instance",
    "micros",
    "check",
    "salt",
    "seal",
}
_ID = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)

Kept = tuple[str, dict[str, bytes]]


class Road:
    """
    One middleware with a trail of its own.

    Args:
        app: what it is around.
        trail: the directory of its trail.
        options: as `AuditMiddleware` takes them.
    """

    def __init__(self, app: Any, trail: Path, **options: Any) -> None:
        options = {"trail": str(trail), "service": "shop", "key": KEY} | options
        self.trail = trail
        self.middleware = AuditMiddleware(app, **options)
        self._read: dict[Path, int] = {}

    def flush(self) -> None:
        """Wait until what was recorded is on lines."""
        self.middleware._auditor.flush()

    def news(self) -> list[tuple[str, dict[str, bytes]]]:
        """Return stream and columns of each record since the last look."""
        self.flush()
        streams = sorted(path for path in self.trail.iterdir() if path.is_dir())

        return [
            (stream.name, record)
            for stream in streams
            if stream.name[0] != "." and stream.name != "system"
            for path in sorted(stream.glob("*.log"))
            for record in self._lines(path)
        ]

    def _lines(self, path: Path) -> list[dict[str, bytes]]:
        # Only what is new: a trail that is read again and again is read slowly.
        with path.open("rb") as segment:
            columns = segment.readline().decode().split(" ", 2)[2].split()
            segment.seek(max(self._read.get(path, 0), segment.tell()))
            lines = segment.read().splitlines()
            self._read[path] = segment.tell()

        return [
            dict(zip(columns, line.split(b"\t"), strict=True))
            for line in lines
            if line[:1] != b"#"
        ]

    def close(self) -> None:
        """Let go of all files."""
        self.middleware._auditor.close()
        settle(self.trail)


def comparable(record: dict[str, bytes]) -> dict[str, bytes]:
    """Return a record without what no two runs have in common."""
    return {
        name: _ID.sub(b"(id)", _OURS.sub(b"", cell))
        for name, cell in record.items()
        if name not in _OF_A_RUN
    }


def _in_order(records: Iterable[Kept]) -> list[Kept]:
    # Which of several that ran at once ended first is of a run, too.
    return sorted(records, key=repr)


class Pair:
    """The same application behind the compiled road, and behind that in Python."""

    def __init__(self, app: Any, trail: Path, **options: Any) -> None:
        self.on = Road(app, trail / "on", compiled="on", **options)
        self.off = Road(app, trail / "off", compiled="off", **options)

    def check(self) -> int:
        """Compare what both kept since the last look; return how many records."""
        on, off = self.on.news(), self.off.news()
        kept = _in_order((stream, comparable(record)) for stream, record in on)
        expected = _in_order((stream, comparable(record)) for stream, record in off)

        assert expected == kept

        return len(kept)

    def close(self) -> None:
        """Let go of all files."""
        self.on.close()
        self.off.close()
