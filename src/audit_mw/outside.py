# Which trail is meant when the application speaks outside of any exchange: the one that
# `open` opened last, else that of the one application of this process, else the one
# that the environment names.
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from audit_mw.auditor import Auditor, auditors
from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.trail.forks import in_child

__all__ = ["Trail", "find_trail", "open_trail"]


class Trail:
    """
    A trail that a script or a job writes to; made by `audit_mw.open`.

    It is open from then on; as a context manager it is closed at the end of the block.

    Args:
        auditor: records what is said.
        automation: name of the script or job.
    """

    def __init__(self, auditor: Auditor, automation: str) -> None:
        self.auditor = auditor
        self.automation = automation

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what was said, and let go; what is said next goes elsewhere."""
        with _lock:
            if self in _opened:
                _opened.remove(self)
        self.auditor.close()


# A collection of garbage, or a signal, may speak while this thread has it.
_lock = threading.RLock()
_opened: list[Trail] = []
_named: list[Trail] = []  # at most one: that of the environment


def _begin_child() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have it for ever
    _lock = threading.RLock()


in_child(_begin_child)


def open_trail(options: Mapping[str, object], automation: str | None) -> Trail:
    """
    Open a trail for what is said outside of any exchange.

    Raises:
        ConfigError: an option is wrong, or nothing names the trail.
        AuditUnavailable: it takes no record.
    """
    trail = _make(options, automation)
    trail.auditor.open()
    with _lock:
        _opened.append(trail)

    return trail


def _make(options: Mapping[str, object], automation: str | None) -> Trail:
    config = Config.load(options)
    if not Config.names_trail(options):
        # A default would be below whatever directory a job happens to start in.
        right = "name the directory: open(trail=...), or AUDIT_MW_TRAIL"
        raise ConfigError("trail", None, right)
    program = _program()

    return Trail(Auditor(config, program), automation or program)


def _program() -> str:
    return Path(sys.argv[0]).stem or "python"


def find_trail() -> Trail:
    """
    Return the trail of what is said outside of any exchange.

    Raises:
        ConfigError: it cannot be told which is meant.
    """
    with _lock:
        if _opened:
            return _opened[-1]
        found = auditors()
        if len({auditor.config.trail for auditor in found}) == 1:
            return Trail(found[0], _program())
        if not _named:
            _named.append(_name(found))

        return _named[0]


def _name(found: list[Auditor]) -> Trail:
    try:
        return _make({}, None)
    except ConfigError:
        if not found:
            raise
        trails = ", ".join(sorted({auditor.config.trail for auditor in found}))
        right = f"this process has several ({trails}): say which with audit_mw.open"
        raise ConfigError("trail", None, right) from None
