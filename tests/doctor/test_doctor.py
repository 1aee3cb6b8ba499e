# audit-mw doctor: each thing that can be wrong with a deployment is found and named,
# and looking disturbs nothing.
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from tests.generated import ROOT
from tests.trail.samples import event
from tests.upkeep.trails import add, system

import audit_mw
from audit_mw.cli import main
from audit_mw.config import Config
from audit_mw.doctor.check import BAD, OK, UNKNOWN, WARNING, Check
from audit_mw.doctor.examine import examine
from audit_mw.doctor.life import look_at_digest
from audit_mw.doctor.options import look_at_clock, look_at_key, look_at_proxies
from audit_mw.doctor.recent import read_recent
from audit_mw.doctor.requirements import REQUIREMENTS, judge
from audit_mw.doctor.room import look_at_retention, look_at_room
from audit_mw.trail.clock import ClockState
from audit_mw.trail.closing import close_segment
from audit_mw.trail.names import period_of
from audit_mw.upkeep.mark import mark_trail
from audit_mw.upkeep.options import options_digest

DAY = "2026-11-21"
REWRITTEN = {"rewritten": {"by": b"uvicorn", "to": b"1.2.3.4"}}
NOW = 1_795_305_600.0  # 2026-11-22T00:00:00Z, a day after the records of the samples


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail as a service leaves it, where nobody else can write."""
    tmp_path.chmod(0o750)
    path = tmp_path / "trail"
    path.mkdir(0o750)
    mark_trail(path, "restart")

    return path


def checks(trail: Path, name: str, **options: object) -> list[Check]:
    """Return what the checks of a name say of a trail."""
    environ = options.pop("environ", {})
    roots = options.pop("roots", ())
    config = Config.load({"trail": str(trail), **options}, environ={})
    found = examine(config, NOW, roots=roots, environ=environ)  # type: ignore[arg-type] # as given

    return [check for check in found if check.name == name]


def states(found: list[Check]) -> set[str]:
    """Return the states of checks."""
    return {check.state for check in found}


def contents(trail: Path) -> dict[str, bytes]:
    """Return all that is in a directory."""
    return {
        str(path.relative_to(trail)): path.read_bytes() if path.is_file() else b""
        for path in sorted(trail.rglob("*"))
    }


def run(*arguments: object, **environ: str) -> Result:
    """Run the command in this process."""
    return CliRunner(env={"AUDIT_MW_TRAIL": None, **environ}).invoke(
        main, ["doctor", *map(str, arguments)]
    )


def test_trial(trail: Path) -> None:
    """A record goes through writer and reader; afterwards all is as it was before."""
    before = contents(trail)

    assert states(checks(trail, "trial")) == {OK}
    assert before == contents(trail)


def test_well(trail: Path) -> None:
    """Of a trail that is well, what is in it and where it lies is well."""
    names = ("modes", "owners", "links", "damage", "journals", "room", "refusal")
    add(trail, f"{DAY}.log", (1, event())).chmod(0o640)
    (trail / "request").chmod(0o750)

    assert all(states(checks(trail, name)) == {OK} for name in names)


def _chmod(mode: int) -> Callable[[Path], object]:
    return lambda trail: next((trail / "system").iterdir()).chmod(mode)


def _damage(trail: Path) -> None:
    path = next((trail / "system").glob("*.log"))
    path.write_bytes(path.read_bytes().replace(b"\tSUCCESS\t", b"\tFAILURE\t"))


@pytest.mark.parametrize(
    ("harm", "name", "state", "said"),
    [
        pytest.param(_chmod(0o644), "modes", BAD, "open to every user", id="modes"),
        pytest.param(
            lambda trail: (trail / "system" / "a.log").symlink_to(trail),
            "links",
            BAD,
            "a symbolic link",
            id="link",
        ),
        pytest.param(
            lambda trail: trail.parent.chmod(0o777),
            "parents",
            BAD,
            "every user may write",
            id="parent",
        ),
        pytest.param(
            lambda trail: trail.parent.chmod(0o1777),
            "parents",
            WARNING,
            "every user may write",
            id="sticky parent",
        ),
        pytest.param(
            _damage, "damage", BAD, "of the last lines of system", id="damage"
        ),
        pytest.param(
            lambda trail: (trail / ".journal" / "a.journal").write_bytes(b"x" * 9999),
            "journals",
            BAD,
            "cannot be read",
            id="journal",
        ),
        pytest.param(
            lambda trail: (trail / ".doctor-x").mkdir(),
            "trial",
            WARNING,
            "a doctor that died",
            id="left over",
        ),
        pytest.param(
            lambda trail: add(
                trail,
                f"{DAY}.log",
                system(1, "log_gap", time=int((NOW - 3600) * 1e6)),
                stream="system",
            ),
            "troubles",
            WARNING,
            "1 times log_gap",
            id="gap",
        ),
        pytest.param(
            lambda trail: add(
                trail,
                f"{DAY}.log",
                (1, event(peer=b"[::1]:9", details=REWRITTEN)),
            ),
            "rewriting",
            WARNING,
            "'uvicorn' replaced the peer",
            id="rewritten",
        ),
    ],
)
def test_harm(
    trail: Path, harm: Callable[[Path], object], name: str, state: str, said: str
) -> None:
    """What was done to a trail is found, and named with its mend."""
    (trail / ".journal").mkdir(exist_ok=True)
    harm(trail)
    found = [check for check in checks(trail, name) if check.state == state]

    assert found
    assert said in found[0].said
    assert found[0].mend


def test_owner(trail: Path) -> None:
    """A segment of another user is named."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(next((trail / "system").iterdir()), 65_534, 65_534)

    assert states(checks(trail, "owners")) == {BAD}


