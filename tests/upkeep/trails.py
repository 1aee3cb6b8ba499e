# Trails that were written long ago: files as the writer leaves them, of any day.
import os
from collections.abc import Mapping
from pathlib import Path

from tests.trail.samples import event, spill_of

from audit_mw.event import Event, Hole, Param, Rest, Spilled
from audit_mw.trail.params import encode_params
from audit_mw.trail.record import (
    VALUES,
    draft_event,
    encode_value_line,
    finish_line,
    header_line,
)

__all__ = [
    "FIRST",
    "LONG",
    "SECOND",
    "add",
    "add_values",
    "build",
    "contents",
    "ended",
    "system",
    "whole_lines",
]

FIRST, SECOND = "web1:4711:1eeb7084", "web2:12:0badcafe"
LONG = (b"a" * 300, b"b" * 400, b"c" * 500)
TIME = event().time
MINUTE = 60_000_000


def add(
    trail: Path, name: str, *records: tuple[int, Event], stream: str = "request"
) -> Path:
    """Append (seq, event) to a segment, with a header if it is new."""
    lines = [finish_line(draft_event(each), seq) for seq, each in records]

    return _append(trail / stream / name, header_line(stream), lines)


def add_values(trail: Path, name: str, *values: bytes) -> Path:
    """Append values to a segment of the values stream."""
    lines = [encode_value_line(TIME, event().event, spill_of(each)) for each in values]

    return _append(trail / VALUES / name, header_line(VALUES), lines)


def _append(path: Path, header: bytes, lines: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not os.fstat(file.fileno()).st_size:
            file.write(header)
        file.write(b"".join(lines))

    return path


def numbered(seq: int, instance: str, **changes: object) -> tuple[int, Event]:
    """Return a record of an instance, some time after it began."""
    changes.setdefault("path", b"/%d" % seq)

    return seq, event(instance=instance, time=TIME + seq * MINUTE, **changes)


def system(
    seq: int, kind: str, details: Mapping[str, object] | None = None, **changes: object
) -> tuple[int, Event]:
    """Return a record of the stream `system`."""
    changes.setdefault("instance", FIRST)

    return seq, event(
        stream="system", type=kind, params=(), details=details or {}, **changes
    )


def ended(seq: int, instance: str = FIRST, **last: int) -> tuple[int, Event]:
    """Return the end of an instance."""
    return system(
        seq, "sys_shutdown", {"last": {**last, "system": seq}}, instance=instance
    )


def build(trail: Path) -> Path:
    """Write a whole trail: two instances, two days, spilled values; return it."""
    rest = encode_params(
        (Param("form", b"in", Spilled(500, spill_of(LONG[2]).sha256)),)
    )
    spilled = (
        Param("form", b"a", Spilled(300, spill_of(LONG[0]).sha256)),
        Param("form", b"b", (b"begin", Hole(400, sha256=spill_of(LONG[1]).sha256))),
    )
    rested = (Param("rest", None, Rest(1, len(rest), spill_of(rest).sha256)),)
    add(trail, "2026-11-20.log", *(numbered(seq, FIRST) for seq in (1, 2, 3)))
    add(trail, "2026-11-20.log", *(numbered(seq, SECOND) for seq in (1, 2)))
    add(trail, "2026-11-20.log", numbered(4, FIRST, params=spilled))
    add(trail, "2026-11-21.log", *(numbered(seq, SECOND) for seq in (3, 4, 5)))
    add(trail, "2026-11-21.log", numbered(5, FIRST, params=rested), numbered(6, FIRST))
    add(trail, "2026-11-20.log", numbered(1, FIRST, stream="fault"), stream="fault")
    for instance in (FIRST, SECOND):
        began = system(1, "sys_startup", instance=instance)
        add(trail, "2026-11-20.log", began, stream="system")
    add(trail, "2026-11-21.log", system(2, "log_gap"), stream="system")
    add(
        trail,
        "2026-11-21.log",
        ended(3, FIRST, request=6, fault=1),
        ended(2, SECOND, request=5),
        stream="system",
    )
    add_values(trail, "2026-11-20.log", *LONG[:2])
    add_values(trail, "2026-11-21.log", LONG[2], rest)

    return trail


def contents(trail: Path) -> dict[Path, bytes]:
    """Return each segment of a trail with its bytes."""
    return {path: path.read_bytes() for path in sorted(trail.glob("*/*"))}


def whole_lines(text: bytes) -> list[bytes]:
    """Return lines with their LFs."""
    return text.splitlines(keepends=True)
