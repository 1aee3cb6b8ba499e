# audit-mw find: what it prints, how it ends, and what it never prints.
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.exceptions import Exit
from click.testing import CliRunner, Result
from tests.edges.audited import KEY
from tests.trail.samples import event, spill_of, wait_until
from tests.upkeep.trails import (
    FIRST,
    SECOND,
    TIME,
    add,
    add_values,
    build,
    numbered,
)

from audit_mw.cli import main
from audit_mw.cli.telling import Sight
from audit_mw.event import Hole, JsonText, Param, Redacted, Rest, Upload
from audit_mw.policy.keyring import Keyring
from audit_mw.trail.closing import close_segment
from audit_mw.trail.params import encode_params
from audit_mw.trail.reader import Damage, Unreadable

TOOL = Path(sys.executable).with_name("audit-mw")
DAY = "2026-11-20.log"
DAMAGE = Damage(Path("x"), 1, 0, "torn")
TOKEN = b"8f14e45fceea167a5a36dedd4bea2543"


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail of two instances and two days."""
    return build(tmp_path / "trail")


def run(*arguments: object, stdin: bytes = b"") -> Result:
    """Run a command in this process."""
    words = [str(argument) for argument in arguments]

    return CliRunner().invoke(main, words, input=stdin)


def find(trail: Path, *arguments: object, **others: bytes) -> Result:
    """Look for something in a trail."""
    return run("find", "--trail", trail, *arguments, **others)


# --- what is printed


def test_table(trail: Path) -> None:
    """A record is one line, by time, from all streams, segments and instances."""
    shown = find(trail)
    times = [line.split()[0] for line in shown.stdout.splitlines()]

    assert shown.exit_code == 0
    assert len(times) == 17
    assert times == sorted(times)


def test_closed_as_well(trail: Path) -> None:
    """Closed segments are read like others."""
    before = find(trail).stdout
    close_segment(trail / "request" / DAY, lambda _: None)

    assert find(trail).stdout == before


def test_record(trail: Path) -> None:
    """All of a record is shown, and where it stands."""
    shown = find(trail, "--path", "/3", "--instance", FIRST, "--format", "record")

    assert (
        shown.stdout.splitlines()[1:]
        == [
            f"    at {trail}/request/{DAY}:4",
            '    query   q = "100%25 %FF%0A"',
            "2026-11-21T05:29:07.123456Z fault request 192.0.2.7 - GET /1 200 SUCCESS x",
        ][:2]
    )


def test_json_lines(trail: Path) -> None:
    """A record is a JSON object with all columns."""
    shown = find(trail, "--stream", "request", "--format", "jsonl", "--limit", "2")
    first, second = map(json.loads, shown.stdout.splitlines())

    assert (first["path"], first["status"], first["user"]) == ("/1", 200, None)
    assert first["params"] == [["query", "q", "100%25 %FF%0A"]]
    assert second["time"] >= first["time"]


def test_count_and_limit(trail: Path) -> None:
    """With --count only the number is printed; --limit ends after so many."""
    assert find(trail, "--stream", "request", "--count").stdout == "11\n"
    assert find(trail, "--limit", 3, "--count").stdout == "3\n"


def test_times(trail: Path) -> None:
    """Records of a time are found, by date and by how long ago."""
    at = ("--stream", "request", "--count")

    assert find(trail, "--until", "2026-11-21T05:28:07.123456", *at).stdout == "2\n"
    assert find(trail, "--since", "2026-11-21T05:30:07.2+00:00", *at).stdout == "3\n"
    assert find(trail, "--since", "2h", *at).exit_code in (0, 1)


def test_several_trails(tmp_path: Path, trail: Path) -> None:
    """Trails are read as one."""
    other = tmp_path / "other"
    add(other, DAY, numbered(99, SECOND))
    shown = find(trail, "--trail", other, "--path", "/99", "--path", "/3", "--count")

    assert shown.stdout == "3\n"


def test_console(tmp_path: Path, trail: Path) -> None:
    """The text of a console is searched as well."""
    console = tmp_path / "text"
    console.write_bytes(b"hello\n" + (trail / "request" / DAY).read_bytes())
    shown = find(console, "--path", "/3")

    assert len(shown.stdout.splitlines()) == 1
    assert "lines that are no records were skipped" in shown.stderr


# --- how it ends


def test_exit_codes(trail: Path) -> None:
    """0 found, 1 nothing found, 3 damage met, 2 wrong use; each says why."""
    assert find(trail, "--path", "/3").exit_code == 0
    assert find(trail, "--path", "/nowhere").exit_code == 1
    path = trail / "request" / DAY
    path.write_bytes(path.read_bytes().replace(b"\t/1\t", b"\t/x\t", 1))
    shown = find(trail, "--path", "/3")

    assert shown.exit_code == 3
    assert shown.stdout
    assert f"damaged: {path}:2: at byte " in shown.stderr
    assert "the check does not fit the line" in shown.stderr


def test_late(tmp_path: Path) -> None:
    """Records that are out of order are counted, and that is told."""
    details = {"reason": b"x" * 60_000}
    many = [numbered(seq, FIRST, details=details) for seq in range(2, 160)]
    add(tmp_path, DAY, *many, numbered(1, FIRST))
    shown = find(tmp_path, "--count")

    assert (shown.stdout, shown.exit_code) == ("159\n", 0)
    assert shown.stderr.startswith("1 records stand here behind younger ones")


def test_unreadable() -> None:
    """A segment that cannot be read outweighs damage, and both what was found."""
    lost = Unreadable(Path("\x1b"), 0, 0, "cannot be read: Permission denied")
    for items, code in (((lost, DAMAGE), 2), ((DAMAGE,), 3), ((), 0)):
        sight = Sight(found=1)
        assert list(sight.told(items)) == []
        with pytest.raises(Exit) as ended:
            sight.end()

        assert ended.value.exit_code == code


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("--status", "teapot"), "give 404, 4xx or 500-599"),
        (("--since", "yesterday"), "give 2h, 7d, or 2026-11-21T05:26"),
        (("--client", "10.0.0.1/64"), "10.0.0.1/64"),
        (("--trail", "/nowhere"), "name the trail with --trail"),
        (("--secret-stdin",), "give the secret on standard input"),
    ],
)
def test_wrong_use(trail: Path, words: tuple[str, ...], mend: str) -> None:
    """What is wrong is named with what would be right."""
    shown = find(trail, *words)

    assert shown.exit_code == 2
    assert mend in shown.stderr


def test_no_trail(tmp_path: Path) -> None:
    """A directory that is no trail is not searched in vain."""
    (tmp_path / "etc").mkdir()
    shown = find(tmp_path)

    assert shown.exit_code == 2
    assert "is no trail" in shown.stderr


def test_help() -> None:
    """The help has examples and the exit codes."""
    shown = run("find", "--help").output

    assert "audit-mw find --since 2h --status 5xx" in shown
    assert "3 a damaged line was met" in shown


def test_closed_pipe(tmp_path: Path) -> None:
    """A reader of our output that goes away ends it, quietly."""
    add(tmp_path, DAY, *(numbered(seq, FIRST) for seq in range(1, 3000)))
    done = subprocess.run(
        f"'{TOOL}' find --trail '{tmp_path}' | head -n 1",
        shell=True,
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


# --- secrets


def test_secret(tmp_path: Path) -> None:
    """All uses of a leaked token are found by its digest; it is not printed."""
    digest = Keyring(KEY).digest(TOKEN)
    uses: list[dict[str, Any]] = [
        {"session": digest},
        {"params": (Param("cookie", b"sessionid", Redacted(32, "token", digest)),)},
        {"path": (b"/a;jsessionid=", Hole(32, "token", digest))},
        {"path": b"/innocent"},
    ]
    add(
        tmp_path, DAY, *(numbered(seq, FIRST, **use) for seq, use in enumerate(uses, 1))
    )
    key = tmp_path / ".key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    shown = find(tmp_path, "--secret-stdin", "--format", "jsonl", stdin=TOKEN + b"\n")

    assert [json.loads(line)["seq"] for line in shown.stdout.splitlines()] == [1, 2, 3]
    assert TOKEN.decode() not in shown.output


def test_secret_without_key(trail: Path) -> None:
    """Where there is no key, nothing is made."""
    before = sorted(trail.rglob("*"))
    shown = find(trail, "--secret-stdin", stdin=TOKEN)

    assert shown.exit_code == 2
    assert "set AUDIT_MW_KEY or AUDIT_MW_KEY_FILE" in shown.stderr
    assert sorted(trail.rglob("*")) == before


@pytest.mark.parametrize("kind", ["torn", "no file", "fifo"])
@pytest.mark.parametrize("is_secret", [False, True], ids=["param", "secret"])
def test_damaged_rest(tmp_path: Path, kind: str, *, is_secret: bool) -> None:
    """What may have what is looked for and cannot be read is told, not passed over."""
    digest = Keyring(KEY).digest(TOKEN)
    rest = encode_params(
        (
            Param("form", b"inside", b"5"),
            Param("form", b"token", Redacted(32, "token", digest)),
        )
    )
    rested = (Param("rest", None, Rest(2, len(rest), spill_of(rest).sha256)),)
    add(tmp_path, DAY, numbered(1, FIRST, params=rested), numbered(2, FIRST))
    values = add_values(tmp_path, DAY, rest)
    values.write_bytes(values.read_bytes().replace(b"\tW1si", b"\tX1si"))
    if kind != "torn":
        values.unlink()
        (os.mkfifo if kind == "fifo" else os.mkdir)(values)
    (tmp_path / ".key").write_bytes(KEY)
    (tmp_path / ".key").chmod(0o600)
    asked = ("--secret-stdin",) if is_secret else ("--param", "inside=5")
    shown = find(tmp_path, *asked, stdin=TOKEN)

    assert shown.exit_code == (3 if kind == "torn" else 2)
    assert f"{values.parent.name}/{values.name}" in shown.stderr
    assert shown.stdout == ""


def test_damage_beside(tmp_path: Path) -> None:
    """Damage among values of which none is missing is nothing to a find."""
    rest = encode_params((Param("form", b"inside", b"5"),))
    rested = (Param("rest", None, Rest(1, len(rest), spill_of(rest).sha256)),)
    add(tmp_path, DAY, numbered(1, FIRST, params=rested))
    values = add_values(tmp_path, DAY, b"other", rest)
    values.write_bytes(values.read_bytes().replace(b"\tb3Ro", b"\tc3Ro"))
    shown = find(tmp_path, "--param", "inside=5", "--count")

    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "1\n", "")


# --- terminals


def on_terminal(words: list[str], **variables: str) -> bytes:
    """Return what a command sends to a terminal."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    for name in {"NO_COLOR", "PAGER", "LESS"} - set(variables):
        environment.pop(name, None)
    with subprocess.Popen(
        [TOOL, *words], stdout=slave, stdin=slave, env=environment | variables
    ) as process:
        os.close(slave)
        seen = b"".join(_read(master))
        assert process.wait(60) in (0, 1)
    os.close(master)

    return seen


