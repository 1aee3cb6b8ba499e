# What detectors look at, and what they say: values, and nothing that computes.
from collections.abc import Collection, Sequence
from typing import NamedTuple

from audit_mw.event import Param, Params, Text
from audit_mw.policy.client import Client

__all__ = ["Finding", "Found", "Limits", "Received"]


class Limits(NamedTuple):
    """
    Which detectors are on, and the options that they go by.

    `claims` are the headers that name the address that a request is of.
    """

    detectors: Collection[str]
    max_body: int
    opaque_types: Collection[str]
    claims: Collection[bytes]


class Received(NamedTuple):
    """
    One exchange, as its record has it.

    Args:
        params: all of them, redacted, with how each stands in the record.
        fields: the field lines, as sent.
        path: redacted.
        client: the address that policy settled on, and how.
        sent_as: [index, name, value] of params whose coding was not the plain one.
        cut: what a limit kept out of the values stream: count, len.
        user: the principal, redacted; None where it was told of before.
        read: bytes of the body that were read.
        ended: whether that was all of it.
        is_news: whether the forwarding headers of this peer, which is not trusted, are.
        before: addresses that the session was used from, where this one is new.
    """

    params: Params
    fields: Sequence[tuple[bytes, bytes]]
    path: Text
    client: Client
    sent_as: Sequence[object]
    cut: dict[str, object]
    user: Text | None
    read: int
    ended: bool
    is_news: bool
    before: Sequence[bytes]


class Finding(NamedTuple):
    """
    What was found, why that is one, and the params that show it.

    `total` is of all that do; `cut` as in details.
    """

    name: str
    reasons: Sequence[str]
    evidence: Sequence[Param]
    total: int
    cut: dict[str, object] | None = None


class Found(NamedTuple):
    """The findings of one exchange, and what is odd about it but no finding."""

    findings: list[Finding]
    notes: list[bytes]

    @property
    def shows_user(self) -> bool:
        """Whether the principal is among the evidence."""
        return any(
            param.source == "user"
            for finding in self.findings
            for param in finding.evidence
        )
