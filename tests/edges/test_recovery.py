# A trail that breaks while requests run: they are answered, their records are written
# when it works again, and what is refused or served unrecorded meanwhile is counted.
#
# (Longer than 250 lines, since each end of a request meets the same broken trail.)
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.edges import apps_asgi, apps_wsgi
from tests.edges.asgi_server import AsgiServer, http_scope
from tests.edges.audited import Audited, around, read_trail
from tests.edges.broken import (
    BreakableTrail,
    assert_refused,
    await_ready,
    await_refusal,
    breaking,
    breaking_wsgi,
    heavy,
    never,
    never_wsgi,
)
from tests.edges.wsgi_server import WsgiServer, environment
from tests.serving import ROOT

from audit_mw.event import Event

OK = apps_asgi.answering()


def _shown(event: Event) -> tuple[str, int | None, object]:
    return event.outcome, event.status, event.details["delivery"]


def _counts(events: list[Event], kind: str) -> list[int]:
    found = [event.details.get("count") for event in events if event.type == kind]

    return [count for count in found if isinstance(count, int)]


def _told(audited: Audited, kind: str) -> list[int]:
    """Return the counts of the system records of a type, once the trail works."""
    await_ready(audited)

    return _counts(audited.events("system"), kind)


# --- the trail breaks while a request runs


@pytest.mark.parametrize(
    "name",
    [
        *("plain", "several chunks", "trailers", "head", "pathsend", "zerocopysend"),
        *("reads all", "never reads", "raises after start", "raises after last"),
        *("no response", "client leaves", "closes with 1000", "echo until 1006"),
        *("denies", "denies with a response", "accepts and returns"),
    ],
)
def test_asgi_is_answered(
    name: str, audited: Audited, breakable: BreakableTrail
) -> None:
    """A request that runs ends as ever, and is on record once the trail works again."""
    odd = apps_asgi.ODD[name]
    bare = odd.server().run(odd.app)
    wrapped = odd.server().run(breaking(breakable, odd.app), audited)
    breakable.give_back()
    await_ready(audited)

    assert bare.trace.shown() == wrapped.trace.shown()
    assert len(audited.events()) == 1


@pytest.mark.parametrize(
    "name",
    [
        *("a list", "a tuple", "file wrapper", "a file", "generator", "a lazy list"),
        *("writes alone", "writes content length", "head iterator", "no content"),
        *("read(n)", "raises before start", "raises after last", "raises in close"),
    ],
)
def test_wsgi_is_answered(
    name: str, audited: Audited, breakable: BreakableTrail
) -> None:
    """A request that runs ends as ever, and is on record once the trail works again."""
    odd = apps_wsgi.ODD[name]
    bare = odd.server().run(odd.app)
    wrapped = odd.server().run(breaking_wsgi(breakable, odd.app), audited)
    breakable.give_back()
    await_ready(audited)

    assert bare.trace.shown() == wrapped.trace.shown()
    assert len(audited.events()) == 1


def test_asgi_recovers(audited: Audited, breakable: BreakableTrail) -> None:
    """What was answered while the trail broke is there; what came later was refused."""
    reuse = around(audited(OK))

    def serve(app: Any) -> AsgiServer:
        return AsgiServer(http_scope()).run(app, reuse)

    serve(OK)
    broken = serve(breaking(breakable, apps_asgi.answering(201)))
    await_refusal(audited)
    refused = [serve(never) for _ in range(3)]
    breakable.give_back()
    await_ready(audited)
    serve(apps_asgi.answering(202))

    assert broken.status == 201
    assert [server.status for server in refused] == [503] * 3
    assert [_shown(event) for event in audited.events()] == [
        ("SUCCESS", 200, b"taken"),
        ("SUCCESS", 201, b"taken"),
        ("SUCCESS", 202, b"taken"),
    ]
    assert _told(audited, "log_refused") == [3]


