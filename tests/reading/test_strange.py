# Files that are none, where a trail has its own: no command waits for them, ends with a
# traceback, or says that all is well. And a trail on a medium that takes nothing.
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from tests.trail.samples import event, spill_of
from tests.upkeep.trails import LONG, add, add_values, build

from audit_mw.cli import main
from audit_mw.event import Param, Spilled
from audit_mw.trail.closing import close_segment
from audit_mw.trail.names import index_path

ID = "019aa4f2-35c3-7a1b-8c4d-5e6f70819203"
TOOL = Path(sys.executable).with_name("audit-mw")


def _socket(path: Path) -> None:
    # Its address has room for 108 bytes, so it is bound where it stands.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


KINDS: dict[str, Callable[[Path], object]] = {
    "directory": Path.mkdir,
    "fifo": os.mkfifo,
    "socket": _socket,
    "dangling": lambda path: path.symlink_to("/nowhere/at/all"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
}
READING = [
    ("find",),
    ("find", "--since", "2026-11-19"),
    ("show", ID),
    ("query", "FROM events"),
    ("export", "--to", "jsonl"),
    ("verify",),
]


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Return a trail of two days, the first of them closed."""
    path = build(tmp_path / "trail")
    assert close_segment(path / "request" / "2026-11-20.log", lambda _: None)
    (path / ".key").write_bytes(bytes(range(32)))
    (path / ".key").chmod(0o600)

    return path


def put(path: Path, kind: str) -> None:
    """Put what is no file in the place of one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    KINDS[kind](path)


def run(*words: object) -> Result:
    shown = CliRunner().invoke(main, [str(word) for word in words], input="token")
    assert shown.exception is None or isinstance(shown.exception, SystemExit)

    return shown


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["2026-11-21.log", "2026-11-20.log.zst"])
def test_segment(trail: Path, place: str, kind: str) -> None:
    """In the place of a segment: it is named, and what is around it is read."""
    put(trail / "request" / place, kind)

    for command in READING:
        shown = run(*command, "--trail", trail)
        assert shown.exit_code != 0, command
        assert place in shown.output + shown.stderr, command


@pytest.mark.parametrize("kind", KINDS)
def test_index(trail: Path, kind: str) -> None:
    """In the place of an index: the archive is read without it."""
    put(index_path(trail / "request" / "2026-11-20.log.zst"), kind)

    for command in READING[:-1]:
        assert run(*command, "--trail", trail).exit_code == 0, command
    assert run("verify", "--trail", trail).exit_code != 0


@pytest.mark.parametrize("kind", KINDS)
def test_key(trail: Path, kind: str) -> None:
    """In the place of the key: it is not waited for."""
    put(trail / ".key", kind)

    for command in (("digest",), ("find", "--secret-stdin")):
        assert run(*command, "--trail", trail).exit_code == 2, command
    shown = run("doctor", "--no-trial", "--trail", trail)
    assert "ok       key" not in shown.output


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [".journal", ".journal/a.journal"])
def test_journal(trail: Path, place: str, kind: str) -> None:
    """In the place of journals: doctor does not say that there are none."""
    (trail / ".journal").mkdir(exist_ok=True)
    if not (kind == "directory" and place == ".journal"):
        put(trail / place, kind)
        shown = run("doctor", "--no-trial", "--trail", trail)
        assert "ok       journals" not in shown.output


@pytest.mark.parametrize("kind", ["damage", *KINDS])
def test_values(tmp_path: Path, kind: str) -> None:
    """Where a value may have been in what cannot be read, that is said with it."""
    long = Spilled(300, spill_of(LONG[0]).sha256)
    add(tmp_path, "2026-11-21.log", (1, event(params=(Param("form", b"a", long),))))
    path = add_values(tmp_path, "2026-11-21.log", LONG[0])
    if kind == "damage":
        path.write_bytes(path.read_bytes()[:-9] + b"\n")
    else:
        put(path, kind)
    shown = run("show", ID, "--trail", tmp_path)

    assert "(not in the values stream)" in shown.output
    assert str(path) in shown.stderr
    assert shown.exit_code == (3 if kind == "damage" else 2)


# --- what may not be read


def run_as_nobody(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command as who may read nothing of others."""
    drop = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    code = f"import os, sys, audit_mw.cli, audit_mw.cli.find, audit_mw.cli.show; {drop}; audit_mw.cli.main()"

    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=60,
    )


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a trail that everybody may read, where everybody may come."""
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        trail = build(Path(name) / "trail")
        for path in (trail, *trail.rglob("*")):
            path.chmod(0o755)
        yield trail


@pytest.mark.parametrize("hidden", ["values", "values/2026-11-21.log"])
def test_values_that_may_not_be_read(shared: Path, hidden: str) -> None:
    """A record is shown, though its values may not be read: that is said."""
    (shared / hidden).chmod(0)
    done = run_as_nobody("show", ID, "--trail", shared)

    assert done.returncode == 2
    assert f"unread: {shared / hidden}: cannot be read" in done.stderr
    assert "path      /6" in done.stdout


@pytest.mark.parametrize("hidden", ["request", "request/2026-11-21.log"])
def test_stream_that_may_not_be_read(shared: Path, hidden: str) -> None:
    """Where one stream may not be read, the others are."""
    (shared / hidden).chmod(0)
    done = run_as_nobody("find", "--trail", shared)

    assert done.returncode == 2
    assert f"unread: {shared / hidden}: cannot be read" in done.stderr
    assert " system sys_startup " in done.stdout


# --- a medium that takes nothing


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Return a trail on a file system that was mounted read-only since."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or _mount("-t", "tmpfs", "-o", "size=4m", "none", disk):
        pytest.skip("needs to mount a tmpfs")
    try:
        trail = build(disk / "trail")
        close_segment(trail / "request" / "2026-11-20.log", lambda _: None)
        assert not _mount("-o", "remount,ro", disk)
        yield trail
    finally:
        subprocess.run(["umount", disk], check=True)


def _mount(*words: object) -> int:
    command = ["mount", *map(str, words)]

    return subprocess.run(command, check=False, capture_output=True).returncode


@pytest.mark.parametrize("command", [*READING, ("replay", ID)])
def test_read_only(read_only: Path, command: tuple[str, ...]) -> None:
    """Every command that reads, reads a trail to which nothing can be written."""
    shown = run(*command, "--trail", read_only)

    # The samples have records of one event id, and numbers that verify judges.
    assert shown.exit_code == 0 or command == ("verify",)
    assert "Read-only" not in shown.output + shown.stderr
