# A finding -> the record of the security stream that tells of it.
#
# It has the event id, client, user and session of its exchange, and in details why it
# was made and what shows it: [source, name, value], as the request's own record has
# them. Where there is more than fits, `count` says how many there are.
#
# Rule: it fits a small slot of the journal, so that no flood of findings takes the
#       place of large records, and nobody waits for one.
from collections.abc import Iterable, Iterator

from audit_mw.event import (
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Rest,
    Spilled,
    Text,
    Upload,
)
from audit_mw.policy.findings import Finding
from audit_mw.rules import Rules
from audit_mw.said import Own
from audit_mw.statements import Statement

__all__ = ["alarm_details", "alarm_of"]

_EVIDENCE = 1536  # bytes of a record
_WORD = 256  # bytes of a text in it, coded


def alarm_of(finding: Finding) -> Statement:
    """Return what is said of a finding; its details come from `alarm_details`."""
    return Statement(
        stream="security",
        type=finding.name,
        outcome="FAILURE",
        reason=Own(", ".join(finding.reasons)),
    )


def alarm_details(rules: Rules, finding: Finding) -> dict[str, object]:
    """Return what shows a finding, as details have it."""
    evidence = list(_bounded(rules, finding.evidence))
    details: dict[str, object] = {"evidence": evidence}
    if finding.total > len(evidence):
        details["count"] = finding.total
    if finding.cut:
        details["cut"] = finding.cut

    return details


def _bounded(rules: Rules, evidence: Iterable[Param]) -> Iterator[object]:
    room = _EVIDENCE
    for param in evidence:
        shown = [
            param.source.encode(),
            None if param.name is None else _short(rules, param.name),
            _value(rules, param),
        ]
        room -= len(rules.encode_details({"": shown}))
        if room < 0:
            return
        yield shown


def _short(rules: Rules, text: Text) -> object:
    """Return a text that is short as it is; else its length."""
    if len(rules.encode_param(Param("", None, text))) <= _WORD:
        return text

    return {"len": _len(text)}


def _value(rules: Rules, param: Param) -> object:
    value = param.value
    if isinstance(value, (bytes, tuple)):
        return _short(rules, value)
    if isinstance(value, JsonText):
        return _short(rules, value.text)
    if isinstance(value, Upload) and value.filename is not None:
        return _short(rules, value.filename)
    if isinstance(value, Spilled):
        return {"len": value.len, "sha256": value.sha256.encode()}
    if isinstance(value, Rest):
        return {"count": value.count, "len": value.len, "sha256": value.sha256.encode()}

    return {"len": value.len} if isinstance(value, (Opaque, Redacted)) else None


def _len(text: Text) -> int:
    if isinstance(text, bytes):
        return len(text)

    return sum(part.len if isinstance(part, Hole) else len(part) for part in text)
