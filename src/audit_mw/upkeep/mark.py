# Marking: somebody, or a pipeline, says what was done to the service: a deployment, a
# restart, a monitor that was stopped.
#
# Rule: what is said goes through the same redaction as a client's, and the login of who
#       says it stands beside it: a name that was given is a claim.
from collections.abc import Mapping
from pathlib import Path

from audit_mw.event import Text
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.redaction import Redactor
from audit_mw.trail.key import load_key
from audit_mw.trail.owner import acting_as, check_owner
from audit_mw.upkeep.records import SystemRecords

__all__ = ["MARKS", "MOST", "mark_trail"]

MARKS = {
    "deploy": "sys_deploy",
    "restart": "sys_restart",
    "monitor_disabled": "sys_monitor_disabled",
    "monitor_enabled": "sys_monitor_enabled",
}
MOST = 256  # bytes of a text; a longer one would have to go to the values stream


def mark_trail(
    trail: Path,
    kind: str,
    *,
    version: str | None = None,
    by: str | None = None,
    note: str | None = None,
) -> None:
    """
    Put on record what was done to the service; when this returns, it is in its segment.

    Args:
        trail: the directory, or a console.
        kind: one of MARKS.
        version: of the service, from now on.
        by: who answers for it, where that is not who is logged in.
        note: what else there is to say.

    Raises:
        ValueError: a text is longer than MOST bytes.
        AuditUnavailable: the trail takes no record.
        OSError: it is another user's.
        ConfigError: an option is wrong.
    """
    said = {"version": version, "responsible": by, "note": note}
    coded = {name: _bounded(name, text) for name, text in said.items() if text}
    with SystemRecords(trail) as records:
        home = Path(records.config.home)
        check_owner(home)
        with acting_as(home):
            redactor = Redactor(records.config, Keyring(load_key(records.config)))
        told = {name: redactor.said(text) for name, text in coded.items()}
        records.write(MARKS[kind], _details(told))


def _bounded(name: str, text: str) -> bytes:
    coded = text.encode(errors="surrogateescape")
    if len(coded) > MOST:
        raise ValueError(f"{name} has {len(coded)} bytes; {MOST} is the most")

    return coded


def _details(told: Mapping[str, Text]) -> dict[str, object]:
    details: dict[str, object] = {**told}
    note = details.pop("note", None)

    return details if note is None else details | {"app": {"note": note}}