def test_not_there(tmp_path: Path) -> None:
    """A trail that is not there is an error, and is not made."""
    shown = run("--trail", tmp_path / "none")

    assert shown.exit_code == 3
    assert "is not there" in shown.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("below", "roots", "state"),
    [
        pytest.param("a", (), UNKNOWN, id="nothing known"),
        pytest.param("static", (), WARNING, id="a name that is served"),
        pytest.param("a", ("a",), BAD, id="below what is served"),
        pytest.param("a", ("b",), UNKNOWN, id="what is not there"),
    ],
)
def test_served(tmp_path: Path, below: str, roots: tuple[str, ...], state: str) -> None:
    """A trail that a web server gives to whoever asks is found."""
    trail = tmp_path / below / "trail"
    trail.mkdir(parents=True)
    named = tuple(tmp_path / root for root in roots)

    assert states(checks(trail, "served", roots=named)) == {state}


@pytest.mark.parametrize(
    ("target", "state"),
    [("trail", BAD), ("trail/request", BAD), (".", BAD), ("other", OK)],
)
def test_served_by_a_link(tmp_path: Path, target: str, state: str) -> None:
    """A link in what is served, that leads to the trail, gives it away as well."""
    (tmp_path / "srv" / "img").mkdir(parents=True)
    (tmp_path / "trail" / "request").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "srv" / "img" / "logs").symlink_to(tmp_path / target)
    roots = (tmp_path / "srv",)

    found = checks(tmp_path / "trail", "served", roots=roots)
    assert states(found) == {state}


def _bury(trail: Path, kind: str, count: int = 1) -> None:
    """Put a record of yesterday into a segment that is closed."""
    told = [
        system(seq, kind, {"reason": b"x" * 4000}, time=int((NOW - 86_400) * 1e6))
        for seq in range(1, count + 1)
    ]
    closed = close_segment(
        add(trail, f"{DAY}.log", *told, stream="system"), lambda _: None
    )
    assert closed is not None


def test_closed_trouble(trail: Path) -> None:
    """A gap of yesterday is told, though its segment was closed at night."""
    _bury(trail, "log_gap")

    assert states(checks(trail, "troubles")) == {WARNING}


def test_too_much_to_look_at(trail: Path) -> None:
    """Where not all of the days could be read, nobody says that nothing happened."""
    _bury(trail, "sys_deploy", 3_000)

    assert states(checks(trail, "troubles")) == {UNKNOWN}


