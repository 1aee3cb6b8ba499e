# audit-mw mark: what was done to the service is on record, and who says so.
import os
import pwd
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from tests.edges.audited import read_trail

from audit_mw.cli import main
from audit_mw.event import Event, Hole
from audit_mw.trail.record import decode_line
from audit_mw.verify.judge import verify_trail

TOOL = Path(sys.executable).with_name("audit-mw")
NOBODY = 65_534


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail that nobody has written to yet."""
    path = tmp_path / "trail"
    path.mkdir()

    return path


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["mark", *map(str, arguments)])


def marked(trail: Path, kind: str = "sys_deploy") -> Event:
    """Return the one record of a kind."""
    (event,) = [each for each in read_trail(trail, "system") if each.type == kind]

    return event


def _login() -> bytes:
    told = Path("/proc/self/loginuid")
    uid = int(told.read_text()) if told.exists() else 0xFFFF_FFFF
    uid = os.getuid() if uid == 0xFFFF_FFFF else uid

    return pwd.getpwuid(uid).pw_name.encode()


def test_deploy(trail: Path) -> None:
    """A deployment is a record with its version, and with the login of who says it."""
    shown = run("deploy", "--version", "2026.11.1", "--trail", trail)
    event = marked(trail)

    assert (shown.exit_code, shown.output) == (0, "")
    assert (event.stream, event.outcome) == ("system", "SUCCESS")
    assert event.details == {"version": b"2026.11.1", "app": {"by": _login()}}


def test_by_and_note(trail: Path) -> None:
    """Who is named answers for it; the login stays, whatever is said."""
    given = ["--version", "7", "--by", "j.doe", "--note", "after the audit"]
    run("deploy", *given, "--trail", trail)

    assert marked(trail).details == {
        "responsible": b"j.doe",
        "version": b"7",
        "app": {"note": b"after the audit", "by": _login()},
    }


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("restart", "sys_restart"),
        ("monitor_disabled", "sys_monitor_disabled"),
        ("monitor_enabled", "sys_monitor_enabled"),
    ],
)
def test_other_marks(what: str, kind: str, trail: Path) -> None:
    """What else is done to a service has a name of its own, and needs no version."""
    assert run(what, "--trail", trail).exit_code == 0
    assert marked(trail, kind).details == {"app": {"by": _login()}}


def test_service(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record has the service that the options name."""
    monkeypatch.setenv("AUDIT_MW_SERVICE", "bank")
    run("deploy", "--version", "7", "--trail", trail)

    assert marked(trail).service == b"bank"


def test_console(tmp_path: Path) -> None:
    """On a host that collects the console the record comes there, and nothing else."""
    environ = {
        "AUDIT_MW_TRAIL": "stdout",
        "AUDIT_MW_JOURNAL_DIR": str(tmp_path),
        "AUDIT_MW_KEY": b64encode(bytes(32)).decode(),
    }
    done = subprocess.run(
        [TOOL, "mark", "deploy", "--version", "7"],
        capture_output=True,
        check=True,
        env=os.environ | environ,
    )
    lines = [line for line in done.stdout.splitlines(keepends=True) if b"\t" in line]
    events = [decode_line(line).event for line in lines if line[:1] != b"#"]

    assert b"".join(lines) == done.stdout
    assert [event.type for event in events] == TYPES
    assert events[1].details["version"] == b"7"


TYPES = ["sys_startup", "sys_deploy", "sys_shutdown"]


def test_secret_in_a_note(trail: Path) -> None:
    """A password that slips into a note is withheld, as a client's would be."""
    note = "rolled out with password=hunter2"
    run("deploy", "--version", "7", "--note", note, "--trail", trail)
    app = marked(trail).details["app"]

    assert isinstance(app, dict)
    assert app["note"] == (b"rolled out with password=", Hole(7, "password"))


def test_line_in_a_note(trail: Path) -> None:
    """What is typed ends no line."""
    note = "one\n9\ttwo"
    run("deploy", "--version", "\x1b[2J", "--note", note, "--trail", trail)

    assert marked(trail).details["version"] == b"\x1b[2J"
    assert list(verify_trail(trail).findings) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["deploy"], "a deployment has a version", id="no version"),
        pytest.param(["deploy", "--version", ""], "has a version", id="empty"),
        pytest.param(["deploy", "--version", "x" * 257], "256 is the most", id="long"),
        pytest.param(["dploy", "--version", "7"], "is not one of 'deploy'", id="what"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, trail: Path) -> None:
    """What is wrong is said, with exit code 2, and nothing is written."""
    shown = run(*arguments, "--trail", trail)

    assert shown.exit_code == 2
    assert said in shown.stderr
    assert list(trail.iterdir()) == []


def test_no_trail(tmp_path: Path) -> None:
    """A deployment makes no trail where none is: the path may be misspelt."""
    assert run("deploy", "--version", "7", "--trail", tmp_path / "no").exit_code == 2


def test_cannot_be_written(trail: Path) -> None:
    """Where the trail takes no record the command fails, and says why."""
    (trail / "system").write_text("in the way")
    shown = run("deploy", "--version", "7", "--trail", trail)

    assert shown.exit_code == 2
    assert "takes no record" in shown.stderr


def test_owner() -> None:
    """Whatever root's command makes belongs to the trail's owner."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it gives a trail to somebody else")
    with TemporaryDirectory() as trail:  # others may not enter that of pytest
        os.chown(trail, NOBODY, NOBODY)
        command = [str(TOOL), "mark", "deploy", "--version", "7", "--trail", trail]
        subprocess.run(command, check=True)
        owners = {path.stat().st_uid for path in Path(trail).rglob("*")}

    assert owners == {NOBODY}
