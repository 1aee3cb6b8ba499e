# The records of upkeep: what was done to the trail is in the trail, stream `system`.
#
# Rule 1: a record is safe before what it tells of is done for good. Killed between the
#         two, the next run finds the record, and does not write a second one.
# Rule 2: it says who did it. The kernel's login uid stays when somebody becomes root,
#         so it is asked first.
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from audit_mw.config import CONSOLES, Config
from audit_mw.event import Event
from audit_mw.ids import EventIds
from audit_mw.system_notes import SystemNotes
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.index import Facts
from audit_mw.trail.reader import read_events, segments
from audit_mw.trail.writer import Writer, journal_directory

__all__ = ["SystemRecords", "facts_details", "name_in_trail"]

TYPES = ("segment_closed", "segment_expired")
_NOBODY = 0xFFFF_FFFF  # the login uid of what no login began


class SystemRecords:
    """
    Writes and finds records of upkeep; used as a context manager.

    Args:
        trail: the directory.
        journals: where its journals are, if not where the options say.
    """

    def __init__(self, trail: Path, journals: Path | None = None) -> None:
        self._trail = trail
        self._config = _config_of(trail, journals)
        self._notes = _Notes(_service(self._config), EventIds())
        self._writer: Writer | None = None
        self._found: list[tuple[str, Mapping[str, object]]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._writer is not None:
            self._writer.close()

    @property
    def config(self) -> Config:
        """The options that hold for the trail."""
        return self._config

    @property
    def journals(self) -> Path:
        """Where the journals of the trail are."""
        return journal_directory(self._config)

    def settle(self) -> None:
        """
        Append what was left in journals, and what was written.

        Raises:
            AuditUnavailable: it cannot be.
        """
        self._open().flush()

    def write(self, kind: str, details: dict[str, object]) -> None:
        """
        Write a record; when this returns, it is in its segment.

        Raises:
            AuditUnavailable: it is not.
        """
        writer = self._open()
        writer.commit(self._notes.make(writer.instance, kind, "SUCCESS", details))
        writer.flush()

    def has(self, kind: str, details: Mapping[str, object]) -> bool:
        """Tell whether an earlier run wrote a record with all of `details`."""
        if self._found is None:
            # What the earlier run left in its journal is adopted before we look.
            self._open().flush()
            self._found = list(self._read())

        return any(
            found == kind and details.items() <= said.items()
            for found, said in self._found
        )

    def _open(self) -> Writer:
        if self._writer is None:
            self._writer = _make_writer(self._config, self._notes)

        return self._writer

    def _read(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        for path in segments(self._trail, "system"):
            with suppress(FileNotFoundError):
                for event in read_events(path):
                    if event.type in TYPES:
                        yield event.type, event.details


class _Notes(SystemNotes):
    """Makes the records of the system stream, each with who had it made."""

    def make(
        self, instance: str, kind: str, outcome: str, details: dict[str, object]
    ) -> Event:
        app: dict[str, object] = {"by": _who()}
        said = details.get("app")
        if isinstance(said, Mapping):
            app = {**said, **app}

        return super().make(instance, kind, outcome, details | {"app": app})


def _make_writer(config: Config, notes: _Notes) -> Writer:
    writer = Writer(config, notes, _service(config))
    writer.open()

    return writer


def _service(config: Config) -> str:
    return config.service or "audit-mw"


def _config_of(trail: Path, journals: Path | None) -> Config:
    # Records of upkeep go where those of the service do, whatever environment it has.
    directory = None if journals is None else str(journals.absolute())
    where = str(trail) if str(trail) in CONSOLES else str(trail.absolute())
    config = Config.load({"trail": where, "journal_dir": directory})
    newest = segments(trail, "system")[-1:]
    if newest and "T" in newest[0].name:
        config = replace(config, rotate="hour")

    return config


def _who() -> bytes:
    uid = _login_uid()
    try:
        return pwd.getpwuid(uid).pw_name.encode(errors="surrogateescape")
    except (KeyError, OverflowError):
        return str(uid).encode()


def _login_uid() -> int:
    with suppress(OSError, ValueError):
        uid = int(Path("/proc/self/loginuid").read_bytes())
        if uid != _NOBODY:
            return uid

    return os.getuid()


def name_in_trail(path: Path) -> bytes:
    """Return the name of a segment as records have it: with that of its stream."""
    return os.fsencode(f"{path.parent.name}/{path.name}")


def facts_details(facts: Facts) -> dict[str, object]:
    """Return what is in a segment, as details."""
    times = {"first": facts.first, "last": facts.last}
    known = {key: encode_time(time) for key, time in times.items() if time is not None}

    return {
        "records": facts.records,
        "bytes": facts.bytes,
        **known,
        "sha256": facts.sha256.encode(),
    }