def test_nothing_to_look_at(tmp_path: Path) -> None:
    """Of a trail without a record nothing is said to be well that a record shows."""
    (tmp_path / "trail" / "request").mkdir(parents=True)

    for name in ("damage", "websockets", "rewriting", "ends"):
        assert states(checks(tmp_path / "trail", name)) == {UNKNOWN}, name


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user who may read nothing of others."""
    if os.geteuid():
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def readable(trail: Path) -> Iterator[Path]:
    """The same, where everybody can get to it."""
    # Not below pytest's own directory: what is above a trail is there for all tests.
    with TemporaryDirectory() as name:
        moved = shutil.copytree(trail, Path(name) / "trail")
        for path in (Path(name), moved, *moved.rglob("*.log"), *moved.glob("*/")):
            path.chmod(path.stat().st_mode | 0o755)
        yield moved


@pytest.mark.parametrize("hidden", ["", "system", "request", ".journal"])
def test_what_nobody_may_read(readable: Path, hidden: str) -> None:
    """What cannot be looked at from here is unknown, and no requirement by it met."""
    config = Config.load({"trail": str(readable)}, environ={})
    (readable / hidden).mkdir(exist_ok=True)
    (readable / hidden).chmod(0)
    try:
        with nobody():
            found = examine(config, NOW, environ={}, trial=False)
    finally:
        (readable / hidden).chmod(0o750)
    by = {
        "": {"modes", "damage", "journals"},
        "system": {"damage", "troubles", "ends", "options"},
        "request": {"damage", "websockets", "rewriting"},
        ".journal": {"journals"},
    }
    for name in by[hidden]:
        assert UNKNOWN in states([check for check in found if check.name == name]), name
        assert not any(
            each.state == "met" and name in each.requirement.checks
            for each in judge(found)
        )


def test_journals_elsewhere(trail: Path, tmp_path: Path) -> None:
    """Journals have records as well: that others can read them is told."""
    (tmp_path / "journals").mkdir(0o755)
    (tmp_path / "journals").chmod(0o755)
    found = checks(trail, "modes", journal_dir=str(tmp_path / "journals"))

    assert states(found) == {BAD}


def test_group(trail: Path) -> None:
    """What a group may change is told."""
    (trail / "system").chmod(0o770)
    os.chown(trail / "system", -1, os.getgroups()[-1] if os.geteuid() else 65_534)

    assert WARNING in states(checks(trail, "modes")) or os.geteuid()


def test_key_of_another(tmp_path: Path) -> None:
    """A key that somebody else owns is his as well."""
    if os.geteuid():
        pytest.skip("only root gives files away")
    (tmp_path / "trail").mkdir()
    key = tmp_path / "key"
    key.write_bytes(secrets.token_bytes(32))
    key.chmod(0o600)
    os.chown(key, 65_534, -1)
    config = Config(trail=str(tmp_path / "trail"), key_file=str(key))

    assert BAD in states(list(look_at_key(config)))


@pytest.mark.parametrize("kind", ["fifo", "directory", "link"])
def test_no_file_for_a_segment(trail: Path, kind: str) -> None:
    """What is no file where a segment is to stand is told, and not waited for."""
    path = trail / "system" / "2026-11-20.log"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")

    assert BAD in states(checks(trail, "damage"))


@pytest.mark.parametrize(
    ("proxies", "state"),
    [
        ([], OK),
        (["127.0.0.1", "unix", "10.0.0.0/8", "fd00::/8"], OK),
        (["203.0.114.7"], OK),
        (["9.0.0.0/8"], WARNING),
        (["8.0.0.0/6"], BAD),
        (["0.0.0.0/0"], BAD),
        (["::/0"], BAD),
    ],
)
def test_proxies(proxies: list[str], state: str) -> None:
    """Who believes everybody is told so; private networks are as they should be."""
    config = Config.load({"trusted_proxies": proxies}, environ={})

    assert states(list(look_at_proxies(config))) == {state}


@pytest.mark.parametrize(
    ("key", "state"),
    [
        pytest.param(secrets.token_bytes(32), OK, id="random"),
        pytest.param(b"correct horse battery staple, I think", WARNING, id="text"),
        pytest.param(b"\x01\xff" * 16, BAD, id="repeats"),
        pytest.param(bytes(range(32)), BAD, id="counts"),
        pytest.param(bytes(range(255, 0, -3)), BAD, id="counts down"),
        pytest.param(b"too-little", BAD, id="short"),
    ],
)
def test_key(tmp_path: Path, key: bytes, state: str) -> None:
    """A key that can be guessed is told, and never shown."""
    path = tmp_path / "key"
    path.write_bytes(key)
    path.chmod(0o600)
    found = list(look_at_key(Config.load({"key_file": str(path)}, environ={})))

    assert states(found) == {state}
    assert key.decode("latin-1") not in str(found)


def test_key_mode(tmp_path: Path) -> None:
    """A key that others can read is an error."""
    path = tmp_path / "key"
    path.write_bytes(secrets.token_bytes(32))
    path.chmod(0o644)
    found = list(look_at_key(Config.load({"key_file": str(path)}, environ={})))

    assert states(found) == {BAD}


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (ClockState(), UNKNOWN),
        (ClockState(synchronised=True, error=10, source="adjtimex"), OK),
        (ClockState(synchronised=True, error=10**7, source="adjtimex"), WARNING),
        (ClockState(synchronised=False, error=16, source="adjtimex"), WARNING),
    ],
)
def test_clock(told: ClockState, state: str) -> None:
    """What the kernel says of its clock is judged; what it does not say is not."""
    assert states(list(look_at_clock(told))) == {state}


@pytest.mark.parametrize(
    ("allowed", "expected"), [(None, UNKNOWN), ("10.0.0.1", WARNING), ("*", BAD)]
)
def test_environment(trail: Path, allowed: str | None, expected: str) -> None:
    """A server that was told to believe forwarding headers is named."""
    environ = {} if allowed is None else {"FORWARDED_ALLOW_IPS": allowed}

    assert states(checks(trail, "rewriting", environ=environ)) == {expected}


def test_claims(trail: Path) -> None:
    """Requests that mostly name another client point at a proxy that nobody trusts."""
    records = [
        (seq, event(peer=b"[::1]:9", details={"via": b"untrusted-claim"}))
        for seq in (1, 2)
    ]
    add(trail, f"{DAY}.log", *records)

    assert states(checks(trail, "proxies")) == {OK, WARNING}
    assert states(checks(trail, "proxies", trusted_proxies=["10.0.0.1"])) == {OK}


def test_ends(trail: Path) -> None:
    """Processes that end without a word are counted."""
    began = [system(seq, "sys_startup", instance=f"a:{seq}:b") for seq in (1, 2)]
    ended = system(2, "sys_shutdown", instance="a:1:b")
    add(trail, f"{DAY}.log", *began, ended, stream="system")
    (found,) = checks(trail, "ends")

    assert (found.state, found.said[:27]) == (WARNING, "1 of the last 3 processes e")


def test_websockets(trail: Path) -> None:
    """Where there are websockets, their messages are said to be counted only."""
    add(trail, f"{DAY}.log", (1, event(type="websocket", peer=b"[::1]:9")))

    assert states(checks(trail, "websockets")) == {WARNING}


def test_digest(tmp_path: Path) -> None:
    """The options of the service are known again; other ones are not taken for them."""
    options = {"trail": str(tmp_path / "trail"), "service": "shop"}
    with audit_mw.open(**options):
        audit_mw.system("sys_deploy", version="1")
    recent = read_recent(tmp_path / "trail", "system", time.time())
    same = options_digest(Config.load(options))
    other = options_digest(Config.load(options | {"debug": True}))

    assert same is not None
    assert states(list(look_at_digest(recent, same))) == {OK}
    assert states(list(look_at_digest(recent, other))) == {UNKNOWN}


def test_trial_as_root() -> None:
    """Run by root on a trail that is another's, nothing is left that root owns."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        trail = Path(directory) / "trail"
        trail.mkdir(0o750)
        os.chown(trail, 65_534, 65_534)

        assert states(checks(trail, "trial")) == {OK}
        assert list(trail.iterdir()) == []
        assert states(checks(trail, "owners")) == {OK}


