# What cannot be replayed is told as it is: not found, or not to be found for damage.
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.trail.samples import event
from tests.upkeep.trails import add

from audit_mw.cli import main
from audit_mw.trail.closing import close_segment

ID = "019aa4f2-35c3-7a1b-8c4d-5e6f70819203"
OTHER = "019aa4f2-35c3-7a1b-8c4d-000000000000"
DAY = "2026-11-21.log"


def replay(*words: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, words)])


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    add(tmp_path / "trail", DAY, (1, event(event=ID, params=())))

    return tmp_path / "trail"


def rot(path: Path, at: int) -> None:
    text = bytearray(path.read_bytes())
    text[at] ^= 1
    path.write_bytes(text)


def test_damaged_archive(trail: Path) -> None:
    """Where the archive that may have it is damaged, that is said, and where."""
    done = close_segment(trail / "request" / DAY, lambda _: None)
    assert done is not None
    rot(done.archive, done.archive.stat().st_size // 2)
    shown = replay(ID, "--trail", trail)

    assert shown.exit_code == 1
    assert f"{done.archive}:1: at byte 0: the archive cannot be read" in shown.stderr


def test_damaged_id(trail: Path) -> None:
    """Where its own id is damaged, the line that may have been it is named."""
    path = trail / "request" / DAY
    rot(path, path.read_bytes().index(ID.encode()) + 30)
    shown = replay(ID, "--trail", trail)

    assert shown.exit_code == 1
    assert f"{path}:2: at byte " in shown.stderr


def test_stranger(trail: Path) -> None:
    """What is no file where a segment is to stand may have had it."""
    (trail / "request" / "2026-11-20.log").mkdir()

    assert "no regular file" in replay(OTHER, "--trail", trail).stderr
    assert replay(ID, "--trail", trail).exit_code == 0


def test_not_there(trail: Path) -> None:
    """Where all is whole, there is no such request."""
    shown = replay(OTHER, "--trail", trail)

    assert shown.exit_code == 1
    assert f"no request '{OTHER}' in the trail" in shown.stderr


def test_several_trails(trail: Path, tmp_path: Path) -> None:
    """It is looked for in each trail; damage of one does not hide it in another."""
    add(tmp_path / "other", DAY, (1, event(event=OTHER, params=())))
    rot(tmp_path / "other" / "request" / DAY, -9)
    shown = replay(ID, "--trail", tmp_path / "other", "--trail", trail)

    assert shown.exit_code == 0
    assert "GET /search" in shown.stdout


def test_too_long_for_a_command(tmp_path: Path) -> None:
    """A command that no system would begin says so."""
    add(tmp_path, DAY, (1, event(event=ID, path=b"/" + b"a" * 140_000, params=())))
    shown = replay(ID, "--trail", tmp_path, "--as", "curl")

    told = "this command has more than the system takes"
    assert f"# note: {told}" in shown.stdout
    assert told not in replay(ID, "--trail", tmp_path, "--as", "httpx").stderr


def test_digest_of_several(tmp_path: Path) -> None:
    """Of each key there is a line: trails with one key have one digest."""
    for name, key in (("a", b"a"), ("b", b"b"), ("c", b"a")):
        path = tmp_path / name / ".key"
        path.parent.mkdir()
        path.write_bytes(key * 32)
        path.chmod(0o600)
    trails = [word for name in "abc" for word in ("--trail", str(tmp_path / name))]
    shown = CliRunner().invoke(main, ["digest", *trails], input="token")

    assert len(set(shown.stdout.splitlines())) == 2
