# A record -> one event by the Open Cybersecurity Schema Framework.
#
# The stream chooses the class, the type or the method what was done in it:
#
#     request    HTTP Activity; API Activity for a `call`
#     session    Authentication
#     security   Detection Finding
#     error, fault   Application Error
#     system     Application Lifecycle
#     debug      Base Event
#
# Rule 1: an activity that a class has no number for is 99, with its own name beside it;
#         and so for an outcome.
# Rule 2: params and details are `unmapped`, coded as in the record; the whole record is
#         `raw_data`.
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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
from audit_mw.trail.record import COLUMNS

__all__ = ["OCSF_VERSION", "ocsf_event"]

OCSF_VERSION = "1.5.0"
_OTHER = 99
_SEVERITIES = {"INFO": 1, "WARN": 3, "CRITICAL": 5}
_STATUS = {"SUCCESS": 1, "FAILURE": 2, "ERROR": 2}
_METHODS = "CONNECT DELETE GET HEAD OPTIONS POST PUT TRACE".split()
_LOGINS = {
    "authn_login_success": 1,
    "authn_login_successafterfail": 1,
    "authn_login_fail": 1,
    "authn_login_fail_max": 1,
    "session_created": 1,
    "session_expired": 2,
}
_LIFE = {
    "sys_startup": 3,
    "sys_shutdown": 4,
    "sys_crash": 4,
    "sys_restart": 5,
    "sys_reload": 5,
    "sys_monitor_enabled": 6,
    "sys_monitor_disabled": 7,
    "sys_deploy": 8,
}
_PLACES = {column.name: place for place, column in enumerate(COLUMNS)}


class _Class(NamedTuple):
    uid: int
    activity: Callable[[Event], int]
    body: Callable[[Found, Facts], dict[str, object]]

    @property
    def category(self) -> int:
        return self.uid // 1000


def ocsf_event(found: Found) -> dict[str, Any]:
    """Return a record as an event."""
    event = found.record.event
    facts = facts_of(event)
    kind = _CLASSES["call" if event.type == "call" else event.stream]
    activity = kind.activity(event)
    said = {
        "class_uid": kind.uid,
        "category_uid": kind.category,
        "activity_id": activity,
        "activity_name": readable(event.type) if activity == _OTHER else None,
        "type_uid": kind.uid * 100 + activity,
        "time": event.time // 1000,
        "severity_id": _SEVERITIES[level_of(event)],
        "metadata": _metadata(found),
        "raw_data": found.text[:-1].decode("ascii"),
        "unmapped": _unmapped(found),
        **_status(event),
        **kind.body(found, facts),
    }

    return maybe(said)


def _metadata(found: Found) -> dict[str, object]:
    event = found.record.event

    return maybe(
        {
            "version": OCSF_VERSION,
            "product": {"name": "audit_mw", "vendor_name": "audit_mw"},
            # The profile brings `actor` to the classes of the network.
            "profiles": ["host"] if event.stream == "request" else None,
            "uid": f"{readable(event.instance)}/{event.stream}/{found.record.seq}",
            "correlation_uid": readable(event.event),
            "event_code": readable(event.type),
            "log_name": event.stream,
            "log_provider": readable(event.instance),
            "original_time": encode_time(event.time).decode(),
            "sequence": found.record.seq,
        }
    )


def _status(event: Event) -> dict[str, object]:
    status = _STATUS.get(event.outcome, _OTHER)

    return {
        "status_id": status,
        "status": readable(event.outcome),
        "status_code": None if event.status is None else str(event.status),
        "status_detail": _said(event, "reason"),
        "message": _said(event, "reason"),
    }


def _unmapped(found: Found) -> dict[str, object]:
    cells = found.text[:-1].split(b"\t")
    event = found.record.event

    return maybe(
        {
            "params": json.loads(cells[_PLACES["params"]]),
            "details": json.loads(cells[_PLACES["details"]]),
            "method": None if event.method is None else readable(event.method),
            "action": None if event.action is None else readable(event.action),
            "rows": event.rows,
            "micros": event.micros,
            "service": readable(event.service),
        }
    )


# --- classes


def _http_activity(event: Event) -> int:
    method = readable(event.method)

    return _METHODS.index(method) + 1 if method in _METHODS else _OTHER


