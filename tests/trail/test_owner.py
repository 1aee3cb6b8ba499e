# Whose a trail is: real files, and processes of other users.
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.serving import ROOT
from tests.trail.samples import threads
from tests.trail.stranger import NOBODY

from audit_mw.trail.owner import acting_as, check_owner

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to become somebody else"
)
GROUP = 65533  # of nobody's trail; root is not in it
OTHER = 65000  # a uid without a name


@pytest.fixture
def trail() -> Iterator[Path]:
    """A trail of nobody's, where everybody can get to it."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        trail = Path(name) / "trail"
        trail.mkdir(0o750)
        os.chown(trail, NOBODY, GROUP)
        yield trail


def stranger(
    uid: int, task: str, directory: Path, under: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a task of `tests.trail.stranger` as that user."""
    words = (sys.executable, "-m", "tests.trail.stranger", uid, task, directory)

    return subprocess.run(
        [*under, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )


def as_user(uid: int, task: str, directory: Path) -> object:
    """Return what a task returns to that user."""
    done = stranger(uid, task, directory)
    assert done.returncode == 0, done.stderr

    return json.loads(done.stdout)


def owner_of(path: Path) -> tuple[int, int]:
    status = path.lstat()

    return status.st_uid, status.st_gid


def made_in(directory: Path, name: str = "file") -> tuple[int, int]:
    """Return whose a file is that is made now."""
    path = directory / name
    path.touch()

    return owner_of(path)


# --- who may


@needs_root
def test_another_is_refused(trail: Path) -> None:
    """
    A trail of somebody else's is refused, both are named, and what to do is said.
    """
    said = as_user(OTHER, "check", trail)

    assert said == (
        f"PermissionError: the trail {str(trail)!r} belongs to uid 65534 (nobody), "
        "this process runs as uid 65000: run it as the owner, or give it a trail of "
        "its own"
    )


@needs_root
def test_roots_is_refused_to_others(trail: Path) -> None:
    """
    Root's trail is root's, and no other's.
    """
    os.chown(trail, 0, 0)

    assert "belongs to uid 0 (root)" in str(as_user(NOBODY, "check", trail))


@needs_root
def test_the_owner_may(trail: Path) -> None:
    """
    The owner is not refused, and makes files as what it is.
    """
    assert as_user(NOBODY, "check", trail) == ""
    assert as_user(NOBODY, "make", trail) == [NOBODY, NOBODY]


@needs_root
def test_another_in_a_block(trail: Path) -> None:
    """
    The block gives nobody but root another's identity.
    """
    trail.chmod(0o777)

    assert as_user(OTHER, "make", trail) == [OTHER, OTHER]


@needs_root
def test_root_may(trail: Path) -> None:
    """
    Root is not refused.
    """
    check_owner(trail)


def test_own_trail(tmp_path: Path) -> None:
    """
    Whose trail it is, and who makes one, writes to it with no identity but its own.
    """
    for path in (tmp_path, tmp_path / "no", tmp_path / "no" / "trail"):
        check_owner(path)
        with acting_as(path):
            assert made_in(tmp_path)[0] == os.geteuid()


def test_in_the_place_of_a_directory(tmp_path: Path) -> None:
    """
    A trail below a file is not there yet: who then opens it says what is wrong.
    """
    (tmp_path / "file").touch()

    check_owner(tmp_path / "file" / "trail")
    with acting_as(tmp_path / "file" / "trail"):
        pass


# --- as whom


@needs_root
def test_root_acts_as_the_owner(trail: Path) -> None:
    """
    Files and directories that root makes in the block are the owner's; then root's.
    """
    with acting_as(trail):
        (trail / "request").mkdir()
        of_file = made_in(trail / "request")

    assert [owner_of(trail / "request"), of_file] == [(NOBODY, GROUP)] * 2
    assert made_in(trail, "roots") == (0, 0)


@needs_root
def test_root_may_no_more_than_the_owner(trail: Path) -> None:
    """
    What the owner may not read or change is refused to root in the block, too.
    """
    secret = trail.parent / "secret"
    secret.write_bytes(b"root's")
    secret.chmod(0o600)
    with acting_as(trail):
        with pytest.raises(PermissionError):
            secret.read_bytes()
        with pytest.raises(PermissionError):
            (trail.parent / "file").touch()

    assert secret.read_bytes() == b"root's"


@needs_root
def test_restored_after_an_exception(trail: Path) -> None:
    """
    An exception in the block leaves root what it was.
    """
    with pytest.raises(ZeroDivisionError), acting_as(trail):
        raise ZeroDivisionError

    assert made_in(trail) == (0, 0)


@needs_root
def test_nested(trail: Path) -> None:
    """
    Each block has its own owner, also root's within another's, and the outer comes back.
    """
    others = trail.parent / "others"
    others.mkdir()
    os.chown(others, OTHER, OTHER)
    roots = trail.parent / "roots"
    roots.mkdir()
    for path in (trail, others, roots):
        path.chmod(0o777)
    with acting_as(trail):
        with acting_as(others):
            with acting_as(roots):
                inner = made_in(roots)
            between = made_in(others)
        with acting_as(trail):
            again = made_in(trail, "again")
        outer = made_in(trail)

    assert [inner, between, again, outer] == [
        (0, 0),
        (OTHER, OTHER),
        (NOBODY, GROUP),
        (NOBODY, GROUP),
    ]
    assert made_in(roots, "after") == (0, 0)


@needs_root
def test_threads(trail: Path) -> None:
    """
    What one thread acts as is nothing to the others, however they are switched.
    """
    trail.chmod(0o777)
    found: dict[str, set[tuple[int, int]]] = {"acting": set(), "root": set()}
    meet = threading.Barrier(2, timeout=60)

    def act() -> None:
        for turn in range(50):
            with acting_as(trail):
                meet.wait()
                found["acting"].add(made_in(trail, f"a{turn}"))
                meet.wait()

    def remain() -> None:
        for turn in range(50):
            meet.wait()
            found["root"].add(made_in(trail, f"r{turn}"))
            meet.wait()

    with threads(act, remain):
        pass

    assert found == {"acting": {(NOBODY, GROUP)}, "root": {(0, 0)}}


@needs_root
def test_link_to_a_trail(trail: Path) -> None:
    """
    A trail that is reached by a link is its owner's, not the link's.
    """
    link = trail.parent / "link"
    link.symlink_to(trail)
    with acting_as(link):
        assert made_in(link) == (NOBODY, GROUP)


@needs_root
def test_owner_beyond_a_signed_number(trail: Path) -> None:
    """
    A uid that is negative as an int is one like all others.
    """
    uid = 3_000_000_000
    os.chown(trail, uid, uid)
    with acting_as(trail):
        assert made_in(trail) == (uid, uid)
    assert made_in(trail, "after") == (0, 0)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_identity_that_cannot_be_had(trail: Path) -> None:
    """
    Root that was denied the right to be others is refused, rather than make root's files.
    """
    without = ["setpriv", "--bounding-set=-setuid,-setgid"]
    done = stranger(0, "make", trail, under=without)

    assert "cannot use files as that user: run it as the owner" in done.stderr
    assert not list(trail.iterdir())
