# What a request shows of itself that the security officer is to see -> findings.
#
# Each detector looks at one exchange, as it stands in its record: redacted and bounded.
# What it finds names its evidence, so that nobody must believe it.
#
# Rule 1: no alarm on ordinary traffic. What ordinary clients send, too, is at most a
#         note in the request's own record.
# Rule 2: an ordinary request costs one look at each param. All else is looked at only
#         where that look found a reason to.
# Rule 3: a detector gives one finding at most, whatever the client sends.
#
# What goes beyond one request, where a session was seen before, is told by the caller.
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from audit_mw.event import Param, Params, Text
from audit_mw.policy.findings import Finding, Found, Limits, Received
from audit_mw.policy.findings_coding import (
    declared_kind,
    is_malformed_path,
    malformations,
    misnamed,
    tails,
)
from audit_mw.policy.findings_excess import excess_input, is_beyond
from audit_mw.policy.findings_forwarding import forged_forwarding
from audit_mw.policy.findings_mismatch import judge_repeats, plain_name
from audit_mw.policy.findings_users import deceptions, names_person

__all__ = ["HONEST", "detect", "is_ordinary", "names_in_document"]


class _Glance(NamedTuple):
    # What one look at each param gives.
    again: set[Text]  # names that stand more than once
    coded: list[Param]  # with bytes that are not printable ASCII, or a "%"
    has_tail: bool


_Detector = Callable[[Received, _Glance, Limits], "Finding | None"]


def detect(received: Received, limits: Limits) -> Found:
    """Return what an exchange shows."""
    glance = _look(received.params)
    findings = [
        finding
        for name, detector in _DETECTORS.items()
        if name in limits.detectors
        if (finding := detector(received, glance, limits)) is not None
    ]
    notes: list[bytes] = []
    if glance.again and "param_mismatch" in limits.detectors:
        judged = judge_repeats(received.params, glance.again)
        notes = judged.notes
        if judged.names:
            reasons = ("different values in two sources",)
            mismatch = Finding(
                "param_mismatch", reasons, judged.params, len(judged.params)
            )
            findings.insert(0, mismatch)

    return Found(findings, notes)


def is_ordinary(params: Params, path: Text, user: Text | None, via: str) -> bool:
    """
    Tell whether there is nothing to look for, as in nearly all exchanges.

    It is asked before anything else, so that these pay no more than this. What was
    sent in an odd coding, cut or seen elsewhere is for the caller to see.
    """
    if b'["json"' in b"".join(params.coded or ()):
        return False
    names = [param.name for param in params if param.source != "header"]
    # What stands in the record is printable ASCII: "%" begins what was coded, and our
    # own words. A quote of a client's has a backslash before it.
    coded = b"".join((params.coded or ())[: len(names)])

    return (
        len(set(names)) == len(names)
        and None not in names
        and b"%" not in coded
        and isinstance(path, bytes)
        and b"%" not in path
        and via in HONEST
        and (user is None or _is_plain(user))
    )


def names_in_document(params: Params) -> frozenset[Text] | None:
    """
    Return the names that a JSON document gives to an application.

    Args:
        params: the document's.

    Returns:
        None where they show something, whatever they stand beside.
    """
    glance = _look(params)
    if glance.again or glance.has_tail or any(map(_is_odd, glance.coded)):
        return None
    names = (plain_name(param) for param in params)

    return frozenset(name for name in names if name is not None)


def _is_odd(param: Param) -> bool:
    name = param.name
    if not isinstance(name, bytes) or next(malformations(param), None) is not None:
        return True

    return names_person(name) and any(deceptions(_exact(param.value)))


HONEST = {"direct", "proxied"}  # by what the client was found, with no claim


def _look(params: Params) -> _Glance:
    again: set[Text] = set()
    first: dict[Text, Param] = {}
    has_tail = False
    number = 0
    for param in params:
        source, name, _ = param
        if source == "header":
            break  # these come last
        number += 1
        if source == "json":
            if isinstance(name, bytes) and name.count(b"/") != 1:
                continue  # as `plain_name` has it: most are below another name
            name = plain_name(param)
        if name:
            if first.setdefault(name, param) is not param:
                again.add(name)
        elif source == "body":
            has_tail = True

    return _Glance(again, _with_codes(params, number), has_tail)


def _with_codes(params: Params, number: int) -> list[Param]:
    codes = (params.coded or ())[:number]
    if b"%" not in b"".join(codes):
        return []

    return [param for param, code in zip(params, codes, strict=False) if b"%" in code]


# --- the detectors


def _deceptive_user(
    received: Received, glance: _Glance, _limits: Limits
) -> Finding | None:
    named = [
        param
        for param in glance.coded
        if isinstance(param.name, bytes) and names_person(param.name)
    ]
    user = received.user
    if user is not None and not _is_plain(user):
        named.append(Param("user", None, user))
    found = {
        index: reasons
        for index, param in enumerate(named)
        if (reasons := tuple(deceptions(_exact(param.value))))
    }

    return _finding("deceptive_user", found, named)


def _is_plain(user: Text) -> bool:
    return isinstance(user, bytes) and user.isascii() and user.decode().isprintable()


def _exact(value: object) -> bytes:
    if isinstance(value, tuple):
        return b"".join(part for part in value if isinstance(part, bytes))

    return value if isinstance(value, bytes) else b""


def _finding(
    name: str, found: dict[int, tuple[str, ...]], params: Sequence[Param]
) -> Finding | None:
    if not found:
        return None
    reasons = dict.fromkeys(each for said in found.values() for each in said)

    return Finding(name, tuple(reasons), [params[at] for at in found], len(found))


def _forged_forwarding(
    received: Received, _glance: _Glance, limits: Limits
) -> Finding | None:
    return forged_forwarding(received, limits.claims)


def _malformed_input(
    received: Received, glance: _Glance, limits: Limits
) -> Finding | None:
    shown = list(glance.coded)
    found = {
        index: reasons
        for index, param in enumerate(shown)
        if (reasons := tuple(malformations(param)))
    }
    for param, reason in _others(received, glance, limits):
        found[len(shown)] = (reason,)
        shown.append(param)

    return _finding("malformed_input", found, shown)


def _others(
    received: Received, glance: _Glance, limits: Limits
) -> Iterator[tuple[Param, str]]:
    if received.path != b"/" and is_malformed_path(received.path):
        yield Param("path", None, received.path), "path"
    kind = declared_kind(received.fields) if received.sent_as or glance.has_tail else ""
    for param in misnamed(received.params, received.sent_as, kind):
        yield param, "name in malformed percent coding"
    if not glance.has_tail or not received.ended or kind not in ("json", "multipart"):
        return
    if not is_beyond(received, kind, limits):
        for param in tails(received.params):
            yield param, f"body that is no {kind}"


def _excess_input(
    received: Received, glance: _Glance, limits: Limits
) -> Finding | None:
    return excess_input(received, limits, has_tail=glance.has_tail)


def _session_new_address(
    received: Received, _glance: _Glance, _limits: Limits
) -> Finding | None:
    if not received.before:
        return None
    seen = [Param("before", None, address) for address in received.before]
    now = Param("now", None, received.client.address)

    return Finding(
        "session_new_address", ("another address",), [now, *reversed(seen)], len(seen)
    )


_DETECTORS: dict[str, _Detector] = {
    "deceptive_user": _deceptive_user,
    "forged_forwarding": _forged_forwarding,
    "malformed_input": _malformed_input,
    "excess_input": _excess_input,
    "session_new_address": _session_new_address,
}
