# A slot that nobody has any more comes back, and what it keeps becomes a record.
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.settling import settle
from tests.trail.samples import begin, make_writer, nth, records, send

from audit_mw.trail.place import Place
from audit_mw.trail.slots import DONE, OPEN
from audit_mw.trail.writer import JOURNALS, Writer

_DIED: dict[str, Any] = {
    "outcome": "ABORTED",
    "details": {"delivery": b"unknown", "reason": b"process_died"},
}


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """The way into a trail."""
    made = make_writer(tmp_path / "trail")
    yield made
    made.close()
    settle(tmp_path / "trail")


def _found(writer: Writer) -> list[tuple[str, object, object]]:
    """Let the writer look for lost slots now; return what it tells of requests."""
    gc.collect()
    pump = writer.pump
    assert pump
    for _ in range(500):
        pump._next_adoption = 0.0
        writer.flush()
        if not pump.pool.used:
            break
    paths = (Path(writer._config.trail) / "request").glob("*")
    events = [record.event for record in records(paths)]

    assert not pump.pool.used
    return [
        (it.outcome, it.details["delivery"], it.details.get("reason")) for it in events
    ]


def _opened(writer: Writer) -> Place:
    return begin(writer, nth(1, instance=writer.instance, **_DIED))


def _leave(writer: Writer, how: str) -> None:
    if how == "taken":
        writer.place()
        return
    place = _opened(writer)
    if how in ("sent", "marked"):
        send(place, nth(1, instance=writer.instance))
    if how == "marked":
        assert place._slot
        place._slot.mark(DONE)
    if how == "dropped":
        place.drop()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param("taken", [], id="taken, and no more"),
        pytest.param("dropped", [], id="given back"),
        pytest.param("open", [("ABORTED", b"unknown", b"broken_off")], id="begun"),
        pytest.param("sent", [("SUCCESS", b"unknown", None)], id="answered"),
        pytest.param("marked", [("SUCCESS", b"taken", None)], id="told to be taken"),
    ],
)
def test_lost(writer: Writer, how: str, expected: list[object]) -> None:
    """Its record says how far its request came, and is there once."""
    _leave(writer, how)

    assert _found(writer) == expected


def test_large(writer: Writer) -> None:
    """What was moved to a large slot is told once."""
    begin(writer, nth(1, instance=writer.instance, path=b"/" + b"a" * 9000, **_DIED))

    assert _found(writer) == [("ABORTED", b"unknown", b"broken_off")]


def test_both(writer: Writer) -> None:
    """So is what was broken off while two slots had it."""
    place = _opened(writer)
    pump, small = writer.pump, place._slot
    assert pump
    assert small
    kept = small.get()
    large = pump.large()
    assert large
    assert kept
    large.claim(origin=small.number)
    large.put(OPEN, kept)
    del place, small, large

    assert _found(writer) == [("ABORTED", b"unknown", b"broken_off")]


def test_held(writer: Writer) -> None:
    """What somebody has still is not lost."""
    place = _opened(writer)
    pump = writer.pump
    assert pump
    lost = pump.pool.lost()
    place.drop()

    assert lost == []
    assert _found(writer) == []


def test_close(tmp_path: Path) -> None:
    """The end of the writer waits for none, and leaves none in the journal."""
    writer = make_writer(tmp_path / "trail")
    _leave(writer, "open")
    gc.collect()
    writer.close()
    left = list((tmp_path / "trail" / JOURNALS).glob("*.journal"))

    assert left == []
    assert len(records((tmp_path / "trail" / "request").glob("*"))) == 1
