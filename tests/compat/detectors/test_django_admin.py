# An hour in Django's admin makes no security record but the one that is due.
import subprocess
import sys
from pathlib import Path

from tests.edges.audited import read_trail
from tests.generated import ROOT

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
    alarms = read_trail(trail, "security")
    assert [(it.type, it.event) for it in alarms] == [("param_mismatch", due.event)]
    assert len(events) > _MAJORITY
    assert {event.status for event in events} == {200, 302}
    assert len({event.session for event in events}) > 1
