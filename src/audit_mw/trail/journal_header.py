# The header of a journal: a line of JSON that says whose it is and how it is laid out,
# then the notes, then how many blocks follow.
import errno
import json
import os
import stat
import struct
from dataclasses import asdict, dataclass
from typing import Any

from audit_mw.errors import AuditError
from audit_mw.trail.notes import NOTES_BYTES
from audit_mw.trail.slots import Geometry

__all__ = [
    "COUNT",
    "COUNT_AT",
    "HEADER_BYTES",
    "NOTES_AT",
    "Facts",
    "JournalError",
    "encode_header",
    "read_checked_facts",
    "read_facts",
]

FORMAT = 1
_MAGIC = b"#audit_mw journal "
NOTES_AT = 3 * 4096
HEADER_BYTES = NOTES_AT + NOTES_BYTES
COUNT = struct.Struct("<I")  # of blocks
COUNT_AT = NOTES_AT + 8  # in the space that the notes leave
_LARGEST = 1 << 32


class JournalError(AuditError):
    """A file is no journal, or one that this version does not read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What the header of a journal says.

    Args:
        trail: the directory that its records belong to; empty where it lies in it.
        service: name of the service.
        instance: the process that it is of.
        boot: the boot of the machine that it was made in.
        durability: `process` or `disk`.
        geometry: how its blocks are laid out.
    """

    trail: str
    service: str
    instance: str
    boot: str
    durability: str
    geometry: Geometry


def encode_header(facts: Facts) -> bytes:
    """
    Return the line that says what `facts` do, and the magic before it.

    Raises:
        OSError: it is longer than a header may be.
    """
    header = b"%s%d\n%s\n" % (_MAGIC, FORMAT, json.dumps(asdict(facts)).encode())
    if len(header) > NOTES_AT:
        raise OSError(errno.ENAMETOOLONG, "the trail's path is too long", facts.trail)

    return header


def read_facts(fd: int) -> Facts:
    """
    Return what the header of an open journal says.

    Raises:
        JournalError: it is none, or of another version.
    """
    magic, _, rest = os.pread(fd, NOTES_AT, 0).partition(b"\n")
    if not magic.startswith(_MAGIC):
        raise JournalError("it does not begin as a journal does")
    if magic != b"%s%d" % (_MAGIC, FORMAT):
        said = magic.removeprefix(_MAGIC)[:20].decode("ascii", "replace")
        raise JournalError(
            f"it is of format {said}, and this version reads {FORMAT}: "
            "run the version that wrote it, or `audit-mw recover` of that version"
        )
    try:
        told: dict[str, Any] = json.loads(rest.partition(b"\n")[0])
        return _facts(told.pop("geometry"), told)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalError(f"its header cannot be read: {error}") from error


def _facts(sizes: dict[str, Any], told: dict[str, Any]) -> Facts:
    if not all(type(size) is int and 0 < size < _LARGEST for size in sizes.values()):
        raise ValueError("a size that no journal has")
    if not all(isinstance(text, str) for text in told.values()):
        raise ValueError("a fact that is no text")

    return Facts(**told, geometry=Geometry(**sizes))


def read_checked_facts(fd: int) -> Facts:
    """
    Return what `read_facts` does, of a file that is as long as it must be.

    Raises:
        JournalError: it is no journal, or was cut off.
    """
    # Asked before it is mapped: a look behind the end of a file is a SIGBUS.
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise JournalError("it is no regular file")
    facts = read_facts(fd)
    size = status.st_size
    count = os.pread(fd, COUNT.size, COUNT_AT).ljust(COUNT.size, b"\0")
    whole = HEADER_BYTES + COUNT.unpack(count)[0] * facts.geometry.size
    if size < whole:
        raise JournalError(f"it was cut off: {size} of {whole} bytes are left")

    return facts
