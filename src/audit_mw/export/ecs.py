# A record -> one JSON document by the Elastic Common Schema.
#
# Rule: the fields of the schema have its names and types. What it has no field for
#       stands under `audit_mw`, which no field of the schema begins with; the whole
#       record is `event.original`.
from typing import Any

from audit_mw.event import Event
from audit_mw.export.facts import (
    Facts,
    facts_of,
    field_line,
    level_of,
    maybe,
    readable,
    shown_url,
)
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.merging import Found

__all__ = ["ECS_VERSION", "ecs_document"]

ECS_VERSION = "8.17.0"
_OUTCOMES = {"SUCCESS": "success", "FAILURE": "failure", "ERROR": "failure"}
# The stream: event.kind, event.category, event.type.
_KINDS = {
    "request": ("event", ["web"], ["access"]),
    "session": ("event", ["authentication"], ["info"]),
    "security": ("alert", ["intrusion_detection"], ["info"]),
    "error": ("event", ["web"], ["error"]),
    "fault": ("event", ["web"], ["error"]),
    "debug": ("event", ["web"], ["info"]),
    "system": ("event", ["process"], ["info"]),
}
_TYPES = {
    "sys_startup": ["start"],
    "sys_shutdown": ["end"],
    "sys_crash": ["end", "error"],
    "sys_deploy": ["change"],
    "authn_login_success": ["start"],
    "authn_login_fail": ["start", "denied"],
    "session_created": ["start"],
    "session_expired": ["end"],
}
_SEVERITIES = {"INFO": 6, "WARN": 4, "CRITICAL": 2}  # RFC 5424 6.2.1


def ecs_document(found: Found) -> dict[str, Any]:
    """Return a record as a document."""
    event = found.record.event
    facts = facts_of(event)

    return maybe(
        {
            "@timestamp": encode_time(event.time).decode(),
            "ecs": {"version": ECS_VERSION},
            "event": _event(found),
            "log": {"level": level_of(event).lower()},
            "service": _service(event),
            "host": maybe({"hostname": facts.host}),
            "process": maybe({"pid": facts.pid}),
            "source": _source(facts),
            "client": _source(facts),
            "user": _user(event),
            "http": _http(event),
            "url": _url(event),
            "user_agent": maybe({"original": field_line(event, b"user-agent")}),
            "tls": _tls(event),
            "error": _error(event),
            "message": _said(event, "reason"),
            "audit_mw": _ours(found),
        }
    )


def _event(found: Found) -> dict[str, object]:
    event = found.record.event
    kind, category, types = _KINDS[event.stream]
    micros = event.micros

    return maybe(
        {
            "id": readable(event.event),
            "kind": kind,
            "category": category,
            "type": _TYPES.get(event.type, types),
            "action": readable(event.type),
            "outcome": _OUTCOMES.get(event.outcome, "unknown"),
            "module": "audit_mw",
            "dataset": f"audit_mw.{event.stream}",
            "provider": readable(event.instance),
            "sequence": found.record.seq,
            "severity": _SEVERITIES[level_of(event)],
            "duration": None if micros is None else micros * 1000,
            "reason": _said(event, "reason"),
            "original": found.text[:-1].decode("ascii"),
        }
    )


def _service(event: Event) -> dict[str, object]:
    node = {"name": readable(event.instance)}

    return maybe(
        {
            "name": readable(event.service),
            "version": _said(event, "version"),
            "node": node,
        }
    )


def _source(facts: Facts) -> dict[str, object]:
    if facts.client is None:
        return {}
    ip = None if facts.client.ip is None else facts.client.text

    return maybe({"address": facts.client.text, "ip": ip, "port": facts.port})


def _user(event: Event) -> dict[str, object]:
    roles = event.details.get("roles")
    shown = (
        [readable(it) for it in roles if isinstance(it, (bytes, tuple))]
        if (isinstance(roles, list))
        else None
    )
    name = None if event.user is None else readable(event.user)

    return maybe({"name": name, "roles": shown})


def _http(event: Event) -> dict[str, object]:
    request = maybe(
        {
            "method": None if event.method is None else readable(event.method),
            "body": maybe({"bytes": _count(event, "request_len")}),
            "referrer": field_line(event, b"referer"),
        }
    )
    response = maybe(
        {"status_code": event.status, "body": maybe({"bytes": event.sent})}
    )

    return maybe(
        {
            "version": _said(event, "http_version"),
            "request": request,
            "response": response,
        }
    )


def _url(event: Event) -> dict[str, object]:
    if event.path is None:
        return {}

    return maybe(
        {
            "path": shown_url(event.path),
            "scheme": _said(event, "scheme"),
            "domain": field_line(event, b"host"),
        }
    )


def _tls(event: Event) -> dict[str, object]:
    cipher = _said(event, "tls_cipher")

    return maybe({"version": _said(event, "tls_version"), "cipher": cipher})


def _error(event: Event) -> dict[str, object]:
    if event.stream not in ("error", "fault"):
        return {}
    trace = event.details.get("traceback")
    stack = None
    if isinstance(trace, bytes):  # lines are what it is made of
        stack = trace.decode(errors="backslashreplace")

    return maybe({"message": _said(event, "reason"), "stack_trace": stack})


def _ours(found: Found) -> dict[str, object]:
    event = found.record.event

    return maybe(
        {
            "stream": event.stream,
            "outcome": readable(event.outcome),
            "session": None if event.session is None else readable(event.session),
            "peer": None if event.peer is None else readable(event.peer),
            "action": None if event.action is None else readable(event.action),
            "rows": event.rows,
            "micros": event.micros,
        }
    )


def _said(event: Event, key: str) -> str | None:
    value = event.details.get(key)

    return readable(value) if isinstance(value, (bytes, tuple)) else None


def _count(event: Event, key: str) -> int | None:
    value = event.details.get(key)

    return value if type(value) is int else None
