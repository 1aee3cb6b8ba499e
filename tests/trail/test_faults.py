# Real faults: full disks, limits, and system calls that fail.
#
# What holds after each: the file holds whole lines but for a tail that could not be cut,
# no seq is missing or there twice, and what failed is written when it can be. The
# journal is elsewhere: what becomes of it on such a disk is for other tests.
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.trail.crew import outcome
from tests.trail.samples import (
    damages,
    locked,
    make_writer,
    micros,
    nth,
    records,
    settled,
    spill_of,
    whole_numbers,
)
from tests.trail.workers import segment_of

from audit_mw.errors import AuditUnavailable
from audit_mw.trail.reader import find_value
from audit_mw.trail.record import header_line
from audit_mw.trail.segment import SegmentFile
from audit_mw.trail.writer import Writer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs Debian's strace"
)
PAGE = resource.getpagesize()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of six pages."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount: list[str | Path] = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={6 * PAGE}",
        "tmpfs",
        disk,
    ]
    subprocess.run(mount, check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)  # also after a failure


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


@pytest.fixture
def writer(tmp_path: Path, small_disk: Path) -> Iterator[Writer]:
    """A writer to the small disk."""
    writer = make_writer(small_disk, journal_dir=str(tmp_path / "journals"))
    yield writer
    writer.close()


# --- a full disk


def commit_until_failing(writer: Writer) -> tuple[int, str]:
    count = 0
    while True:
        writer.commit(nth(count, instance=writer.instance))
        count += 1
        try:
            writer.flush()
        except AuditUnavailable as error:
            return count, str(error)


@needs_root
def test_full_disk(small_disk: Path, writer: Writer) -> None:
    """
    On a full disk a short write is cut back; what failed comes first when there is room.
    """
    writer.open()
    filler = small_disk / "filler"
    filler.write_bytes(b"." * PAGE)
    count, reason = commit_until_failing(writer)
    assert "ENOSPC" in reason
    path = segment_of(writer, "request")
    with locked(path):  # not between a short write and its cut: it is tried again
        full = path.read_bytes()
    for failing in range(count, count + 3):
        writer.commit(nth(failing, instance=writer.instance))
        with pytest.raises(AuditUnavailable, match="ENOSPC"):
            writer.ready()
    assert full.endswith(b"\n")
    with locked(path):
        assert full == path.read_bytes()

    filler.unlink()
    settled(writer)

    assert {writer.instance: count + 3} == whole_numbers([path])
    assert list(range(count + 3)) == micros([path])


@needs_root
def test_full_disk_of_values(small_disk: Path, writer: Writer) -> None:
    """
    A value that does not fit is cut back, its record not written, and both come later.
    """
    writer.open()
    writer.flush()  # what the writer says of itself
    filler = small_disk / "filler"
    filler.write_bytes(b"." * 2 * PAGE)
    spilled = spill_of(b"a" * 10_000)
    writer.commit(nth(1, instance=writer.instance, spills=(spilled,)))
    with pytest.raises(AuditUnavailable, match="ENOSPC"):
        writer.flush()
    values = segment_of(writer, "values")
    with locked(values):  # as above
        assert values.read_bytes() == b""
    assert records([segment_of(writer, "request")]) == []

    filler.unlink()
    settled(writer)

    assert damages([values]) == []
    assert find_value(small_disk, spilled.sha256) == spilled.value
    assert {writer.instance: 1} == whole_numbers([segment_of(writer, "request")])


@needs_root
def test_no_room_for_a_file(small_disk: Path, writer: Writer) -> None:
    """
    On a disk that takes no further file requests are refused, and served again later.
    """
    remount(small_disk, "nr_inodes=2")
    with pytest.raises(AuditUnavailable, match="ENOSPC"):
        writer.open()
    with pytest.raises(AuditUnavailable, match="ENOSPC"):
        writer.ready()
    remount(small_disk, "nr_inodes=9")
    writer.ready()


@needs_root
def test_no_room_for_the_journal(tmp_path: Path, small_disk: Path) -> None:
    """
    Where there is no room for a journal requests are refused, and nothing of it is left.
    """
    writer = make_writer(tmp_path, journal_dir=str(small_disk))
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match="ENOSPC"):
            writer.open()

    assert list(small_disk.iterdir()) == []