def _http(found: Found, facts: Facts) -> dict[str, object]:
    event = found.record.event
    micros = event.micros
    response = maybe(
        {
            "code": event.status,
            "length": event.sent,
            "latency": None if micros is None else micros // 1000,
        }
    )

    return {
        "activity_name": readable(event.method) or readable(event.type),
        "http_request": _http_request(event),
        "http_response": response if "code" in response else None,
        "duration": None if micros is None else micros // 1000,
        "src_endpoint": _source(facts),
        "actor": _actor(event),
    }


def _http_request(event: Event) -> dict[str, object]:
    method = readable(event.method)
    url = {
        "path": shown_url(event.path),
        "hostname": field_line(event, b"host"),
        "scheme": _said(event, "scheme"),
    }

    return maybe(
        {
            "uid": readable(event.event),
            "http_method": method if method in _METHODS else None,  # no other may be
            "url": maybe(url),
            "user_agent": field_line(event, b"user-agent"),
            "referrer": field_line(event, b"referer"),
            "version": _said(event, "http_version"),
            "body_length": _count(event, "request_len"),
        }
    )


def _source(facts: Facts) -> dict[str, object]:
    if facts.client is None:
        return {}
    if facts.client.ip is None:
        return {"name": facts.client.text}

    return maybe({"ip": facts.client.text, "port": facts.port})


def _actor(event: Event) -> dict[str, object]:
    user = None if event.user is None else _user(event)
    session = None if event.session is None else {"uid": readable(event.session)}

    return maybe({"user": user, "session": session})


def _user(event: Event) -> dict[str, object]:
    # The class wants a user; one without a name is of an unknown kind.
    unknown = {"name": "", "type_id": 0}

    return unknown if not event.user else {"name": readable(event.user)}


def _authentication(found: Found, facts: Facts) -> dict[str, object]:
    event = found.record.event
    session = None if event.session is None else {"uid": readable(event.session)}

    return {
        "user": _user(event),
        "service": {"name": readable(event.service)},
        "src_endpoint": _source(facts),
        "session": session,
        "auth_protocol": _said(event, "method"),
    }


def _finding(found: Found, facts: Facts) -> dict[str, object]:
    event = found.record.event
    kind = readable(event.type)
    info = {
        "uid": f"{readable(event.event)}/{found.record.seq}",
        "title": kind,
        "types": [kind],
        "desc": _said(event, "reason"),
        "created_time": event.time // 1000,
    }
    evidence = {"src_endpoint": _source(facts), "actor": _actor(event)}

    return {
        "finding_info": maybe(info),
        "evidences": [maybe(evidence)] if maybe(evidence) else None,
        "is_alert": True,
        "status_id": 1,  # new: what became of it is not for a log to say
        "status": "New",
    }


def _lifecycle(found: Found, _facts: Facts) -> dict[str, object]:
    event = found.record.event
    app = {"name": readable(event.service), "version": _said(event, "version")}

    return {"app": maybe(app)}


def _call(found: Found, facts: Facts) -> dict[str, object]:
    event = found.record.event
    operation = readable(event.action) or readable(event.type)
    actor = {"app_name": readable(event.service)} | _actor(event)
    unknown = {"svc_name": readable(event.service)}

    return {
        "api": {"operation": operation},
        "actor": actor,
        "src_endpoint": _source(facts) or unknown,
    }


def _nothing(_found: Found, _facts: Facts) -> dict[str, object]:
    return {}


def _by(numbers: Mapping[str, int]) -> Callable[[Event], int]:
    return lambda event: numbers.get(event.type, _OTHER)


_ALWAYS_ONE: Callable[[Event], int] = lambda _event: 1  # noqa: E731 - as those of _by
_CLASSES = {
    "request": _Class(4002, _http_activity, _http),
    "call": _Class(6003, _by({}), _call),
    "session": _Class(3002, _by(_LOGINS), _authentication),
    "security": _Class(2004, _ALWAYS_ONE, _finding),
    "error": _Class(6008, _ALWAYS_ONE, _nothing),
    "fault": _Class(6008, _ALWAYS_ONE, _nothing),
    "system": _Class(6002, _by(_LIFE), _lifecycle),
    "debug": _Class(0, _by({}), _nothing),
}


def _said(event: Event, key: str) -> str | None:
    value = event.details.get(key)

    return readable(value) if isinstance(value, (bytes, tuple)) else None


def _count(event: Event, key: str) -> int | None:
    value = event.details.get(key)

    return value if type(value) is int else None