def _read(fd: int) -> Iterator[bytes]:
    while True:
        try:
            text = os.read(fd, 1 << 16)
        except OSError:  # nobody has the other end
            return
        if not text:
            return
        yield text


def test_colours(trail: Path) -> None:
    """Colours are for a terminal, unless NO_COLOR is set."""
    words = ["find", "--trail", str(trail), "--path", "/3", "--no-pager"]

    assert b"\x1b[32mSUCCESS" in on_terminal(words)
    assert b"\x1b" not in on_terminal(words, NO_COLOR="1")
    assert "\x1b" not in find(trail, "--path", "/3").stdout


def test_pager(trail: Path, tmp_path: Path) -> None:
    """On a terminal the output goes through the pager, unless that is not wanted."""
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nsed s/^/paged:/\n")
    pager.chmod(0o700)
    words = ["find", "--trail", str(trail), "--path", "/3"]

    assert b"paged:2026" in on_terminal(words, PAGER=str(pager))
    assert b"paged:" not in on_terminal([*words, "--no-pager"], PAGER=str(pager))


def test_hostile_values(tmp_path: Path) -> None:
    """Whatever stands in a record, only printable ASCII comes out."""
    hostile = "\x1b]0;x\x07\u202e\u0430\r\n\x00\udcff".encode(errors="surrogateescape")
    whole = event(
        service=hostile,
        instance=hostile.decode(errors="surrogateescape"),
        type=hostile.decode(errors="surrogateescape"),
        client=hostile,
        user=hostile,
        session=hostile.decode(errors="surrogateescape"),
        method=hostile,
        path=hostile,
        action=hostile,
        params=(
            Param("query", hostile, hostile),
            Param("json", hostile, JsonText(hostile)),
            Param("file", hostile, Upload(hostile, hostile, 1, None)),
        ),
        details={"app": {"k": [hostile]}},
    )
    add(tmp_path / "tr\x1bail", "2026-11-21\x1b\u202e.log", (1, whole))
    path = next((tmp_path / "tr\x1bail" / "request").iterdir())
    path.write_bytes(path.read_bytes() + b"\x1b[2J\n")
    for form in ("table", "record", "jsonl"):
        shown = find(tmp_path / "tr\x1bail", "--format", form)

        assert shown.exit_code == 3
        assert shown.stdout
        assert shown.output.isascii()
        assert shown.output.replace("\n", "").isprintable()


# --- going on


def test_follow(tmp_path: Path) -> None:
    """What is appended comes, across segments, until somebody ends it."""
    add(tmp_path, DAY, numbered(1, FIRST))
    out = tmp_path / "out"
    with (
        out.open("wb") as file,
        subprocess.Popen(
            [TOOL, "find", "--trail", tmp_path, "--follow", "--path", "/[13]"],
            stdout=file,
            stderr=subprocess.PIPE,
            # Who was started in the background, by a shell, ignores it, and hands
            # that on.
            preexec_fn=partial(  # noqa: PLW1509 - one thread, and no lock
                signal.signal, signal.SIGINT, signal.SIG_DFL
            ),
        ) as process,
    ):
        wait_until(lambda: out.read_bytes().count(b"\n") == 1)
        add(tmp_path, DAY, numbered(2, FIRST))
        (tmp_path / "request" / DAY).rename(tmp_path / "request" / f"{DAY}.1")
        add(tmp_path, "2026-11-21.log", numbered(3, FIRST))
        wait_until(lambda: out.read_bytes().count(b"\n") == 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""

    assert out.read_bytes().splitlines()[1].split()[6] == b"/3"
    assert time.time_ns() > TIME
