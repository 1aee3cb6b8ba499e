# What happens to a trail while a question is open, and where there is no DuckDB.
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.make_trail import make
from tests.query.asking import answer, asked_of
from tests.trail.samples import event
from tests.upkeep.trails import add

from audit_mw.query.engine import Moved
from audit_mw.trail.closing import close_segment
from audit_mw.trail.record import VALUES, header_line
from audit_mw.verify import verify_trail

DAY = "2026-11-21.log"


@pytest.mark.parametrize("sql", ["SELECT count(*) FROM request", "FROM request"])
def test_closed_meanwhile(tmp_path: Path, sql: str) -> None:
    """A segment that is closed after it was looked at: who asks is told, and by name."""
    path = add(tmp_path, DAY, *((seq, event()) for seq in range(1, 50)))
    with asked_of(tmp_path, sql, {}) as found:
        close_segment(path, lambda _: None)
        with pytest.raises(Moved, match="ask again") as raised:
            list(found.rows(['"column 0"']))

    assert str(path) in str(raised.value)
    assert answer(tmp_path, "SELECT count(*) FROM request") == [(49,)]


def test_appended_meanwhile(tmp_path: Path) -> None:
    """Writers go on: what was there is there, and no half of what comes."""
    path = add(tmp_path, DAY, *((seq, event()) for seq in range(1, 50)))
    with asked_of(tmp_path, "SELECT seq FROM request ORDER BY seq", {}) as found:
        add(tmp_path, DAY, (50, event()))
        rows = [row[0] for row in found.rows(['"column 0"'])]

    assert path.exists()
    assert rows in (list(range(1, 50)), list(range(1, 51)))


def test_read_only(tmp_path: Path) -> None:
    """A trail that nobody may write to is asked like any other."""
    path = add(tmp_path / "trail", DAY, (1, event()))
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert answer(tmp_path / "trail", "SELECT seq FROM request") == [(1,)]
    finally:
        path.parent.chmod(0o700)


def test_without_duckdb(tmp_path: Path) -> None:
    """Where DuckDB is missing, the message names what to install."""
    code = (
        "import sys; sys.modules['duckdb'] = None\n"
        "from audit_mw.cli.query import query; query()"
    )
    add(tmp_path, DAY, (1, event()))
    done = subprocess.run(
        [sys.executable, "-c", code, "--trail", tmp_path, "SELECT 1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stderr.strip().endswith("install audit-mw[query]")


def test_made_trail(tmp_path: Path) -> None:
    """The trail that the benchmarks make is a whole one, as long as it says."""
    size = make(tmp_path / "trail", 3000, days=2)
    report = verify_trail(tmp_path / "trail")

    assert report.is_well
    assert sum(report.records.values()) - report.records[VALUES] == 3000
    assert size == report.bytes
    assert answer(tmp_path / "trail", "SELECT count(*) FROM events") == [(3000,)]
    assert (
        (tmp_path / "trail" / VALUES / "2026-11-20.log")
        .read_bytes()
        .startswith(header_line(VALUES))
    )
