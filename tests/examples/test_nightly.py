# The script that closes the day, and what it leaves in the trail.
from decimal import Decimal
from pathlib import Path

from examples.nightly import close_day
from tests.edges.audited import read_trail

from audit_mw.event import Event


def _closed(trail: Path) -> Event:
    (closed,) = (e for e in read_trail(trail, "system") if e.type == "day_closed")

    return closed


def test_day_closed(tmp_path: Path) -> None:
    """What was sent and that the day is closed are on record, and who answers for it."""
    close_day(str(tmp_path))
    (call,) = read_trail(tmp_path, "request")
    closed = _closed(tmp_path)

    assert (call.type, call.outcome, call.rows) == ("call", "SUCCESS", 2)
    assert call.action == b"sftp://clearing.example/in"
    assert (closed.outcome, closed.service) == ("SUCCESS", b"bank-nightly")
    for event in (call, closed):
        assert event.details["automation"] == b"nightly"
        assert event.details["responsible"] == b"j.doe"
    assert closed.details["app"] == {"accounts": 2}


def test_no_balance(tmp_path: Path) -> None:
    """What does not add up is not sent; the failure is on record."""
    close_day(str(tmp_path), {"22051101": Decimal("0.01")})
    closed = _closed(tmp_path)

    assert (closed.outcome, closed.details["reason"]) == ("FAILURE", b"no balance")
    assert read_trail(tmp_path, "request") == []
