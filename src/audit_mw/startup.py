# What the `sys_startup` record says of a process: with which options and versions it
# runs, whether its clock is in step, and on what its journal lies.
#
# Rule 1: two processes with the same options have the same digest of them, whichever
#         way the options were given, and the key is in it by its id only.
# Rule 2: what cannot be told is left out. No fact is worth a start that fails.
import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import fields
from importlib import metadata
from pathlib import Path

from audit_mw.config import CONSOLES, Config
from audit_mw.policy.keyring import Keyring
from audit_mw.trail.clock import clock_state
from audit_mw.trail.mounts import file_system, is_in_memory

__all__ = ["config_digest", "startup_details"]

_PACKAGE = "audit-mw"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Servers do not tell an application who they are; what they are made of is loaded.
_SERVERS = (
    *("cheroot", "daphne", "granian", "gunicorn", "hypercorn", "mod_wsgi"),
    *("uvicorn", "uwsgi", "waitress"),
)


def startup_details(config: Config, key: bytes, journal: Path) -> dict[str, object]:
    """
    Return the details of `sys_startup`, as `Event` has them.

    Args:
        config: the options, with the trail's absolute path.
        key: the key that is in use, wherever it is from.
        journal: the directory of the journal.
    """
    details: dict[str, object] = {
        "config": config_digest(config, key).encode(),
        "key_id": _key_id(key).encode(),
        "version": _text(config.version),
        "python": platform.python_version().encode(),
        "audit_mw": _text(_version(_PACKAGE)),
        "servers": _servers(),
        "clock": _present(_clock()),
        "journal": _present(_journal(journal, Path(config.trail))),
        "durability": config.durability.encode(),
        "boot_id": _text(_boot_id()),
        "uid": os.geteuid(),
    }

    return _present(details)


def config_digest(config: Config, key: bytes) -> str:
    """Return the SHA-256, in hex, of all options; of the key, its id is in it."""
    options = {option.name: getattr(config, option.name) for option in fields(config)}
    options["key"] = _key_id(key)
    # ASCII, so that a name that is no text of UTF-8 does not fail here.
    canonical = json.dumps(options, sort_keys=True, default=str)

    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _key_id(key: bytes) -> str:
    return Keyring(key).digest(b"").partition(".")[0]


def _text(value: str | None) -> bytes | None:
    return None if value is None else value.encode(errors="surrogateescape")


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value not in (None, [], {})}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return None  # a copy that was never installed, or damaged


def _servers() -> list[object]:
    found = ((name, _version(name)) for name in _SERVERS if name in sys.modules)

    return [_text(f"{name} {has}" if has else name) for name, has in found]


def _clock() -> dict[str, object]:
    state = clock_state()

    return {
        "synchronised": state.synchronised,
        "error": state.error,
        "source": _text(state.source),
    }


def _journal(journal: Path, trail: Path) -> dict[str, object]:
    return {
        "file_system": _text(file_system(journal)),
        "in_memory": is_in_memory(journal),
        "with_trail": _with_trail(journal, trail),
    }


def _with_trail(journal: Path, trail: Path) -> bool | None:
    return None if str(trail) in CONSOLES else _device(journal) == _device(trail)


def _device(directory: Path) -> int | None:
    for path in (directory, *directory.parents):
        try:
            return path.stat().st_dev
        except OSError:
            continue

    return None


def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_bytes().decode("ascii").strip()
    except OSError:
        return None
