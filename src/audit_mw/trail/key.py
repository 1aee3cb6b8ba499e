# The key of keyed digests: given, read from a file, or made once.
#
# Several workers may make it at the same time, so the first `link` wins and the others
# read what it made. A key that changed would tear apart what digests join.
import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.option_readers import KEY_BYTES
from audit_mw.trail.directories import make_directory, sync_directory

__all__ = ["KEY_NAME", "load_key"]

KEY_NAME = ".key"
# Who can put a FIFO there must not make us wait for what comes out of it.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MODE = 0o600
_ELSE = stat.S_IRWXG | stat.S_IRWXO


def load_key(config: Config) -> bytes:
    """
    Return the key that `config` gives or names, else the trail's own.

    Raises:
        ConfigError: a key file that is too short or cannot be read.
        OSError: the trail's own cannot be made.
    """
    if config.key is not None:
        return config.key
    if config.key_file is not None:
        return _given(Path(config.key_file))
    path = Path(config.trail) / KEY_NAME
    if not path.exists():
        _make(path)

    return _read(path)


def _given(path: Path) -> bytes:
    try:
        return _read(path)
    except OSError as error:
        right = f"name a file that can be read ({error.strerror})"
        raise ConfigError("key_file", str(path), right) from error


def _read(path: Path) -> bytes:
    fd = os.open(path, _FLAGS)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if stat.S_IMODE(status.st_mode) & _ELSE:
            right = "make it readable by its owner only (mode 0600)"
            raise ConfigError("key_file", str(path), right)
        key = os.read(fd, 1 << 16)
    finally:
        os.close(fd)
    if len(key) < KEY_BYTES:
        right = f"it must hold at least {KEY_BYTES} random bytes"
        raise ConfigError("key_file", str(path), right)

    return key


def _make(path: Path) -> None:
    make_directory(path.parent)
    new = path.with_name(f"{KEY_NAME}.{secrets.token_hex(8)}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, _MODE)  # whatever the umask took away
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(fd)
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink()
    # Until then a loss of power can leave the lines, but not the key of their digests.
    sync_directory(path.parent)
