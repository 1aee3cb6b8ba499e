# audit-mw export: streaming, gone on with, and each record once.
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.query.asking import answer
from tests.trail.samples import event, wait_until
from tests.upkeep.trails import add, build, contents

from audit_mw.cli.export import export
from audit_mw.event import STREAMS
from audit_mw.trail.record import COLUMNS, decode_line

DAY = "2026-11-21.log"
TOOL = Path(sys.executable).with_name("audit-mw")
TEXTS = ["ocsf", "ecs", "cef", "jsonl"]


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail of two days."""
    return build(tmp_path / "trail")


def run(trail: Path, *arguments: object) -> Result:
    """Run the command in this process."""
    words = ["--trail", str(trail), *map(str, arguments)]

    return CliRunner().invoke(export, words)


def lines_of(out: Path) -> list[str]:
    """Return what is in a file of JSON lines, in its order, without repeats."""
    return [json.loads(line)["check"] for line in out.read_text().splitlines()]


@pytest.mark.parametrize("form", TEXTS)
def test_streams(trail: Path, form: str) -> None:
    """Each record is one line, on standard output, by time; all of it is ASCII."""
    shown = run(trail, "--to", form)

    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) == 17
    assert shown.stdout.isascii()


def test_order(trail: Path) -> None:
    """Without a checkpoint, records come by their time."""
    shown = run(trail, "--to", "jsonl").stdout
    times = [json.loads(line)["time"] for line in shown.splitlines()]

    assert times == sorted(times)


def test_chosen(trail: Path) -> None:
    """Only some streams, or only some time."""
    only = run(trail, "--to", "jsonl", "-s", "fault").stdout
    assert [json.loads(line)["stream"] for line in only.splitlines()] == ["fault"]

    late = run(trail, "--to", "jsonl", "-s", "request", "--since", "2026-11-21T05:30")
    assert 0 < len(late.stdout.splitlines()) < 11
    assert run(trail, "--to", "jsonl", "--since", "2027-01-01").exit_code == 1


def test_gone_on_with(trail: Path, tmp_path: Path) -> None:
    """With a checkpoint each record is in the file once, however often it is run."""
    out, state = tmp_path / "out", tmp_path / "state"
    where = ("--to", "jsonl", "--out", out, "--checkpoint", state)
    assert run(trail, *where).exit_code == 0
    assert run(trail, *where).exit_code == 1
    add(trail, "2026-11-22.log", (7, event(instance="web1:4711:1eeb7084")))
    assert run(trail, *where).exit_code == 0

    found = lines_of(out)
    assert (len(found), len(set(found))) == (18, 18)
    assert sorted(it.name for it in tmp_path.iterdir()) == ["out", "state", "trail"]


def test_killed(trail: Path, tmp_path: Path) -> None:
    """What was written after the last checkpoint is cut off, and written again."""
    out, state = tmp_path / "out", tmp_path / "state"
    where = ("--to", "jsonl", "--out", out, "--checkpoint", state)
    run(trail, *where)
    add(trail, "2026-11-22.log", (7, event(instance="web1:4711:1eeb7084")))
    with out.open("a") as file:
        file.write('{"half a li')
    assert run(trail, *where).exit_code == 0

    assert len(set(lines_of(out))) == len(lines_of(out)) == 18


def test_killed_before_the_first(trail: Path, tmp_path: Path) -> None:
    """A file that is there without a checkpoint is nobody's to write to."""
    out, state = tmp_path / "out", tmp_path / "state"
    out.write_text("before\n")
    shown = run(trail, "--to", "jsonl", "--out", out, "--checkpoint", state)

    assert shown.exit_code == 2
    assert "is there already" in shown.output
    assert out.read_text() == "before\n"


def test_killed_at_once(tmp_path: Path) -> None:
    """An export that was killed when its file was new goes on all the same."""
    trail, out = tmp_path / "trail", tmp_path / "out"
    add(trail, DAY, *((seq, event(micros=seq)) for seq in range(1, 6001)))
    where = ("--to", "jsonl", "--out", out, "--checkpoint", tmp_path / "state")
    words = [TOOL, "export", "--trail", trail, *where]
    with subprocess.Popen([str(word) for word in words]) as running:
        wait_until(out.exists)
        running.kill()
    code = run(trail, *where).exit_code

    assert code in {0, 1}  # it may have been done
    assert len(set(lines_of(out))) == len(lines_of(out)) == 6000


def test_checkpoint_of_standard_output(trail: Path, tmp_path: Path) -> None:
    """On standard output a checkpoint goes on as well."""
    where = ("--to", "jsonl", "--checkpoint", tmp_path / "state")

    assert len(run(trail, *where).stdout.splitlines()) == 17
    assert run(trail, *where).stdout == ""


def test_parquet(trail: Path, tmp_path: Path) -> None:
    """A Parquet file has every column of every record, and DuckDB reads it back."""
    duckdb = pytest.importorskip("duckdb")
    out = tmp_path / "out.parquet"
    assert run(trail, "--to", "parquet", "--out", out).exit_code == 0
    columns = ", ".join(f'"{it.name}"::VARCHAR' for it in COLUMNS)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(
            f"SELECT {columns} FROM read_parquet(?)", [str(out)]
        ).fetchall()

    assert sorted(map(repr, rows)) == sorted(
        map(repr, answer(trail, f"SELECT {columns} FROM events"))
    )


