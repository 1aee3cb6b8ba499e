# What docs/detectors.md shows is what is recorded.
import pytest
from tests.detectors.exchanges import FORM, Shown, make_rules, show
from tests.generated import ROOT

from audit_mw.event import Event
from audit_mw.option_readers import DETECTORS
from audit_mw.trail.record import COLUMNS, decode_line

_SESSION = (b"cookie", b"sessionid=0123456789abcdef0123456789abcdef")
_PEER = "198.51.100.7"


def _samples() -> dict[str, Event]:
    text = (ROOT / "docs" / "detectors.md").read_text()
    lines = [line for line in text.splitlines() if line.count("\t") == len(COLUMNS) - 1]
    events = [decode_line(f"{line}\n".encode()).event for line in lines]

    return {event.type: event for event in events}


def _moved() -> Shown:
    rules = make_rules()
    show(rules, b"", _SESSION, peer=_PEER)

    return show(rules, b"", _SESSION, peer="203.0.113.5")


_MANY = b"&".join(b"p%d=%d" % (number, number) for number in range(4096))
_SHOWN = {
    "param_mismatch": lambda: show(
        None, b"account=22051101", FORM, body=b"account=22051102&amount=5", peer=_PEER
    ),
    "deceptive_user": lambda: show(
        None, b"", FORM, body=b"user=%D0%B0dmin&password=x", peer=_PEER
    ),
    "forged_forwarding": lambda: show(
        None, b"", (b"x-forwarded-for", b"203.0.113.99"), peer=_PEER
    ),
    "malformed_input": lambda: show(None, b"file=..%c0%af..%c0%afetc", peer=_PEER),
    "excess_input": lambda: show(None, b"", FORM, body=_MANY, peer=_PEER),
    "session_new_address": _moved,
}


@pytest.mark.parametrize("name", DETECTORS)
def test_sample(name: str) -> None:
    """The line of each finding is what its request makes, but for when and where."""
    sample = _samples()[name]
    made = _SHOWN[name]().alarms[name]

    assert sample.details == made.details
    assert (sample.stream, sample.outcome) == (made.stream, made.outcome)
    assert (sample.client, sample.session) == (made.client, made.session)
