# What the application says of an event of its own -> an Event.
#
# The statement is made in the application's thread, at the line that makes it, and the
# event is whole when it is made: nothing of it is looked up later.
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from audit_mw.app_details import AppDetails, octets
from audit_mw.event import Event, Text
from audit_mw.policy.remembered import NOTHING, Known
from audit_mw.rules import Rules
from audit_mw.spilling import Spilling

__all__ = ["APP_BYTES", "ROLES_BYTES", "Facts", "Statement", "compose"]

# Bytes of a record: what an application adds, and the list of roles.
APP_BYTES = 4096
ROLES_BYTES = 1024
# What one statement may spill: with its record it fits a slot of the journal, so that
# nobody waits for the disk, and a kill loses nothing of it.
_SPILL = 32 << 10
_TRACEBACK = 16 << 10  # bytes of a traceback that stand in the record itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """
    One event, as the application puts it.

    Args:
        stream: that it goes to.
        type: a name that `check_type` knows.
        outcome: one of OUTCOMES.
        user: whom it is about.
        session: the id of a session that it is about, not its digest.
        session_before: the id that this session had until now.
        roles: privileges at the time.
        action: what it was done with: a component, an external resource.
        is_url: `action` is an address, with what may be secret in one.
        rows: returned results.
        micros: how long it took.
        reason: why, in words.
        method: by which a user logs in.
        traceback: of an exception.
        version: of the service.
        automation: which automatic process says it.
        responsible: the person who answers for that.
        app: what else the application adds.
    """

    stream: str
    type: str
    outcome: str = "SUCCESS"
    user: str | None = None
    session: bytes | None = None
    session_before: bytes | None = None
    roles: tuple[str, ...] = ()
    action: str | None = None
    is_url: bool = False
    rows: int | None = None
    micros: int | None = None
    reason: str | None = None
    method: str | None = None
    traceback: str | None = None
    version: str | None = None
    automation: str | None = None
    responsible: str | None = None
    app: Mapping[str, object] = field(default_factory=dict)


class Facts(NamedTuple):
    """What is known of the exchange in which something is said."""

    client: Text | None = None
    peer: Text | None = None
    user: str | None = None
    session: str | None = None
    secrets: Known = NOTHING


_NOBODY = Facts()


def compose(
    rules: Rules, said: Statement, event: str, time: int, facts: Facts = _NOBODY
) -> Event:
    """
    Return the event; its instance is the writer's to fill in.

    Args:
        rules: compiled at start.
        said: by the application.
        event: the event id: of the exchange, or its own.
        time: in microseconds since the epoch.
        facts: of the exchange, if it is said in one.

    Raises:
        TypeError: something cannot be recorded.
        ValueError: something is nested too deep.
    """
    # A traceback may be longer than any slot; then it is appended first.
    spilling = Spilling(rules.config, None if said.traceback else _SPILL)
    told = AppDetails(rules.redactor, spilling, facts.secrets, rules.encode_details)
    details = _details(rules, said, told)
    if said.traceback:
        details["traceback"] = _traceback(rules, spilling, said.traceback, facts)
    user = facts.user if said.user is None else said.user
    digest = rules.keyring.digest
    columns: dict[str, Any] = {
        "user": None if user is None else _name(rules, spilling, user),
        "session": digest(said.session) if said.session else facts.session,
        "action": _action(told, said),
    }
    if spilling.cut:
        details["cut"] = spilling.cut

    return Event(
        time=time,
        event=event,
        stream=said.stream,
        type=said.type,
        outcome=said.outcome,
        service=rules.service,
        client=facts.client,
        peer=facts.peer,
        rows=said.rows,
        micros=said.micros,
        details={key: value for key, value in details.items() if value is not None},
        spills=spilling.spills,
        **columns,
    )


def _details(rules: Rules, said: Statement, told: AppDetails) -> dict[str, object]:
    before = said.session_before

    return {
        "reason": told.maybe_text(said.reason),
        "method": told.maybe_text(said.method),
        "version": told.maybe_text(said.version),
        "session_before": rules.keyring.digest(before).encode() if before else None,
        "roles": told.fit("roles", list(said.roles), ROLES_BYTES),
        "automation": told.maybe_text(said.automation),
        "responsible": told.maybe_text(said.responsible),
        "app": told.bound("app", told.named(said.app), APP_BYTES),
    }


def _name(rules: Rules, spilling: Spilling, name: str) -> Text:
    return spilling.bound(rules.redactor.text(octets(name)))


def _action(told: AppDetails, said: Statement) -> Text | None:
    if said.action is None or not said.is_url:
        return told.maybe_text(said.action)

    return told.url(said.action)


def _traceback(rules: Rules, spilling: Spilling, traceback: str, facts: Facts) -> Text:
    text = rules.redactor.lines(octets(traceback), facts.secrets)

    # As params, it leaves the rest of a record its share.
    most = min(_TRACEBACK, rules.config.max_record // 3)

    return spilling.bound(text) if _len(text) > most else text


def _len(text: Text) -> int:
    parts = (text,) if isinstance(text, bytes) else text

    return sum(len(part) for part in parts if isinstance(part, bytes))
