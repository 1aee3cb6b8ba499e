# The digest that stands in a trail where a token was: so a token that leaked can be
# looked for, by who has the trail's key.
#
# Rule: nothing is made and nothing written. A key that were made here would be another
#       than the one of the digests.
import errno
import os
from pathlib import Path

from audit_mw.config import Config
from audit_mw.policy.keyring import Keyring
from audit_mw.trail.key import KEY_NAME, load_key

__all__ = ["digest_of"]


def digest_of(trail: Path, secret: bytes) -> str:
    """
    Return the digest of a token or a session id, as records of a trail have it.

    Args:
        trail: the directory.
        secret: exactly as it was sent, decoded.

    Raises:
        ConfigError: an option is wrong.
        OSError: there is no key, or it cannot be read.
    """
    config = Config.load({"trail": str(trail)})
    is_given = config.key is not None or config.key_file is not None
    own = trail / KEY_NAME
    if not is_given and not own.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(own))

    return Keyring(load_key(config)).digest(secret)
