# The command line tool, on trails that the writer wrote.
import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from tests.generated import FAULT, SAMPLE, SHA256
from tests.upkeep.trails import add, add_values

from audit_mw.cli import main
from audit_mw.cli.render import event_lines, quoted, safe, word
from audit_mw.event import (
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spilled,
    Unread,
    Upload,
)
from audit_mw.trail.closing import close_segment
from audit_mw.trail.params import encode_params
from audit_mw.trail.record import Record

PARAMS = (
    Param("query", b"q", b"a\nb\x1b[2J"),
    Param("query", b"q", "h\u00e9\u202e".encode()),
    Param("cookie", b"flag", None),
    Param("form", b"password", Redacted(6, "password")),
    Param("header", b"authorization", (b"Basic alice:", Hole(6, "password"))),
    Param("json", b"/n", JsonText(b"12.50")),
    Param("file", b"f", Upload(b"a b.png", b"image/png", 3, SHA256)),
    Param("body", None, Unread(None, 0)),
    Param("body", None, Opaque(9, b"x/y")),
    Param("form", b'say "hi"', b"-"),
)


LONG = b"x" * 300
DAY = "2026-11-21.log"


def digest(value: bytes) -> str:
    """Return the digest of a spilled value."""
    return hashlib.sha256(value).hexdigest()


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail with three records, a spilled value and a spilled rest."""
    rest = encode_params((Param("form", b"last", b"seen"),))
    second = dataclasses.replace(
        SAMPLE,
        event="second",
        params=(
            Param("form", b"long", Spilled(300, digest(LONG))),
            Param("form", b"lost", Spilled(300, "b" * 64)),
            Param("form", b"part", (b"begin ", Hole(300, sha256=digest(LONG)))),
            Param("rest", None, Rest(1, len(rest), digest(rest))),
        ),
    )
    first = dataclasses.replace(SAMPLE, params=PARAMS, instance="i")
    add(tmp_path, DAY, (1, first))
    add(tmp_path, DAY, (1, second))
    add(tmp_path, DAY, (1, FAULT), stream="fault")
    add_values(tmp_path, DAY, LONG, rest)

    return tmp_path


def segment(trail: Path, stream: str = "request") -> Path:
    """Return the only segment of a stream."""
    [path] = (trail / stream).glob("*.log")

    return path


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_tail_shows_values(trail: Path) -> None:
    """What is not printable ASCII stays coded: controls, and letters that may deceive."""
    shown = run("tail", trail)

    assert shown.exit_code == 0
    assert '    query   q = "a%0Ab%1B[2J"\n' in shown.output
    assert '    query   q = "h%C3%A9%E2%80%AE"\n' in shown.output


def test_tail_tells_whose_word_it_is(trail: Path) -> None:
    """What the client sent is quoted, what we put in its place is marked."""
    shown = run("tail", trail).output

    assert "    form    password = %{password:6}\n" in shown
    assert '    header  authorization = "Basic alice:%{password:6}"\n' in shown
    assert "    cookie  flag = without a value\n" in shown
    assert "    json    /n = 12.50\n" in shown
    assert '    form    "say %22hi%22" = "-"\n' in shown
    assert '    file    f = file "a b.png" of type image/png %{3:' in shown
    assert "    body    0 of an unknown number of bytes read\n" in shown
    assert "    body    %{opaque:9} of type x/y\n" in shown


def test_tail_short(trail: Path) -> None:
    """With --short a record is one line."""
    lines = run("tail", "--short", trail).output.splitlines()

    assert len(lines) == 2
    assert lines[0].startswith("2026-11-21T05:26:07.123456Z request request 192.0.2.7 ")
    assert lines[0].endswith(f"POST /login 401 FAILURE {SAMPLE.event}")


def test_tail_count(trail: Path) -> None:
    """With -n 1 only the last record is shown, with -n 0 none."""
    assert SAMPLE.event not in run("tail", "-n", "1", trail).output
    assert run("tail", "-n", "0", trail).output == ""


def test_tail_stream(trail: Path) -> None:
    """With --stream another stream is shown."""
    shown = run("tail", "--stream", "fault", trail).output

    assert "fault request ERROR" in shown
    assert "details reason = ValueError" in shown


def test_tail_names_damage(trail: Path) -> None:
    """A damaged line is named on standard error, and the exit code is 1."""
    path = segment(trail)
    path.write_bytes(path.read_bytes() + b"torn\n")
    shown = run("tail", trail)

    assert shown.exit_code == 1
    assert f"damaged: {path}:4: at byte " in shown.stderr
    assert "1 columns where 25 must stand" in shown.stderr


def test_tail_without_trail(tmp_path: Path) -> None:
    """A directory that is not there is named."""
    shown = run("tail", tmp_path / "nowhere")

    assert shown.exit_code == 2
    assert "name that of a trail" in shown.stderr


def test_tail_default(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail is AUDIT_MW_TRAIL where none is named."""
    monkeypatch.setenv("AUDIT_MW_TRAIL", str(trail))

    assert SAMPLE.event in run("tail", "--short").output


