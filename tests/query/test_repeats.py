# A record that was recovered, and is there as it was written as well, counts once.
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.query.asking import answer, ask
from tests.trail.dead import (
    adopt_one,
    dead_journal,
    keep,
    lines_of,
    note_append,
    slots_of,
)
from tests.trail.samples import event
from tests.upkeep.trails import FIRST, SECOND, add, numbered

from audit_mw.cli.query import query
from audit_mw.event import Event, Param
from audit_mw.query.saved import Saved, saved
from audit_mw.trail.closing import close_segment
from audit_mw.trail.journal import Journal
from audit_mw.trail.slots import DONE
from audit_mw.trail.span import Span

DAY, NEXT = "2026-11-20.log", "2026-11-21.log"
AGAIN = {"recovered": True, "delivery": b"unknown"}
COUNT = "SELECT count(*) FROM request"


def recovered(seq: int, **changes: object) -> tuple[int, Event]:
    """Return a record as who adopts a journal writes it again."""
    return numbered(seq, FIRST, details=AGAIN, **changes)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail in which 1 and 2 are there again, and 4 was recovered alone."""
    add(tmp_path, DAY, *(numbered(seq, FIRST) for seq in (1, 2, 3)))
    add(tmp_path, DAY, numbered(1, SECOND))
    add(tmp_path, NEXT, recovered(1), recovered(2), recovered(4))

    return tmp_path


def test_once(trail: Path) -> None:
    """Each record is in each view once; those that are there again have their own."""
    asked = [f"SELECT count(*) FROM {it}" for it in ("request", "events", "repeated")]

    assert [answer(trail, sql) for sql in asked] == [[(5,)], [(5,)], [(2,)]]
    assert answer(trail, "SELECT count(*), count(DISTINCT event) FROM params") == [
        (5, 1)
    ]
    assert answer(
        trail, "SELECT seq FROM request WHERE details ->> 'recovered' = 'true'"
    ) == [(4,)]


def test_columns(trail: Path) -> None:
    """The columns are the same, and in the same order, as where nothing is twice."""
    plain = answer(trail, "SELECT column_name FROM (DESCRIBE request)")
    for view in ("events", "repeated"):
        assert answer(trail, f"SELECT column_name FROM (DESCRIBE {view})") == plain


def test_of_a_time(trail: Path) -> None:
    """With a time as well, though the two stand in segments of different days."""
    span = Span(event().time, event().time + 1_000_000_000)

    assert ask(trail, COUNT, span=span)[0] == [(5,)]
    assert ask(trail, COUNT, span=Span(event().time + 150_000_000))[0] == [(2,)]


@pytest.mark.parametrize("name", [DAY, NEXT])
def test_closed(trail: Path, name: str) -> None:
    """Closed, they are the same."""
    close_segment(trail / "request" / name, lambda _: None)

    assert answer(trail, COUNT) == [(5,)]


@pytest.mark.parametrize("name", [DAY, NEXT])
def test_damaged(trail: Path, name: str) -> None:
    """So they are where a segment is damaged, and with each check looked at."""
    path = trail / "request" / name
    path.write_bytes(path.read_bytes() + b"torn\n")
    rows, damages = ask(trail, COUNT, verify=True)

    assert (rows, len(damages)) == ([(5,)], 1)


def test_console(tmp_path: Path, trail: Path) -> None:
    """The text of a console tells a record once already."""
    text = b"".join(
        (trail / "request" / name).read_bytes().partition(b"\n")[2]
        for name in (DAY, NEXT)
    )
    console = tmp_path / "text"
    console.write_bytes(text)

    assert ask(console, COUNT)[0] == [(5,)]


@pytest.mark.parametrize(
    "changes",
    [
        {"path": b"/else"},
        {"user": b"mallory"},
        {"params": (Param("query", b"q", b"else"),)},
        {"event": "019aa4f2-35c3-7a1b-8c4d-000000000000"},
    ],
    ids=ascii,
)
def test_forged(tmp_path: Path, changes: dict[str, object]) -> None:
    """One that is not the same is never left out, whatever it says of itself."""
    add(tmp_path, DAY, numbered(1, FIRST), recovered(1, **changes), recovered(1))

    assert answer(tmp_path, COUNT) == [(2,)]


def test_said_by_others(tmp_path: Path) -> None:
    """What an application notes, or a client sends, makes no record a repeated one."""
    noted = {"app": {"recovered": True}, "reason": b'"recovered":true'}
    add(tmp_path, DAY, numbered(1, FIRST), numbered(1, FIRST, details=noted))

    assert answer(tmp_path, COUNT) == [(2,)]


@pytest.mark.parametrize("each", saved().values(), ids=lambda each: each.name)
def test_saved(trail: Path, each: Saved) -> None:
    """A saved query counts a record once: its answer is that of a trail without."""
    plain = trail.parent / f"{trail.name}-plain"
    add(plain, DAY, *(numbered(seq, FIRST) for seq in (1, 2, 3)), numbered(1, SECOND))
    add(plain, NEXT, recovered(4))
    words = [each.name, "--format", "jsonl"]
    for it in each.parameters:
        words += ["--set", f"{it.name}=x"] if it.default is None else []
    shown, expected = (
        CliRunner().invoke(query, ["--trail", str(of), *words]) for of in (trail, plain)
    )

    assert shown.exit_code in {0, 1}
    assert expected.output == shown.output


def test_real(tmp_path: Path) -> None:
    """So it is where a segment was away while the journal of its writer was adopted."""
    trail, away = tmp_path / "trail", tmp_path / "away"
    trail.mkdir()
    segments = []

    def fill(journal: Journal) -> None:
        for number, slot in enumerate(slots_of(journal)[:3]):
            keep(slot, DONE, number, seq=number + 1)
        lines = lines_of(range(3))
        segments.append(note_append(journal, trail, lines, len(lines)))

    path = dead_journal(trail, fill)
    segments[0].rename(away)
    adopt_one(path)
    away.rename(trail / "request" / "2026-11-20.log.1")
    sql = "SELECT count(*), count(DISTINCT (instance, seq)) FROM request"

    assert answer(trail, sql) == [(3, 3)]
    assert answer(trail, "SELECT count(*) FROM repeated") == [(3,)]
