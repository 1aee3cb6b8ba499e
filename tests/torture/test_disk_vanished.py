# A file of the trail that goes away, or is made something else, under a server that
# writes to it. Rotation by rename is legal; of all else a `log_gap` record tells.
#
# What holds each time: nothing hangs, nothing is torn or there twice, no record is lost
# but those in a file that was destroyed, and nothing is written through a link.
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.serving import SECONDS
from tests.settling import unfinished
from tests.torture.disk_client import Load, loaded
from tests.torture.disk_judge import assert_whole, details, find, flaws
from tests.torture.disk_mounts import needs
from tests.torture.disk_serving import Server, awaited, serving
from tests.torture.disk_vanish import WAYS, Scene, kept, tidy

pytestmark = needs("mount", "chattr")
QUICK = ("rename", "unlink", "truncate", "symbolic link", "FIFO")
TOLD = {"reason", "segment", "inode", "size", "last_seq"}
ways = pytest.mark.parametrize(
    "what",
    [
        pytest.param(way, marks=() if way in QUICK else pytest.mark.torture)
        for way in WAYS
    ],
)


def scene_of(server: Server, directory: Path) -> Scene:
    """Return where it is to happen."""
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "outside").touch()

    return Scene(server, begun(server), elsewhere)


def begun(server: Server) -> Path:
    """Return the segment, with a line in it: which comes some time after a response."""
    segment = server.segment()
    awaited(lambda: segment.stat().st_size, "a line")

    return segment


@ways
def test_vanished(tmp_path: Path, what: str) -> None:
    """Whatever becomes of a segment: it is told, and all goes on."""
    way = WAYS[what]
    options = {"journal_dir": tmp_path / "journal"}
    with loaded(tmp_path / "server", tmp_path / "trail", options=options) as (
        server,
        load,
    ):
        load.wait(20)
        scene = scene_of(server, tmp_path)
        inode = scene.segment.stat().st_ino
        segments = [server.segment("system"), scene.segment]
        with kept(segments, tmp_path / "kept"), way.happen(scene):
            load.wait(20, 503 if way.refused else 200)
            way.mend(scene)
            load.wait(20)
    if not scene.outside.is_dir():
        assert scene.outside.read_bytes() == b""
    else:
        assert list(scene.outside.iterdir()) == []
    tidy(server.trail)
    places = [tmp_path / "kept", scene.elsewhere / "kept", server.trail]
    found = find(*places)
    assert_whole(server, load, found)
    told = [details(line) for line in found.of_type("log_gap")]
    assert bool(told) == way.gap, told
    for gap in told:
        assert gap.keys() >= TOLD
    if way.gap:
        assert inode in {gap["inode"] for gap in told}


def test_told_what_is_lost(tmp_path: Path) -> None:
    """The record of a gap says which file is gone, how long it was, and its last seq."""
    with loaded(tmp_path / "server", tmp_path / "trail") as (server, load):
        load.wait(20)
        segment = begun(server)
        inode = segment.stat().st_ino
        with kept([segment], tmp_path / "kept"):
            segment.unlink()
            load.wait(20)
    (gap,) = map(details, find(server.trail).of_type("log_gap"))
    gone = tmp_path / "kept" / "request" / "0.log"
    last = int(find(tmp_path / "kept").lines[-1]["seq"])
    named = {"segment": f"request/{segment.name}", "inode": inode}

    assert gap["reason"] == "unlinked"
    assert (
        gap.items() >= {**named, "size": gone.stat().st_size, "last_seq": last}.items()
    )


@contextmanager
def refusing(tmp_path: Path) -> Iterator[tuple[Server, Load]]:
    """Run a server that refuses when a segment has vanished."""
    options = {"on_vanished": "refuse"}
    trail = tmp_path / "trail"
    with loaded(tmp_path / "server", trail, options=options) as (server, load):
        load.wait(20)
        yield server, load


@pytest.mark.parametrize(
    "what", ["unlink", pytest.param("truncate", marks=pytest.mark.torture)]
)
def test_refused(tmp_path: Path, what: str) -> None:
    """With on_vanished="refuse" nothing is served when a segment has vanished."""
    with refusing(tmp_path) as (server, load):
        scene = scene_of(server, tmp_path)
        with kept([scene.segment], tmp_path / "kept"), WAYS[what].happen(scene):
            load.wait(20, 503)
            before = server.called()
            load.wait(20, 503)
            meanwhile = server.called() - before
    found = find(tmp_path / "kept", scene.elsewhere / "kept", server.trail)

    assert not meanwhile
    assert flaws(found, load.answered(200), server.called()) == []
    assert found.of_type("log_gap")


