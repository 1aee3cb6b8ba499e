import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.trail.crew import crew, not_blocking, outcome, outcomes
from tests.trail.samples import locked, open_files, threads, umask, wait_for_lock

from audit_mw.trail.record import header_line
from audit_mw.trail.segment import SegmentFile

HEADER = header_line("request")
SHIM = """
import calendar, os, pathlib, time

_gmtime = time.gmtime
_path = pathlib.Path(os.environ["CLOCK"])

def gmtime(seconds=None):
    if seconds is None:
        now = time.strptime(_path.read_text(), "%Y-%m-%d %H:%M:%S")
        seconds = calendar.timegm(now)
    return _gmtime(seconds)

time.gmtime = gmtime
"""
SetClock = Callable[[str], None]


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[SegmentFile]:
    """A segment of requests, by day."""
    segment = SegmentFile(tmp_path / "trail", "request", "day")
    yield segment
    segment.close()


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets what `time.gmtime` says."""

    def set_clock(now: str) -> None:
        moment = time.strptime(now, "%Y-%m-%dT%H:%M:%S")
        monkeypatch.setattr(time, "gmtime", lambda _seconds=None: moment)

    return set_clock


@pytest.fixture(params=["sitecustomize", "libfaketime"])
def processes_clock(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[dict[str, str], Path]:
    """An environment for children, and the file that tells them the time."""
    clock = tmp_path / "clock"
    if request.param == "sitecustomize":
        (tmp_path / "sitecustomize.py").write_text(SHIM)
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, "PYTHONPATH": path, "CLOCK": str(clock)}, clock

    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("needs Debian's libfaketime")
    faked = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }
    return {**os.environ, **faked}, clock


def modes(trail: Path) -> list[int]:
    paths = (trail, trail / "request", *(trail / "request").iterdir())

    return [stat.S_IMODE(path.stat().st_mode) for path in paths]


def refusal(segment: SegmentFile) -> str:
    try:
        with not_blocking():
            segment.append(b"a\n")
    except OSError as error:
        return errno.errorcode[error.errno or 0]

    return "taken"


# --- the header, and whole lines


def test_header_first(segment: SegmentFile) -> None:
    """
    A new segment begins with its header, which stands there once.
    """
    segment.append(b"a\n")
    segment.append(b"b\nc\n")

    assert segment.path.read_bytes() == HEADER + b"a\nb\nc\n"


def test_header_on_empty_file(segment: SegmentFile) -> None:
    """
    A file that is there but empty, as logrotate's `create` leaves it, gets a header.
    """
    segment.append(b"a\n")
    segment.path.unlink()
    segment.path.touch()
    segment.append(b"b\n")

    assert segment.path.read_bytes() == HEADER + b"b\n"


def test_header_once_of_many_processes(tmp_path: Path) -> None:
    """
    Processes that start at the same time write one header between them.
    """
    with crew(8, "append", tmp_path, "request", "a line") as workers:
        assert outcomes(workers) == [""] * 8

    (path,) = (tmp_path / "request").iterdir()
    assert path.read_bytes() == HEADER + b"a line\n" * 8


def test_torn_tail(segment: SegmentFile) -> None:
    """
    Behind half a line of a killed process an LF goes first, and the line stays whole.
    """
    segment.append(b"a\n")
    with segment.path.open("ab") as file:
        file.write(b"half a li")
    segment.append(b"b\n")

    assert segment.path.read_bytes() == HEADER + b"a\nhalf a li\nb\n"


def test_torn_header(segment: SegmentFile) -> None:
    """
    Half a header is half a line like any other; it is not written again.
    """
    segment.path.parent.mkdir(parents=True)
    segment.current()
    segment.path.write_bytes(HEADER[:20])
    segment.append(b"a\n")

    assert HEADER[:20] + b"\na\n" == segment.path.read_bytes()


# --- the name


@pytest.mark.parametrize(
    ("rotate", "expected"),
    [("day", "2026-11-21.log"), ("hour", "2026-11-21T23.log")],
)
def test_name(tmp_path: Path, set_clock: SetClock, rotate: str, expected: str) -> None:
    """
    A segment has the name of its day or its hour, in UTC, in its stream's directory.
    """
    set_clock("2026-11-21T23:59:59")
    segment = SegmentFile(tmp_path, "session", rotate)
    segment.append(b"a\n")
    segment.close()

    assert [tmp_path / "session" / expected] == list(tmp_path.glob("*/*"))


@pytest.mark.parametrize("rotate", ["day", "hour"])
def test_next_period(tmp_path: Path, set_clock: SetClock, rotate: str) -> None:
    """
    With the next day or hour a new segment begins, with a header of its own.
    """
    segment = SegmentFile(tmp_path, "request", rotate)
    set_clock("2026-12-31T23:59:59")
    segment.append(b"a\n")
    set_clock("2027-01-01T00:00:00")
    segment.append(b"b\n")
    segment.close()

    first, second = sorted((tmp_path / "request").iterdir())
    assert first.read_bytes() == HEADER + b"a\n"
    assert second.read_bytes() == HEADER + b"b\n"


def test_clock_steps_back(segment: SegmentFile, set_clock: SetClock) -> None:
    """
    A clock that steps back writes on in the last segment, never in one before it.
    """
    set_clock("2026-11-22T00:00:00")
    segment.append(b"a\n")
    set_clock("2026-11-21T23:59:59")
    segment.append(b"b\n")
    segment.close()
    segment.append(b"c\n")

    assert segment.path.name == "2026-11-22.log"
    assert segment.path.read_bytes() == HEADER + b"a\nb\nc\n"
    assert [segment.path] == list(segment.path.parent.iterdir())


def test_clock_of_processes(
    tmp_path: Path, processes_clock: tuple[dict[str, str], Path]
) -> None:
    """
    Two processes go to the next day's segment together, and not back with the clock.
    """
    environ, clock = processes_clock
    times = ("2026-11-21 23:59:58", "2026-11-22 00:00:01", "2026-11-21 23:59:59")
    clock.write_text(times[0])
    with crew(2, "append_when_told", tmp_path / "trail", environ=environ) as workers:
        for now in times:
            clock.write_text(now)
            for worker in workers:
                assert worker.stdin
                assert worker.stdout
                worker.stdin.write("a line\n")
                worker.stdin.flush()
                assert worker.stdout.readline() == "done\n"
        went = outcomes(workers)

    assert went == [["2026-11-21.log", "2026-11-22.log", "2026-11-22.log"]] * 2
    assert {
        path.name: path.read_bytes() for path in (tmp_path / "trail").glob("*/*")
    } == {
        "2026-11-21.log": HEADER + b"a line\n" * 2,
        "2026-11-22.log": HEADER + b"a line\n" * 4,
    }


# --- what happens to the file while it is open


def test_renamed(segment: SegmentFile) -> None:
    """
    After rotation by rename a new file begins, and the old one keeps its lines.
    """
    segment.append(b"a\n")
    rotated = segment.path.rename(segment.path.with_name("rotated.log"))
    segment.append(b"b\n")

    assert rotated.read_bytes() == HEADER + b"a\n"
    assert segment.path.read_bytes() == HEADER + b"b\n"


def test_rotated_while_it_waits(segment: SegmentFile) -> None:
    """
    An append that waits for the lock of a file that is rotated goes to the new file.
    """
    segment.append(b"a\n")
    with locked(segment.path) as unlock, threads(lambda: segment.append(b"b\n")):
        wait_for_lock(segment.path)
        rotated = segment.path.rename(segment.path.with_name("rotated.log"))
        unlock()

    assert rotated.read_bytes() == HEADER + b"a\n"
    assert segment.path.read_bytes() == HEADER + b"b\n"


def test_unlinked(segment: SegmentFile) -> None:
    """
    After its file was deleted nothing is written into the void: a new one begins.
    """
    segment.append(b"a\n")
    segment.path.unlink()
    segment.append(b"b\n")

    assert segment.path.read_bytes() == HEADER + b"b\n"


def test_trail_deleted(segment: SegmentFile, tmp_path: Path) -> None:
    """
    After the whole trail was deleted it is made again.
    """
    segment.append(b"a\n")
    shutil.rmtree(tmp_path / "trail")
    segment.append(b"b\n")

    assert segment.path.read_bytes() == HEADER + b"b\n"


def test_truncated(segment: SegmentFile) -> None:
    """
    A file that was truncated, as `copytruncate` does, begins with a header again.
    """
    segment.append(b"a\n")
    os.truncate(segment.path, 0)
    segment.append(b"b\n")

    assert segment.path.read_bytes() == HEADER + b"b\n"


@pytest.mark.parametrize("append", [SegmentFile.current, lambda s: s.append(b"b\n")])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.rename(f"{path}.1"), id="renamed"),
        pytest.param(Path.unlink, id="unlinked"),
        pytest.param(lambda path: os.truncate(path, 0), id="truncated"),
        pytest.param(lambda path: shutil.rmtree(path.parent), id="directory deleted"),
    ],
)
def test_another_file(
    segment: SegmentFile,
    change: Callable[[Path], object],
    append: Callable[[SegmentFile], object],
) -> None:
    """
    What names the file of an append tells another one even if it has the same inode.
    """
    first = segment.append(b"a\n")
    assert first == append(segment)
    change(segment.path)

    assert first != append(segment)


def test_another_file_after_close(segment: SegmentFile) -> None:
    """
    A file that was deleted while it was closed is another one, whatever its inode.
    """
    first = segment.append(b"a\n")
    segment.close()
    segment.path.unlink()

    assert first != segment.current()


# --- what is no file of ours


def replace_by_symlink(path: Path) -> None:
    path.symlink_to(path.with_name("target"))
    path.with_name("target").touch()


@pytest.mark.parametrize(
    ("replace", "expected"),
    [
        pytest.param(replace_by_symlink, "a symbolic link", id="symlink"),
        pytest.param(
            lambda path: path.symlink_to("no"), "a symbolic link", id="dangling symlink"
        ),
        pytest.param(os.mkfifo, "a FIFO", id="FIFO"),
        pytest.param(Path.mkdir, "a directory", id="directory"),
    ],
)
@pytest.mark.parametrize("is_open", [True, False], ids=["open", "new"])
def test_passed_over(
    segment: SegmentFile,
    replace: Callable[[Path], object],
    expected: str,
    *,
    is_open: bool,
) -> None:
    """
    What is no regular file is passed over, told once, and a link's target stays as is.
    """
    segment.append(b"a\n")
    first = segment.path
    old = first.rename(first.with_name("old"))
    if not is_open:
        segment.close()
    replace(first)
    target = first.with_name("target")

    assert [refusal(segment) for _ in range(3)] == ["taken"] * 3
    assert segment.path.name == f"{first.stem}-2.log"
    assert segment.path.read_bytes() == HEADER + b"a\n" * 3
    assert [f"replaced by {expected}"] * is_open == [x.reason for x in segment.losses]
    assert not first.with_name("no").exists()
    assert not target.exists() or target.read_bytes() == b""
    assert old.read_bytes() == HEADER + b"a\n"


@pytest.mark.parametrize("suffix", [".index", ".log.zst"])
def test_closed_name_is_passed_over(segment: SegmentFile, suffix: str) -> None:
    """
    A name whose segment was closed is not used again: NAME-2, and then NAME-3.
    """
    names = []
    for _ in range(3):
        segment.append(b"a\n")
        names.append(segment.path.stem)
        segment.path.rename(segment.path.with_suffix(suffix))

    assert [names[0], f"{names[0]}-2", f"{names[0]}-3"] == names


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, Path.touch])
def test_none_left_open(segment: SegmentFile, put: Callable[[Path], object]) -> None:
    """
    Neither what is refused nor what is taken and closed leaves a file open.
    """
    segment.append(b"a\n")
    assert open_files(segment.path.parent) == [str(segment.path)]
    segment.path.unlink()
    put(segment.path)
    refusal(segment)
    segment.close()

    assert open_files(segment.path.parent) == []


def test_directory_is_symlink(tmp_path: Path, segment: SegmentFile) -> None:
    """
    A link in place of a stream's directory is refused: records go nowhere else.
    """
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    segment.append(b"a\n")
    shutil.rmtree(segment.path.parent)
    segment.path.parent.symlink_to(elsewhere)

    assert refusal(segment) == "ENOTDIR"
    assert list(elsewhere.iterdir()) == []


def test_trail_is_symlink(tmp_path: Path) -> None:
    """
    The trail itself may be a link: whoever made it chose where the trail is.
    """
    (tmp_path / "disk").mkdir()
    (tmp_path / "trail").symlink_to(tmp_path / "disk")
    segment = SegmentFile(tmp_path / "trail", "request", "day")
    segment.append(b"a\n")
    segment.close()

    assert [segment.path.name] == [
        path.name for path in (tmp_path / "disk" / "request").iterdir()
    ]


def test_directory_in_the_way(segment: SegmentFile) -> None:
    """
    Once what stood in the directory's place is gone, the next append works.
    """
    segment.append(b"a\n")
    shutil.rmtree(segment.path.parent)
    segment.path.parent.touch()
    assert refusal(segment) == "ENOTDIR"
    segment.path.parent.unlink()
    segment.append(b"b\n")

    assert segment.path.read_bytes() == HEADER + b"b\n"


# --- what became of it is told


def vanish(path: Path) -> None:
    path.unlink()
    path.touch()


def move_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def swap_directory(path: Path) -> None:
    move_directory(path)
    path.parent.mkdir()


@pytest.mark.parametrize("is_looked_at", [True, False], ids=["same day", "next day"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(Path.unlink, "unlinked", id="unlinked"),
        pytest.param(vanish, "unlinked", id="another in its place"),
        pytest.param(
            lambda path: os.truncate(path, len(HEADER)), "truncated", id="truncated"
        ),
        pytest.param(
            lambda path: path.chmod(0o600), "mode changed from 0640 to 0600", id="chmod"
        ),
        pytest.param(move_directory, "the directory is gone", id="directory moved"),
        pytest.param(
            swap_directory,
            "another directory stands in its place",
            id="another directory",
        ),
    ],
)
def test_loss(
    segment: SegmentFile,
    set_clock: SetClock,
    change: Callable[[Path], object],
    expected: str,
    *,
    is_looked_at: bool,
) -> None:
    """
    What became of the open file is told once, with what it was; by the next day too.
    """
    set_clock("2026-11-21T23:59:59")
    segment.append(b"a\n")
    path, inode = segment.path, segment.path.stat().st_ino
    change(path)
    if not is_looked_at:
        set_clock("2026-11-22T00:00:00")
    segment.append(b"b\n")
    segment.append(b"c\n")

    (loss,) = segment.losses
    assert (expected, path, inode, len(HEADER) + 2) == (
        loss.reason,
        loss.path,
        loss.inode,
        loss.size,
    )


def test_rename_is_no_loss(segment: SegmentFile) -> None:
    """
    Rotation by rename is legal, and not told.
    """
    segment.append(b"a\n")
    segment.path.rename(segment.path.with_name("rotated.log"))
    segment.append(b"b\n")
    segment.path.rename(segment.path.with_name("rotated-2.log"))
    segment.path.touch()
    segment.append(b"c\n")

    assert segment.losses == []


# --- half a line


def test_covered_half_line(tmp_path: Path) -> None:
    """
    Half a line that a journal has the whole of is cut back, and not told.
    """
    asked = []

    def covering(device: int, inode: int, size: int) -> int:
        asked.append((device, inode, size))
        return len(HEADER) + 2

    segment = SegmentFile(tmp_path, "request", "day", covering)
    segment.append(b"a\n")
    with segment.path.open("ab") as file:
        file.write(b"whole\nhalf a li")
    status = segment.path.stat()
    segment.append(b"b\n")
    segment.close()

    assert segment.path.read_bytes() == HEADER + b"a\nwhole\nb\n"
    assert segment.losses == []
    assert [(status.st_dev, status.st_ino, status.st_size)] == asked


@pytest.mark.parametrize("length", [1, (1 << 16) - 1, 1 << 16, 200_000])
def test_uncovered_half_line(segment: SegmentFile, length: int) -> None:
    """
    Half a line that no journal has is told with its place, however long it is.
    """
    segment.append(b"a\n")
    with segment.path.open("ab") as file:
        file.write(b"h" * length)
    segment.append(b"b\n")

    (loss,) = segment.losses
    assert ("torn line", len(HEADER) + 2) == (loss.reason, loss.offset)
    assert segment.path.read_bytes() == HEADER + b"a\n" + b"h" * length + b"\nb\n"


def test_noted_before_it_is_written(segment: SegmentFile) -> None:
    """
    A write is noted before it is made, with all that it will make the file longer by.
    """
    noted = []

    def note(device: int, inode: int, offset: int, length: int) -> None:
        status = segment.path.stat()
        assert (status.st_dev, status.st_ino, status.st_size) == (device, inode, offset)
        noted.append((offset, length))

    segment.append(b"a\n", note)
    with segment.path.open("ab") as file:
        file.write(b"half")
    segment.append(b"b\n", note)

    begin = len(HEADER) + 2
    assert noted == [(0, begin), (begin + 4, 3)]
    assert begin + 7 == segment.path.stat().st_size


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_not_ours() -> None:
    """
    A file of somebody else's is refused, again and again, and none is left open.
    """
    with TemporaryDirectory() as name:
        segment = SegmentFile(Path(name), "request", "day")
        segment.current()
        segment.close()
        segment.path.chmod(0o666)
        segment.path.parent.chmod(0o777)
        Path(name).chmod(0o777)

        assert outcome("append_as_nobody", name) == ["EPERM", 0]


# --- modes


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_modes(tmp_path: Path, mask: int) -> None:
    """
    Directories are 0750 and files 0640, whatever the umask.
    """
    trail = tmp_path / "trail"
    segment = SegmentFile(trail, "request", "day")
    with umask(mask):
        segment.append(b"a\n")
    segment.close()

    assert modes(trail) == [0o750, 0o750, 0o640]


def test_modes_of_what_is_there(tmp_path: Path) -> None:
    """
    A mode that somebody gave to what was there before us is left alone.
    """
    trail = tmp_path / "trail"
    (trail / "request").mkdir(parents=True)
    trail.chmod(0o2700)
    (trail / "request").chmod(0o2770)
    segment = SegmentFile(trail, "request", "day")
    segment.append(b"a\n")
    segment.path.chmod(0o600)
    segment.append(b"b\n")
    segment.close()

    assert modes(trail) == [0o2700, 0o2770, 0o600]


def test_group_is_passed_on(tmp_path: Path) -> None:
    """
    A set-group-ID bit that the trail's owner set goes on to the streams' directories.
    """
    trail = tmp_path / "trail"
    trail.mkdir()
    trail.chmod(0o2750)
    segment = SegmentFile(trail, "request", "day")
    with umask(0o077):
        segment.append(b"a\n")
    segment.close()

    assert modes(trail) == [0o2750, 0o2750, 0o640]


def test_not_inherited(segment: SegmentFile) -> None:
    """
    A program that the application starts does not get the file.
    """
    segment.append(b"a\n")

    assert not os.get_inheritable(segment._fd)