def test_days_left(trail: Path) -> None:
    """The room is told in days, at the mean of the last days."""
    config = Config.load({"trail": str(trail)}, environ={})
    path = add(trail, f"{DAY}.log", (1, event()))
    _, few = look_at_room(config, NOW)
    os.truncate(path, 1 << 43)  # sparse: it says that it is larger than the disk
    _, none = look_at_room(config, NOW)

    assert few.state == OK
    assert (none.state, none.said[:7]) == (BAD, "0 days ")


def test_retention(trail: Path) -> None:
    """How far back a trail goes is told, and what should have been closed."""
    add(trail, f"{DAY}.log", (1, event()))
    period = period_of(DAY)
    assert period is not None
    year = look_at_retention(trail, period.start + 400 * 86_400)
    day = look_at_retention(trail, period.start + 86_400)

    assert [check.state for check in year] == [OK, WARNING]
    assert [check.state for check in day] == [UNKNOWN, OK]


def test_options(trail: Path) -> None:
    """Options that give up a promise are named."""
    assert states(checks(trail, "refusal", on_failure="serve")) == {BAD}
    assert states(checks(trail, "refusal", serve_unlogged=["/health"])) == {WARNING}
    assert states(checks(trail, "detectors", detectors="none")) == {WARNING}


def test_requirements_document() -> None:
    """The table here is that of the document: the same numbers, the same words."""
    text = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([0-9][^|]*?) \| ([^|]*?) \|", text, re.MULTILINE)

    assert rows == [(each.number, each.text) for each in REQUIREMENTS]