def test_parquet_gone_on_with(trail: Path, tmp_path: Path) -> None:
    """Each run writes a file of its own, of what is new."""
    duckdb = pytest.importorskip("duckdb")
    state = ("--checkpoint", tmp_path / "state", "--to", "parquet", "--out")
    assert run(trail, *state, tmp_path / "1").exit_code == 0
    assert run(trail, *state, tmp_path / "1").exit_code == 2
    assert run(trail, *state, tmp_path / "2").exit_code == 1
    add(trail, "2026-11-22.log", (7, event(instance="web1:4711:1eeb7084")))
    assert run(trail, *state, tmp_path / "3").exit_code == 0

    assert not (tmp_path / "2").exists()
    with duckdb.connect() as connection:
        sql = "SELECT count(*) FROM read_parquet(?)"
        rows = [connection.execute(sql, [str(tmp_path / it)]).fetchone() for it in "13"]
    assert rows == [(17,), (1,)]


def test_number_beyond(tmp_path: Path) -> None:
    """A number that no column of numbers takes makes that one a text, which is said."""
    duckdb = pytest.importorskip("duckdb")
    large = [event(rows=10**40), event(rows=4), event(sent=1 << 64, rows=None)]
    trail = add(tmp_path / "trail", DAY, *enumerate(large, 1)).parents[1]
    out = tmp_path / "out"
    shown = run(trail, "--to", "parquet", "--out", out)
    with duckdb.connect() as connection:
        sql = "SELECT seq, rows, sent, status FROM read_parquet(?) ORDER BY seq"
        found = connection.execute(sql, [str(out)]).fetchall()

    assert shown.exit_code == 0
    assert "sent, rows: text in this file" in shown.stderr
    assert found == [
        *((1, str(10**40), None, 200), (2, "4", None, 200)),
        (3, None, str(1 << 64), 200),
    ]


def test_numbers_within(tmp_path: Path) -> None:
    """The largest that a column takes stays a number, and nothing is said."""
    duckdb = pytest.importorskip("duckdb")
    largest = event(rows=(1 << 64) - 1)
    trail = add(tmp_path / "trail", DAY, (1, largest)).parents[1]
    out = tmp_path / "out"
    shown = run(trail, "--to", "parquet", "--out", out)
    with duckdb.connect() as connection:
        sql = "SELECT rows FROM read_parquet(?)"
        assert connection.execute(sql, [str(out)]).fetchall() == [((1 << 64) - 1,)]

    assert (shown.exit_code, shown.stderr) == (0, "")


def test_json_lines(trail: Path) -> None:
    """JSON lines have the columns under their names, coded as in the record."""
    shown = run(trail, "--to", "jsonl", "-s", "request").stdout
    for line in shown.splitlines():
        assert [it.name for it in COLUMNS] == list(json.loads(line))


def test_damage(trail: Path) -> None:
    """A damaged line is named, and the others are exported."""
    with (trail / "request" / DAY).open("ab") as file:
        file.write(b"no record\n")
    shown = run(trail, "--to", "ocsf")

    assert shown.exit_code == 3
    assert len(shown.stdout.splitlines()) == 17
    assert shown.stderr.startswith(f"damaged: {trail}/request/{DAY}:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"format":2}',
        '{"format":1,"to":"jsonl","out":null,"size":-1,"reader":{}}',
        '{"format":1,"to":"jsonl","out":null,"size":0,"reader":{}}',
        '{"format":1,"to":"jsonl","out":null,"size":0,"reader":3}',
        '{"format":1,"to":"ecs","out":null,"size":0,"reader":{}}',
        '{"format":1,"to":"jsonl","out":"/else","size":0,"reader":{}}',
    ],
)
def test_no_checkpoint(trail: Path, tmp_path: Path, text: str) -> None:
    """What is no checkpoint of this export is said, and stays as it is."""
    state = tmp_path / "state"
    state.write_text(text)
    shown = run(trail, "--to", "jsonl", "--checkpoint", state)

    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert state.read_text() == text


def test_nothing_in_the_trail(trail: Path) -> None:
    """Neither a file nor a checkpoint is ever written in a trail."""
    before = contents(trail)
    inside = trail / "request" / DAY
    for option in ("--out", "--checkpoint"):
        shown = run(trail, "--to", "jsonl", option, inside)
        assert shown.exit_code == 2
        assert "is in the trail" in shown.output
    assert run(trail, "--to", "parquet").exit_code == 2
    assert before == contents(trail)


def test_shorter_than_it_was(trail: Path, tmp_path: Path) -> None:
    """A file that lost something since is not gone on with."""
    out, state = tmp_path / "out", tmp_path / "state"
    where = ("--to", "jsonl", "--out", out, "--checkpoint", state)
    run(trail, *where)
    out.write_text("short")

    shown = run(trail, *where)
    assert shown.exit_code == 2
    assert "it is not what was exported" in shown.output


def test_all_streams(trail: Path) -> None:
    """The whole record is in each form, of whichever stream it is."""
    shown = run(trail, "--to", "ecs").stdout
    originals = [json.loads(line)["event"]["original"] for line in shown.splitlines()]
    records = [decode_line(f"{it}\n".encode()) for it in originals]

    assert {it.event.stream for it in records} <= set(STREAMS)
    assert len(records) == 17
