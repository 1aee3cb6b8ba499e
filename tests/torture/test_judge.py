# The judge itself: on a good trail it is silent, and it sees each thing that it is for.
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.torture.judge import Trail, complaints
from tests.trail.samples import event

from audit_mw.event import Param
from audit_mw.trail.record import draft_event, finish_line, header_line

WORDS = {"w-1": 200, "w-2": 200, "w-3": None}


def lines() -> list[bytes]:
    """Return the lines of three requests."""
    return [
        finish_line(
            draft_event(event(params=(Param("query", b"n", word.encode()),))), seq
        )
        for seq, word in enumerate(WORDS, 1)
    ]


def write(trail: Path, requests: list[bytes]) -> None:
    """Write a trail of one instance."""
    started = event(stream="system", type="sys_startup", params=())
    whole = {
        "request": requests,
        "system": [finish_line(draft_event(started), 1)],
    }
    for stream, stored in whole.items():
        (trail / stream).mkdir(parents=True)
        path = trail / stream / "2026-11-21.log"
        path.write_bytes(b"".join([header_line(stream), *stored]))


def test_good(tmp_path: Path) -> None:
    """On a good trail it is silent."""
    write(tmp_path, lines())

    assert complaints(tmp_path, WORDS, list(WORDS)) == []
    assert len(Trail(tmp_path).lines) == 4


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda it: it[:2], "w-3 began", id="lost"),
        pytest.param(lambda it: it[1:], "seq [1] missing", id="gap"),
        pytest.param(lambda it: [*it, it[0]], "w-1 has 2 records", id="twice"),
        pytest.param(lambda it: [it[1], it[0], it[2]], "seq 1 behind 2", id="swapped"),
        pytest.param(lambda it: [*it[:2], it[2][:-1]], "no LF", id="torn"),
        pytest.param(lambda it: [*it, it[0][:40] + b"\n"], "columns", id="half"),
        pytest.param(
            lambda it: [it[0].replace(b"GET", b"PUT"), *it[1:]], "check", id="rotten"
        ),
        pytest.param(lambda it: [*it, b"\n"], "columns", id="empty line"),
        pytest.param(
            lambda it: [it[0].replace(b"GET", b"G\x1bT"), *it[1:]],
            "a byte that may not",
            id="forged",
        ),
    ],
)
def test_bad(
    tmp_path: Path, spoil: Callable[[list[bytes]], list[bytes]], expected: str
) -> None:
    """It names what is lost, repeated, torn, rotten, forged, or out of order."""
    write(tmp_path, spoil(lines()))

    assert any(expected in said for said in complaints(tmp_path, WORDS, list(WORDS)))


@pytest.mark.parametrize(
    ("answered", "began", "expected"),
    [
        ({"w-1": 404}, ["w-2", "w-3"], "w-1 was answered 404, recorded as"),
        ({"w-1": 503}, ["w-2", "w-3"], "w-1 was refused, and recorded"),
        ({"w-4": 200}, list(WORDS), "w-4 was answered 200: no record"),
        ({}, [*WORDS, "w-4"], "w-4 began, was answered None: no record"),
        ({}, ["w-1", "w-2"], "w-3 has a record, and nobody sent it"),
        ({}, [*WORDS, "w-1"], "w-1 began 2 times"),
    ],
)
def test_clients(
    tmp_path: Path, answered: dict[str, int | None], began: list[str], expected: str
) -> None:
    """It names what clients and application know better."""
    write(tmp_path, lines())

    assert any(expected in said for said in complaints(tmp_path, answered, began))


def test_journal_left(tmp_path: Path) -> None:
    """It names a journal that is left, and an instance that did not begin."""
    write(tmp_path, lines())
    (tmp_path / "system" / "2026-11-21.log").unlink()
    (tmp_path / ".journal").mkdir()
    (tmp_path / ".journal" / "one.journal").touch()

    assert complaints(tmp_path, WORDS, list(WORDS)) == [
        "web1:4711:1eeb7084 has no sys_startup",
        "one.journal is left",
    ]
