# Archives that somebody made to be read wrongly: whatever they hold, reading ends, what
# is damaged is named, what is around it is read, and memory stays as it is.
import gzip
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few
from tests.trail.crew import outcome
from tests.trail.samples import event

from audit_mw.trail.archive import ArchiveFile
from audit_mw.trail.frames import Frames, Start, content_size, known_frames
from audit_mw.trail.index import Facts, Frame, Index, encode_index
from audit_mw.trail.merging import TrailReader
from audit_mw.trail.names import index_path
from audit_mw.trail.reader import Damage, Position, read_lines, read_segment
from audit_mw.trail.record import (
    VALUES,
    Record,
    draft_event,
    finish_line,
    header_line,
)
from audit_mw.trail.zstd import pack

HEADER = header_line("request")
NAME = "2026-11-21.log.zst"


def line(seq: int, **changes: Any) -> bytes:
    return finish_line(draft_event(event(**changes)), seq)


def skippable(size: int, told: int | None = None) -> bytes:
    """Return a frame that is to be skipped (RFC 8878 3.1.2); it may lie."""
    length = size if told is None else told

    return b"\x50\x2a\x4d\x18" + struct.pack("<I", length) + b"z" * size


def bomb(blocks: int) -> bytes:
    """Return a frame that does not tell its size: 128 KiB of `a` each 4 bytes."""
    block = struct.pack("<I", 131_072 << 3 | 2)[:3] + b"a"
    last = struct.pack("<I", 131_072 << 3 | 3)[:3] + b"a"

    return b"\x28\xb5\x2f\xfd\x00\x38" + block * (blocks - 1) + last


def put(trail: Path, packed: bytes, name: str = NAME, stream: str = "request") -> Path:
    path = trail / stream / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)

    return path


def put_index(archive: Path, frames: list[Frame]) -> None:
    facts = Facts(first=None, last=None, records=0, bytes=0, sha256="")
    index = Index(
        segment="2026-11-21.log",
        facts=facts,
        device=0,
        inode=0,
        frames=tuple(frames),
    )
    index_path(archive).write_bytes(encode_index(index))


def seen(path: Path) -> list[object]:
    """Return seq of each record, and the reason of each damage."""
    return [
        item.seq if isinstance(item, Record) else getattr(item, "reason", item)
        for item in read_segment(path)
    ]


def seen_in(trail: Path) -> list[object]:
    """Return the same of a whole trail, damage first."""
    return [
        item.reason if isinstance(item, Damage) else item.record.seq
        for item in TrailReader([trail]).read()
    ]


FIRST, SECOND = HEADER + line(1), line(2)
ENDS = "the archive cannot be read: "
TOO_LONG = "longer than any line: 16777216 bytes"
ARCHIVES = [
    pytest.param(
        pack(FIRST[:300]) + pack(FIRST[300:] + SECOND), [], id="a line in two"
    ),
    pytest.param(pack(FIRST) + skippable(5000) + pack(SECOND), [], id="skippable"),
    pytest.param(skippable(100) + pack(FIRST + SECOND), [], id="skippable first"),
    pytest.param(pack(FIRST + SECOND) + skippable(9), [], id="skippable last"),
    pytest.param(pack(FIRST) + pack(b"") * 5000 + pack(SECOND), [], id="empty frames"),
    pytest.param(pack(FIRST + SECOND) + b"rubbish", [ENDS], id="rubbish behind"),
    pytest.param(pack(FIRST + SECOND) + bytes(5000), [ENDS], id="NULs behind"),
    pytest.param(pack(FIRST + SECOND) + skippable(9, 99), [ENDS], id="skippable cut"),
    pytest.param(
        pack(FIRST + SECOND) + b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00",
        [ENDS],
        id="a window of 2 GiB",
    ),
    pytest.param(
        pack(FIRST + SECOND) + b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\x00\x00",
        [ENDS],
        id="a size of 2**64",
    ),
    pytest.param(pack(FIRST) + bomb(300) + pack(b"\n" + SECOND), [TOO_LONG], id="bomb"),
    pytest.param(
        gzip.compress(FIRST) + gzip.compress(bytes(40 << 20) + b"\n" + SECOND),
        [TOO_LONG],
        id="bomb of gzip",
    ),
]


