# The commands that judge and keep a trail: what they print, and how they exit.
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from tests.upkeep.trails import FIRST, add, build, numbered

from audit_mw.cli import main
from audit_mw.trail.closing import close_segment

TOOL = Path(sys.executable).with_name("audit-mw")


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail of two days, long ago."""
    for path in sorted(build(tmp_path).glob("*/*.log")):
        path.rename(path.with_name(path.name.replace("2026", "2020")))

    return tmp_path


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def damage(trail: Path) -> Path:
    """Change a byte, and delete a line; return the segment that is damaged."""
    path = trail / "request" / "2020-11-20.log"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"\t/1\t", b"\t/2\t")
    path.write_bytes(b"".join([*lines[:3], *lines[4:]]))

    return path


# --- verify


def test_verify_well(trail: Path) -> None:
    """All is well: exit code 0, and the counts."""
    shown = run("verify", "--trail", trail)

    assert shown.exit_code == 0
    assert shown.output.splitlines() == [
        f"{trail}: 7 segments, {size(trail)} bytes",
        "  fault        1",
        "  request      11",
        "  system       5",
        "  values       4",
        "  instances    2, 0 without an end",
        "  missing      0, and 0 that expired",
        "  repeated     0, equal or recovered",
        "  in journals  0",
        "  log_gap      1",
        "all is well",
    ]


def size(trail: Path) -> int:
    return sum(path.stat().st_size for path in trail.glob("*/*.log"))


def test_verify_findings(trail: Path) -> None:
    """Findings come first, the first bad line before what is missing: exit code 1."""
    path = damage(trail)
    shown = run("verify", "--trail", trail)
    first, *others = shown.output.splitlines()

    assert shown.exit_code == 1
    assert first.startswith(f"{path}:2: at byte ")
    assert first.endswith(": the check does not fit the line")
    assert others[0].endswith(f"seq 1 of {FIRST} in request is missing before this one")
    assert others[-1] == "3 findings"


def test_verify_json(trail: Path) -> None:
    """With --json it is one object, with the same."""
    path = damage(trail)
    shown = run("verify", "--trail", trail, "--json")
    said = json.loads(shown.output)

    assert shown.exit_code == 1
    assert said["records"] == {"values": 4, "system": 5, "request": 9, "fault": 1}
    assert (said["well"], said["missing"], said["more"]) == (False, 2, 0)
    assert said["findings"][0]["path"] == str(path)
    assert said["findings"][0]["line"] == 2


def test_verify_repeats(trail: Path) -> None:
    """What is there again is a note, and no finding."""
    path = trail / "request" / "2020-11-20.log"
    path.with_name("2020-11-20.log.1").write_bytes(path.read_bytes())
    shown = run("verify", "--trail", trail)

    assert shown.exit_code == 0
    assert shown.output.count("note: ") == 6
    assert "repeated     6, equal or recovered\n" in shown.output


def test_verify_moves_no_cursor(trail: Path) -> None:
    """What a damaged record says is shown as a terminal may show it."""
    add(trail, "2020-11-20.log", numbered(3, "\x1b[2J"))
    shown = run("verify", "--trail", trail)

    assert "\x1b" not in shown.output
    assert "seq 1 to 2 of %1B[2J in request" in shown.output


def test_verify_counts_what_is_left_out(trail: Path) -> None:
    """Files that are no segments are counted, since nobody else looks at them."""
    (trail / "request" / "notes.txt").touch()
    shown = run("verify", "--trail", trail)

    assert "  unread       1 files that are no segments\n" in shown.output


def test_verify_journals_elsewhere(trail: Path, tmp_path: Path) -> None:
    """A file in the directory of journals that is none is named."""
    directory = tmp_path / "journals"
    directory.mkdir()
    (directory / "x.journal").write_bytes(b"rubbish")
    shown = run("verify", "--trail", trail, "--journals", directory)

    assert shown.exit_code == 1
    assert f"{directory}/x.journal:1: at byte 0: a journal: " in shown.output


@pytest.mark.parametrize("command", ["verify", "close", "expire --keep 400d"])
def test_no_trail(tmp_path: Path, command: str) -> None:
    """A directory that is not there is wrong use: exit code 2."""
    assert run(*command.split(), "--trail", tmp_path / "nowhere").exit_code == 2


def test_default_trail(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail is AUDIT_MW_TRAIL where none is named."""
    monkeypatch.setenv("AUDIT_MW_TRAIL", str(trail))

    assert run("verify").exit_code == 0


