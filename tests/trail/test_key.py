import os
import stat
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.trail.crew import crew, not_blocking, outcomes
from tests.trail.samples import open_files, umask

from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.trail.key import load_key

KEY = bytes(range(64))


def write_key(path: Path, key: bytes = KEY, mode: int = 0o600) -> None:
    path.write_bytes(key)
    path.chmod(mode)


# --- the trail's own


def test_made_once(tmp_path: Path) -> None:
    """
    Where none is given a random key is made in the trail, and found there again.
    """
    config = Config.load({"trail": str(tmp_path / "trail")}, {})
    key = load_key(config)

    assert len(key) == 32
    assert key == (tmp_path / "trail" / ".key").read_bytes()
    assert key == load_key(config)
    assert key != load_key(Config.load({"trail": str(tmp_path / "another")}, {}))


def test_made_once_of_many_processes(tmp_path: Path) -> None:
    """
    Processes that start at the same time get the same key, and leave only that.
    """
    trail = tmp_path / "trail"
    with crew(8, "make_key", trail) as workers:
        keys = outcomes(workers)

    assert {(trail / ".key").read_bytes().hex()} == set(keys)
    assert [path.name for path in trail.iterdir()] == [".key"]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_modes(tmp_path: Path, mask: int) -> None:
    """
    The key is 0600 and the trail that is made for it 0750, whatever the umask.
    """
    trail = tmp_path / "trail"
    with umask(mask):
        load_key(Config(trail=str(trail)))

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (trail, trail / ".key")]
    assert modes == [0o750, 0o600]


def test_half_made(tmp_path: Path) -> None:
    """
    What a process left that was killed while it made a key is not taken for one.
    """
    (tmp_path / ".key.0011223344556677.new").write_bytes(b"half")

    assert len(load_key(Config(trail=str(tmp_path)))) == 32


def test_cannot_be_made(tmp_path: Path) -> None:
    """
    A trail that cannot be is an OSError, not the config's fault: it may pass.
    """
    (tmp_path / "trail").touch()
    with pytest.raises(NotADirectoryError):
        load_key(Config(trail=str(tmp_path / "trail")))


# --- given


def test_given_by_config(tmp_path: Path) -> None:
    """
    A key in the config, in base64, is the key, and none is made.
    """
    options = {"key": b64encode(KEY).decode(), "trail": str(tmp_path / "trail")}

    assert load_key(Config.load(options, {})) == KEY
    assert not (tmp_path / "trail").exists()


def test_given_by_environment(tmp_path: Path) -> None:
    """
    A key in the environment wins over a key file.
    """
    write_key(tmp_path / "file")
    environ = {
        "AUDIT_MW_KEY": b64encode(b"k" * 32).decode(),
        "AUDIT_MW_KEY_FILE": str(tmp_path / "file"),
    }

    assert load_key(Config.load({}, environ)) == b"k" * 32


def test_given_by_file(tmp_path: Path) -> None:
    """
    A key file holds the key raw, every byte of it, and none is made.
    """
    write_key(tmp_path / "file", KEY + b"\n\x00")
    config = Config(key_file=str(tmp_path / "file"), trail=str(tmp_path / "trail"))

    assert load_key(config) == KEY + b"\n\x00"
    assert not (tmp_path / "trail").exists()


def test_missing_file(tmp_path: Path) -> None:
    """
    A key file that is named but missing is the config's fault, and is not made.
    """
    path = tmp_path / "no"
    with pytest.raises(ConfigError, match=r"'key_file'.*No such file") as caught:
        load_key(Config(key_file=str(path)))

    assert str(path) == caught.value.value
    assert not path.exists()


# --- refused


def put_symlink(path: Path) -> None:
    target = path.with_name("target")
    write_key(target)
    path.symlink_to(target)


BAD = [
    pytest.param(lambda path: write_key(path, mode=0o640), "mode 0600", id="group"),
    pytest.param(lambda path: write_key(path, mode=0o604), "mode 0600", id="world"),
    pytest.param(lambda path: write_key(path, mode=0o620), "mode 0600", id="writable"),
    pytest.param(lambda path: write_key(path, KEY[:31]), "32 random bytes", id="short"),
    pytest.param(lambda path: write_key(path, b""), "32 random bytes", id="empty"),
    pytest.param(put_symlink, "symbolic links", id="symlink"),
    pytest.param(os.mkfifo, "not a regular file", id="FIFO"),
    pytest.param(lambda path: path.mkdir(0o700), "not a regular file", id="directory"),
]


@pytest.mark.parametrize(("put", "reason"), BAD)
def test_refused_file(
    tmp_path: Path, put: Callable[[Path], object], reason: str
) -> None:
    """
    A key file that others can read, that is too short or no file is a ConfigError.
    """
    put(tmp_path / "file")
    config = Config(key_file=str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=reason) as caught, not_blocking():
        load_key(config)
    del caught

    assert open_files(tmp_path) == []


@pytest.mark.parametrize(("put", "reason"), BAD)
def test_refused_own(
    tmp_path: Path, put: Callable[[Path], object], reason: str
) -> None:
    """
    A key of the trail's own with such a fault is neither used nor replaced.
    """
    path = tmp_path / ".key"
    put(path)
    before = path.lstat()
    with pytest.raises((ConfigError, OSError), match=reason), not_blocking():
        load_key(Config(trail=str(tmp_path)))

    assert (before.st_ino, before.st_mode) == (
        path.lstat().st_ino,
        path.lstat().st_mode,
    )
    assert open_files(tmp_path) == []
    assert {".key", "target"} >= {path.name for path in tmp_path.iterdir()}


def test_dangling_symlink(tmp_path: Path) -> None:
    """
    A link that leads nowhere is refused, and no key is made at its end.
    """
    (tmp_path / ".key").symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        load_key(Config(trail=str(tmp_path)))

    assert [path.name for path in tmp_path.iterdir()] == [".key"]