def test_wsgi_recovers(audited: Audited, breakable: BreakableTrail) -> None:
    """What was answered while the trail broke is there; what came later was refused."""
    reuse = around(audited(apps_wsgi.answering()))

    def serve(app: Any) -> WsgiServer:
        return WsgiServer(environment()).run(app, reuse)

    breakable.take_away()
    refused = [serve(never_wsgi) for _ in range(2)]
    breakable.give_back()
    serve(breaking_wsgi(breakable, apps_wsgi.answering("201 Created")))
    await_refusal(audited)
    refused.append(serve(never_wsgi))
    breakable.give_back()
    await_ready(audited)
    serve(apps_wsgi.answering("202 Accepted"))

    assert [server.status for server in refused] == ["503 Service Unavailable"] * 3
    assert [_shown(event) for event in audited.events()] == [
        ("SUCCESS", 201, b"unknown"),
        ("SUCCESS", 202, b"unknown"),
    ]
    # Whether there was time to tell of two before the third does not matter.
    assert sum(_told(audited, "log_refused")) == 3


def test_refusals_are_counted_until_told(
    audited: Audited, breakable: BreakableTrail
) -> None:
    """Refusals that cannot be told yet are counted on; each is told once."""
    systems = BreakableTrail(audited.trail, "system")
    reuse = around(audited(OK))

    def refuse() -> None:
        await_refusal(audited)
        assert_refused(AsgiServer(http_scope()).run(never, reuse))

    AsgiServer(http_scope()).run(breaking(breakable, OK), reuse)
    refuse()
    systems.take_away()
    breakable.give_back()
    try:
        refuse()
        refuse()
    finally:
        systems.give_back()

    assert sum(_told(audited, "log_refused")) == 3


def test_times_of_refusals(audited: Audited, breakable: BreakableTrail) -> None:
    """The record of refusals has the reason, the first and the last time."""
    reuse = around(audited(OK))
    breakable.take_away()
    for _ in range(3):
        AsgiServer(http_scope()).run(never, reuse)
    breakable.give_back()
    assert _told(audited, "log_refused") == [3]
    (told,) = [e for e in audited.events("system") if e.type == "log_refused"]
    first, last = told.details["first"], told.details["last"]

    assert isinstance(first, bytes)
    assert isinstance(last, bytes)
    assert first < last
    assert b"takes no record: ENOTDIR" in bytes(told.details["reason"])  # type: ignore[call-overload]
    assert told.outcome == "FAILURE"


def test_fault_is_held(audited: Audited) -> None:
    """A fault record that cannot be written is written later; its request is answered."""
    faults = BreakableTrail(audited.trail, "fault")
    reuse = around(audited(OK))
    app = apps_asgi.ODD["raises after last"].app
    server = AsgiServer(http_scope()).run(breaking(faults, app), reuse)
    try:
        await_refusal(audited)
        refused = AsgiServer(http_scope()).run(never, reuse)
    finally:
        faults.give_back()
    await_ready(audited)

    assert (server.status, refused.status) == (200, 503)
    assert [audited.event().event] == [fault.event for fault in audited.faults()]


def test_refusal_that_nobody_follows(audited: Audited) -> None:
    """A request that is refused for itself is told of, though none comes after it."""
    wrap = around(audited(OK))
    AsgiServer(http_scope()).run(OK, wrap)
    await_ready(audited)
    AsgiServer(http_scope(headers=[(None, None)])).run(never, wrap)
    audited.close()

    assert _counts(audited.events("system"), "log_refused") == [1]


# --- what is done about it: on_failure, serve_unlogged


@pytest.mark.parametrize("options", [{"on_failure": "serve"}, {"serve_unlogged": "/"}])
def test_served_unrecorded(
    options: dict[str, str], audited: Audited, breakable: BreakableTrail
) -> None:
    """A request that is served without a record is counted in a gap of the log."""
    reuse = around(audited(OK, **options))
    AsgiServer(http_scope()).run(OK, reuse)
    breakable.take_away()
    AsgiServer(http_scope()).run(OK, reuse)
    await_refusal(audited)
    scope = http_scope(raw_path=b"/", path="/")
    served = [AsgiServer(dict(scope)).run(OK, reuse).status for _ in range(3)]
    breakable.give_back()

    assert 3 in _told(audited, "log_gap")
    assert _told(audited, "log_refused") == []
    assert served == [200] * 3
    assert len(audited.events()) == 2


def test_served_unlogged_is_for_its_paths_alone(
    audited: Audited, breakable: BreakableTrail
) -> None:
    """Only what is listed is served without a record; and with one where that works."""
    reuse = around(audited(OK, serve_unlogged="/health"))
    health = {"path": "/health", "raw_path": b"/health"}
    AsgiServer(http_scope(**health)).run(OK, reuse)
    AsgiServer(http_scope()).run(breaking(breakable, OK), reuse)
    await_refusal(audited)
    served = AsgiServer(http_scope(**health)).run(OK, reuse)
    refused = AsgiServer(http_scope(path="/health/x", raw_path=b"/health/x"))
    refused.run(never, reuse)
    breakable.give_back()

    assert _told(audited, "log_refused") == [1]
    assert (served.status, refused.status) == (200, 503)
    assert len(audited.events()) == 2


