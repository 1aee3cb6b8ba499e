# Trails that cannot be written to, and those that belong to somebody else.
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.torture.app import witnessed
from tests.torture.children import crew, judged, run, said
from tests.torture.marks import needs_root
from tests.torture.prey import Prey

pytestmark = needs_root
NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of another user, which root's own temporary ones keep out."""
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    directory.chmod(0o755)
    os.chown(directory, NOBODY, NOBODY)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A directory whose trail is mounted read-only."""
    trail = str(tmp_path / "trail")
    run(tmp_path, "serve", "wsgi", "3")
    for words in (["--bind", trail], ["-o", "remount,bind,ro"]):
        subprocess.run(["mount", *words, trail], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", trail], check=True)


def test_own(place: Path) -> None:
    """A user who is not root has a trail of its own."""
    _, answers, errors = run(place, "serve_as", str(NOBODY))

    assert answers == ["", 200, 200], errors
    assert judged(place) == []


@pytest.mark.parametrize(
    "mode", [pytest.param(0o750, marks=pytest.mark.torture), 0o777]
)
def test_foreign(place: Path, mode: int) -> None:
    """A trail of another user is refused, both named, and no request is served."""
    run(place, "serve", "wsgi", "3")
    trail = place / "trail"
    shutil.rmtree(trail)
    trail.mkdir()
    trail.chmod(mode)
    before = len(witnessed(place))
    _, answers, errors = run(place, "serve_as", str(NOBODY))

    message, *statuses = answers
    assert statuses == [503, 503], errors
    assert str(trail) in message
    assert str(NOBODY) in message
    assert "uid 0" in message
    assert len(witnessed(place)) == before
    assert not list(trail.iterdir())


def test_root_on_the_trail_of_another(place: Path) -> None:
    """Who writes as root leaves files of the trail's owner only, who goes on with it."""
    run(place, "serve_as", str(NOBODY))
    run(place, "serve", "wsgi", "50")
    run(place, "serve_and_die", "asgi", "5")
    run(place, "serve_as", str(NOBODY))

    assert judged(place) == []
    owners = {path.lstat().st_uid for path in (place / "trail").rglob("*")}
    assert owners == {NOBODY}


def test_read_only_server(read_only: Path) -> None:
    """A server whose trail is read-only does not come up, and says why."""
    prey = Prey("uvicorn", read_only)
    try:
        code = prey.process.wait(30)
    finally:
        prey.close()

    assert code != 0
    assert str(read_only / "trail") in prey.said()


def test_read_only(read_only: Path) -> None:
    """A request whose trail is read-only is not served."""
    before = len(witnessed(read_only))
    with crew(read_only, ("serve", "wsgi", "3"), ("serve", "asgi", "3")) as children:
        codes = [said(child)[0] for child in children]

    assert codes == [0, 0]
    assert len(witnessed(read_only)) == before


def test_no_thread(place: Path) -> None:
    """While no thread can be started requests are refused, and then served again."""
    _, statuses, errors = run(place, "no_threads")

    assert statuses == [503, 503, 503, 200], errors
    assert len(witnessed(place)) == 1
    assert judged(place) == []
