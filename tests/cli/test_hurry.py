# What people in a hurry type, and where they type it: each is answered, or told what
# would be right, and none ends in a traceback.
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.trail.samples import event
from tests.upkeep.trails import FIRST, add, build, numbered

from audit_mw.cli import main

TOOL = Path(sys.executable).with_name("audit-mw")
ID = event().event
DAY = "2026-11-20.log"
CLOSED = {"in": "<&-", "out": ">&-", "err": "2>&-", "all": "<&- >&- 2>&-"}


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail of two instances and two days."""
    return build(tmp_path / "trail")


def run(*words: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(word) for word in words])


def find(trail: Path, *words: object) -> Result:
    """Look for something in a trail."""
    return run("find", "--trail", trail, *words)


# --- what is typed


@pytest.mark.parametrize("word", [ID.upper(), f" {ID}\n", ID])
def test_event(trail: Path, word: str) -> None:
    """An event id is one however it was copied."""
    assert find(trail, "--event", word, "--count").stdout == "17\n"
    assert run("show", word, "--trail", trail).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--outcome", "FAIL"), "no outcome: give SUCCESS"),
        (("--client", "1.2.3"), "give 192.0.2.7 or 192.0.2.0/24"),
        (("--status", "599-500"), "give the lower one first"),
        (("--since", "2026-11-22", "--until", "2026-11-21"), "is not before --until"),
        (("--since", "2026-11-22", "--until", "2026-11-22"), "is not before --until"),
    ],
)
def test_nothing_could_be_found(trail: Path, words: tuple[str, ...], said: str) -> None:
    """What can be true of no record is wrong use, and no answer."""
    shown = find(trail, *words)

    assert shown.exit_code == 2
    assert said in shown.stderr


@pytest.mark.parametrize(
    "words",
    [("query", "FROM request"), ("export", "--to", "cef"), ("find", "--count")],
    ids=lambda words: words[0],
)
def test_span_of_others(trail: Path, words: tuple[str, ...]) -> None:
    """So it is with a time that has no end, for each command that takes one."""
    span = ("--since", "2026-11-22", "--until", "2026-11-21")

    assert run(*words, "--trail", trail, *span).exit_code == 2


@pytest.mark.parametrize("word", ["a*", "Abort*", "failure"])
def test_outcome(trail: Path, word: str) -> None:
    """An outcome is known whatever the case, and by a glob."""
    assert find(trail, "--outcome", word).exit_code == 1


def test_future(trail: Path) -> None:
    """What begins in the future has not been found yet."""
    shown = find(trail, "--since", "2999-01-01")

    assert (shown.exit_code, shown.output) == (1, "")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_zone(trail: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """A time is UTC unless it says otherwise, wherever the machine stands."""
    monkeypatch.setenv("TZ", zone)
    at = ("--stream", "request", "--count")
    utc = find(trail, "--until", "2026-11-21T05:28:07.2", *at)
    berlin = find(trail, "--until", "2026-11-21T06:28:07.2+01:00", *at)
    # There is no such time where summer begins, and there are two where it ends.
    for moment in ("2026-03-29T02:30", "2026-10-25T02:30"):
        assert find(trail, "--since", moment, *at).stdout == "11\n"

    assert (utc.stdout, berlin.stdout) == ("4\n", "4\n")


def test_one_by_two_names(trail: Path, tmp_path: Path) -> None:
    """A trail that is named twice, in two ways, counts once in each command."""
    link = tmp_path / "link"
    link.symlink_to(trail)
    twice = ("--trail", trail, "--trail", f"{trail}/../trail", "--trail", link)
    count = run("query", *twice, "SELECT count(*) FROM request", "--format", "csv")

    assert "11" in count.stdout.split()
    assert run("find", *twice, "--count").stdout == "17\n"
    once = run("verify", "--trail", trail)
    assert run("verify", *twice).stdout == once.stdout
    assert run("tail", "--short", trail, link).stdout.count(str(link)) == 0


@pytest.mark.parametrize(
    "words", [["SELECT '\udcff'"], ["SELECT $a", "--set", "a=\udcff"]], ids=ascii
)
def test_no_text(trail: Path, words: list[str]) -> None:
    """A question that is no text is told so."""
    shown = run("query", "--trail", trail, *words)

    assert shown.exit_code == 2
    assert "UTF-8" in shown.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("find",), 1),
        (("show", ID), 1),
        (("tail",), 0),
        (("query", "top-clients"), 1),
        (("query", "FROM params"), 1),
        (("export", "--to", "ocsf"), 1),
        (("verify",), 0),
        (("replay", ID), 1),
    ],
    ids=ascii,
)
def test_empty(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    """A trail in which nothing stands yet is one, in which nothing is found."""
    (tmp_path / "request").mkdir()
    (tmp_path / "request" / DAY).touch()
    shown = run(*words, "--trail", tmp_path)

    assert shown.exit_code == code
    assert "Traceback" not in shown.output


# --- where it is typed


def tool(trail: Path, line: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a line of a shell; return what it said, and how it ended."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line}; echo $?"],
        env={**os.environ, "AUDIT_MW_TRAIL": str(trail), **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=60,
    )

    return done.stdout.decode("ascii")


@pytest.mark.parametrize("stream", CLOSED)
@pytest.mark.parametrize(
    "command",
    ["find", "tail", "query 'FROM request'", "verify", "find --secret-stdin"],
)
def test_closed_streams(trail: Path, command: str, stream: str) -> None:
    """A stream that is closed is one of which nothing comes, and nothing else."""
    before = {path: path.read_bytes() for path in trail.glob("*/*.log")}
    said = tool(trail, f"{TOOL} {command} {CLOSED[stream]}")

    assert "Traceback" not in said
    assert said.split()[-1] in {"0", "2"}
    assert before == {path: path.read_bytes() for path in trail.glob("*/*.log")}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["find", "tail", "describe", "verify", "find -h"])
def test_full(trail: Path, command: str) -> None:
    """What cannot be printed ends the command, by a message."""
    said = tool(trail, f"{TOOL} {command} > /dev/full")

    assert "No space left on device" in said
    assert "Traceback" not in said
    assert said.split()[-1] == "2"


@pytest.mark.parametrize("command", ["find", "tail -n 2000 --short", "verify"])
def test_broken_pipe(tmp_path: Path, command: str) -> None:
    """Who reads no further ends a command quietly."""
    add(tmp_path, DAY, *(numbered(seq, FIRST) for seq in range(1, 2000)))
    said = tool(tmp_path, f"{TOOL} {command} | head -n 1 >&2")

    assert len(said.splitlines()) == 2


@pytest.mark.parametrize(
    "environ",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "xx_YY.FOO"},
        {"COLUMNS": "1"},
        {"COLUMNS": "x", "LINES": "-3"},
    ],
    ids=ascii,
)
def test_environment(trail: Path, environ: Mapping[str, str]) -> None:
    """Whatever the environment says, each line is there, and is ASCII."""
    for command in ("find", "tail --short", "find --help", f"show {ID}"):
        said = tool(trail, f"{TOOL} {command}", environ)

        assert said.endswith("\n0\n")
        assert said.isascii()


def on_terminal(words: Sequence[object], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a command on a terminal; return how it ended, and what it showed."""
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    with subprocess.Popen(
        [TOOL, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        env={**kept, "TERM": "xterm", **environ},
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 1 << 16):
                shown += part
        except OSError:  # as Linux says that nobody has the other end any more
            pass
        os.close(ours)
        code = process.wait(60)

    return code, shown.decode("ascii")


@pytest.mark.parametrize(
    ("pager", "is_shown"),
    [
        ("false", False),
        ("sh -c 'kill -9 $$'", False),
        ("head -c 10", False),
        ("cat", True),
        ("/nowhere/pager", True),
        ("less '", True),
    ],
)
def test_pager(trail: Path, pager: str, *, is_shown: bool) -> None:
    """A pager that dies ends it quietly; without one that can be run it is printed."""
    code, shown = on_terminal(["find", "--trail", trail], {"PAGER": pager})

    assert code == 0
    assert "Traceback" not in shown
    assert (shown.count(" request ") >= 11) is is_shown


@pytest.mark.parametrize(
    ("environ", "is_coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
    ],
    ids=ascii,
)
def test_colours(trail: Path, environ: Mapping[str, str], *, is_coloured: bool) -> None:
    """Colours are for a terminal that has some, and for who wants them."""
    code, shown = on_terminal(["find", "--trail", trail, "--no-pager"], environ)

    assert code == 0
    assert ("\x1b[" in shown) is is_coloured


def test_read_only(trail: Path, tmp_path: Path) -> None:
    """Of media that take nothing all is read, and doctor says how it can be judged."""
    place = tmp_path / "read-only"
    place.mkdir()
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    mounts = f"mount --bind {trail} {place} && mount -o remount,ro,bind {place}"
    commands = ("find --count", "tail --short", f"show {ID}", "verify", "doctor")
    lines = "; ".join(f"{TOOL} {each}; echo ended $?" for each in commands)
    done = subprocess.run(
        ["unshare", "-m", "/bin/sh", "-c", f"{mounts} || exit 9; {lines}"],
        env={**os.environ, "AUDIT_MW_TRAIL": str(place)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    if done.returncode == 9:
        pytest.skip("nothing can be mounted here")
    ends = [
        line for line in done.stdout.decode().splitlines() if line.startswith("ended")
    ]

    assert ends == ["ended 0"] * 4 + ["ended 3"]
    assert "for a copy on such media give --no-trial" in done.stdout.decode()
    assert b"Traceback" not in done.stderr