def test_without_zstd(trail: Path) -> None:
    """Without zstd each command says what to install, and leaves all as it is."""
    close_segment(trail / "fault" / "2020-11-20.log", lambda _: None)
    before = sorted(trail.glob("*/*"))
    code = (
        "import sys; sys.modules['zstandard'] = None; "
        "from audit_mw.cli import main; main()"
    )
    for command in ("verify", "close"):
        done = subprocess.run(
            [sys.executable, "-c", code, command, "--trail", trail],
            capture_output=True,
            check=False,
            text=True,
        )

        assert done.returncode == 2
        assert "closed segments need zstd: install audit-mw[zstd]\n" in done.stderr
    assert (
        before
        == [path for path in sorted(trail.glob("*/*")) if "20" in path.name][
            : len(before)
        ]
    )


# --- close


def test_close(trail: Path) -> None:
    """Each segment that is closed is a line; then all is well."""
    shown = run("close", "--trail", trail)

    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) == 7
    archive = trail / "request" / "2020-11-20.log.zst"
    assert f"{archive}: " in shown.output
    assert f" bytes in {archive.stat().st_size}\n" in shown.output
    assert run("verify", "--trail", trail).exit_code == 0
    assert run("close", "--trail", trail).output == ""


def test_close_cannot(trail: Path) -> None:
    """What hinders it is said: exit code 2, and the segment is as it was."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it mounts a file system that is full")
    path = trail / "request" / "2020-11-20.log"
    before = path.read_bytes()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", path.parent], check=True
    )
    try:
        path.write_bytes(before + b"x" * (8192 - len(before)))
        shown = run("close", "--trail", trail)

        assert shown.exit_code == 2
        assert "No space left on device" in shown.stderr
        assert [each.name for each in path.parent.iterdir()] == [path.name]
    finally:
        subprocess.run(["umount", path.parent], check=True)


# --- expire


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--keep", "364d"], "is less than 365d; say --force", id="a year"),
        pytest.param(["--keep", "400"], "no number of days, such as 400d", id="unit"),
        pytest.param(["--keep", "-1d"], "no number of days", id="negative"),
        pytest.param([], "Missing option '--keep'", id="none"),
    ],
)
def test_expire_refuses(trail: Path, arguments: list[str], said: str) -> None:
    """Less than a year is refused without --force, and so is what is no number."""
    before = sorted(trail.glob("*/*"))
    shown = run("expire", "--trail", trail, *arguments)

    assert shown.exit_code == 2
    assert said in shown.stderr
    assert before == sorted(trail.glob("*/*"))


def test_expire(trail: Path) -> None:
    """What expires is a line each; with --dry-run nothing goes."""
    would = run("expire", "--trail", trail, "--keep", "400d", "--dry-run")
    assert would.exit_code == 0
    # The newest of each stream stays.
    assert len(would.output.splitlines()) == 3
    assert f"would remove {trail}/request/2020-11-20.log\n" in would.output
    assert (trail / "request" / "2020-11-20.log").exists()
    done = run("expire", "--trail", trail, "--keep", "400d")

    assert done.output == would.output.replace("would remove", "removed")
    assert not (trail / "request" / "2020-11-20.log").exists()
    assert run("verify", "--trail", trail).exit_code == 0


def test_expire_force(tmp_path: Path) -> None:
    """With --force less than a year will do."""
    days = [
        time.strftime("%Y-%m-%d", time.gmtime(time.time() - age)) for age in (9e5, 0)
    ]
    for seq, day in enumerate(days, 1):
        add(tmp_path, f"{day}.log", numbered(seq, FIRST))
    shown = run("expire", "--trail", tmp_path, "--keep", "3d", "--force")

    assert shown.output == f"removed {tmp_path}/request/{days[0]}.log\n"


# --- as root, on somebody's trail

NOBODY = 65_534


@pytest.fixture
def nobodys(trail: Path) -> Iterator[Path]:
    """The same, of somebody else, where everybody can get to it."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it gives a trail to somebody else")
    # Not below pytest's own directory, which each run shuts to others when it begins.
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        moved = shutil.copytree(trail, Path(name) / "trail")
        for path in (moved, *moved.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        yield moved


@pytest.mark.parametrize("command", ["close", "expire --keep 400d"])
def test_owner(nobodys: Path, command: str) -> None:
    """Whatever root's command makes belongs to the trail's owner."""
    done = subprocess.run(
        [TOOL, *command.split(), "--trail", nobodys],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stat().st_uid for path in nobodys.rglob("*")} == {NOBODY}
