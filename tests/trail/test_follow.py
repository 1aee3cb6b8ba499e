# Following a stream: what is told once, and what waits for its end.
import gzip
from pathlib import Path

import pytest
from tests.upkeep.trails import FIRST, add, numbered

from audit_mw.trail.closing import close_segment
from audit_mw.trail.follow import Follower
from audit_mw.trail.reader import Damage
from audit_mw.trail.record import Record

DAY, NEXT = "2026-11-20.log", "2026-11-21.log"


def told(follower: Follower) -> list[object]:
    """Return seq of each new record, and the line of each new damage."""
    return [
        item.seq if isinstance(item, Record) else (item.line, item.reason)
        for item in follower.poll()
        if isinstance(item, (Record, Damage))
    ]


def some(trail: Path, name: str, *seqs: int) -> Path:
    return add(trail, name, *(numbered(seq, FIRST) for seq in seqs))


def test_what_is_appended(tmp_path: Path) -> None:
    """
    What was appended since is told, once, from a trail that was not there at first.
    """
    follower = Follower(tmp_path / "trail", "request")
    assert told(follower) == []
    some(tmp_path / "trail", DAY, 1, 2)
    assert told(follower) == [1, 2]
    assert told(follower) == []
    some(tmp_path / "trail", DAY, 3)
    some(tmp_path / "trail", NEXT, 4)

    assert told(follower) == [3, 4]


def test_half_a_line(tmp_path: Path) -> None:
    """
    Half a line waits for its end; when there is a later segment, it is torn.
    """
    follower = Follower(tmp_path, "request")
    path = some(tmp_path, DAY, 1, 2)
    text = path.read_bytes()
    for cut in range(len(text)):
        path.write_bytes(text[:cut])
        assert told(follower) in ([], [1])
    path.write_bytes(text)
    assert told(follower) == [2]
    with path.open("ab") as file:
        file.write(b"half a")
    assert told(follower) == []
    some(tmp_path, NEXT, 3)

    assert told(follower) == [(4, "it does not end with LF"), 3]


@pytest.mark.parametrize("lines", [b"", b"#audit", b"31"])
def test_not_begun(tmp_path: Path, lines: bytes) -> None:
    """
    A segment that is only begun has nothing to tell yet.
    """
    path = tmp_path / "request" / DAY
    path.parent.mkdir()
    path.write_bytes(lines)
    follower = Follower(tmp_path, "request")
    assert told(follower) == []
    path.unlink()
    some(tmp_path, DAY, 1)

    assert told(follower) == [1]


def packed(path: Path) -> None:
    path.with_name(f"{path.name}.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.rename(f"{path}.1"), id="renamed"),
        pytest.param(lambda path: close_segment(path, lambda _: None), id="closed"),
        pytest.param(packed, id="compressed by somebody"),
    ],
)
def test_known_again(tmp_path: Path, change: object) -> None:
    """
    A segment that was renamed or compressed is not told again, but for what is new.
    """
    assert callable(change)
    follower = Follower(tmp_path, "request")
    path = some(tmp_path, DAY, 1, 2)
    assert told(follower) == [1, 2]
    some(tmp_path, DAY, 3)
    change(path)
    assert told(follower) == [3]
    # The next one may get the inode of the one that is gone.
    some(tmp_path, DAY, 4)

    assert told(follower) == [4]
    assert told(follower) == []


def test_begun_anew(tmp_path: Path) -> None:
    """
    A file that was truncated, and begun anew, is told from its start.
    """
    follower = Follower(tmp_path, "request")
    path = some(tmp_path, DAY, 1, 2, 3)
    assert told(follower) == [1, 2, 3]
    path.write_bytes(b"")
    some(tmp_path, DAY, 1, 2)

    assert told(follower) == [1, 2]


def test_a_copy(tmp_path: Path) -> None:
    """
    A copy beside a segment is a segment of its own.
    """
    follower = Follower(tmp_path, "request")
    path = some(tmp_path, DAY, 1, 2)
    path.with_name(f"{DAY}.bak").write_bytes(path.read_bytes())

    assert told(follower) == [1, 2, 1, 2]
    assert told(follower) == []


def test_rotten_archive(tmp_path: Path) -> None:
    """
    An archive that does not decompress is told as damage, once.
    """
    closed = close_segment(some(tmp_path, DAY, 1, 2), lambda _: None)
    assert closed is not None
    closed.archive.write_bytes(closed.archive.read_bytes()[:12])
    follower = Follower(tmp_path, "request")

    said = told(follower)
    assert len(said) == 1
    assert told(follower) == []