@pytest.fixture
def following(trail: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run `tail -f` until the test ends."""
    tool = Path(sys.executable).with_name("audit-mw")
    with subprocess.Popen(
        [tool, "tail", "-f", "--short", trail], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.terminate()


def test_tail_follow(trail: Path, following: "subprocess.Popen[str]") -> None:
    """With -f, what is appended is shown once it is a whole line, over rotation too."""
    assert following.stdout is not None
    assert SAMPLE.event in following.stdout.readline()
    assert "second" in following.stdout.readline()
    for seq, name in enumerate(("third", "fourth", "fifth"), 2):
        add(trail, DAY, (seq, dataclasses.replace(SAMPLE, event=name)))
        assert name in following.stdout.readline()
        # Rotated by rename, then closed: nothing is told twice.
        path = segment(trail)
        path = path.rename(path.with_name(f"2025-01-0{seq}.log"))
        close_segment(path, lambda _: None)


def test_decode_raw(trail: Path) -> None:
    """With --raw the exact bytes are written, and nothing else."""
    shown = run("decode", segment(trail), "--param", "q", "--nth", 1, "--raw")

    assert shown.stdout_bytes == b"a\nb\x1b[2J"


def test_decode_safe(trail: Path) -> None:
    """Without --raw each value is a line that a terminal may show."""
    shown = run("decode", segment(trail), "--param", "q")

    assert shown.output == '"a%0Ab%1B[2J"\n"h%C3%A9%E2%80%AE"\n'


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        pytest.param("long", b"x" * 300, id="spilled"),
        pytest.param("part", b"begin " + b"x" * 300, id="spilled in part"),
        pytest.param("last", b"seen", id="in the rest"),
        pytest.param("/n", b"12.50", id="a JSON number"),
    ],
)
def test_decode_stored(trail: Path, name: str, exact: bytes) -> None:
    """A value that is not in the record itself is found where it is."""
    shown = run("decode", segment(trail), "--param", name, "--raw")

    assert shown.stdout_bytes == exact


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--param", "q", "--raw"], "2 values of 'q'", id="several"),
        pytest.param(["--param", "nothing"], "no param 'nothing'", id="none"),
        pytest.param(["--param", "q", "--source", "form"], "no param", id="source"),
        pytest.param(["--param", "q", "--event", "second"], "no param", id="event"),
        pytest.param(["--param", "password"], "was not kept", id="withheld"),
        pytest.param(["--param", "authorization"], "was withheld", id="part withheld"),
        pytest.param(["--param", "flag"], "without a value", id="no value"),
        pytest.param(["--param", "lost"], "has no bbbb", id="not in the trail"),
    ],
)
def test_decode_fails(trail: Path, arguments: list[str], said: str) -> None:
    """What cannot be given is named, with exit code 1."""
    shown = run("decode", segment(trail), *arguments)

    assert shown.exit_code == 1
    assert said in shown.stderr


def test_decode_of_an_archive(trail: Path) -> None:
    """What was closed is decoded like what was not, values too."""
    for path in (segment(trail), segment(trail, "values")):
        close_segment(path, lambda _: None)
    archive = trail / "request" / f"{DAY}.zst"
    shown = run("decode", archive, "--param", "long", "--raw")

    assert shown.stdout_bytes == LONG


def test_decode_without_rest(trail: Path) -> None:
    """A rest that is not in the trail is named, not passed over in silence."""
    segment(trail, "values").unlink()
    shown = run("decode", segment(trail), "--param", "last")

    assert shown.exit_code == 1
    assert "1 params are not in the trail" in shown.stderr


@given(st.binary(max_size=60))
def test_safe_is_safe(text: bytes) -> None:
    """No byte that a client sent can do anything to a terminal, or end a quotation."""
    shown = quoted(text)

    assert shown.isprintable()
    assert shown.count('"') == 2
    assert "%{" not in shown


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=30))
def test_safe_is_readable(text: str) -> None:
    """Printable characters are shown as they are, but for the sign of a code."""
    if text.isascii() and text.isprintable():
        assert safe(text.encode()) == text.replace("%", "%25")


def test_every_line_is_printable() -> None:
    """Whatever stands in a record, its lines are printable."""
    hostile = dataclasses.replace(
        SAMPLE,
        path=b"/\x1b",
        user=b"\r\nroot",
        details={"app": {"k\x07": [b"\x08", 1]}},
    )

    assert all(line.isprintable() for line in event_lines(Record(1, hostile, "x")))


def test_half_a_pair() -> None:
    """Half of a surrogate pair, which is no character, is shown by its bytes."""
    assert word("\ud800") == "%ED%A0%80"
    assert word("\udcff") == "%FF"
