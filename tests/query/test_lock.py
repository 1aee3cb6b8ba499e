# What a question cannot do: it reads what it was given, and nothing else happens.
from pathlib import Path

import pytest
from tests.query.asking import answer, ask
from tests.upkeep.trails import build, contents

from audit_mw.query.duck import Limits, WrongQuestion
from audit_mw.query.engine import Question, asked


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_blob('{segment}')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM enable_logging(storage='file', storage_path='{out}')",
        "ATTACH '{out}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '9GB'",
        "RESET memory_limit",
        "PRAGMA version",
        "COPY (SELECT 1) TO '{out}'",
        "COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)",
        "EXPORT DATABASE '{out}'",
        "CREATE TABLE more AS SELECT 1",
        "DROP VIEW request",
        "INSERT INTO damaged VALUES ('a', 1, 1, 'b')",
        "WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) SELECT 1",
        "WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) FROM x",
        "WITH x AS (INSERT INTO damaged VALUES ('a', 1, 1, 'b') RETURNING *) FROM x",
        "SELECT * FROM query('COPY (SELECT 1) TO ''{segment}'' (USE_TMP_FILE false)')",
        "SELECT 1) AS a; COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false); --",
        "SELECT 1; SELECT 2",
        "SELEKT 1",
        "",
        "-- nothing",
    ],
)
def test_refused(tmp_path: Path, sql: str) -> None:
    """Other files, writing, settings, more than one statement: all are refused."""
    trail, out = build(tmp_path / "trail"), tmp_path / "out"
    before = contents(trail)
    segment = trail / "request" / "2026-11-20.log"
    with pytest.raises(WrongQuestion):
        ask(trail, sql.format(segment=segment, out=out))

    assert before == contents(trail)
    assert [path.name for path in tmp_path.iterdir()] == ["trail"]


def test_segment_by_its_link(tmp_path: Path) -> None:
    """Who finds out where DuckDB has a segment cannot write there either."""
    trail = build(tmp_path)
    before = contents(trail)
    question = Question(sql="SELECT count(*) FROM request", trails=[trail])
    with asked(question) as found:
        links = [str(path) for path in found._sources.paths()]
        target = f"'{links[0]}' (FORMAT csv, USE_TMP_FILE false)"
        found._sql = f"(WITH x AS (COPY (SELECT 1 AS a) TO {target}) FROM x) AS answer"
        with pytest.raises(WrongQuestion):
            found._describe()

    assert links
    assert before == contents(trail)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a; ",
        "SELECT 1 AS a -- and no more",
        "SELECT 1 AS a /* ; */",
        "-- what\nSELECT 1 AS a",
        "VALUES (1)",
        "WITH x AS (SELECT 1 AS a) FROM x",
        "SELECT 1 AS a UNION ALL SELECT 1 LIMIT 1",
        "FROM (SELECT 1)",
    ],
)
def test_allowed(tmp_path: Path, sql: str) -> None:
    """One SELECT, however it is written."""
    assert answer(tmp_path, sql) == [(1,)]


def test_bound(tmp_path: Path) -> None:
    """A value is a value, whatever it looks like."""
    value = "'; COPY (SELECT 1) TO 'x'; --"

    assert answer(tmp_path, "SELECT $it", it=value) == [(value,)]


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is temporary is in TMPDIR, and gone afterwards; the trail stays as it was."""
    trail, temporary = build(tmp_path / "trail"), tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = contents(trail)
    rows = (
        "SELECT count(*) FROM (SELECT DISTINCT repeat(i::VARCHAR, 9) FROM range(1500000) "
        "t(i))"
    )
    question = Question(
        sql=rows, trails=[trail], limits=Limits(memory="300MB", threads=1)
    )
    with asked(question) as found:
        assert list(found.rows(['"column 0"'])) == [(1_500_000,)]

    assert before == contents(trail)
    assert list(temporary.iterdir()) == []


def test_settings(tmp_path: Path) -> None:
    """No variable of Python stands for a table, and a disk is not filled."""
    sql = "SELECT current_setting($it)"
    ((size,),) = answer(tmp_path, sql, it="max_temp_directory_size")

    assert answer(tmp_path, sql, it="python_enable_replacements") == [(False,)]
    assert size[0].isdigit()
    assert not size.startswith("90%")


def test_limits(tmp_path: Path) -> None:
    """A limit that DuckDB does not know is said."""
    question = Question(sql="SELECT 1", trails=[tmp_path], limits=Limits(memory="much"))
    with pytest.raises(WrongQuestion, match="Memory"), asked(question):
        pass
