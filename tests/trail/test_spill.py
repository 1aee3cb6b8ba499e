import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.trail.crew import crew, outcomes
from tests.trail.samples import event, locked, spill_of, threads, wait_for_lock

from audit_mw.event import Spill
from audit_mw.trail.entry import Entry
from audit_mw.trail.reader import find_value, read_segment, segments
from audit_mw.trail.record import StoredValue, draft_event
from audit_mw.trail.segment import SegmentFile
from audit_mw.trail.spill import SpillFile


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[SegmentFile]:
    """The segment of values."""
    segment = SegmentFile(tmp_path, "values", "day")
    yield segment
    segment.close()


@pytest.fixture
def spills(segment: SegmentFile) -> SpillFile:
    """The values stream of this process."""
    return SpillFile(segment)


def entry(**changes: Any) -> Entry:
    """Return a record on its way, with the values that it spills."""
    whole = event(**changes)

    return Entry(draft_event(whole), whole.spills)


def stored(path: Path) -> list[bytes]:
    items = list(read_segment(path))

    return [item.value for item in items if isinstance(item, StoredValue)]


def test_values_and_whose(segment: SegmentFile, spills: SpillFile) -> None:
    """
    A value is kept exactly, with time and id of the event that first had it.
    """
    exact = bytes(range(256)) * 4
    spills.append([entry(spills=(spill_of(exact), spill_of(b"")))])

    first, empty = read_segment(segment.path)
    assert isinstance(first, StoredValue)
    assert (event().time, event().event, spill_of(exact)) == (
        first.time,
        first.event,
        Spill(first.sha256, first.value),
    )
    assert getattr(empty, "value", None) == b""


def test_nothing_to_spill(segment: SegmentFile, spills: SpillFile) -> None:
    """
    An event without values leaves no segment of values behind.
    """
    spills.append([entry()])

    assert not segment.path.parent.exists()


def test_once_a_segment(segment: SegmentFile, spills: SpillFile) -> None:
    """
    A value that the segment has from us is not written again.
    """
    spills.append([entry(spills=(spill_of(b"a"), spill_of(b"b")))])
    spills.append([entry(spills=(spill_of(b"b"), spill_of(b"c"), spill_of(b"a")))])

    assert stored(segment.path) == [b"a", b"b", b"c"]


def test_once_an_event(segment: SegmentFile, spills: SpillFile) -> None:
    """
    A value that one event has twice is written once.
    """
    spills.append([entry(spills=(spill_of(b"a"), spill_of(b"a")))])

    assert stored(segment.path) == [b"a"]


def test_remembers_so_many(segment: SegmentFile, spills: SpillFile) -> None:
    """
    Of 4,097 digests the first is forgotten and its value written again; no other is.
    """
    all_ = tuple(spill_of(b"%d" % number) for number in range(4097))
    spills.append([entry(spills=all_)])
    spills.append([entry(spills=all_[1:])])
    spills.append([entry(spills=all_[:1])])

    assert [*(s.value for s in all_), b"0"] == stored(segment.path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.rename(f"{path}.1"), id="renamed"),
        pytest.param(Path.unlink, id="unlinked"),
        pytest.param(lambda path: os.truncate(path, 0), id="truncated"),
    ],
)
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_another_file(
    segment: SegmentFile,
    spills: SpillFile,
    change: Callable[[Path], object],
    *,
    closed: bool,
) -> None:
    """
    Another file has none of our values, so each that is named is written to it.
    """
    spills.append([entry(spills=(spill_of(b"a"), spill_of(b"b")))])
    if closed:
        segment.close()
    change(segment.path)
    spills.append([entry(spills=(spill_of(b"a"),))])
    spills.append([entry(spills=(spill_of(b"b"), spill_of(b"a")))])

    assert stored(segment.path) == [b"a", b"b"]


def test_rotated_while_it_waits(segment: SegmentFile, spills: SpillFile) -> None:
    """
    Values left out for a file that is rotated before the append go to the new one.
    """
    spills.append([entry(spills=(spill_of(b"a"),))])
    again = entry(spills=(spill_of(b"a"), spill_of(b"b")))
    with locked(segment.path) as unlock, threads(lambda: spills.append([again])):
        wait_for_lock(segment.path)
        segment.path.rename(segment.path.with_name("rotated.log"))
        unlock()

    assert {b"a", b"b"} == set(stored(segment.path))


def test_of_many_processes(tmp_path: Path) -> None:
    """
    Processes do not know of each other's values; what each names is there to be found.
    """
    with crew(3, "commit_spills", tmp_path, 20) as workers:
        outcomes(workers)

    values = {b"value %d" % number for number in range(20)}
    (path,) = segments(tmp_path, "values")
    assert sorted([*values] * 3) == sorted(stored(path))
    assert values == {find_value(tmp_path, spill_of(value).sha256) for value in values}


def test_failed_append_is_not_remembered(
    segment: SegmentFile, spills: SpillFile
) -> None:
    """
    A value whose append failed is written when it comes again.
    """
    segment.path.parent.touch()
    with pytest.raises(NotADirectoryError):
        spills.append([entry(spills=(spill_of(b"a"),))])
    segment.path.parent.unlink()
    spills.append([entry(spills=(spill_of(b"a"),))])

    assert stored(segment.path) == [b"a"]
