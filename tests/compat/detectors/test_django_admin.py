# An hour in Django's admin alarms nobody, but for the one request that is due; what the
# integration says of the admin is no alarm.
import subprocess
import sys
from pathlib import Path

from tests.edges.audited import read_trail
from tests.generated import ROOT

from audit_mw.option_readers import DETECTORS

USERS = ["alice", "žemaitė"]  # whom the integration vouches for
ADMIN = {"authz_admin", "authz_change", "user_created"}
_MAJORITY = 60  # requests; fewer would be no hour


def test_django_admin(tmp_path: Path) -> None:
    """Logins, filters, lists, inline forms and many choices alarm nobody."""
    trail = tmp_path / "trail"
    command = [sys.executable, "-m", "tests.compat.detectors.admin_hour", str(trail)]
    hour = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert hour.returncode == 0, hour.stderr[-3000:]

    events = read_trail(trail, "request")
    due = [event for event in events if event.method == b"POST"][-1]
    told = read_trail(trail, "security")
    alarms = [event for event in told if event.type in DETECTORS]
    assert [(it.type, it.event) for it in alarms] == [("param_mismatch", due.event)]
    assert {it.type for it in told} - set(DETECTORS) == ADMIN
    assert {event.user for event in events} == {None, *map(str.encode, USERS)}
    assert len(events) > _MAJORITY
    assert {event.status for event in events} == {200, 302}
    assert len({event.session for event in events}) > 1