def test_rename_is_not_refused(tmp_path: Path) -> None:
    """Rotation is legal with on_vanished="refuse" as well."""
    with refusing(tmp_path) as (server, load):
        server.segment().rename(server.segment().with_name("rotated.log"))
        load.wait(40)

    assert not load.answered(503)
    assert_whole(server, load)


# --- the journal


def journals(server: Server) -> list[Path]:
    """Return the journals of a server."""
    return sorted((server.trail / ".journal").glob("*.journal"))


@pytest.mark.torture
def test_strangers_among_journals(tmp_path: Path) -> None:
    """What is no journal is told once, and keeps nobody waiting."""
    directory = tmp_path / "trail" / ".journal"
    directory.mkdir(parents=True)
    os.mkfifo(directory / "fifo.journal")
    os.mkfifo(directory / "fifo.new")
    (directory / "directory.journal").mkdir()
    (directory / "link.journal").symlink_to(tmp_path)
    (directory / "empty.journal").touch()
    (directory / "noise.journal").write_bytes(os.urandom(1 << 16))
    before = sorted(path.name for path in directory.iterdir())
    with loaded(tmp_path / "server", tmp_path / "trail") as (server, load):
        load.wait(20)
        awaited(lambda: len(find(server.trail).of_type("log_gap")) >= 5, "five gaps")
        load.wait(20)
    found = find(server.trail)

    assert_whole(server, load, found)
    assert len(found.of_type("log_gap")) == 5
    assert sorted(path.name for path in directory.iterdir()) == before


@pytest.mark.torture
@pytest.mark.parametrize("what", ["file", "directory"])
def test_journal_unlinked(tmp_path: Path, what: str) -> None:
    """A journal that lost its name is no loss, and the next request has one again."""
    with loaded(tmp_path / "server", tmp_path / "trail") as (server, load):
        load.wait(20)
        if what == "file":
            journals(server)[0].unlink()
        else:
            shutil.rmtree(server.trail / ".journal")
        load.wait(50)
        # Else nobody could adopt what it keeps, should it be killed.
        awaited(lambda: journals(server), "a new journal")

    assert_whole(server, load)


@pytest.mark.torture
def test_idle_journal_truncated(tmp_path: Path) -> None:
    """A journal that is cut off while nobody needs it ends nothing."""
    with serving(tmp_path / "server", tmp_path / "trail") as server:
        server.running.ask("GET", "/?n=0-1")
        awaited(lambda: find(server.trail).words(), "a record")
        awaited(lambda: not unfinished(server.trail / ".journal"), "its slot is free")
        os.truncate(journals(server)[0], 0)
        awaited(lambda: find(server.trail).of_type("log_gap"), "a new journal")
        server.running.ask("GET", "/?n=0-2")
        server.running.process.send_signal(signal.SIGTERM)
        code = server.running.process.wait(SECONDS)
    found = find(server.trail)

    assert code != -signal.SIGBUS
    assert found.words() == {"0-1": 1, "0-2": 1}
    assert found.of_type("sys_shutdown")


def test_journal_truncated(tmp_path: Path) -> None:
    """
    A journal that is cut off under its process ends that process, and no other.

    A load from a page that is gone is a SIGBUS; nothing can be done about that. The
    next worker serves; it is told what was lost; nothing is torn, nothing is twice.
    """
    with loaded(tmp_path / "server", tmp_path / "trail", "gunicorn gthread") as (
        server,
        load,
    ):
        load.wait(20)
        os.truncate(journals(server)[0], 0)
        load.wait(50)
    found = find(server.trail)
    print(f"{len(found.lost(load.answered(200)))} of {len(load.answers)} lost")

    assert found.torn == []
    assert found.twice() == []
    assert found.of_type("log_gap")


@pytest.mark.torture
@pytest.mark.parametrize("length", [0, 1, 17, 4095, 12288, 16384, 20000, 1 << 20])
def test_dead_journal_truncated(tmp_path: Path, length: int) -> None:
    """An adopter meets a journal of any length: it tells, and neither dies nor stops."""
    options = {"max_slots": 256}
    trail = tmp_path / "trail"
    with loaded(tmp_path / "first", trail, options=options) as (server, first):
        first.wait(20)
        server.running.process.kill()
        server.running.process.wait()
    os.truncate(journals(server)[0], length)
    with loaded(tmp_path / "second", trail, options=options) as (_, second):
        second.wait(20)
    found = find(trail)
    lost = found.lost(first.answered(200))

    assert found.torn == []
    assert found.twice() == []
    assert found.lost(second.answered(200)) == []
    assert found.of_type("log_gap") or not lost
