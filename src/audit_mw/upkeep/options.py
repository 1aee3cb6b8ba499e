# Whether the options that are read here are those with which a service began.
from dataclasses import replace
from pathlib import Path

from audit_mw.config import Config
from audit_mw.startup import config_digest
from audit_mw.trail.key import KEY_NAME, load_key

__all__ = ["options_digest"]


def options_digest(config: Config) -> bytes | None:
    """
    Return the digest of all options, as `sys_startup` has it; None: there is no key.

    Raises:
        ConfigError: the key is none.
        OSError: the key cannot be read.
    """
    has_key = config.key is not None or config.key_file is not None
    if not has_key and not (Path(config.trail) / KEY_NAME).exists():
        return None  # it is the service that makes one
    key = load_key(config)
    journals = config.journal_dir and str(Path(config.journal_dir).absolute())
    trail = config.trail if config.is_console else str(Path(config.trail).absolute())
    whole = replace(config, trail=trail, journal_dir=journals)

    return config_digest(whole, key).encode()
