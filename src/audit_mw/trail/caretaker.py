# What a writer looks after beside its own records: free space, files that vanished, and
# the journals of the dead. Each leaves a record of its own in the system stream.
import time
from collections.abc import Callable
from pathlib import Path

from audit_mw.config import Config
from audit_mw.trail.adoption import Unadopted, adopt
from audit_mw.trail.appender import Files
from audit_mw.trail.journals import find_journals, remove_stale
from audit_mw.trail.losses import Loss
from audit_mw.trail.space import Level, Space

__all__ = ["Caretaker", "name_in_trail"]

Note = Callable[[str, str, dict[str, object]], None]


class Caretaker:
    """
    Looks after a trail.

    Args:
        config: the options.
        files: what this process has open of it.
        directory: of the journals.
        note: adds a record to the system stream: its type, outcome and details.
    """

    def __init__(
        self, config: Config, files: Files, directory: Path, note: Note
    ) -> None:
        self._refuses_loss = config.on_vanished == "refuse"
        self._trail = files.trail
        self._files = files
        self._directory = directory
        self._note = note
        trail = {} if files.is_console else {"trail": self._trail}
        self.space = Space(trail | {"journal": directory}, config.min_free)
        self._level = Level.OK
        self._vanished: str | None = None
        self._told: set[Path] = set()

    @property
    def refusal(self) -> str | None:
        """Why requests are to be refused, if they are."""
        if self._level >= Level.REFUSE:
            return f"the trail {str(self._trail)!r} has too little free space"

        return self._vanished

    def look_at_space(self, now: float) -> None:
        """
        Tell when the free space passes a threshold.

        Args:
            now: seconds of a clock that does not step.
        """
        level = self.space.look(now)
        if level is not self._level:
            self._level = level
            outcome = "SUCCESS" if level is Level.OK else "FAILURE"
            free: dict[str, object] = dict(self.space.free)
            self._note("log_space", outcome, {"reason": _SPACE[level], "free": free})

    def tell_losses(self) -> None:
        """Tell what became of segments that are no longer there."""
        for loss in self._files.losses():
            self._tell_loss(loss)

    def _tell_loss(self, loss: Loss) -> None:
        told: dict[str, object] = {
            "reason": loss.reason.encode(),
            "segment": name_in_trail(loss.path, self._trail),
            "inode": loss.inode,
            "size": loss.size,
            "offset": loss.offset,
            "last_seq": loss.last_seq,
        }
        self._note("log_gap", "FAILURE", told)
        is_missing = loss.offset is None and not loss.reason.startswith("mode")
        if is_missing and self._refuses_loss:
            self._vanished = (
                f"the trail {str(self._trail)!r} has lost {loss.path.name}: "
                f"{loss.reason}; restart the service when it is clear why"
            )

    def adopt(self) -> None:
        """Append what is in the journals of the dead, and tell of each."""
        remove_stale(self._directory, time.time())
        for path in find_journals(self._directory):
            try:
                adopted = adopt(path, self._files)
            except Unadopted as error:
                if error.is_lasting and path not in self._told:
                    self._told.add(path)
                    reason = str(error).encode(errors="surrogateescape")
                    details: dict[str, object] = {
                        "reason": reason,
                        "segment": name_in_trail(path, self._trail),
                    }
                    self._note("log_gap", "FAILURE", details)
                continue
            if adopted is not None:
                self._note(
                    "sys_crash",
                    "FAILURE",
                    {
                        "crashed": adopted.instance.encode(),
                        "count": adopted.records,
                        "unfinished": adopted.unfinished,
                        "damaged": adopted.damaged or None,
                    },
                )


_SPACE = {
    Level.OK: b"free space is back",
    Level.WARN: b"free space is low",
    Level.NO_DEBUG: b"free space is low: no debug records",
    Level.REFUSE: b"free space is too low: requests are refused",
}


def name_in_trail(path: Path, trail: Path) -> bytes:
    """Return the name of a file as records have it: from the trail on."""
    shown = path.relative_to(trail) if path.is_relative_to(trail) else path

    return str(shown).encode(errors="surrogateescape")
