# audit-mw query: what is printed, what is written, and how it exits.
import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.query.asking import answer, asked_of
from tests.strategies import raw
from tests.trail.samples import event
from tests.upkeep.trails import add, build, contents

from audit_mw.cli.query import query
from audit_mw.event import Param
from audit_mw.query.output import defused, plain, render
from audit_mw.query.saved import parse_saved, saved, values_of

DAY = "2026-11-21.log"
HOSTILE = '=1+1\x1b[2J\n\u202e\x9b31m\x7f\té,"'


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail with a few records; one has what a terminal would obey."""
    user = HOSTILE.encode()
    changes = {"user": user, "path": user, "params": (Param("query", user, user),)}

    return add(tmp_path / "trail", DAY, (1, event()), (2, event(**changes))).parents[1]


def run(*arguments: object, text: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(query, [str(each) for each in arguments], input=text)


def test_table(trail: Path) -> None:
    """A table has a head, a rule, and a line for each row."""
    shown = run(
        "--trail", trail, "SELECT seq, status, 'x' AS a FROM request ORDER BY 1"
    )

    assert shown.exit_code == 0
    assert shown.output.splitlines() == [
        "seq  status  a",
        "---  ------  -",
        "  1     200  x",
        "  2     200  x",
    ]


def test_cells_of_a_table(trail: Path) -> None:
    """No text of a table passes for more cells than one, nor for none."""
    shown = run("--trail", trail, "SELECT ' a  404   FAILURE ' AS a, 1 AS b")

    assert shown.output.splitlines()[2] == "%20a %20404 %20%20FAILURE%20  1"


@pytest.mark.parametrize("first", "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
def test_no_formula(first: str) -> None:
    """No text of CSV begins a formula, in a spreadsheet of East Asia neither."""
    assert defused(f"{first}1+1") == f"'{first}1+1"


@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl"])
def test_nothing_but_ascii(trail: Path, form: str) -> None:
    """Whatever a client sent, standard output has printable ASCII only."""
    sql = (
        'SELECT text("user") AS t, decode_text("user") AS b, {\'a\': text("user")} AS s, '
        'text("user") || chr(8238) AS "é\x1b" FROM request'
    )
    shown = run("--trail", trail, "--format", form, sql)

    assert shown.exit_code == 0
    assert all(" " <= each <= "~" or each == "\n" for each in shown.output)


def test_csv(trail: Path) -> None:
    """CSV defuses what a spreadsheet takes for a formula, and leaves numbers alone."""
    sql = (
        "SELECT '=1+1' AS a, '-1' AS b, -1 AS c, '@x' AS d, chr(9) || 'x' AS e, '+' AS f,"
        " NULL AS g, 'x=1' AS h, '=x' AS \"=i\", chr(13) AS j, -0.5::DOUBLE AS k"
    )
    shown = run("--trail", trail, "--format", "csv", sql)
    head, row = csv.reader(io.StringIO(shown.output))

    assert head[-3] == "'=i"
    assert row == [
        *("'=1+1", "'-1", "-1", "'@x", "'%09x", "'+", "", "x=1", "'=x", "'%0D", "-0.5")
    ]


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json(trail: Path, form: str) -> None:
    """JSON has numbers, texts, times, what is nested, and null."""
    sql = (
        "SELECT seq, time, details, NULL AS n, 'nan'::DOUBLE AS f, [1, 2] AS l, "
        'text("user") AS "u""\'" FROM request WHERE seq = 2'
    )
    shown = run("--trail", trail, "--format", form, sql)
    found = json.loads(shown.output)

    assert (found[0] if form == "json" else found) == {
        "seq": 2,
        "time": "2026-11-21T05:26:07.123456Z",
        "details": {},
        "n": None,
        "f": None,
        "l": [1, 2],
        "u\"'": HOSTILE,
    }


def test_json_of_nothing(trail: Path) -> None:
    """No rows are an empty list."""
    shown = run("--trail", trail, "--format", "json", "SELECT 1 WHERE false")

    assert (shown.output, shown.exit_code) == ("[]\n", 1)


@settings(max_examples=10)
@given(st.lists(raw.filter(lambda it: b"\0" not in it), min_size=1, max_size=8))
def test_json_is_exact(values: list[bytes]) -> None:
    """What JSON has of a text gives it again, and CSV has a row for each row."""
    texts = [value.decode(errors="replace") for value in values]
    sql = f"SELECT unnest([{', '.join(f'$v{at}' for at in range(len(texts)))}]) AS v"
    given_ = {f"v{at}": text for at, text in enumerate(texts)}
    with asked_of(Path("nowhere"), sql, given_) as found:
        lines = list(render(found, "jsonl", ascii_only=True))
    with asked_of(Path("nowhere"), sql, given_) as found:
        written = "\n".join(render(found, "csv", ascii_only=True))
    rows = list(csv.reader(io.StringIO(written)))[1:]

    assert texts == [json.loads(line)["v"] for line in lines]
    assert [plain(defused(text)) for text in texts] == [
        row[0] if row else "" for row in rows
    ]


def test_out(trail: Path, tmp_path: Path) -> None:
    """An answer in a file: printable Unicode stays, and nothing is printed."""
    out = tmp_path / "out.csv"
    sql = 'SELECT text("user") AS u FROM request WHERE seq = 2'
    shown = run("--trail", trail, "--format", "csv", "--out", out, sql)

    assert (shown.output, shown.exit_code) == ("", 0)
    written = list(csv.reader(io.StringIO(out.read_text())))
    assert written == [["u"], ["'=1+1%1B[2J%0A%E2%80%AE%C2%9B31m%7F%09é,\""]]
    assert sorted(it.name for it in tmp_path.iterdir()) == ["out.csv", "trail"]


def test_parquet(trail: Path, tmp_path: Path) -> None:
    """Parquet has the types of the views, and DuckDB reads it back."""
    duckdb = pytest.importorskip("duckdb")
    out = tmp_path / "it's.parquet"
    shown = run("--trail", trail, "--format", "parquet", "--out", out, "FROM request")

    assert (shown.output, shown.exit_code) == ("", 0)
    with duckdb.connect() as connection:
        rows = connection.execute(
            'SELECT seq, epoch_us(time), "user" FROM read_parquet(?) ORDER BY seq',
            [str(out)],
        ).fetchall()
    assert [row[:2] for row in rows] == [(1, event().time), (2, event().time)]
    assert rows[1][2] == answer(trail, 'SELECT "user" FROM request WHERE seq = 2')[0][0]


def test_out_stays(trail: Path, tmp_path: Path) -> None:
    """Where an answer fails, the file that was there stays, and nothing beside it."""
    out = tmp_path / "out.csv"
    out.write_text("before")
    sql = "SELECT error('no') FROM range(5000)"
    shown = run("--trail", trail, "--format", "csv", "--out", out, sql)

    assert shown.exit_code == 2
    assert out.read_text() == "before"
    assert sorted(it.name for it in tmp_path.iterdir()) == ["out.csv", "trail"]


def test_out_in_the_trail(trail: Path) -> None:
    """An answer is never written over evidence."""
    before = contents(trail)
    out = trail / "request" / DAY
    shown = run("--trail", trail, "--format", "csv", "--out", out, "SELECT 1")

    assert shown.exit_code == 2
    assert "is in the trail" in shown.output
    assert before == contents(trail)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SELEKT 1"], "syntax error"),
        (["SELECT nothing FROM request"], "nothing"),
        (["SELECT 1; SELECT 2"], "a question is one SELECT"),
        (["top-client"], "no saved query"),
        (["user-activity"], "--set user="),
        (["top-clients", "--set", "user=a"], "no parameter 'user'"),
        (["SELECT 1", "--set", "user"], "NAME=VALUE"),
        (["SELECT $a"], "a"),
        (["SELECT 1", "--format", "parquet"], "--out"),
        (["SELECT 1", "--memory", "much"], "Memory"),
        (["SELECT error(chr(27) || '[2J')"], "%1B[2J"),
        ([], "give a question"),
    ],
)
def test_wrong(trail: Path, arguments: list[str], said: str) -> None:
    """What is wrong is said, as a terminal may show it, with exit code 2."""
    shown = run("--trail", trail, *arguments)

    assert shown.exit_code == 2
    assert said in shown.output
    assert "\x1b" not in shown.output


def test_damage(trail: Path) -> None:
    """A damaged line is named, the others are answered, and the exit code says so."""
    path = trail / "request" / DAY
    with path.open("ab") as file:
        file.write(b"half a line")
    shown = run("--trail", trail, "SELECT count(*) AS n FROM request")

    assert shown.exit_code == 3
    assert shown.stdout.splitlines() == ["n", "-", "2"]
    assert shown.stderr == f"damaged: {path}:4: at byte {_at(path)}: {_SAYS}\n"


_SAYS = "it does not end with LF"


def _at(path: Path) -> int:
    return len(path.read_bytes()) - len(b"half a line")


def test_several_trails(tmp_path: Path) -> None:
    """Several trails are asked as one; the text of a console is a trail."""
    one = build(tmp_path / "one")
    two = build(tmp_path / "two")
    sql = "SELECT count(*) AS n FROM events"
    shown = run("--trail", one, "--trail", two, "--format", "jsonl", sql)

    assert json.loads(shown.output) == {"n": 34}


def test_standard_input(trail: Path) -> None:
    """A question may come from standard input."""
    shown = run("--trail", trail, "-", "--format", "jsonl", text="SELECT 1 AS a")

    assert json.loads(shown.output) == {"a": 1}


def test_list(trail: Path) -> None:
    """Each saved query says what it finds and what it asks for."""
    shown = run("--trail", trail, "--list").output

    assert len(saved()) >= 12
    for each in saved().values():
        assert each.purpose.endswith(".")
        assert f"{each.name:18} {each.purpose}" in shown
        assert all(f"--set {it.name}=" in shown for it in each.parameters)


def test_print(trail: Path) -> None:
    """The SQL of a saved query can be had, to begin one's own with."""
    shown = run("--trail", trail, "--print", "gaps")

    assert shown.output.strip() == saved()["gaps"].sql


def test_saved_file() -> None:
    """The head of a file says what it finds and what it asks for."""
    text = "-- What it\n-- finds.\n-- set user: for whom\n-- set n = 5: how many\nSELECT $n"
    found = parse_saved("it", text)

    assert found.purpose == "What it finds."
    assert [tuple(each) for each in found.parameters] == [
        ("user", None, "for whom"),
        ("n", "5", "how many"),
    ]
    assert values_of(found, {"user": "a"}) == {"user": "a", "n": "5"}
    assert found.sql == "SELECT $n"
