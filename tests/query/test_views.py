# What the views have: exactly what the reader has, from the same lines.
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.query.asking import answer, ask
from tests.strategies import events, raw
from tests.trail.samples import event, spill_of
from tests.upkeep.trails import (
    FIRST,
    MINUTE,
    TIME,
    add,
    add_values,
    build,
    numbered,
)

from audit_mw.event import STREAMS, Event, JsonText, Param, Redacted, Rest, Spilled
from audit_mw.query.columns import type_of
from audit_mw.query.views import VIEWS, needed
from audit_mw.trail.closing import close_segment
from audit_mw.trail.encoding import encode_text
from audit_mw.trail.params import encode_params
from audit_mw.trail.record import COLUMNS, draft_event, finish_line
from audit_mw.trail.span import Span

DAY = "2026-11-21.log"
rarely = settings(max_examples=10)
_FITS = 1 << 63  # numbers that a writer makes are counts


def _countable(each: Event) -> bool:
    counts = (each.status, each.sent, each.rows, each.micros)

    return all(count is None or 0 <= count < _FITS for count in counts) and (
        # DuckDB's years are five digits long, and those of before 1 are BC.
        each.time >= 0
    )


def _normal(each: Event) -> Event:
    counts: dict[str, Any] = {
        name: None if getattr(each, name) is None else abs(getattr(each, name)) % _FITS
        for name in ("status", "sent", "rows", "micros")
    }

    return dataclasses.replace(each, time=abs(each.time), **counts)


_events = events.map(_normal).filter(_countable)


def _cells(each: Event, seq: int) -> list[str | None]:
    """Return the cells of a record as a view has them, as text."""
    cells = finish_line(draft_event(each), seq)[:-1].decode().split("\t")

    return [{"-": None, '""': ""}.get(cell, cell) for cell in cells]


def _shown(name: str) -> str:
    if name == "time":
        return "strftime(time AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"

    return f'"{name}"::VARCHAR'


@rarely
@given(st.lists(_events, min_size=1, max_size=5))
def test_every_column(each: Sequence[Event]) -> None:
    """Whatever was recorded, every column of it is there, as it stands on the line."""
    with TemporaryDirectory() as name:
        trail = Path(name)
        for seq, one in enumerate(each, 1):
            add(trail, DAY, (seq, one), stream=one.stream)
        columns = ", ".join(_shown(column.name) for column in COLUMNS)
        rows = answer(trail, f"SELECT {columns} FROM events")
    expected = [_cells(one, seq) for seq, one in enumerate(each, 1)]

    assert sorted(map(repr, expected)) == sorted(repr(list(row)) for row in rows)


@rarely
@given(st.lists(raw, min_size=1, max_size=20))
def test_decoded(texts: Sequence[bytes]) -> None:
    """Every byte that was sent is had again by `decode_text`, and by `coded`."""
    params = tuple(Param("query", text, text) for text in texts)
    with TemporaryDirectory() as name:
        trail = Path(name)
        add(trail, DAY, (1, event(params=params)))
        rows = answer(
            trail,
            "SELECT decode_text(value), decode_text(name), text(value), "
            "coded(text(value)) = value FROM params ORDER BY place",
        )

    for text, (value, key, shown, again) in zip(texts, rows, strict=True):
        assert text == value == key
        if _is_text(text):
            assert (text.decode(), True) == (shown, again)
        else:
            assert encode_text(text).decode() == shown


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False

    return True


def test_types() -> None:
    """Each column has the type that its decoder says."""
    kinds = {column.name: type_of(column) for column in COLUMNS}

    assert kinds["time"] == "TIMESTAMPTZ"
    assert kinds["seq"] == kinds["status"] == kinds["micros"] == "UBIGINT"
    assert kinds["params"] == kinds["details"] == "JSON"
    assert kinds["user"] == kinds["path"] == kinds["check"] == "VARCHAR"


def test_streams(tmp_path: Path) -> None:
    """There is a view for each stream, and `events` has them all."""
    build(tmp_path)

    own = [f"SELECT '{it}' AS stream, count(*) FROM {it}" for it in STREAMS]
    rows = dict(answer(tmp_path, " UNION ALL ".join(own)))
    same = dict(answer(tmp_path, "SELECT stream, count(*) FROM events GROUP BY 1"))
    assert {key: count for key, count in rows.items() if count} == same
    assert answer(tmp_path, "SELECT count(*) FROM events") == [(17,)]


def test_absent_and_empty(tmp_path: Path) -> None:
    """What is absent is NULL, what is empty is an empty text, and "-" is "-"."""
    users = (None, b"", b"-", b'""')
    add(tmp_path, DAY, *((at, event(user=it)) for at, it in enumerate(users, 1)))

    rows = answer(tmp_path, 'SELECT "user", text("user") FROM request ORDER BY seq')
    assert rows == [(None, None), ("", ""), ("%2D", "-"), ("%22%22", '""')]