def test_serve_goes_on_at_the_end(audited: Audited, values: BreakableTrail) -> None:
    """With `serve` a request of which the record fails at its end is answered, too."""
    app = partial(audited, on_failure="serve")
    server = heavy(AsgiServer(http_scope())).run(breaking(values, OK), app)
    values.give_back()
    await_ready(audited)

    assert (server.status, server.body, server.raised) == (200, b"hello", None)
    assert audited.event().outcome == "SUCCESS"


_EXITING = """
import signal, sys
from pathlib import Path
from tests.edges.apps_wsgi import answering
from tests.edges.broken import BreakableTrail, never_wsgi
from tests.edges.wsgi_server import WsgiServer, environment
from audit_mw import AuditMiddleware

signal.signal(signal.SIGTERM, lambda *_: print("told to end"))
trail = Path(sys.argv[1])
BreakableTrail(trail).take_away()
app = AuditMiddleware(answering(), trail=str(trail), service="edges",
                      on_failure="exit", interface="wsgi")
app.app = never_wsgi
print(WsgiServer(environment()).run(never_wsgi, lambda _: app).status)
"""


def test_exit(tmp_path: Path) -> None:
    """With `exit` the request is refused, and the worker told to end as a server does."""
    command = [sys.executable, "-c", _EXITING, str(tmp_path / "trail")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)

    assert done.stdout.splitlines() == ["told to end", "503 Service Unavailable"]
    assert "on_failure is exit, so this worker ends" in done.stderr


# --- disks that are full


def _serve_until_refused(middleware: Any) -> int:
    for served in range(20_000):
        server = AsgiServer(http_scope(), probed=False).run(OK, around(middleware))
        assert server.raised is None
        if server.status == 503:
            return served

    raise AssertionError("never refused")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a tmpfs of eight pages."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if os.geteuid() != 0:
        pytest.skip("only root mounts a tmpfs")
    try:
        done = subprocess.run(mount, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount(8)")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """A full disk refuses requests, loses no record, and recovers when it has room."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 16384)
    audited = Audited(small_disk / "trail")
    journals = tmp_path / "journals"
    middleware = audited(OK, journal_dir=str(journals), min_free="0,0,0")
    try:
        served = _serve_until_refused(middleware)
        refused = AsgiServer(http_scope()).run(never, around(middleware))
        ballast.unlink()
        await_ready(audited)
        AsgiServer(http_scope()).run(apps_asgi.answering(202), around(middleware))
    finally:
        audited.close()
    statuses = [e.status for e in read_trail(audited.trail, journals=journals)]
    told = read_trail(audited.trail, "system", journals)

    assert refused.status == 503
    assert served > 0
    assert [*[200] * served, 202] == statuses
    assert sum(_counts(told, "log_refused")) == 2


_LIMITED = """
import json, resource, sys
from tests.edges.apps_asgi import answering
from tests.edges.asgi_server import AsgiServer, http_scope
from tests.edges.audited import Audited, around
from tests.edges.broken import await_ready, never
from pathlib import Path

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
audited = Audited(Path(sys.argv[1]))
wrap = around(audited(answering()))

def serve(app):
    return AsgiServer(http_scope(), probed=False).run(app, wrap).status

serve(answering())
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
served = 1
while serve(answering()) == 200:
    served += 1
refused = 1 + [serve(never) for _ in range(4)].count(503)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
await_ready(audited)
again = serve(answering())
audited.close()
print(json.dumps([served, refused, again]))
"""


def test_file_too_large(tmp_path: Path) -> None:
    """A limit of the kernel on files refuses requests until it is lifted."""
    trail = tmp_path / "trail"
    command = [sys.executable, "-c", _LIMITED, str(trail)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    served, refused, again = json.loads(done.stdout)
    outcomes = [event.outcome for event in read_trail(trail)]
    told = read_trail(trail, "system")

    assert (refused, again) == (5, 200)
    assert ["SUCCESS"] * (served + 1) == outcomes
    assert sum(_counts(told, "log_refused")) == 5