def test_requirements_judged() -> None:
    """A requirement is met, not met, or unknown, as its checks are."""
    found = {
        each.requirement.number: each.state
        for each in judge(
            [
                Check("clock", BAD, "it is off"),
                Check("refusal", OK, "refused"),
                Check("options", OK, "as the service has them"),
                Check("journals", OK, "none"),
                Check("key", UNKNOWN, "no key yet"),
            ]
        )
    }

    assert found["5"] == "not met"
    assert found["10"] == "met"
    assert found["12"] == "unknown"
    assert found["16"] == "met"
    assert found["14"] == "unknown"  # nobody looked


def test_each_check_is_known(trail: Path) -> None:
    """Each check that a requirement names is made."""
    config = replace(Config.load({"trail": str(trail)}, environ={}))
    made = {check.name for check in examine(config, NOW, environ={})}

    assert {name for each in REQUIREMENTS for name in each.checks} <= made | {"closing"}


def test_json(trail: Path) -> None:
    """The same as one object."""
    trail.chmod(0o777)
    shown = run("--json", "--trail", trail)
    told = json.loads(shown.stdout)

    assert shown.exit_code == 3
    assert told["trail"] == str(trail)
    assert {"name", "state", "said", "mend"} == set(told["checks"][0])
    assert len(told["requirements"]) == len(REQUIREMENTS)


def test_wrong_option(trail: Path) -> None:
    """An option that there is not is wrong use."""
    shown = run("--trail", trail, AUDIT_MW_TRIAL="1")

    assert shown.exit_code == 2
    assert "trial" in shown.stderr


def test_hostile_name(trail: Path) -> None:
    """A name that moves a cursor is shown as what it is."""
    (trail / "system" / "\x1b[2J\u202e.log").write_bytes(b"")
    (trail / "system" / "\x1b[2J\u202e.log").chmod(0o777)
    shown = run("--trail", trail)

    assert all(c == "\n" or " " <= c <= "~" for c in shown.output)
    assert "%1B[2J" in shown.stdout


def test_no_trial(trail: Path) -> None:
    """On media that take nothing the rest is looked at all the same."""
    shown = run("--no-trial", "--trail", trail)

    assert "written and read back" not in shown.stdout
    assert "modes" in shown.stdout


def test_console(tmp_path: Path) -> None:
    """A trail on the console has no files to look at; its options are judged."""
    shown = run(
        AUDIT_MW_TRAIL="stdout",
        AUDIT_MW_JOURNAL_DIR=str(tmp_path),
        AUDIT_MW_KEY_FILE=str(tmp_path / "key"),
    )

    assert "the trail is the console" in shown.stdout
    assert "trial" not in shown.stdout.partition("\n\n")[0]