def test_params(tmp_path: Path) -> None:
    """Each param is a row, in its place, with what is ours in columns of its own."""
    params = (
        Param("query", b"q", b"# 'x'\t"),
        Param("form", b"password", Redacted(6, "password")),
        Param("cookie", b"id", Redacted(32, "token", "1c2d3e4f.00")),
        Param("cookie", b"flag", None),
        Param("json", b"/n", JsonText(b"12.50")),
    )
    add(tmp_path, DAY, (1, event(params=params)))

    assert answer(
        tmp_path,
        "SELECT place, source, name, value, class, len, hmac, json FROM params "
        "ORDER BY place",
    ) == [
        (1, "query", "q", "# 'x'%09", None, None, None, None),
        (2, "form", "password", None, "password", 6, None, None),
        (3, "cookie", "id", None, "token", 32, "1c2d3e4f.00", None),
        (4, "cookie", "flag", None, None, None, None, None),
        (5, "json", "/n", None, None, None, None, "12.50"),
    ]


def test_rest(tmp_path: Path) -> None:
    """Params that did not fit are in `params`; whoever sends many hides none of them."""
    rest = encode_params((Param("query", b"evil", b"' OR 1=1"),))
    digest = spill_of(rest).sha256
    params = (
        Param("query", b"a", b'["rest",null,{"count":1}]]'),
        Param("rest", None, Rest(1, len(rest), digest)),
    )
    add(tmp_path, DAY, (1, event(params=params)))
    add_values(tmp_path, DAY, rest)

    rows = answer(
        tmp_path, "SELECT place, source, name, value FROM params ORDER BY place, source"
    )
    assert rows == [
        (1, "query", "a", '["rest",null,{"count":1}]]'),
        (2, "rest", None, None),
        (3, "query", "evil", "' OR 1=1"),
    ]
    assert answer(tmp_path, "SELECT count(*) FROM record_params") == [(2,)]


def test_spilled(tmp_path: Path) -> None:
    """A spilled value is had by its digest, every byte of it."""
    long = bytes(range(256)) * 2
    digest = spill_of(long).sha256
    add(tmp_path, DAY, (1, event(params=(Param("form", b"a", Spilled(512, digest)),))))
    add_values(tmp_path, DAY, long, b"")

    assert answer(
        tmp_path, "SELECT spilled.value FROM params JOIN spilled USING (sha256)"
    ) == [(long,)]
    assert answer(tmp_path, "SELECT value FROM spilled WHERE size = 0") == [(b"",)]


def test_closed(tmp_path: Path) -> None:
    """A closed segment of several frames is read as it was before it was closed."""
    path = add(tmp_path, DAY, *((seq, event()) for seq in range(1, 9000)))
    close_segment(path, lambda _: None)
    assert not path.exists()

    rows = answer(tmp_path, "SELECT count(*), sum(seq) FROM request")
    assert rows == [(8999, sum(range(1, 9000)))]


def test_span(tmp_path: Path) -> None:
    """Only records of the time are there, wherever their segments begin and end."""
    late = event(time=TIME + 3 * MINUTE)  # appended a day after it began
    add(tmp_path, "2026-11-20.log", (1, event(time=TIME - 1440 * MINUTE)))
    add(tmp_path, DAY, *(numbered(seq, FIRST) for seq in range(2, 7)))
    add(tmp_path, "2026-11-22.log", (9, late))
    span = Span(TIME + 3 * MINUTE, TIME + 5 * MINUTE)

    rows, _ = ask(tmp_path, "SELECT seq FROM request ORDER BY ALL", span=span)
    assert [row[0] for row in rows] == [3, 4, 9]


def test_nothing(tmp_path: Path) -> None:
    """A trail without a segment has views without a row."""
    assert answer(tmp_path, "SELECT * FROM events") == []
    assert answer(tmp_path, "SELECT * FROM params") == []
    assert answer(tmp_path, "SELECT * FROM spilled") == []


def test_tables(tmp_path: Path) -> None:
    """Who asks what there is gets all views."""
    build(tmp_path)
    rows = answer(tmp_path, "SHOW TABLES")

    assert {row[0] for row in rows} >= {*STREAMS, *VIEWS}


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1 FROM request", ("request",)),
        ("select 1 from REQUEST", ("request",)),
        ("FROM params", ("events", "record_params", "spilled", "params")),
        ("FROM session JOIN request USING (event)", ("request", "session")),
        ("FROM requests", (*STREAMS, *VIEWS)),
    ],
)
def test_needed(sql: str, names: tuple[str, ...]) -> None:
    """Only what a question names is looked at."""
    assert sorted(names) == sorted(needed(sql))


def test_details(tmp_path: Path) -> None:
    """Keys of `details` are had by the arrows of JSON."""
    add(tmp_path, DAY, (1, event(details={"reason": b"a\nb", "app": {"order": 17}})))

    rows = answer(
        tmp_path,
        "SELECT details ->> 'reason', text(details ->> 'reason'), "
        "(details -> 'app' ->> 'order')::INTEGER FROM request",
    )
    assert rows == [("a%0Ab", "a\nb", 17)]
    assert json.loads(answer(tmp_path, "SELECT details FROM request")[0][0])
