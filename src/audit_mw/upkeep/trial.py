# Trying a trail: a record goes the whole way, through a journal into a segment, and is
# read back.
#
# It goes into a directory of its own, `.doctor-...` in the trail, with the trail's
# owner and on its file system, which is removed. A record in the streams themselves
# would be one more thing that nobody did, in what is kept as evidence.
import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from audit_mw.config import Config
from audit_mw.event import Event, Param, Spill, Spilled
from audit_mw.ids import EventIds
from audit_mw.system_notes import SystemNotes
from audit_mw.trail.owner import acting_as, check_owner
from audit_mw.trail.reader import find_value, read_events, segments
from audit_mw.trail.writer import JOURNALS, Writer

__all__ = ["PREFIX", "try_trail"]

PREFIX = ".doctor-"
_KIND = "sys_monitor_enabled"
_VALUE = bytes(range(256)) * 4


def try_trail(config: Config) -> bool:
    """
    Write a record and a value beside a trail; return whether both are read back.

    Args:
        config: the options; `trail` is a directory that is there.

    Raises:
        OSError: it cannot be written there.
        AuditUnavailable: no record can be.
    """
    trail = Path(config.trail)
    check_owner(trail)
    with acting_as(trail):
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=trail))
    try:
        return _try_in(config, directory / "trail")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _try_in(config: Config, scratch: Path) -> bool:
    tried = replace(config, trail=str(scratch), journal_dir=str(scratch / JOURNALS))
    notes = SystemNotes("doctor", EventIds())
    writer = Writer(tried, notes, "doctor")
    writer.open()
    try:
        event = _event(notes.make(writer.instance, _KIND, "SUCCESS", {}))
        writer.commit(event)
        writer.flush()
    finally:
        writer.close()

    return _reads(scratch, event)


def _event(event: Event) -> Event:
    digest = hashlib.sha256(_VALUE).hexdigest()
    param = Param("body", None, Spilled(len(_VALUE), digest))

    return replace(event, params=(param,), spills=(Spill(digest, _VALUE),))


def _reads(scratch: Path, event: Event) -> bool:
    read = [each for path in segments(scratch, "system") for each in read_events(path)]
    digest = event.spills[0].sha256

    return event in read and find_value(scratch, digest) == _VALUE
