# A trail that is read right after a response: its records are safe by then, but may
# still be on their way from the journal to their lines.
import os
import time
from contextlib import suppress
from pathlib import Path

from audit_mw.errors import AuditError, AuditUnavailable
from audit_mw.trail.adoption import survey
from audit_mw.trail.journal_header import HEADER_BYTES, read_facts
from audit_mw.trail.journals import SUFFIX
from audit_mw.trail.slots import DONE, SENDING, STATE
from audit_mw.trail.writer import JOURNALS, open_writers
from audit_mw.upkeep.recover import recover_trail

__all__ = ["settle", "unfinished"]

_SECONDS = 20


def settle(trail: Path, journals: Path | None = None) -> None:
    """
    Return when what was recorded is on lines, whichever process recorded it.

    Gives up where the disk takes nothing: then what there is is what a test wants.
    """
    for writer in open_writers():
        with suppress(AuditUnavailable):
            writer.flush()
    directory = journals or trail / JOURNALS
    if any(not each.alive and each.waiting for each in survey(directory, trail)):
        list(recover_trail(trail, journals))  # what a killed process left
    until = time.monotonic() + _SECONDS
    while unfinished(directory):
        if time.monotonic() > until:
            return
        time.sleep(0.002)


def unfinished(journals: Path) -> int:
    """Return how many finished records wait in journals of other processes."""
    return sum(_waiting(path) for path in journals.glob(f"*{SUFFIX}"))


def _waiting(path: Path) -> int:
    own = f"-{os.getpid()}-" in path.name
    with suppress(OSError, AuditError):
        if own:  # its lock would be lost with the file that we close
            return 0
        fd = os.open(path, os.O_RDONLY)
        try:
            geometry = read_facts(fd).geometry
            blocks = (os.fstat(fd).st_size - HEADER_BYTES) // geometry.size
            states = b"".join(
                os.pread(fd, geometry.slots, HEADER_BYTES + at * geometry.size)
                for at in range(blocks)
            )
        finally:
            os.close(fd)
        return sum(state & STATE in (SENDING, DONE) for state in states)

    return 0
