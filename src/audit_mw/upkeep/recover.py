# The journals of dead processes, adopted on demand: what every writer does at its start
# and every five seconds, for a trail that nobody has open.
from collections.abc import Iterator
from pathlib import Path

from audit_mw.trail.adoption import JournalState, survey
from audit_mw.trail.owner import acting_as, check_owner
from audit_mw.upkeep.records import SystemRecords

__all__ = ["recover_trail"]


def recover_trail(
    trail: Path, journals: Path | None = None
) -> Iterator[tuple[JournalState, bool]]:
    """
    Append what dead processes left; yield each journal, and whether it is empty now.

    Each adoption is on record, as `sys_crash` in the stream `system`. A trail that
    nobody left anything in is not touched.

    Args:
        trail: the directory.
        journals: where its journals are, if not in the trail.

    Raises:
        AuditUnavailable: the trail takes no record.
        OSError: it is another user's.
    """
    check_owner(trail)
    with SystemRecords(trail, journals) as records:
        with acting_as(trail):
            states = survey(records.journals, trail)
            found = [each for each in states if not each.alive]
        if found:
            records.settle()  # its writer adopts them before it does anything else
        for each in found:
            yield each, not each.path.exists()
