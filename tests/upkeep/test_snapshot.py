"""
A segment that was seen is found again, whatever is renamed meanwhile.
"""

import os
import threading
import time
from pathlib import Path

import pytest

from audit_mw.trail.record import header_line
from audit_mw.verify.snapshot import open_seen, take_snapshot

HEADER = header_line("request")


def test_while_it_is_renamed(tmp_path: Path) -> None:
    """
    Beside one who rotates all the time, it is the file that was seen that is read.
    """
    directory = tmp_path / "request"
    directory.mkdir()
    (directory / "2026-11-21.log").write_bytes(HEADER + b"first")

    thread = threading.Thread(target=rotate, args=(directory,))
    thread.start()
    while thread.is_alive():
        seen = take_snapshot(tmp_path)["request"][-1]
        with open_seen(seen) as (_, file):
            status = os.fstat(file.fileno())
        assert (status.st_dev, status.st_ino) == seen.inode
    thread.join()


def rotate(directory: Path) -> None:
    active = directory / "2026-11-21.log"
    for number in range(200):
        active.rename(directory / f"2026-11-21.log-{number:06}")
        active.write_bytes(HEADER)
        time.sleep(0.002)


def test_what_the_reader_raises(tmp_path: Path) -> None:
    """
    A file that whoever reads misses is not taken for the segment.
    """
    (tmp_path / "request").mkdir()
    (tmp_path / "request/2026-11-21.log").write_bytes(HEADER)
    (seen,) = take_snapshot(tmp_path)["request"]

    with pytest.raises(FileNotFoundError, match="another"), open_seen(seen):
        raise FileNotFoundError("another")


def test_gone(tmp_path: Path) -> None:
    """
    One that was removed is named.
    """
    (tmp_path / "request").mkdir()
    (tmp_path / "request/2026-11-21.log").write_bytes(HEADER)
    (seen,) = take_snapshot(tmp_path)["request"]
    seen.path.unlink()

    with pytest.raises(FileNotFoundError, match=r"2026-11-21\.log went away"):
        open_seen(seen).__enter__()
