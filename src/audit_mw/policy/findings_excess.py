# More than a record takes: params, values, a body.
#
# Nothing is cut silently, so the record says what is missing; this says that somebody
# should look.
from collections.abc import Iterable

from audit_mw.event import Param, Rest, Spilled
from audit_mw.policy.findings import Finding, Limits, Received
from audit_mw.policy.findings_coding import declared_kind, tails

__all__ = ["excess_input", "is_beyond"]


def is_beyond(received: Received, kind: str, limits: Limits) -> bool:
    """Tell whether a body was too long to be read at all."""
    # Of more than may be held, a JSON document is not read at all.
    return kind == "json" and received.read > limits.max_body


def excess_input(
    received: Received, limits: Limits, *, has_tail: bool
) -> Finding | None:
    """
    Return what a record does not take.

    Args:
        received: the exchange.
        limits: of the options.
        has_tail: whether there may be a part of the body that no parser understood.
    """
    params = received.params
    reasons, shown = [], []
    if params and isinstance(params[-1].value, Rest):
        reasons.append("more params than a record takes")
        shown.append(params[-1])
    left = tails(params) if has_tail else []
    if left and is_beyond(received, declared_kind(received.fields), limits):
        reasons.append("body beyond max_body")
        shown += left
    cut = _cut(received.cut, left, limits) if received.cut else None
    if cut:
        reasons.append("values beyond what is kept")
    if not reasons:
        return None

    return Finding("excess_input", reasons, shown, len(shown), cut)


def _cut(
    cut: dict[str, object], left: Iterable[Param], limits: Limits
) -> dict[str, object] | None:
    # An upload of a type that may be kept unread is expected to be large.
    uploads = {
        param.value.len
        for param in left
        if isinstance(param.value, Spilled) and param.value.len > limits.max_body
    }

    return None if uploads and cut == {"count": 1, "len": sum(uploads)} else cut