@needs_root
def test_read_only_disk(small_disk: Path, writer: Writer) -> None:
    """
    A disk that was made read-only is named by its error, and written to afterwards.
    """
    writer.commit(nth(0, instance=writer.instance))
    writer.close()
    remount(small_disk, "ro")
    with pytest.raises(AuditUnavailable, match="EROFS"):
        writer.commit(nth(1, instance=writer.instance))
    remount(small_disk, "rw")
    writer.commit(nth(2, instance=writer.instance))
    writer.close()

    assert {writer.instance: 2} == whole_numbers((small_disk / "request").iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_device(tmp_path: Path) -> None:
    """
    A device in place of a segment is not written to; the next name is.
    """
    segment = SegmentFile(tmp_path, "request", "day")
    segment.current()
    segment.close()
    segment.path.unlink()
    segment.path.symlink_to("/dev/full")
    segment.append(b"a\n")
    segment.close()

    assert segment.path.name.endswith("-2.log")
    assert segment.path.read_bytes() == header_line("request") + b"a\n"


# --- a limited file


def test_limited_file(tmp_path: Path) -> None:
    """
    A write that the limit of file sizes makes short is cut back and made again later.
    """
    said = outcome("commit_beyond_limit", tmp_path)

    whole, after_failure, in_the_end = said["sizes"]
    assert said["errors"] == ["", "ENOSPC", ""]
    assert said["ready"] == "ENOSPC"
    assert whole == after_failure < in_the_end
    (path,) = (tmp_path / "request").iterdir()
    assert list(whole_numbers([path]).values()) == [3]
    assert micros([path]) == [0, 1, 2]


# --- a tail that cannot be cut


@pytest.fixture
def append_only(tmp_path: Path) -> Iterator[Path]:
    """A segment that can only be appended to."""
    segment = SegmentFile(tmp_path, "request", "day")
    segment.append(b"")
    segment.close()
    changed = subprocess.run(["chattr", "+a", segment.path], check=False)
    if changed.returncode:
        pytest.skip("needs root, and a file system with chattr +a")
    yield segment.path
    subprocess.run(["chattr", "-a", segment.path], check=True)


@pytest.mark.skipif(shutil.which("chattr") is None, reason="needs Debian's e2fsprogs")
def test_append_only(tmp_path: Path, append_only: Path) -> None:
    """
    Half a line that cannot be cut back is ended, named, and its record written again.
    """
    said = outcome("commit_beyond_limit", tmp_path)

    whole, torn, _ = said["sizes"]
    assert said["errors"] == ["", "EPERM", ""]
    assert whole + 100 == torn
    assert micros([append_only]) == [0, 1, 2]
    assert [record.seq for record in records([append_only])] == [1, 2, 3]
    (damage,) = damages([append_only])
    assert (3, whole) == (damage.line, damage.offset)


# --- system calls that fail


def strace(path: Path, *faults: str) -> list[object]:
    injected = [word for fault in faults for word in ("-e", f"inject={fault}")]
    calls = ",".join(fault.partition(":")[0] for fault in faults)

    return [
        # It stops at these calls only: an interpreter makes thousands as it starts.
        *("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"),
        *("-e", f"trace={calls}"),
        *("-P", path, "-P", path.parent),
        *injected,
    ]


@pytest.fixture
def segment_path(tmp_path: Path) -> Path:
    """Where the segment of requests is; it is there, and empty."""
    segment = SegmentFile(tmp_path, "request", "day")
    segment.current()
    segment.close()

    return segment.path


@needs_strace
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EDQUOT"])
def test_failing_write(tmp_path: Path, segment_path: Path, error: str) -> None:
    """
    Each error of a write is named; seq has no gap, and the order is that of requests.
    """
    fault = f"write:error={error}:when=3..5"
    errors = outcome("commit_in_turn", tmp_path, 8, under=strace(segment_path, fault))

    # The third fails. Those behind it wait with it, until it is tried again.
    assert ["", "", error] == errors[:3]
    assert {"", error} == set(errors)
    assert list(whole_numbers([segment_path]).values()) == [8]
    assert list(range(8)) == micros([segment_path])


@needs_strace
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("write:retval=0:when=1", id="nothing written, at the header"),
        pytest.param("write:retval=7:when=2", id="short write"),
        pytest.param("flock:error=ENOLCK:when=3", id="lock"),
        pytest.param("flock:error=EIO:when=1", id="first lock"),
        pytest.param("pread64:error=EIO:when=1", id="last byte"),
        pytest.param("openat:error=EMFILE:when=1", id="open of the directory"),
        pytest.param("openat:error=ENFILE:when=2", id="open"),
    ],
)
def test_failing_call(tmp_path: Path, segment_path: Path, fault: str) -> None:
    """
    Whichever call of an append fails, once, all is written, once, and in order.
    """
    errors = outcome("commit_in_turn", tmp_path, 5, under=strace(segment_path, fault))

    assert any(errors)
    assert list(whole_numbers([segment_path]).values()) == [5]
    assert list(range(5)) == micros([segment_path])


@needs_strace
def test_failing_cut(tmp_path: Path, segment_path: Path) -> None:
    """
    Half a line that a failing disk does not let us cut back is ended and named.
    """
    said = outcome(
        "commit_beyond_limit",
        tmp_path,
        under=strace(segment_path, "ftruncate:error=EIO"),
    )

    assert said["errors"] == ["", "EIO", ""]
    assert micros([segment_path]) == [0, 1, 2]
    assert len(damages([segment_path])) == 1


@needs_strace
def test_header_after_failure(tmp_path: Path, segment_path: Path) -> None:
    """
    A header whose write failed is written with the first line that goes down.
    """
    fault = "write:error=ENOSPC:when=1..2"
    outcome("commit_in_turn", tmp_path, 3, under=strace(segment_path, fault))

    lines = segment_path.read_bytes().splitlines(keepends=True)
    assert header_line("request") == lines[0]
    assert len(lines) == 4


@needs_strace
def test_key_is_on_disk(tmp_path: Path) -> None:
    """
    A key that was made is synced, and its name in the directory too, before it is used.
    """
    log = tmp_path / "calls"
    calls = ["strace", "-qq", "-y", "-o", log, "-e", "trace=fsync,link,linkat"]
    outcome("make_key", tmp_path / "trail", under=calls)

    synced, linked, named = log.read_text().splitlines()[-3:]
    assert ".new>) = 0" in synced
    assert "/.key" in linked
    assert f"{tmp_path}/trail>) = 0" in named
