# The saved queries: each finds what it is for in a trail that the middleware wrote, and
# leaves out who did nothing.
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.query.asking import ask
from tests.query.shop import ALICE, BOB, MALLORY, SLOW_SECONDS, day

from audit_mw.query.saved import saved, values_of
from audit_mw.trail.record import decode_line

Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the trail of a day at the shop."""
    return day(tmp_path_factory.mktemp("shop") / "trail")


def found(trail: Path, name: str, **given: str) -> list[Row]:
    """Return the rows of a saved query, as text."""
    query = saved()[name]
    sql = f"SELECT to_json(row) FROM (\n{query.sql}\n) AS row"
    rows, damages = ask(trail, sql, values_of(query, given))
    assert damages == []

    return [_plain(row[0]) for row in rows]


def _plain(text: str) -> Row:
    row: Row = json.loads(text)

    return row


def test_all_are_tested() -> None:
    """Each saved query has a test of its own here."""
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals()}

    assert set(saved()) <= tested


def test_top_clients(trail: Path) -> None:
    """Clients by their requests, and how many of them failed."""
    rows = found(trail, "top-clients")

    assert [row["client"] for row in rows] == [MALLORY, ALICE, BOB]
    assert [row["requests"] for row in rows] == [12, 5, 3]
    assert [row["failed"] for row in rows] == [9, 3, 0]
    assert len(found(trail, "top-clients", limit="1")) == 1


def test_failed_logins(trail: Path) -> None:
    """Failed logins with their reason, and none that succeeded."""
    rows = found(trail, "failed-logins")

    assert [row["client"] for row in rows] == [*[MALLORY] * 6, ALICE]
    assert {row["reason"] for row in rows} == {"wrong password"}
    assert rows[0]["user"] == "frank"


def test_brute_force(trail: Path) -> None:
    """Who failed often, and got in at last; not who mistyped once."""
    (row,) = found(trail, "brute-force")

    assert (row["client"], row["failures"], row["users"]) == (MALLORY, 6, 6)
    assert row["succeeded"] == "frank"
    assert found(trail, "brute-force", failures="7") == []
    assert len(found(trail, "brute-force", failures="1")) == 2


def test_session_timeline(trail: Path) -> None:
    """All that one session did, in all streams, and nothing of another."""
    digest = next(
        row["session"]
        for row in found(trail, "user-activity", user="alice")
        if row["path"] == "/basket"
    )
    rows = found(trail, "session-timeline", session=digest)

    assert {row["stream"] for row in rows} == {"request", "session", "error", "fault"}
    assert {row["user"] for row in rows} == {"alice"}
    assert [row["path"] for row in rows if row["stream"] == "request"] == [
        *("/login", "/basket", "/pay", "/crash")
    ]


def test_user_activity(trail: Path) -> None:
    """All that one user did, failed logins of theirs as well; not what others did."""
    rows = found(trail, "user-activity", user="bob")

    assert {row["client"] for row in rows} == {BOB, MALLORY}
    assert [row["path"] for row in rows if row["stream"] == "request"] == [
        *("/basket", "/slow", "/cv", "/basket")
    ]
    assert [row["type"] for row in rows if row["stream"] == "session"] == [
        "authn_login_fail"
    ]


def test_slowest(trail: Path) -> None:
    """The path whose requests took longest comes first; how long, the record says."""
    rows = found(trail, "slowest")
    (slow,) = [row for row in rows if row["path"] == "/slow"]

    assert slow["p95"] >= SLOW_SECONDS * 1000  # so long it slept
    assert rows == sorted(rows, key=lambda row: -row["p95"])
    assert len(found(trail, "slowest", requests="2")) == 3


def test_errors(trail: Path) -> None:
    """What was raised, and what a user was shown; no request that went well."""
    rows = {row["path"]: row for row in found(trail, "errors")}

    assert set(rows) == {"/crash", "/pay"}
    assert rows["/crash"]["raised"] == "ValueError: no such thing as 17"
    assert rows["/crash"]["outcome"] == "ERROR"
    assert rows["/pay"]["reason"] == "insufficient funds"


def test_pollution(trail: Path) -> None:
    """One name with different values; not one that came once."""
    (row,) = found(trail, "pollution")

    assert (row["client"], row["name"]) == (MALLORY, "to")
    assert row["sources"] == "query, query, form"
    assert row["sent"] == ["bob", "mallory", "mallory"]


def test_new_addresses(trail: Path) -> None:
    """Bob comes from Mallory's address; Alice from none but her own."""
    rows = found(trail, "new-addresses")

    assert [(row["user"], row["client"]) for row in rows] == [("bob", MALLORY)]
    assert rows[0]["known_before"] == 1


def test_uploads(trail: Path) -> None:
    """Who sent which file."""
    (row,) = found(trail, "uploads")

    assert (row["user"], row["client"], row["filename"]) == ("bob", BOB, "cv.pdf")
    assert row["len"] == len("%PDF-1.7 and so on")


def test_secrets_seen(trail: Path) -> None:
    """A key in a query first, for other logs have it as well; then passwords."""
    rows = found(trail, "secrets-seen")

    assert (rows[0]["source"], rows[0]["name"]) == ("query", "api_key")
    assert ("form", "password", 9) in [
        (row["source"], row["name"], row["times"]) for row in rows
    ]


def test_gaps(trail: Path, tmp_path: Path) -> None:
    """Records that somebody took out are missing by their numbers."""
    assert found(trail, "gaps") == []

    less = tmp_path / "request"
    shutil.copytree(trail / "request", less)
    # Two, where a day ended meanwhile.
    segment = max(less.glob("*.log"), key=lambda path: path.stat().st_size)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:3], *lines[5:]]))
    (row,) = found(tmp_path, "gaps")
    gone = [decode_line(line).seq for line in lines[3:5]]

    assert [row["first_missing"], row["last_missing"]] == gone
    assert row["missing"] == 2


def test_status_by_path(trail: Path) -> None:
    """How each path was answered."""
    rows = {row["path"]: row for row in found(trail, "status-by-path")}

    assert (rows["/login"]["requests"], rows["/login"]["4xx"]) == (9, 7)
    assert rows["/crash"]["5xx"] + rows["/crash"]["none"] == 1
    assert rows["/basket"]["2xx"] == rows["/basket"]["requests"] == 4


def test_bots(trail: Path) -> None:
    """Who says to be a program; not who says to be a browser."""
    (row,) = found(trail, "bots")

    assert (row["agent"], row["client"]) == ("sqlmap/1.9", MALLORY)
    assert (row["requests"], row["not_found"]) == (1, 1)


def test_findings(trail: Path) -> None:
    """What was odd by itself, and what the application told of."""
    rows = {row["type"]: row for row in found(trail, "findings")}

    assert {"authz_fail", "param_mismatch", "session_new_address"} <= set(rows)
    assert {row["client"] for row in rows.values()} == {MALLORY}


def test_deployments(trail: Path) -> None:
    """When the service began and ended."""
    rows = found(trail, "deployments")

    assert [row["type"] for row in rows] == ["sys_startup", "sys_shutdown"]
