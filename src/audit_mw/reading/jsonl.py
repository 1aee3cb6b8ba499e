# A record as one JSON object on one line, for tools.
#
# It has all columns, under their names: counts are numbers, what is absent is null,
# text stays coded as in the record, so that `%XX` gives the exact bytes and all of it
# is printable ASCII; `params` and `details` are the JSON that they are. So the line of
# the segment can be made from it again.
import re

from audit_mw.trail.encoding import decode_number
from audit_mw.trail.params import decode_details, decode_params
from audit_mw.trail.record import COLUMNS

__all__ = ["json_line"]

_UNSAFE = re.compile(rb"[^ -~]")
_BARE = (decode_number, decode_params, decode_details)
_SPELT = {b"-": b"null", b'""': b'""', b"%2D": b'"-"', b"%22%22": b'"\\"\\""'}
_NAMES = [
    (b'"%s":' % column.name.encode(), column.decode in _BARE) for column in COLUMNS
]


def json_line(line: bytes) -> bytes:
    """Return the JSON object of a whole line of a segment, without a line's end."""
    cells = line.rstrip(b"\n").split(b"\t")
    shown = b"{%s}" % b",".join(
        name + (_bare(cell) if is_bare else _string(cell))
        for (name, is_bare), cell in zip(_NAMES, cells, strict=True)
    )

    # The coder writes nothing else; who forges a line may.
    return _UNSAFE.sub(_coded, shown)


def _coded(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(byte[0])


def _bare(cell: bytes) -> bytes:
    return b"null" if cell == b"-" else cell


def _string(cell: bytes) -> bytes:
    spelt = _SPELT.get(cell)
    if spelt is not None:
        return spelt

    return b'"%s"' % cell.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
