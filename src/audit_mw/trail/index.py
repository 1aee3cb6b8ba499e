# The index beside a closed segment: one line of JSON that says what is in it.
#
# Rule 1: an index is a help, never the evidence. Without one, or with one that is no
#         more than rubbish, a segment reads from its start.
# Rule 2: it names the file that was closed by device and inode. So a segment whose
#         closing was cut short is not read twice, and a journal finds what it appended.
import errno
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from audit_mw.errors import DamagedRecord
from audit_mw.trail.encoding import decode_time, encode_time
from audit_mw.trail.names import index_path

__all__ = [
    "Facts",
    "Frame",
    "Index",
    "decode_index",
    "encode_index",
    "open_regular",
    "read_index",
    "was_closed",
]

FORMAT = 1
# Of a day of 500 GB; each frame that is named takes some hundred bytes of memory.
_MOST_BYTES = 4 << 20


class Frame(NamedTuple):
    """One frame of an archive: its size compressed and not, and the LFs in it."""

    packed: int
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What is in a segment.

    `first` and `last` are the smallest and the largest `time` of its lines, in
    microseconds since the epoch, None where it has none; `records` its lines but for
    headers; `bytes` and `sha256` of all that is in it, not compressed.
    """

    first: int | None
    last: int | None
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """
    The index of a closed segment.

    `segment` is the name that it had, `device` and `inode` the file that it was.
    """

    segment: str
    facts: Facts
    device: int
    inode: int
    frames: tuple[Frame, ...] = ()

    def is_of(self, status: os.stat_result) -> bool:
        """Tell whether a file may be the one that was closed; it may have grown."""
        is_same = (status.st_dev, status.st_ino) == (self.device, self.inode)

        return is_same and status.st_size >= self.facts.bytes


def encode_index(index: Index) -> bytes:
    """Return the line of JSON that `decode_index` takes."""
    facts = {**asdict(index.facts)}
    for key in ("first", "last"):
        time = facts[key]
        facts[key] = None if time is None else encode_time(time).decode()
    fields = {
        "format": FORMAT,
        "segment": index.segment,
        **facts,
        "device": index.device,
        "inode": index.inode,
        "frames": index.frames,
    }

    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def decode_index(line: bytes) -> Index:
    """
    Return what `encode_index` made `line` from.

    Raises:
        DamagedRecord: it is no index of a format that is known here.
    """
    try:
        fields = json.loads(line)
        if fields["format"] != FORMAT:
            raise DamagedRecord(f"an index of format {fields['format']!r}")
        return Index(
            segment=_word(fields["segment"]),
            facts=_facts(fields),
            device=_count(fields["device"]),
            inode=_count(fields["inode"]),
            frames=tuple(Frame(*map(_count, frame)) for frame in fields["frames"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedRecord(f"no index: {error!r}") from error


def _facts(fields: Mapping[str, Any]) -> Facts:
    first, last = fields["first"], fields["last"]

    return Facts(
        first=None if first is None else decode_time(_word(first).encode()),
        last=None if last is None else decode_time(_word(last).encode()),
        records=_count(fields["records"]),
        bytes=_count(fields["bytes"]),
        sha256=_word(fields["sha256"]),
    )


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a JSON {type(value).__name__} where a word must stand")

    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"a JSON {type(value).__name__} where a count must stand")

    return value


def read_index(path: Path) -> Index | None:
    """
    Return the index of a segment, closed or not, or None if it has none.

    Raises:
        DamagedRecord: there is a file in its place that is no index.
    """
    try:
        return decode_index(_read(index_path(path)))
    except FileNotFoundError:
        return None


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EINVAL, errno.EISDIR):
            raise DamagedRecord("no index: no regular file") from error
        raise


def open_regular(path: Path) -> BinaryIO:
    """
    Open a file, and nothing else that may stand there, for reading.

    Raises:
        OSError: it is none, or cannot be opened.
    """
    # A FIFO would be waited for, and a link may lead to what has no end.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    fd = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))

    return os.fdopen(fd, "rb")


def was_closed(path: Path, device: int, inode: int) -> bool:
    """
    Tell whether a file that is gone was closed: whether an index names it.

    Args:
        path: where it was; the archive may have got another name of the same period.
        device, inode: which it was.
    """
    stem = path.name.partition(".log")[0]
    for each in path.parent.glob(f"{escape(stem)}*.index"):
        with suppress(DamagedRecord, OSError):
            index = decode_index(_read(each))
            if (index.device, index.inode) == (device, inode):
                return True

    return False
