# The trail of which docs/reading.md tells: a small shop, and what happened there.
from dataclasses import replace
from pathlib import Path

from tests.trail.samples import spill_of
from tests.upkeep.trails import add, add_values

from audit_mw.event import Event, Param, Redacted, Spilled
from audit_mw.policy.keyring import Keyring

__all__ = ["KEY", "TOKEN", "make_shop"]

DAY = "2026-11-21.log"
KEY = bytes(range(32))
TOKEN = b"8f14e45fceea167a5a36dedd4bea2543"
_TIME = 1_795_238_767_123_456
_ALICE = "019aa4f2-35c3-7a1b-8c4d-5e6f70819203"
_EVENT = Event(
    time=_TIME,
    event=_ALICE,
    stream="request",
    type="request",
    outcome="SUCCESS",
    service=b"shop",
    instance="web1:4711:1eeb7084",
    client=b"192.0.2.7",
    method=b"GET",
    path=b"/",
    status=200,
    sent=512,
    micros=1834,
)


def make_shop(trail: Path) -> Path:
    """Write the trail; return it."""
    digest = Keyring(KEY).digest(TOKEN)
    cookie = Param("cookie", b"sessionid", Redacted(32, "token", digest))
    comment = b"Please call me back. " * 20
    spilled = Spilled(len(comment), spill_of(comment).sha256)
    login = (
        Param("form", b"user", b"alice"),
        Param("form", b"password", Redacted(6, "password")),
    )
    failed = _made(
        0, method=b"POST", path=b"/login", status=401, outcome="FAILURE", params=login
    )
    order = _made(
        60,
        event="019aa4f3-2023-7b2c-9d5e-6f708192a314",
        method=b"POST",
        path=b"/orders",
        user=b"alice",
        session=digest,
        params=(
            Param("form", b"item", "\u0440en".encode()),
            Param("form", b"note", spilled),
            cookie,
        ),
    )
    broken = _made(
        61,
        event="019aa4f3-240b-7c3d-8e6f-708192a3b425",
        path=b"/orders/17",
        status=500,
        outcome="ERROR",
        client=b"198.51.100.9",
        params=(Param("query", b"page", b"-1\x1b[2J"), cookie),
    )
    said = _made(
        0, stream="session", type="authn_login_fail", outcome="FAILURE", user=b"alice"
    )
    said = replace(
        said,
        method=None,
        path=None,
        status=None,
        sent=None,
        details={"reason": b"wrong password"},
    )
    fault = replace(
        broken,
        stream="fault",
        params=(),
        details={
            "reason": b"ValueError",
            "traceback": b'Traceback:\n  File "shop.py", line 7, in order\nValueError: page\n',
        },
    )
    add(trail, DAY, (1, failed), (2, order), (3, broken))
    add(trail, DAY, (1, said), stream="session")
    add(trail, DAY, (1, fault), stream="fault")
    add_values(trail, DAY, comment)
    key = trail / ".key"
    key.write_bytes(KEY)
    key.chmod(0o600)

    return trail


def _made(seconds: int, **changes: object) -> Event:
    return replace(_EVENT, time=_TIME + seconds * 1_000_000, **changes)  # type: ignore[arg-type] # columns by their names