@pytest.mark.parametrize(("packed", "damage"), ARCHIVES)
def test_made_archives(tmp_path: Path, packed: bytes, damage: list[str]) -> None:
    """What is damaged is named once, and what is around it is read."""
    path = put(tmp_path, packed)
    found, others = seen(path), seen_in(tmp_path)

    for each in (found, others):
        assert [it for it in each if isinstance(it, int)] == [1, 2]
        named = [it for it in each if isinstance(it, str)]
        assert len(named) == len(damage)
        assert all(map(str.startswith, named, damage))


@pytest.mark.parametrize("packed", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"])
def test_magic_alone(tmp_path: Path, packed: bytes) -> None:
    """An archive of nothing but its first bytes is damaged, each time it is read."""
    path = put(tmp_path, packed)

    for found in (seen(path), seen_in(tmp_path)):
        assert len(found) == 1
        assert str(found[0]).startswith(ENDS)


def test_cut_anywhere(tmp_path: Path) -> None:
    """Wherever an archive is cut, that is said, and its whole frames are read."""
    one, two = pack(FIRST), pack(SECOND)
    packed = one + two
    for cut in range(5, len(packed)):
        found = seen_in(put(tmp_path, packed[:cut]).parent.parent)

        if cut != len(one):
            assert any(str(it).startswith(ENDS) for it in found), cut
        assert cut < len(one) or 1 in found


LONG = [pytest.param(kind, marks=pytest.mark.long) for kind in ("plain", "zst", "gz")]


@pytest.mark.parametrize("kind", [*LONG, "values"])
def test_flat(tmp_path: Path, kind: str) -> None:
    """A line of 200 MB takes the memory of the longest line that there may be."""
    long = b"x" * 200_000_000 + b"\n" + SECOND
    stream = VALUES if kind.startswith(VALUES) else "request"
    begin = header_line(VALUES) if stream == VALUES else FIRST
    text = begin + long
    packed = {"zst": pack(text), "gz": gzip.compress(text, 1)}.get(kind, text)
    path = put(tmp_path, packed, stream=stream)
    found = outcome("read", path)

    assert found.pop("grown") < 160 << 10
    assert found["Damage"] == (2 if stream == VALUES else 1)


# --- frames


def noise(count: int) -> list[bytes]:
    chance = random.Random(1)

    return [line(seq, action=chance.randbytes(700)) for seq in range(1, count)]


def framed(lines: list[bytes]) -> tuple[bytes, list[Frame]]:
    """Return an archive of which each line is a frame, and its frames."""
    packed = [pack(each) for each in lines]
    sizes = zip(packed, lines, strict=True)

    return b"".join(packed), [Frame(len(p), len(each), 1) for p, each in sizes]


@few
@given(st.data())
def test_rotten_bytes(data: st.DataObject) -> None:
    """A byte that rots costs the frame that it is in, and no other."""
    lines = [HEADER, *noise(9)]
    packed, frames = framed(lines)
    at = data.draw(st.integers(0, len(packed) - 1))
    rotten = bytearray(packed)
    rotten[at] ^= data.draw(st.integers(1, 255))
    hit = next(n for n in range(10) if sum(f.packed for f in frames[: n + 1]) > at)
    with TemporaryDirectory() as name:
        path = put(Path(name), bytes(rotten))
        put_index(path, frames)
        found = seen(path)

    # A frame may be given before its check is read, or hold what was no such change.
    kept = [it for it in found if isinstance(it, int)]
    expected = [seq for seq in range(1, 9) if seq != hit]
    is_believed = content_size(
        bytes(rotten[sum(f.packed for f in frames[:hit]) :][:18])
    )
    if is_believed == frames[hit].bytes:
        assert [seq for seq in kept if seq != hit] == expected


def test_rotten_check_alone(tmp_path: Path) -> None:
    """Where all of a frame was given before its check failed, the next one is read."""
    for size in range(1000, 1040):  # the check lies across two reads of the archive
        body = random.Random(size).randbytes(size)
        one = bytearray(pack(HEADER) + pack(b"#" + body.replace(b"\n", b"x") + b"\n"))
        one[-1] ^= 1
        frames = [
            Frame(len(pack(HEADER)), len(HEADER), 1),
            Frame(len(one) - len(pack(HEADER)), size + 2, 1),
            Frame(len(pack(SECOND)), len(SECOND), 1),
            Frame(len(pack(line(3))), len(line(3)), 1),
        ]
        path = put(tmp_path, bytes(one) + pack(SECOND) + pack(line(3)))
        put_index(path, frames)

        assert [it for it in seen(path) if isinstance(it, int)] == [2, 3]


@pytest.mark.parametrize(
    "lie",
    [
        lambda f: [Frame(f[0].packed, sum(e.bytes for e in f[:3]), 3), *f[1:]],
        lambda f: [Frame(f[0].packed + 1, f[0].bytes, 1), f[1]._replace(packed=1)],
        lambda f: [f[0]._replace(bytes=0), *f[1:]],
        lambda f: [Frame(sum(e.packed for e in f), f[0].bytes, 1)],
    ],
)
def test_lying_index(tmp_path: Path, lie: Callable[[list[Frame]], list[Frame]]) -> None:
    """An index that lies of its frames leads no reader past a record."""
    packed, frames = framed([HEADER, *noise(9)])
    path = put(tmp_path, packed)
    put_index(path, lie(frames))
    with path.open("rb") as file:
        archive = ArchiveFile(file, lie(frames))
        at = Position(3, sum(frame.bytes for frame in frames[:3]))
        found = [it for it in read_lines(archive, path, at) if isinstance(it, Record)]

    assert [record.seq for record in found] == list(range(3, 9))


def test_going_on_in_a_damaged_archive(tmp_path: Path) -> None:
    """Where what was read before is damaged by now, that is named, and reading goes on."""
    packed, frames = framed([HEADER, *noise(9)])
    rotten = bytearray(packed)
    rotten[sum(frame.packed for frame in frames[:3]) + 40] ^= 1
    path = put(tmp_path, bytes(rotten))
    put_index(path, frames)
    middle = sum(frame.bytes for frame in frames[:3]) + 9
    with path.open("rb") as file:
        found = list(read_lines(ArchiveFile(file, frames), path, Position(3, middle)))

    assert isinstance(found[0], Damage)
    assert [it.seq for it in found if isinstance(it, Record)] == list(range(4, 9))


def test_many_frames(tmp_path: Path) -> None:
    """Where each of many frames is damaged, each is named, in their order."""
    one = pack(b"a")
    rotten = one[:-1] + bytes([one[-1] ^ 1])
    path = put(tmp_path, rotten * 20_000)
    put_index(path, [Frame(len(one), 1, 0)] * 20_000)
    found = list(read_segment(path))

    assert len(found) == 20_000


@given(
    st.lists(st.integers(0, 400), max_size=20),
    st.integers(0, 5000),
)
def test_places(sizes: list[int], place: int) -> None:
    """A place is found in the frame that has it."""
    frames = Frames([Frame(size + 1, size, 0) for size in sizes])
    start = frames.of(place)
    behind = frames.behind(place)

    assert start.offset <= place or start == Start(0, 0, 0)
    assert behind is None or behind.packed > place


@given(exact=st.binary(max_size=70_000), checked=st.booleans())
def test_content_size(*, exact: bytes, checked: bool) -> None:
    """A frame says its size, as zstd itself reads it."""
    packed = zstandard.ZstdCompressor(write_checksum=checked).compress(exact)

    assert content_size(packed[:18]) == len(exact)


@given(st.binary(max_size=20) | st.binary(max_size=16).map(b"\x28\xb5\x2f\xfd".__add__))
def test_content_size_of_anything(header: bytes) -> None:
    """Whatever stands there, the size is told as zstd tells it, or none is."""
    try:
        told = zstandard.frame_content_size(header)
    except zstandard.ZstdError:
        told = -1
    found = content_size(header)

    # zstd gives -1 where it knows of no size, and takes no header with unused bits.
    assert found is None or told in (-1, found)


def test_known_frames(tmp_path: Path) -> None:
    """Frames are known where each begins as the index says."""
    packed, frames = framed([HEADER, SECOND])
    with put(tmp_path, packed).open("rb") as file:
        assert known_frames(file, frames).of(len(HEADER)).offset == len(HEADER)
        assert known_frames(file, frames[::-1]).of(1 << 40) == Start(0, 0, 0)


def test_index_of_rubbish(tmp_path: Path) -> None:
    """An index of millions of frames is none: its archive is read without it."""
    path = put(tmp_path, pack(FIRST))
    fields = {"frames": [[0, 0, 0]] * 2_000_000}
    index_path(path).write_text(json.dumps(fields, separators=(",", ":")))

    assert outcome("read", path)["grown"] < 64 << 10
