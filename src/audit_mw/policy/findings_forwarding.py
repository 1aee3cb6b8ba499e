# A header that names the client, from who may not set one; or malformed, from who may.
#
# Where no proxy is declared, one that is there makes such a header for each request. So
# the caller tells whether it is news.
from collections.abc import Collection

from audit_mw.policy.client import FORWARDING_FIELDS
from audit_mw.policy.findings import Finding, Received

__all__ = ["claiming_fields", "forged_forwarding"]

# Headers that name an address, a host or a path; the others say nothing that anybody
# gains by, and what checks the health of a service sends them.
_CLAIMS = FORWARDING_FIELDS - set(
    b"via x-forwarded-proto x-forwarded-port x-forwarded-ssl x-forwarded-prefix "
    b"x-forwarded-by x-forwarded-server".split()
)


def claiming_fields(forwarded_by: str) -> frozenset[bytes]:
    """Return the headers that name the address, host or path that a request is of."""
    return frozenset({*_CLAIMS, forwarded_by.encode()})


def forged_forwarding(received: Received, claims: Collection[bytes]) -> Finding | None:
    """Return what a peer claims that may not, or what is malformed of one that may."""
    via = received.client.via
    if via == "malformed":
        reason = "malformed"
    elif via == "untrusted-claim" and received.is_news:
        reason = "peer is no trusted proxy"
    else:
        return None
    sent = {name for name, _ in received.fields if name in claims}
    lines = [
        param
        for param in received.params
        if param.source == "header" and param.name in sent
    ]

    return Finding("forged_forwarding", (reason,), lines, len(lines)) if sent else None
