# Which segments are read for a time: what the name and the index say, and how far an
# index is believed.
from dataclasses import replace
from pathlib import Path

import pytest
from tests.trail.samples import event
from tests.upkeep.trails import add

from audit_mw.trail.closing import close_segment
from audit_mw.trail.index import Facts, encode_index, read_index
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.names import index_path
from audit_mw.trail.seen import look
from audit_mw.trail.span import Span

DAY, HOUR = 86_400_000_000, 3_600_000_000
START = 1_795_219_200_000_000  # 2026-11-21T00:00:00Z
LONG_AGO = 0


def archive(trail: Path) -> Path:
    """Return a closed segment of a day: of each hour a record."""
    records = [(n, event(time=START + n * HOUR, micros=n)) for n in range(1, 24)]
    closed = close_segment(add(trail, "2026-11-21.log", *records), lambda _: None)
    assert closed is not None

    return closed.archive


def lie(path: Path, **facts: int) -> None:
    """Make the index of an archive say something else of its times."""
    index = read_index(path)
    assert index is not None
    told: Facts = replace(index.facts, **facts)  # type: ignore[arg-type] # as given
    index_path(path).write_bytes(encode_index(replace(index, facts=told)))


def found(trail: Path, since: int | None, until: int | None = None) -> list[int | None]:
    reader = TrailReader([trail], ["request"], Span(since, until))

    return [it.record.event.micros for it in reader.read() if isinstance(it, Found)]


@pytest.mark.parametrize("last", [LONG_AGO, START, START + 12 * HOUR])
def test_index_hides_nothing_young(tmp_path: Path, last: int) -> None:
    """An index that says that all is older than it is hides no record."""
    path = archive(tmp_path)
    lie(path, first=LONG_AGO, last=last)

    assert found(tmp_path, START + 20 * HOUR) == [20, 21, 22, 23]
    assert found(tmp_path, START + 13 * HOUR, START + 15 * HOUR) == [13, 14]


@pytest.mark.parametrize("first", [START + 23 * HOUR, START + 900 * DAY])
def test_index_hides_nothing_old(tmp_path: Path, first: int) -> None:
    """An index that says that all is younger than it is hides no record of its day."""
    path = archive(tmp_path)
    lie(path, first=first, last=first)

    assert found(tmp_path, None, START + 3 * HOUR) == [1, 2]


@pytest.mark.parametrize(
    ("since", "until", "may"),
    [
        (START + 23 * HOUR, None, True),
        (START + 23 * HOUR + 1, None, False),  # by its index
        (START + 3 * DAY, None, False),  # by its name
        (None, START + HOUR, True),  # its day has it, whatever its index says
        (None, START, False),
        (START - DAY, START, False),
    ],
)
def test_not_opened(
    tmp_path: Path, since: int | None, until: int | None, *, may: bool
) -> None:
    """Where an index tells the truth, what has nothing of a time is not opened."""
    archive(tmp_path)
    (seen,) = look(tmp_path, "request")

    assert Span(since, until).may_have(seen) is may


def test_young_record_of_an_old_day(tmp_path: Path) -> None:
    """A record that is younger than its day is found where the index has it."""
    late = event(time=START + 40 * DAY, micros=40)
    path = add(tmp_path, "2026-11-21.log", (1, event(time=START)), (2, late))
    close_segment(path, lambda _: None)

    assert found(tmp_path, START + 39 * DAY) == [40]


@pytest.mark.parametrize("frames", ["none", "two in one", "of rubbish"])
def test_frames_that_are_none(tmp_path: Path, frames: str) -> None:
    """An index whose last frame is not there is not believed."""
    path = archive(tmp_path)
    lie(path, last=LONG_AGO)
    index = read_index(path)
    assert index is not None
    size = path.stat().st_size
    first = index.frames[0]
    told = {
        "none": (),
        "two in one": (first._replace(packed=9), first._replace(packed=size - 9)),
        "of rubbish": (first._replace(packed=size - 7), first._replace(packed=7)),
    }[frames]
    index_path(path).write_bytes(encode_index(replace(index, frames=told)))

    assert found(tmp_path, START + 23 * HOUR) == [23]
